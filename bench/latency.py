"""Latency: from a page's due moment until Telegram has it, while 10,000 other messages wait in the bulk lane."""

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from bench.office import FIRST_CHAT, Office, desk, fake_telegram, fill, get, make_office, open_phones
from bench.result import Result
from bot.clock import SystemClock
from desk.model import Choice, Job, Lane, Letter
from desk.ports import ulid

WAITING = 10_000
PAGES = 100
FIRST_AFTER = timedelta(seconds=6)  # Until then the desk is up and sends from the bulk lane.
EVERY = timedelta(seconds=0.15)
P99_MS_MAX = 500.0


async def measure() -> list[Result]:
    """The slowest of a hundred pages."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        due = await _owe(office)
        open_phones(telegram["url"], 3_000)
        with desk(office):
            await asyncio.sleep((due[-1] - SystemClock().now()).total_seconds() + 3)
            sends = get(f"{telegram['url']}/_control/sends?since=0")["sends"]
            refused = get(f"{telegram['url']}/_control/stats")["too_many"]
    arrived = {one["chat_id"]: one["at"] for one in sends if "签收" in one["text"]}
    waits = sorted(
        1000 * (arrived[FIRST_CHAT + 1 + place] - moment.timestamp()) for place, moment in enumerate(due)
    )
    worst = waits[int(len(waits) * 0.99)]
    others = len(sends) - PAGES
    how = f"{PAGES} pages while {others} of {WAITING} bulk letters left, {refused} refused; median {waits[50]:.0f} ms"
    return [Result("latency", worst, "ms p99", None, None, f"<= {P99_MS_MAX:g} ms", worst <= P99_MS_MAX, how)]


async def _owe(office: Office) -> list[datetime]:
    """Bulk letters due already, and pages due one after the other."""
    database = office.database
    await database.start()
    await fill(database, 3_000)
    now = SystemClock().now()
    due = [now + FIRST_AFTER + place * EVERY for place in range(PAGES)]
    letters, jobs = [], []
    for number in range(WAITING):
        letter = make_letter(number % 2_800 + 200, Lane.bulk, now)
        letters.append(letter)
        jobs.append(Job(ulid(now), "send", letter.id, now, f"to:{letter.officer_id}", Lane.bulk))
    for place, moment in enumerate(due):
        letter = make_letter(place + 1, Lane.urgent, moment)
        letters.append(letter)
        jobs.append(Job(ulid(now), "send", letter.id, moment, f"to:{letter.officer_id}", Lane.urgent))
    async with database.begin() as store:
        await store.add(*letters, *jobs)
    await database.close()
    return due


def make_letter(officer: int, lane: Lane, at: datetime) -> Letter:
    """A page in the urgent lane, a notice in the bulk lane."""
    kind, choices = (
        ("incident_page", (Choice("incident", "none"),)) if lane is Lane.urgent else ("trouble", ())
    )
    facts = {"number": "ZS-20261124-001", "text": "测速", "title": "测速"}
    return Letter(ulid(at), kind, facts, choices, lane, at, officer_id=f"officer-{officer}")
