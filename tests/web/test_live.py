"""The live stream: every line once, in order, after a lost connection too, and never for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from incidents.model import LogLine
from tests.web.world import World, open_world


class Listener:
    """A browser's EventSource."""

    def __init__(self, answer: httpx.Response) -> None:
        self._pieces = answer.aiter_text()
        self._text = ""

    async def event(self) -> tuple[str, str, dict[str, str]]:
        """The next event: its id, its name and its data; comments are passed over."""
        async with asyncio.timeout(10):
            while True:
                while "\n\n" not in self._text:
                    self._text += await anext(self._pieces)
                block, _, self._text = self._text.partition("\n\n")
                fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if "event" in fields:
                    return fields.get("id", ""), fields["event"], json.loads(fields["data"])


@asynccontextmanager
async def listening(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[Listener]:
    async with client.stream("GET", "/live", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        listener = Listener(answer)
        assert (await listener.event())[1] == "hello"
        yield listener


async def write(world: World, count: int = 1) -> None:
    async with world.door.open() as desk:
        for _ in range(count):
            desk.log("stranger_wrote", "desk")


async def test_a_commit_is_heard_within_a_second_even_between_two_looks(world: World) -> None:
    client = await world.signed_in("o-jian")
    loop = asyncio.get_running_loop()
    async with listening(client) as listener:
        for _ in range(15):
            begun = loop.time()
            await write(world)
            assert (await listener.event())[1] == "line"
            assert loop.time() - begun < 1


async def test_a_lost_connection_is_resumed_without_a_gap_or_a_double(world: World) -> None:
    client = await world.signed_in("o-jian")
    await write(world, 3)
    async with listening(client, **{"Last-Event-ID": "2"}) as listener:
        assert (await listener.event())[0] == "3"
        await write(world, 700)
        heard = [int((await listener.event())[0]) for _ in range(700)]
    assert heard == list(range(4, 704))


async def test_a_stream_without_a_mark_tells_only_what_is_new(world: World) -> None:
    client = await world.signed_in("o-jian")
    await write(world, 3)
    async with listening(client, **{"Last-Event-ID": "nonsense"}) as listener:
        await write(world)
        assert (await listener.event())[0] == "4"


async def test_a_stream_tells_that_something_happened_and_no_facts(world: World) -> None:
    client = await world.signed_in("o-jian")
    async with listening(client) as listener:
        await world.report("五金铺起火")
        _, name, data = await listener.event()
    assert name == "line"
    assert data.keys() == {"kind", "subject", "at"}


async def test_an_ended_session_ends_its_stream(world: World) -> None:
    client = await world.signed_in("o-chen")
    async with listening(client) as listener:
        other = world.client(cookies=dict(client.cookies))
        await world.press(other, "/sign-out")
        while (last := (await listener.event())[1]) != "signed_out":
            assert last in ("line", "pass")  # What was being read when the session ended.


async def test_streams_are_bounded_and_pages_still_answer(tmp_path: Path) -> None:
    async with open_world(tmp_path, streams_max=3, demonstration=True) as world:
        client = world.client()
        async with listening(client), listening(client), listening(client):
            answer = await client.get("/live")
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert (await client.get("/board")).status_code == 200
        async with asyncio.timeout(10):
            while (await client.get("/metrics")).text.find("muster_live_streams 0.0") < 0:
                await asyncio.sleep(0.02)


async def test_one_person_s_streams_are_bounded_and_leave_room_for_others(tmp_path: Path) -> None:
    async with open_world(tmp_path, streams_max=8, streams_per_person_max=3) as world:
        greedy, again, other = [await world.signed_in(who) for who in ("o-chen", "o-chen", "o-jian")]
        async with AsyncExitStack() as opened:
            for client in (greedy, greedy, again):  # Another sign-in of the same person counts as well.
                await opened.enter_async_context(listening(client))
            refused = await again.get("/live")
            assert refused.status_code == 429 and refused.headers["retry-after"]
            error = refused.json()["error"]
            assert error["code"] == "too_many_streams" and "最多 3 个" in error["message"]
            await opened.enter_async_context(listening(other))
            assert (await greedy.get("/board")).status_code == 200
        async with asyncio.timeout(10):
            while (await greedy.get("/metrics")).text.find("muster_live_streams 0.0") < 0:
                await asyncio.sleep(0.02)
        async with listening(greedy):  # Those that ended are not counted any more.
            pass


async def test_many_at_the_same_moment_are_no_more_than_many_one_by_one(tmp_path: Path) -> None:
    async with open_world(tmp_path, streams_per_person_max=3) as world:
        client = await world.signed_in("o-chen", limits=httpx.Limits(max_connections=20))
        requests = [client.build_request("GET", "/live") for _ in range(12)]
        answers = await asyncio.gather(*(client.send(one, stream=True) for one in requests))
        statuses = sorted(one.status_code for one in answers)
        for one in answers:
            await one.aclose()
    assert statuses == [200] * 3 + [429] * 9


async def test_a_stopping_desk_ends_every_stream_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    client = httpx.AsyncClient(timeout=20)
    async with open_world(tmp_path, demonstration=True) as world:
        request = client.build_request("GET", f"{world.base}/live")
        answer = await client.send(request, stream=True)
        begun = loop.time()
    assert loop.time() - begun < 1.5
    await answer.aclose()
    await client.aclose()


async def test_the_same_lines_reach_every_stream_from_one_reading(world: World) -> None:
    clients = [await world.signed_in(who) for who in ("o-jian", "o-pan")]
    async with listening(clients[0]) as one, listening(clients[1]) as other:
        await write(world, 20)
        heard = [[(await listener.event())[0] for _ in range(20)] for listener in (one, other)]
    async with world.door.read() as store:
        newest = await store.find(LogLine, order=("-sequence",), limit=20)
    assert heard[0] == heard[1] == [str(line.sequence) for line in newest[::-1]]
