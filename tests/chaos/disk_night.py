"""A night in which the disk fills up and gets free again, at any moment, also while the desk boots or right before it
is killed."""

import asyncio
import contextlib
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import make_url

from bot.media import FREE_BYTES_MIN
from tests.chaos.long_night import LongNight
from tests.chaos.office import Life, Office, Starter
from tests.chaos.small_disk import SmallDisk
from web.sessions import SEEN_EVERY, Sessions
from web.settings import WebSettings

BUSY_SECONDS = 1.0
FULL_SECONDS = 2.5
GOES_ON_SECONDS_MAX = 20.0
PAGE_SECONDS_MAX = 5.0
START_AGAIN_SECONDS = 0.3  # systemd takes two (deploy/muster.service).
LOOK_SECONDS = 0.05
AUDITS = {"MUSTER_HEARTBEAT__EVERY_SECONDS": "1"}
TOLD_SECONDS_MAX = 10.0
FULL, NEARLY_FULL = "database or disk is full", "磁盘快满"  # In the log, and on the board.
COOKIE = "muster_desk"
STORED = ("/board", "/incidents", "/roll-calls", "/log")  # Pages that show what is stored.
FRESH_LOG = 0.8  # Of the spans so many.
ONLY_PHOTOS = FREE_BYTES_MIN // 2  # Too little for a photo, enough for rows.


class DiskNight(LongNight):
    """One desk on a small disk."""

    environment = AUDITS

    def __init__(self, office: Office, starter: Starter, dice: random.Random, disk: SmallDisk) -> None:
        super().__init__(office, starter, dice)
        self.disk = disk
        self.spans: Counter[str] = Counter()
        self.starts_in_vain = 0
        self._database = Path(make_url(office.database().url).database or "")
        self.has_rows = disk.folder in self._database.parents
        self._log_read = 0  # What stood there before the disk was full.
        self._secrets: list[str] = []
        self._spans = {
            "while it works": self._fills_while_it_works,
            "when it boots after a kill": self._fills_after_a_kill,
            "when it boots after a stop": self._fills_after_a_stop,
            "and it is killed": self._fills_and_kills,
        }

    async def sign_in(self, times: int) -> None:
        """Browsers in which somebody of the office is signed in and that nobody touched for a while."""
        now = datetime.now(UTC)
        before = now - SEEN_EVERY - timedelta(minutes=1)
        database = self.office.database()
        await database.start()
        sessions = Sessions(None, WebSettings(public_url=self.office.url))  # type: ignore[arg-type]  # Only makes one.
        async with database.begin() as store:
            for _ in range(times):
                session, secret = sessions.start("office-duty", before)
                await store.add(session)
                self._secrets.append(secret)
        await database.close()

    async def fill_and_free(self, number: int, left_bytes: int) -> None:
        """One span of a full disk; every way in turn."""
        way = list(self._spans)[number % len(self._spans)]
        async with self.people_act():
            if self.life is None:
                await self._begin()
            await asyncio.sleep(self.dice.uniform(0, BUSY_SECONDS))
            if number == 0 or self.dice.random() < FRESH_LOG:
                await asyncio.to_thread(self._empty_the_log)
            await self._spans[way](left_bytes)
            await self._goes_on()
        self.spans[way] += 1

    # Ways to be full.

    async def _fills_while_it_works(self, left_bytes: int) -> None:
        self._log_read = len(self.office.log_path.read_text("utf-8", "replace"))
        async with self.disk.full(left_bytes):
            await self._is_read_while_full(left_bytes)

    async def _fills_after_a_kill(self, left_bytes: int) -> None:
        await self._kill("before it fills")
        await self._boots_while_full(left_bytes)

    async def _fills_after_a_stop(self, left_bytes: int) -> None:
        """It took its write-ahead log along, so there is nothing of it to write into."""
        await self._stop_in_peace()
        self.life = None
        await self._boots_while_full(left_bytes)

    async def _boots_while_full(self, left_bytes: int) -> None:
        async with self.disk.full(left_bytes), self._kept_up():
            await asyncio.sleep(self.dice.uniform(FULL_SECONDS / 2, FULL_SECONDS))

    async def _fills_and_kills(self, left_bytes: int) -> None:
        async with self.disk.full(left_bytes):
            await asyncio.sleep(self.dice.uniform(0, FULL_SECONDS))
            await self._kill("while it is full")
            async with self._kept_up():
                await asyncio.sleep(self.dice.uniform(0, FULL_SECONDS))

    def _empty_the_log(self) -> None:
        """A write-ahead log that was long before takes a lot more without asking the disk for room."""
        with (
            contextlib.suppress(sqlite3.OperationalError),  # The desk was faster.
            contextlib.closing(sqlite3.connect(self._database, timeout=1)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # What must hold.

    async def _is_read_while_full(self, left_bytes: int) -> None:
        """Pages show what is stored, somebody is told why no more is, and the desk lives."""
        client = httpx.AsyncClient(
            base_url=self.office.url,
            cookies={COOKIE: self._secrets.pop()},
            timeout=PAGE_SECONDS_MAX,
            trust_env=False,
        )
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + FULL_SECONDS
        is_told = left_bytes >= ONLY_PHOTOS  # Of too little for photos people hear with the next photo.
        async with client:
            while loop.time() < ends_at or not is_told:
                for path in (*STORED, "/healthz"):
                    try:
                        answer = await client.get(path)
                    except httpx.HTTPError as error:
                        raise AssertionError(f"{path} has no answer: {self._last_words()}") from error
                    assert answer.status_code == 200, (
                        f"{path} says {answer.status_code}: {self._last_words()}"
                    )
                    is_told = is_told or NEARLY_FULL in answer.text or self._log_says_so()
                assert loop.time() < ends_at + TOLD_SECONDS_MAX, f"nobody is told: {self._last_words()}"
                await asyncio.sleep(LOOK_SECONDS)
        assert self.life is not None and not _is_over(self.life), f"the desk died: {self._last_words()}"

    def _log_says_so(self) -> bool:
        """While rows cannot be written the board cannot know it; the log does."""
        return self.has_rows and FULL in self.office.log_path.read_text("utf-8", "replace")[self._log_read :]

    async def _goes_on(self) -> None:
        """With room again events are taken, with nobody's help."""
        taken = self.platform.taken
        try:
            async with self._kept_up():
                await self.platform.wait_for(lambda: self.platform.taken > taken, GOES_ON_SECONDS_MAX)
        except TimeoutError:
            raise AssertionError(f"with room again it does not go on: {self._last_words()}") from None

    # Its lives.

    @contextlib.asynccontextmanager
    async def _kept_up(self) -> AsyncIterator[None]:
        """Inside the block a desk that cannot start is started again, as systemd does."""
        keeping = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    async def _keep_up(self) -> None:
        while True:
            if self.life is None:
                self.life = await self.starter.start(environment=AUDITS)
            elif _is_over(self.life):
                life, self.life = self.life, None
                code = await self.starter.end(life, signal.SIGKILL)
                assert code == 1, f"the desk ended with {code}: {self._last_words()}"
                self.starts_in_vain += 1
                await asyncio.sleep(START_AGAIN_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)


def _is_over(life: Life) -> bool:
    """Whether the process ended, and waits for somebody to hear how."""
    stat = Path(f"/proc/{life.pid}/stat").read_text("ascii", "replace")
    return stat.rpartition(") ")[2].startswith("Z")
