"""Whoever connects and says nothing, or never ends, keeps nobody else from being heard."""

import asyncio
import json
import resource
import statistics
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.channels.webchat import make_link
from bot.connections import CONNECTIONS_MAX, Connection, room
from desk.model import InboxRow
from roster.model import Officer, Unit
from tests.bot.commands.cli import Cli, free_port
from tests.fakes.telegram_server import FakeTelegram, Limits

IDLE = 10_000
STREAMS = 1_000
UPDATES = 400
LATEST_SECONDS = 2.0
SECRET = "a-long_Secret-7"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Quick(Connection):
    """The same bounds, in a test's time."""

    ask_seconds_max = 0.3
    unread_seconds_max = 0.3


async def echo(request: Request) -> Response:
    """The body's length; a great answer when asked for one."""
    if request.url.path == "/great":
        return PlainTextResponse(b"x" * 50_000_000)
    return PlainTextResponse(f"{len(await request.body())} {len(request.headers)}")


@asynccontextmanager
async def serving(connections_max: int = 100) -> AsyncIterator[uvicorn.Server]:
    """A small application behind these connections."""
    port = free_port()
    routes = [Route("/{path}", echo, methods=["GET", "POST"])]
    config = uvicorn.Config(
        Starlette(routes=routes), port=port, http=Quick, limit_concurrency=connections_max, log_level="error"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        assert not task.done()
        await asyncio.wait([task], timeout=0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def served(connections_max: int = 100) -> AsyncIterator[int]:
    """The same; gives its port."""
    async with serving(connections_max) as server:
        yield server.config.port


async def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.wait([asyncio.Future()], timeout=0.02)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Everything said until the other side ends the connection."""
    heard = b""
    async with asyncio.timeout(10):
        try:
            while piece := await reader.read(65536):
                heard += piece
        except ConnectionResetError:
            pass
    return heard


async def say(port: int, *words: bytes) -> bytes:
    """Say this on a connection of one's own, and all that is answered until the other side ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for word in words:
        writer.write(word)
    heard = await end_of(reader)
    writer.close()
    return heard


@pytest.mark.parametrize(
    "words", [b"", b"GET /x HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"\r\n\r\n", b"GET "], ids=ascii
)
async def test_input_61_a_head_that_does_not_come_is_not_waited_for(words: bytes) -> None:
    async with served() as port:
        assert await say(port, words) == b""


async def test_input_61_a_head_that_drips_is_not_waited_for() -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /x HTTP/1.1\r\n")
        ending = asyncio.create_task(end_of(reader))
        for _ in range(1000):
            writer.write(b"a")
            if (await asyncio.wait([ending], timeout=0.02))[0]:
                break
        assert await ending == b""


async def test_input_61_after_an_answer_the_next_question_is_not_waited_for_either() -> None:
    async with served() as port:
        told = await say(port, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: ")
        assert told.count(b"HTTP/1.1 200") == 1


async def test_a_connection_that_asks_again_in_time_is_kept() -> None:
    async with served() as port, httpx.AsyncClient() as client:
        ports = set()
        for _ in range(20):
            answer = await client.post(f"http://127.0.0.1:{port}/x", content=b"x" * 1000)
            assert answer.text.startswith("1000 ")
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            await asyncio.wait([asyncio.Future()], timeout=0.03)  # Twenty pauses are longer than one may be.
        assert len(ports) == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"GET /x HTTP/1.1\r\nX: " + b"a" * 500_000, 431),
        (b"GET /x HTTP/1.1\r\n" + b"X: a\r\n" * 100_000, 431),
        (b"GET /" + b"a" * 500_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_http_what_is_no_request_is_refused_with_a_reason(words: bytes, status: int) -> None:
    async with served() as port:
        told = await say(port, words)
        head, _, body = told.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"application/json" in head and json.loads(body)["error"]["message"]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/x")).status_code == 200


async def test_input_61_fields_behind_a_body_are_not_collected() -> None:
    async with served() as port:
        many = b"X-Late: a\r\n" * 1000
        words = (
            b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
            + many
            + b"\r\n"
        )
        assert (await say(port, words)).endswith(b"\r\n\r\n1 2")


async def test_input_61_an_answer_nobody_reads_is_given_up() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port, limit=1024)
        writer.write(b"GET /great HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.server_state.total_requests or server.server_state.tasks)
        await until(lambda: not server.server_state.connections)
        assert len(await end_of(reader)) < 50_000_000
        writer.close()


async def test_input_61_the_longest_silent_make_room_for_who_has_something_to_say() -> None:
    async with served(connections_max=20) as port, AsyncExitStack() as stack:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        for _, writer in silent:
            stack.callback(writer.close)
        async with httpx.AsyncClient() as client:
            for _ in range(5):
                assert (await client.get(f"http://127.0.0.1:{port}/x")).status_code == 200
        assert await end_of(silent[0][0]) == b""


def test_the_system_is_asked_for_the_files_that_the_connections_need() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        assert room() == CONNECTIONS_MAX
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > CONNECTIONS_MAX
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Page(asyncio.Protocol):
    """A phone's page that looks on: what it heard, and whether it was cut off."""

    def __init__(self) -> None:
        self.heard = b""
        self.is_cut_off = False

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> None:
        self.is_cut_off = True


async def look_on(port: int, tokens: list[str], count: int) -> list[Page]:
    """So many live streams, all being served."""
    loop = asyncio.get_running_loop()
    pages = []
    for number in range(count):
        transport, page = await loop.create_connection(Page, "127.0.0.1", port)
        token = tokens[number % len(tokens)]
        transport.write(f"GET /chat/{token}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        pages.append(page)
    await until(lambda: all(b"\r\n\r\n" in page.heard for page in pages))
    assert all(page.heard.startswith(b"HTTP/1.1 200") for page in pages)
    return pages


async def open_all(port: int, count: int, words: bytes = b"") -> list[Stream]:
    """So many connections, each saying the beginning of something."""
    found: list[Stream] = []
    for _ in range(0, count, 100):
        found += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(100)))
    for _, writer in found:
        writer.write(words)
    return found


def files_of_ours() -> int:
    """How many files this process may open, when it asks for all it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and soft != resource.RLIM_INFINITY:
        soft = IDLE * 2 if hard == resource.RLIM_INFINITY else min(hard, IDLE * 2)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return IDLE * 2 if soft == resource.RLIM_INFINITY else soft


async def links(cli: Cli, phones: int) -> list[str]:
    """So many officers' web-chat links."""
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(Unit("u1", "小榄镇"))
        people = [Officer(f"o{number}", f"信息员{number}", "u1") for number in range(phones)]
        await desk.store.add(*people)
        return [await make_link(desk, one) for one in people]


async def bring(client: httpx.AsyncClient, port: int, numbers: Iterable[int]) -> list[float]:
    """Telegram brings updates; the seconds each took."""
    took = []
    for number in numbers:
        update = {
            "update_id": number,
            "message": {
                "message_id": number,
                "date": 1_795_000_000,
                "text": f"第{number}句",
                "chat": {"id": 4211, "type": "private"},
                "from": {"id": 4211, "is_bot": False, "first_name": "李"},
            },
        }
        answer = await client.post(
            f"http://127.0.0.1:{port}/channels/telegram/webhook",
            json=update,
            headers={"X-Telegram-Bot-Api-Secret-Token": SECRET},
        )
        assert answer.status_code == 200
        took.append(answer.elapsed.total_seconds())
    return took


@pytest.mark.timeout(180)
async def test_input_61_a_crowd_at_the_door_does_not_keep_a_message_out(tmp_path: Path) -> None:
    idle = min(IDLE, files_of_ours() - 2 * STREAMS)
    cli = Cli(tmp_path)
    tokens = await links(cli, STREAMS // 5)
    async with FakeTelegram(limits=Limits(enabled=False)) as fake, AsyncExitStack() as stack:
        cli.write(
            f'public_url = "http://127.0.0.1:{cli.port}"\n[telegram]\ntoken = "{fake.token}"\nmode = "webhook"\n'
            f'base_url = "{fake.base_url}"\nwebhook_secret = "{SECRET}"\n'
        )
        stack.enter_context(cli.running())
        crowd: list[Stream] = []
        pages = await look_on(cli.port, tokens, STREAMS)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))

        async def push() -> None:
            for _ in range(idle // 200):
                crowd.extend(await open_all(cli.port, 100))
                crowd.extend(await open_all(cli.port, 100, b"POST /chat/x/messages HTTP/1.1\r\nX-Slow: "))

        pushing = asyncio.create_task(push())
        took = await bring(client, cli.port, range(1, UPDATES // 2))
        await pushing
        took += await bring(client, cli.port, range(UPDATES // 2, UPDATES + 1))
        took.sort()
        print(
            f"{len(crowd)} idle: median {statistics.median(took):.3f} s, p99 {took[-len(took) // 100]:.3f} s"
        )
        assert took[-len(took) // 100] < LATEST_SECONDS
        assert not any(page.is_cut_off for page in pages)
        for _, writer in crowd:
            writer.close()
    async with cli.office() as office, office.door.read() as store:
        assert await store.count(InboxRow, channel="telegram") == UPDATES
