"""A roll call to 10,000 WeCom officers: ten calls; then all answer within a minute while pages go out in between."""

import asyncio
import subprocess
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.fanout import call_roll
from bench.office import Office, desk, fake_wecom, fill, get, make_wecom_office, member_of, post
from bench.result import Result
from bot.clock import SystemClock
from desk.letters import sending_kind
from desk.model import Choice, Job, Lane, Letter
from desk.ports import ulid
from roster.model import Answer, RollCall
from roster.model import Result as Stands

AUDIENCE = 10_000
PER_CALL = 1_000
FANOUT_SECONDS_MAX = 5.0
PRESSES_AT_ONCE = 200
PRESS_SECONDS = 60.0
PAGES = 100
FIRST_AFTER = timedelta(seconds=5)
EVERY = timedelta(seconds=0.5)
P99_SECONDS_MAX = 2.0
WAIT_SECONDS_MAX = 180.0


async def measure() -> list[Result]:
    """Seconds from the roll call's row to the last call, answers that arrived, and the slowest page in between."""
    with tempfile.TemporaryDirectory() as folder, fake_wecom() as wecom:
        office = make_wecom_office(Path(folder), wecom["settings"])
        database = office.database
        await database.start()
        await fill(database, AUDIENCE, "wecom", member_of)
        await database.close()
        post(f"{wecom['url']}/_control/phones", {"prefix": "w", "count": AUDIENCE})
        post(f"{wecom['url']}/_control/knobs", {"callback_url": f"{office.url}/channels/wecom/callback"})
        with desk(office) as process:
            fanout = await _call(office, wecom["url"])
            answers, latency = await _answer(office, wecom["url"], process)
    return [fanout, answers, latency]


async def _call(office: Office, url: str) -> Result:
    await asyncio.sleep(
        3
    )  # The desk looks at its members when it starts, and only then knows how many they are.
    await call_roll(office.config)
    began = time.perf_counter()
    while (figures := get(f"{url}/_control/stats"))["reached"] < AUDIENCE:
        if time.perf_counter() - began > WAIT_SECONDS_MAX:
            break
        await asyncio.sleep(0.1)
    called_at = await _called_at(office)
    sends = get(f"{url}/_control/sends?since=0")["sends"]
    seconds = max(one["at"] for one in sends) - called_at.timestamp()
    reached = {userid for one in sends for userid in one["reached"]}
    whole = len(reached) == figures["reached"] == AUDIENCE and len(sends) == AUDIENCE // PER_CALL
    how = f"{len(sends)} calls reached {len(reached)} people once, {figures['dropped']} dropped"
    holds = whole and seconds <= FANOUT_SECONDS_MAX
    bar = f"<= {FANOUT_SECONDS_MAX:g} s in {AUDIENCE // PER_CALL} calls"
    return Result("fanout_wecom", seconds, "s", None, None, bar, holds, how)


async def _answer(office: Office, url: str, process: "subprocess.Popen[bytes]") -> tuple[Result, Result]:
    due = await _owe_pages(office)
    began = time.perf_counter()
    for start in range(0, AUDIENCE, PRESSES_AT_ONCE):
        ids = [member_of(number) for number in range(start, start + PRESSES_AT_ONCE)]
        body = {"ids": ids, "button": "到岗"}
        failed = (await asyncio.to_thread(post, f"{url}/_control/everybody/press", body))["failed"]
        if failed:
            raise RuntimeError(f"{len(failed)} could not press: {next(iter(failed.items()))}")
        await asyncio.sleep(
            began + PRESS_SECONDS * (start + PRESSES_AT_ONCE) / AUDIENCE - time.perf_counter()
        )
    pressed_seconds = time.perf_counter() - began
    database = office.database
    await database.start()
    left = AUDIENCE
    while left and time.perf_counter() - began < WAIT_SECONDS_MAX:
        await asyncio.sleep(0.5)
        async with database.read() as store:
            left = await store.count(Answer, result=Stands.waiting)
    await database.close()
    seconds = time.perf_counter() - began
    pushes = get(f"{url}/_control/pushes?since=0")["pushes"]
    slow = sum(one["outcomes"] != [200] for one in pushes)
    how = f"pressed in {pressed_seconds:.0f} s, {left} lost, {slow} of {len(pushes)} callbacks not taken within 5 s"
    holds = not left and not slow
    answers = Result("answers_wecom", seconds, "s", None, None, "none lost, intake <= 5 s", holds, how)
    return answers, _latency(get(f"{url}/_control/sends?since=0")["sends"], due)


async def _owe_pages(office: Office) -> list[datetime]:
    """Pages to people who have answered or will, due one after the other while the others answer."""
    now = SystemClock().now()
    due = [now + FIRST_AFTER + place * EVERY for place in range(PAGES)]
    letters, jobs = [], []
    for place, moment in enumerate(due):
        facts = {"number": f"ZS-20261124-{place:03d}", "text": "测速", "title": "测速"}
        letter = Letter(
            ulid(moment),
            "incident_page",
            facts,
            (Choice("sign", "none"), Choice("hand", "none")),
            Lane.urgent,
            moment,
            officer_id=f"officer-{place}",
        )
        letters.append(letter)
        kind = sending_kind(letter)
        jobs.append(Job(ulid(now), kind, letter.id, moment, f"to:{letter.officer_id}", Lane.urgent))
    database = office.database
    await database.start()
    async with database.begin() as store:
        await store.add(*letters, *jobs)
    await database.close()
    return due


def _latency(sends: list[dict[str, Any]], due: list[datetime]) -> Result:
    arrived: dict[int, float] = {}
    for one in sends:
        text = str(one["body"])
        for place in range(PAGES):
            if f"ZS-20261124-{place:03d}" in text:
                arrived.setdefault(place, one["at"])
    waits = sorted(
        arrived[place] - moment.timestamp() for place, moment in enumerate(due) if place in arrived
    )
    worst = waits[int(len(waits) * 0.99)] if len(waits) == PAGES else float("inf")
    how = f"{len(waits)} of {PAGES} pages while the others answered"
    bar = f"p99 <= {P99_SECONDS_MAX:g} s"
    return Result("latency_wecom", worst, "s", None, None, bar, worst <= P99_SECONDS_MAX, how)


async def _called_at(office: Office) -> datetime:
    database = office.database
    await database.start()
    async with database.read() as store:
        [call] = await store.find(RollCall)
    await database.close()
    return call.called_at
