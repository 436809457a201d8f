"""The one place that knows every part: puts the desk together, runs it, takes it apart again."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources

from starlette.routing import BaseRoute

from bot import channels, work
from bot.absent import settle_absent
from bot.auditor import Auditor, open_auditor
from bot.clock import SystemClock
from bot.config import Config
from bot.door import OfficeDoor
from bot.fetcher import Fetcher
from bot.intake import TransactionalInbox
from bot.media import MediaFolder
from bot.postman import Postman
from bot.queue.embedded import EmbeddedQueue
from bot.queue.guard import only_process
from bot.queue.opening import open_queue
from bot.queue.picking import Bounds
from bot.receipts import wait_no_longer
from bot.scheduler import Scheduler
from bot.second_clock import SecondClock
from bot.serving import CannotStart, Front, listen, make_server, serving
from bot.store.opening import OpenDatabase, is_shared, open_database
from bot.switchboard import Switchboard
from bot.town.actions import SLOW_DOWN, TownActions
from bot.town.rules import town_policy
from bot.town.seed import seed
from bot.troubles import ChannelTroubles
from bot.watchdog import Watchdog
from bot.wording import Wording
from desk import hearing, pruning
from desk.ports import Bell, Channel, Clock, Stale
from handlers.flow import find_flows
from roster import calendar
from web.app import make_app
from web.settings import is_loopback

log = logging.getLogger(__name__)

RESTART_SECONDS = 5
START_TRIES_MAX = 10


@dataclass
class App:
    """A running desk."""

    config: Config
    door: OfficeDoor
    queue: EmbeddedQueue
    inbox: TransactionalInbox
    media: MediaFolder
    channels: dict[str, Channel]
    scheduler: Scheduler
    postman: Postman
    troubles: ChannelTroubles
    auditor: Auditor
    port: int = 0  # Of a process that serves nothing.

    @property
    def url(self) -> str:
        """Where this desk's screen is."""
        host = self.config.web.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # Only compared, never bound.
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"

    def look_again(self) -> None:
        """Another process committed something."""
        self.queue.wake_all()
        for channel in self.channels.values():
            getattr(channel, "look_again", lambda: None)()


async def run(config: Config, role: str = "all") -> int:
    """Run the desk until SIGINT or SIGTERM; 0 when it ended as asked. Raises CannotStart and the parts' own faults."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with running(config, role=role) as app, Watchdog().watching():
        tell_ready(app)
        await stopping.wait()
        tell_stopping()
    return 0


@contextlib.asynccontextmanager
async def running(config: Config, clock: Clock | None = None, role: str = "all") -> AsyncIterator[App]:
    """A desk that takes messages inside the block, and has finished what it began after it."""
    _refuse_open_town(config)
    settle_absent()
    clock = clock or SystemClock()
    url = config.database.url
    async with contextlib.AsyncExitStack() as stack:
        if not is_shared(url):
            config.database_path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_process(config.database_path, clock))
        listener = None
        if role != "worker":
            listener = stack.enter_context(listen(config.web.host, config.web.port))
        database = open_database(url, auto_migrate=config.database.auto_migrate)
        await database.start()
        stack.push_async_callback(database.close)
        bell, relay = _bell(url)
        app, front, streams_end = await _put_together(config, clock, database, bell, role)
        app.port = listener.getsockname()[1] if listener is not None else 0
        stack.push_async_callback(_close_channels, app.channels)
        stack.push_async_callback(app.inbox.close)
        stack.push_async_callback(app.postman.close)
        async with _tasks() as start:
            if relay is not None:
                start("relay", partial(relay, app.look_again))
            if role != "web":
                start("queue", app.queue.run)
                await app.queue.first_look()  # So that a desk that answers is one that works.
                start("watch", _watch(url, app))
            if listener is None:
                yield app
                return
            async with serving(make_server(front), listener, streams_end):
                yield app


def _bell(url: str) -> tuple[Bell, Callable[[Callable[[], None]], Awaitable[None]] | None]:
    """The bell of this process, and what carries its rings to others."""
    if not is_shared(url):
        return Bell(), None
    from bot.replicas.relay import Relay, SharedBell  # Here, because SQLite needs no driver of PostgreSQL.

    bell = SharedBell()
    return bell, lambda heed: Relay(url, bell, heed).run()


def _watch(url: str, app: App) -> Callable[[], Awaitable[None]]:
    """What one process at a time does: receive, and go through the timetables."""

    async def watch() -> None:
        async with _tasks() as start:
            start("scheduler", app.scheduler.run)
            start("troubles", app.troubles.run)
            start("auditor", app.auditor.run)
            for name, channel in app.channels.items():
                start(name, partial(channel.run, app.inbox.take))
            await asyncio.Event().wait()

    if not is_shared(url):
        return watch
    from bot.replicas.watch import keep_watch  # As above.

    return lambda: keep_watch(url, watch)


async def _put_together(
    config: Config, clock: Clock, database: OpenDatabase, bell: Bell, role: str
) -> tuple[App, Front, Callable[[], None]]:
    policy = config.policy(
        calendar.load(resources.files("roster").joinpath("calendar.toml").read_text("utf-8"))
    )
    if config.demonstration:
        policy = town_policy(policy)
    queue = open_queue(config.database.url, database, clock, Bounds(**asdict(config.queue)))
    second = SecondClock(clock, asyncio.get_running_loop().time)
    door = OfficeDoor(database, queue, clock, policy, bell, second)
    await door.load_pace()
    await _note_start(door, is_alone=not config.is_shared)
    inbox = TransactionalInbox(database, queue, clock, bell, sweeps=not config.is_shared)
    media = MediaFolder(config.attachments_path)
    media.open(is_shared=config.is_shared)
    troubles = ChannelTroubles(door)
    opened = channels.open_channels(
        config.channels, lambda name: channels.Services(inbox, troubles.of(name), door, media, second.heard)
    )
    postman = Postman(door, queue, opened, Wording.of(policy))
    switchboard = Switchboard(door, queue, opened, find_flows(), inbox)
    work.register(queue, door, switchboard, postman, Fetcher(door, opened, media))
    town = None
    if config.demonstration:
        await seed(door, media, clock.now())
        if "webchat" in opened:  # Without it the town has its board, and no phones to play with.
            town = TownActions(door, opened["webchat"])
            queue.handle(SLOW_DOWN, town.slow_down)
    routes = [route for channel in opened.values() for route in _routes(channel)]
    alive = queue.alive if role != "web" else None
    screen = make_app(door, config.web_settings(), routes, town, media=media, queue_alive=alive)
    auditor = open_auditor(config, door, media, second)
    app = App(config, door, queue, inbox, media, opened, Scheduler(door), postman, troubles, auditor)

    def streams_end() -> None:
        screen.state.close()
        for channel in opened.values():
            getattr(channel, "end_streams", lambda: None)()

    return app, Front(screen, routes), streams_end


async def _note_start(door: OfficeDoor, *, is_alone: bool) -> None:
    """What a start owes; replicas that start together take turns."""
    for tries in range(1, START_TRIES_MAX + 1):
        try:
            async with door.open() as desk:
                pruning.schedule(desk)
                await hearing.note_start(desk)
                if is_alone:  # Another process may still bring what it waits for.
                    await wait_no_longer(desk)
            return
        except Stale:
            if tries == START_TRIES_MAX:
                raise


@contextlib.asynccontextmanager
async def _tasks() -> AsyncIterator[Callable[[str, Callable[[], Awaitable[None]]], None]]:
    """Starts the parts that run for ever; each is started again when it fails, and ended with the block."""
    tasks: list[asyncio.Task[None]] = []

    def start(name: str, act: Callable[[], Awaitable[None]]) -> None:
        tasks.append(asyncio.create_task(_for_ever(name, act), name=name))

    try:
        yield start
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _for_ever(name: str, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except Exception:  # One part's failure must not take the others along.
            log.exception("%s stopped unexpectedly and starts again in %d s", name, RESTART_SECONDS)
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=RESTART_SECONDS)


def _routes(channel: Channel) -> Sequence[BaseRoute]:
    """What a channel wants served; one that is only polled has nothing."""
    routes = getattr(channel, "routes", None)
    return routes() if routes is not None else ()


async def _close_channels(opened: dict[str, Channel]) -> None:
    for channel in opened.values():
        close = getattr(channel, "close", None)
        if close is not None:
            await close()


def _refuse_open_town(config: Config) -> None:
    """The town's page hands its phones and buttons to whoever looks, so it is served to this machine only."""
    if config.demonstration and not is_loopback(config.web.host):
        raise CannotStart(
            f"演示镇不用登录就能用，只能在本机打开，不能听 {config.web.host}："
            "请设 MUSTER_WEB__HOST=127.0.0.1；要正式使用请先配置 [telegram] 或 [wecom]。\n"
            "The demonstration town asks nobody to sign in and is served to this machine only: "
            "set MUSTER_WEB__HOST=127.0.0.1, or configure [telegram] or [wecom] for real use."
        )


def tell_stopping() -> None:
    """Say at once that the wish to stop was heard: finishing what was begun takes some seconds."""
    with contextlib.suppress(OSError):  # The terminal may be gone.
        print("点到正在停止，先办完手上的事，约几秒 / Muster is stopping, a few seconds", flush=True)


def tell_ready(app: App) -> None:
    """Say where the desk is and what to try first."""
    if not app.port:
        print("点到工作进程已就绪 / A worker of Muster is ready", flush=True)
        return
    print(f"点到已就绪 / Muster is ready: {app.url}", flush=True)
    if app.config.demonstration:
        print(
            "演示镇：打开上面的网址，先点“立即点名”，再点“模拟火情”；Ctrl-C 停止。\n"
            "The demonstration town: open the address, press 立即点名, then 模拟火情. Ctrl-C stops.",
            flush=True,
        )
