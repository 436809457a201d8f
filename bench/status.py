"""/status and /onduty: from the command to the words of the one message that answers it, at 100,000 incidents."""

import random
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

from bench.incidents import fire
from bench.office import fill, make_office
from bench.result import Result
from bot.clock import SystemClock
from bot.config import load
from bot.door import OfficeDoor
from bot.queue.embedded import EmbeddedQueue
from bot.wording import Wording
from desk.model import Inbound, Letter
from desk.ports import Bell, Transactions
from handlers import on_duty, status
from handlers.flow import Flow
from incidents.model import Severity, State
from roster import calendar
from roster.model import Officer, Role, Shift

INCIDENTS = 100_000
OPEN = 150  # A bad night.
ASKED = 60
MS_MAX = 200.0
ENDS = (State.closed, State.unfounded, State.merged)


async def measure() -> list[Result]:
    """The slowest of sixty questions, by an officer who sees everything."""
    with tempfile.TemporaryDirectory() as folder:
        office = make_office(Path(folder), "http://127.0.0.1:9/bot")
        database = office.database
        await database.start()
        await fill(database, 500)
        await _live_for_years(database)
        clock = SystemClock()
        config = load(office.config, {})
        table = resources.files("roster").joinpath("calendar.toml").read_text("utf-8")
        policy = config.policy(calendar.load(table))
        door = OfficeDoor(database, EmbeddedQueue(database, clock), clock, policy, Bell())
        results = [
            await _ask(door, flow, name) for name, flow in (("status", status.flow), ("onduty", on_duty.flow))
        ]
        await database.close()
    return results


async def _ask(door: OfficeDoor, flow: Flow, name: str) -> Result:
    waits = []
    characters = 0
    wording = Wording.of(door.policy)
    for number in range(ASKED):
        began = time.perf_counter()
        async with door.open() as desk:
            officer = await desk.store.get(Officer, "office")
            assert officer is not None
            message = Inbound("telegram", f"{name}-{number}", "1", "text", text=f"/{name}")
            await flow.hear(desk, message, officer)
            [letter] = desk.collected(Letter)
            characters = len(wording.render(letter, desk.now).text)
        waits.append(1000 * (time.perf_counter() - began))
    worst = sorted(waits)[-1]
    how = f"{INCIDENTS} incidents, {OPEN} open, worst of {ASKED}, {characters} characters in one message"
    return Result(name, worst, "ms", None, None, f"<= {MS_MAX:g} ms", worst <= MS_MAX, how)


async def _live_for_years(database: Transactions) -> None:
    """Incidents of some years, a few of them open, and a watch in every unit."""
    now = SystemClock().now()
    chance = random.Random(7)
    office = Officer("office", "应急办", "unit-0", role=Role.office)
    watch = [
        Shift(
            f"s-{unit}-{post}",
            f"unit-{unit}",
            post,
            f"officer-{unit}",
            now - timedelta(hours=3),
            now + timedelta(hours=21),
        )
        for unit in range(24)
        for post in ("duty_leader", "duty_officer")
    ]
    incidents = []
    for number in range(INCIDENTS):
        is_open = number >= INCIDENTS - OPEN
        at = now - timedelta(minutes=3 * (INCIDENTS - number))
        incidents.append(
            replace(
                fire(number, at),
                state=State.received if is_open else chance.choice(ENDS),
                severity=chance.choice(list(Severity)),
                closed_at=None if is_open else at + timedelta(hours=2),
            )
        )
    async with database.begin() as store:
        await store.add(office, *watch)
        for start in range(0, INCIDENTS, 10_000):
            await store.add(*incidents[start : start + 10_000])
