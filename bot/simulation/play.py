"""Plays the town against the desk, day by day, and holds every promise against what happened."""

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bot.config import load
from bot.simulation.faults import LEVELS, Faults
from bot.simulation.inline import Disk
from bot.simulation.ledger import Ledger
from bot.simulation.life import CURRENT
from bot.simulation.loop import VirtualLoop
from bot.simulation.messages import Phone
from bot.simulation.office import Office
from bot.simulation.platforms import pass_by
from bot.simulation.players import find_players
from bot.simulation.promises import find_watchers
from bot.simulation.scene import Rows, Scene, Watcher
from bot.simulation.stand_ins import standing_in
from bot.simulation.world import World, town_time, until_next_day
from bot.town.rules import town_policy
from desk.policy import Policy
from roster import calendar
from roster.model import Account, Proof, RollCallPlan

SETTLE_SECONDS = 20 * 60.0  # After the last fault everything must be done within so long.
LOOK_AFTER_SECONDS = 60.0
START_SECONDS = 300.0
RANK = 10
CARRY_ON_AT_SECONDS = 5 * 3600.0
CODE_UNITS = ("小榄镇", "市应急办")
CHANNELS = ("telegram", "telegram", "wecom", "webchat")


@dataclass(frozen=True)
class Played:
    """What came of one run."""

    ledger: Ledger
    said: int
    shown: int
    digest: str  # Of the whole course of events: the same seed gives the same.
    last_lines: tuple[str, ...]

    def breaches(self) -> list[tuple[str, str, str]]:
        """The first breaches: which promise, when by the town's own time, and what was found."""
        return [
            (one.promise, f"{town_time(one.at):%Y-%m-%d %H:%M:%S}", one.found) for one in self.ledger.breaches
        ]


def simulate(
    days: int,
    seed: int,
    faults: str = "none",
    *,
    in_real_time: bool = False,
    at_midnight: Callable[[], None] = lambda: None,
) -> Played:
    """Play so many days of the town; the ledger says what was promised and whether it was kept.

    Whoever measures looks at the end of each day (`at_midnight`)."""
    disk, surprises = Disk(), Surprises()
    with tempfile.TemporaryDirectory() as folder, standing_in(seed, disk, surprises):
        loop = VirtualLoop(in_real_time=in_real_time)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            play = _Play(World(loop, seed), Path(folder), disk, faults)
            played = runner.run(play.run(days, at_midnight))
    played.ledger.count("said", played.said)
    played.ledger.count("shown", played.shown)
    for words, count in surprises.heard.items():
        played.ledger.count(f"error: {words}", count)
        if faults == "none":
            played.ledger.breach("nothing_unexpected", words)
    return played


class Surprises(logging.Handler):
    """Hears what a living desk logs as an error, by its unfilled words; what a dying one says is of no account."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """One more of these."""
        life = CURRENT.get()
        if life is None or life.is_alive:
            self.heard[f"{record.name}: {record.msg}"] += 1


class _Play:
    """One run."""

    def __init__(self, world: World, folder: Path, disk: Disk, faults: str) -> None:
        self._world = world
        self._disk = disk
        self._office = Office(folder, policy(), world.clock, world.platforms, disk)
        self._ledger = Ledger(lambda: world.now)
        self._faults = Faults(world, self._office, disk, self._ledger, LEVELS[faults])
        self._watchers: list[Watcher] = []
        self._looks_soon = False

    async def run(self, days: int, at_midnight: Callable[[], None]) -> Played:
        world, office = self._world, self._office
        office.start_soon()
        await self._until_it_serves()
        await self._give_phones()
        rows = Rows(office.path)
        try:
            scene = Scene(world, office, rows, self._ledger)
            self._watchers = find_watchers(scene)
            world.duty_room_code = lambda ref, phone: _code(rows, ref, phone)
            world.players = find_players(world)
            self._disk.touched = self._something_happened
            self._faults.begin()
            for number in range(days):
                await self._day(number)
                at_midnight()
            await self._settle()
        finally:
            rows.close()
            self._disk.touched = lambda: None
            office.kill()
        if world.faults:
            raise world.faults[0]
        self._ledger.count("database_calls", self._disk.calls)
        return Played(
            self._ledger, len(world.said), len(world.shown), world.trace.hexdigest(), tuple(world.last_lines)
        )

    async def _day(self, number: int) -> None:
        ends_in = until_next_day(self._world)
        for player in self._world.players:
            player.day(number)
        self._faults.day(number)
        self._world.later(CARRY_ON_AT_SECONDS, self._carry_on)
        await pass_by(ends_in)

    async def _settle(self) -> None:
        """Liveness: nobody begins anything, nothing goes wrong any more, and all that is owed is done."""
        self._world.is_over = True
        self._faults.end()
        if not self._office.is_alive:
            self._office.start_soon()
        await self._until_it_serves()
        await pass_by(SETTLE_SECONDS)
        self._look()
        for watcher in self._watchers:
            watcher.end()

    async def _until_it_serves(self) -> None:
        ends_at = self._world.loop.time() + START_SECONDS
        while not self._office.serves:
            if self._world.loop.time() > ends_at:
                raise RuntimeError("the desk does not start")
            await pass_by(0.01)

    def _carry_on(self) -> None:
        """The office writes its coming weeks' roster, today or, when the desk is away, tomorrow."""
        if self._office.serves and self._office.life is not None:
            self._office.life.start(self._office.carry_on())

    async def _give_phones(self) -> None:
        """Everybody has the web chat already; three of four use another platform, and that one first."""
        world, office = self._world, self._office
        assert office.life is not None
        await office.life.start(self._bind())
        async with office.door.read() as store:
            accounts = await store.find(Account, order=("officer_id", "rank"))
        for account in accounts:
            world.give_phone(world.officers[account.officer_id], account.channel, account.address)

    async def _bind(self) -> None:
        async with self._office.door.open() as desk:
            for number, officer in enumerate(self._world.register.people):
                channel = CHANNELS[number % len(CHANNELS)]
                if channel != "webchat":
                    account = Account(
                        desk.new_id(), officer.id, channel, f"{channel}-{officer.id}", desk.now, RANK
                    )
                    await desk.store.add(account)

    def _something_happened(self) -> None:
        """The rows may have changed: within a minute the watchers look."""
        if not self._looks_soon:
            self._looks_soon = True
            self._world.loop.call_later(LOOK_AFTER_SECONDS, self._look)

    def _look(self) -> None:
        self._looks_soon = False
        for watcher in self._watchers:
            watcher.look()


def policy() -> Policy:
    """The demonstration's rules, and two more calls: with a code on Mondays, of everybody on the first of a month."""
    text = resources.files("roster").joinpath("calendar.toml").read_text("utf-8")
    rules = town_policy(load(None, {}).policy(calendar.load(text)))
    posts = ("duty_leader", "duty_officer")
    everybody = RollCallPlan("全市点名", cron="30 8 1 * *", posts=posts)
    monday = RollCallPlan("口令点名", cron="30 14 * * 1", posts=posts, units=CODE_UNITS, proof=Proof.passcode)
    return replace(rules, roll_calls=(*rules.roll_calls, everybody, monday))


def _code(rows: Rows, roll_call_id: str, phone: Phone) -> str:
    """What the duty room's screen shows for an answer that needs a code."""
    row = rows.one(
        "SELECT c.passcode FROM answers a JOIN roll_calls c ON c.id = a.roll_call_id"
        " WHERE c.id = ? AND a.officer_id = ? AND a.proof = 'passcode'",
        roll_call_id,
        phone.officer.id if phone.officer else "",
    )
    return str(row["passcode"]) if row is not None else ""
