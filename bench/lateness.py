"""Lateness: how late escalations are, with 10,000 due in one minute while 500 messages a second come in."""

import asyncio
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.incidents import fire
from bench.office import (
    FIRST_CHAT,
    UNITS,
    Office,
    desk,
    fake_telegram,
    fill,
    loaded,
    make_office,
    open_phones,
    start_load,
    update,
)
from bench.result import Result
from bot.clock import SystemClock
from desk.model import Job, Lane
from incidents.model import Incident, Ladder, Step
from roster.model import Shift

TIMERS = 10_000
SPAN_SECONDS = 60.0
PER_SECOND = 500
OFFICERS = 5_000
FIRST_AFTER_SECONDS = 20.0  # Until then the desk is up and messages flow.
LOOK_SECONDS = 0.02  # So exact is the figure.
PATIENCE_SECONDS = 120.0
P99_MS_MAX = 250.0
LADDER = Ladder(
    "三级", (Step(0, ("post:duty_officer",)), Step(5, ("post:duty_leader",)), Step(60, ("role:office",)))
)


async def measure() -> list[Result]:
    """From the moment a step is due until it is taken and durable; the latest of a hundred."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        due = await _owe(office)
        open_phones(telegram["url"], OFFICERS)
        with desk(office):
            until_first = due[0] - time.time()
            messages = start_load(
                office.webhook,
                update("到"),
                chat=FIRST_CHAT,
                chats=OFFICERS,
                seconds=until_first + SPAN_SECONDS,
                per_second=PER_SECOND,
            )
            late = await _watch(office, due)
            came = loaded(messages)
    ordered = sorted(1000 * one for one in late)
    p99, half = ordered[int(len(ordered) * 0.99)], ordered[len(ordered) // 2]
    how = (
        f"{TIMERS:,} steps due within {SPAN_SECONDS:g} s, {came['per_second']:.0f} messages/s coming in and "
    )
    how += f"answered in {came['p99_ms']:.0f} ms (p99); seen every {1000 * LOOK_SECONDS:g} ms; "
    how += f"median {half:.0f} ms, worst {ordered[-1]:.0f} ms"
    bar = f"<= {P99_MS_MAX:g} ms at {PER_SECOND} messages/s"
    holds = p99 <= P99_MS_MAX and came["per_second"] >= 0.95 * PER_SECOND and not came["refused"]
    return [Result("lateness", p99, "ms p99", None, None, bar, holds, how)]


async def _owe(office: Office) -> list[float]:
    """Unsigned incidents whose next rung is due, evenly over a minute; the moments as seconds since the epoch."""
    database = office.database
    await database.start()
    await fill(database, OFFICERS)
    now = SystemClock().now()
    shifts = [
        Shift(
            f"s-{n}",
            f"unit-{n}",
            "duty_leader",
            f"officer-{n}",
            now - timedelta(hours=1),
            now + timedelta(hours=8),
        )
        for n in range(UNITS)
    ]
    first = now + timedelta(seconds=FIRST_AFTER_SECONDS)
    due = [first + timedelta(seconds=SPAN_SECONDS * number / TIMERS) for number in range(TIMERS)]
    incidents = [_incident(number, at) for number, at in enumerate(due)]
    jobs = [
        Job(f"step/{one.id}/0/1", "step", one.id, at, f"incident:{one.id}", Lane.urgent)
        for one, at in zip(incidents, due, strict=True)
    ]
    async with database.begin() as store:
        await store.add(*shifts, *incidents, *jobs)
    await database.close()
    return [one.timestamp() for one in due]


def _incident(number: int, due_at: datetime) -> Incident:
    """One whose first rung was silent for five minutes; the third is due long after the figure is taken."""
    at = due_at - timedelta(minutes=5)
    return replace(
        fire(number, at, officers=OFFICERS),
        ladder=LADDER,
        step=1,
        walk_started_at=at,
        next_step_at=due_at,
    )


async def _watch(office: Office, due: list[float]) -> list[float]:
    """How late each step was, in seconds: the steps that are done at each look are the first so many."""
    database = office.database
    await database.start()
    late: list[float] = []
    last = datetime.fromtimestamp(due[-1], UTC)
    try:
        while len(late) < TIMERS:
            async with database.read() as store:
                left = await store.count(Job, parked=False, lane=Lane.urgent, kind="step", due_at_to=last)
            now = time.time()
            late += [now - moment for moment in due[len(late) : TIMERS - left]]
            if now > due[-1] + PATIENCE_SECONDS:
                late += [
                    now - moment for moment in due[len(late) :]
                ]  # At least so late; the bar is missed by far.
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await database.close()
    return late
