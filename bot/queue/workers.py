"""Procrastinate's register of workers: who is alive, whose errands are left behind, who must be woken."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from procrastinate.manager import JobManager

from bot.store import StoreUnavailable
from bot.store.postgres import SEAT_SECONDS, conninfo, refuse_standby

log = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
AGAIN_SECONDS = 1.0  # After a beat that failed: whoever is not trusted starts nothing.
TRUST_SECONDS = 10.0  # Without a heartbeat for so long we start nothing: others may think us dead soon.
LEASE_SECONDS = 15.0
CALLS_MAX = 2  # Connections of our own, so that a beat never waits for the desk's work.
STILL_THERE = "UPDATE procrastinate_workers SET last_heartbeat = NOW() WHERE id = %(worker_id)s RETURNING id"


class Workers:
    """This process among the workers of one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._app: procrastinate.App | None = None
        self._beat_at = -TRUST_SECONDS
        self.number = 0  # Ours in the register.

    @property
    def manager(self) -> JobManager:
        """Procrastinate's own. Raises StoreUnavailable when it is not open."""
        if self._app is None:
            raise StoreUnavailable("The register of workers is closed.")
        return self._app.job_manager

    @property
    def is_trusted(self) -> bool:
        """Whether nobody can think us dead just now."""
        return asyncio.get_running_loop().time() - self._beat_at < TRUST_SECONDS

    async def open(self) -> None:
        """Enrol this process. Raises StoreUnavailable."""
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo(self._url),
            min_size=1,
            max_size=CALLS_MAX,
            configure=refuse_standby,
            timeout=SEAT_SECONDS,
            reconnect_timeout=SEAT_SECONDS,  # So that it tries for as long as a beat waits.
        )
        app = procrastinate.App(connector=connector)
        with _told():
            await app.open_async()
        self._app = app
        try:
            await self._enrol()
        except BaseException:
            self._app = None
            await app.close_async()
            raise

    async def close(self) -> None:
        """Leave the register, so that what we hold counts as left behind at once."""
        app, self._app = self._app, None
        if app is not None:
            try:
                await app.job_manager.unregister_worker(self.number)
            except (ConnectorException, OSError) as error:
                log.warning("The register of workers could not be left in order: %s", error)
            finally:
                await app.close_async()

    async def beat(self) -> None:
        """Say that we live; whoever was thought dead meanwhile starts anew under another number."""
        began_at = asyncio.get_running_loop().time()
        with _told():
            found = await self.manager.connector.execute_query_all_async(STILL_THERE, worker_id=self.number)
            if found:
                self._beat_at = began_at
                return
            log.warning("Worker %d was thought dead: it goes on under another number", self.number)
            await self._enrol()

    async def rescue(self) -> int:
        """Free what dead workers left behind; says how many errands it was."""
        freed = 0
        with _told():
            for job in await self.manager.get_stalled_jobs(seconds_since_heartbeat=LEASE_SECONDS):
                if job.id is None:
                    continue
                try:
                    await self.manager.finish_job_by_id_async(
                        job.id, procrastinate.jobs.Status.FAILED, delete_job=True
                    )
                    freed += 1
                except ConnectorException:  # Another worker was faster.
                    log.debug("errand %s is free already", job.id)
            await self.manager.prune_stalled_workers(LEASE_SECONDS)
        return freed

    async def _enrol(self) -> None:
        with _told():
            self.number = await self.manager.register_worker()
        self._beat_at = asyncio.get_running_loop().time()


async def every(seconds: float, act: Callable[[], Awaitable[None]], what: str) -> None:
    """Act until cancelled, again soon after a failure."""
    while True:
        rest = min(seconds, AGAIN_SECONDS)
        try:
            await act()
            rest = seconds
        except StoreUnavailable as error:
            log.warning("%s waits for the database: %s", what, error)
        except Exception:
            log.exception("%s failed, and is tried again", what)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await asyncio.get_running_loop().create_future()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (ProcrastinateException, psycopg.Error, OSError) as error:  # Its pool's own errors come bare.
        raise StoreUnavailable(f"The register of workers cannot be reached: {error}.") from error
