"""Says whether the desk is alive and able to take messages, and gives its figures to Prometheus."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, ProcessCollector, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from desk.audits import Audit, last_audit
from desk.model import InboxRow, InboxState, Job, Lane, Letter, LetterState, Setting
from desk.ports import Stale, Store
from incidents.model import OPEN_STATES, Incident, Severity
from web.live import Live
from web.screen import Screen
from web.settings import is_loopback

READY_SECONDS_MAX = 5
PROBE = "readyz"
PROBE_EVERY_SECONDS = 10.0

QueueAlive = Callable[[], Awaitable[bool]]


def make_routes(screen: Screen, live: Live, queue_alive: QueueAlive | None) -> list[BaseRoute]:
    """The addresses for watchers."""
    health = Health(screen, live, queue_alive)
    return [
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", health.metrics),
    ]


class Health:
    """The answers to watchers."""

    def __init__(self, screen: Screen, live: Live, queue_alive: QueueAlive | None) -> None:
        self._screen = screen
        self._live = live
        self._queue_alive = queue_alive
        self._wrote_at: datetime | None = None

    async def alive(self, request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """The database takes a write and the queue is alive."""
        faults = []
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await self._write()
        except Exception as error:
            faults.append(f"database: {type(error).__name__}")
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                if self._queue_alive is not None and not await self._queue_alive():
                    faults.append("queue: not alive")
        except Exception as error:
            faults.append(f"queue: {type(error).__name__}")
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, for this machine, signed-in people and bearers of a token."""
        client = request.client.host if request.client else ""
        is_local = is_loopback(client) and not request.state.is_forwarded
        if not is_local and await self._screen.sessions.viewer(request) is None:
            return PlainTextResponse("forbidden\n", 403)
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # Memory, processor time, open files.
        async with self._screen.door.read() as store:
            await _measure(store, registry, self._screen.now)
            _measure_audit(await last_audit(store), registry, self._screen.now)
        Gauge("muster_live_streams", "Open live streams", registry=registry).set(self._live.count)
        lag = Gauge(
            "muster_loop_lag_seconds", "How late the event loop runs what is ready", registry=registry
        )
        lag.set(await _loop_lag())
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def _write(self) -> None:
        """Prove a write; at most one every few seconds, whoever asks."""
        now = self._screen.now
        if self._wrote_at is not None and 0 <= (now - self._wrote_at).total_seconds() < PROBE_EVERY_SECONDS:
            return
        try:
            async with self._screen.door.open() as desk:
                setting = await desk.store.get(Setting, PROBE)
                if setting is None:
                    await desk.store.add_new(Setting(PROBE, desk.now.isoformat()))
                else:
                    await desk.store.change(setting, value=desk.now.isoformat())
        except Stale:
            pass  # Another process probed at the same moment: the database takes writes.
        self._wrote_at = now


async def _measure(store: Store, registry: CollectorRegistry, now: datetime) -> None:
    incidents = Gauge("muster_open_incidents", "Open incidents", ["severity"], registry=registry)
    for severity in Severity:
        count = await store.count(Incident, severity=severity, state_in=list(OPEN_STATES))
        incidents.labels(severity.value).set(count)
    letters = Gauge("muster_letters", "Letters by state", ["state"], registry=registry)
    for state in (LetterState.queued, LetterState.sending, LetterState.unknown, LetterState.failed):
        letters.labels(state.value).set(await store.count(Letter, state=state))
    jobs = Gauge("muster_jobs_waiting", "Jobs that wait, by lane", ["lane"], registry=registry)
    for lane in Lane:
        jobs.labels(lane.value).set(await store.count(Job, lane=lane, parked=False))
    Gauge("muster_jobs_parked", "Jobs given up", registry=registry).set(await store.count(Job, parked=True))
    inbox = Gauge("muster_inbox", "Messages not heard yet", ["state"], registry=registry)
    for unheard in (InboxState.new, InboxState.dead):
        inbox.labels(unheard.value).set(await store.count(InboxRow, state=unheard))
    oldest = await store.find(Job, parked=False, order=("due_at",), limit=1)
    age = (now - oldest[0].due_at).total_seconds() if oldest else 0.0
    Gauge("muster_oldest_due_seconds", "Age of the oldest due job", registry=registry).set(max(age, 0.0))


def _measure_audit(audit: Audit | None, registry: CollectorRegistry, now: datetime) -> None:
    """How long ago each invariant held last, and how long ago anybody looked."""
    if audit is None:
        return
    looked = Gauge("muster_audit_age_seconds", "Since the auditor looked last", registry=registry)
    looked.set((now - audit.at).total_seconds())
    ages = Gauge(
        "muster_invariant_age_seconds",
        "Since an invariant held last; +Inf when it never did",
        ["invariant"],
        registry=registry,
    )
    for name, one in audit.standings.items():
        age = (now - one.held_at).total_seconds() if one.held_at is not None else math.inf
        ages.labels(name).set(age)


async def _loop_lag() -> float:
    """How long something ready waits for its turn."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    turn: asyncio.Future[float] = loop.create_future()
    loop.call_soon(lambda: turn.set_result(loop.time() - begun))
    return await turn
