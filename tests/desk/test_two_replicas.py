"""Two processes on one PostgreSQL, pressed at one moment: what may be done once is done once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from bot.door import OfficeDoor
from bot.store.server import ServerDatabase
from desk.model import Inbound, Letter
from desk.ports import Bell, Desk
from handlers import roll_call
from roster.model import Answer, Officer, RollCall
from tests.handlers.chat import POLICY, FakeClock, settle_people
from tests.handlers.steps import StepQueue

pytestmark = pytest.mark.postgresql
PRESSERS = ("简局", "欧办")


@dataclass
class Replicas:
    """The doors of two processes."""

    doors: tuple[OfficeDoor, ...]

    async def press(self, *tokens: str) -> None:
        """Each presser's button at a replica of their own, both transactions open before either looks."""
        both_open = asyncio.Barrier(len(tokens))

        async def press(door: OfficeDoor, name: str, token: str) -> None:
            verb, _, ref = token.partition(":")
            async with door.open() as desk:
                message = Inbound(
                    "line",
                    f"{name}{token}",
                    f"p-{name}",
                    "choice",
                    verb=verb,
                    ref=ref,
                    message_id=f"card-{name}",
                )
                officer = await desk.store.get(Officer, f"o-{name}")
                assert officer is not None
                await both_open.wait()
                await roll_call.hear(desk, message, officer)

        await asyncio.gather(*map(press, self.doors, PRESSERS, tokens))

    async def calls(self) -> list[RollCall]:
        async with self.doors[0].read() as store:
            return await store.find(RollCall)

    async def asked(self) -> list[str]:
        """The buttons of every card that asked whether another should be called."""
        async with self.doors[0].read() as store:
            letters = await store.find(Letter, kind="roll_call_running")
        return [choice.token for letter in letters for choice in letter.choices]


@pytest.fixture
async def replicas(postgresql_url: str) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        doors = []
        for _ in PRESSERS:
            database = ServerDatabase(postgresql_url)
            await database.start()
            stack.push_async_callback(database.close)
            clock = FakeClock()
            doors.append(OfficeDoor(database, StepQueue(database, clock), clock, POLICY, Bell()))
        await settle_people(doors[0])
        yield Replicas(tuple(doors))


async def test_two_who_call_the_roll_at_one_moment_open_one_and_the_second_is_asked(
    replicas: Replicas,
) -> None:
    await replicas.press("call:0", "call:0")
    [only] = await replicas.calls()
    assert await replicas.asked() == [f"call_again:0:1-{only.id}"]
    async with replicas.doors[0].read() as store:
        answers = await store.find(Answer)
    assert len(answers) == only.due_count == len({one.officer_id for one in answers})


async def test_two_who_confirm_another_at_one_moment_open_one_more_and_no_second(replicas: Replicas) -> None:
    await replicas.press("call:0")
    [first] = await replicas.calls()
    await replicas.press(f"call_again:0:1-{first.id}", f"call_again:0:1-{first.id}")
    calls = await replicas.calls()
    assert len(calls) == 2
    newest = max(one.id for one in calls)
    # Whoever was slower hears of the other's, and may still want another.
    assert await replicas.asked() == [f"call_again:0:2-{newest}"]


async def test_one_button_that_two_replicas_hear_opens_one_roll_call(replicas: Replicas) -> None:
    """The platform gives one press twice: the second at another replica."""
    both_open = asyncio.Barrier(2)
    message = Inbound("line", "e", "p-简局", "choice", verb="call", ref="0", message_id="card")

    async def hear(door: OfficeDoor) -> None:
        async with door.open() as desk:
            await both_open.wait()
            await roll_call.hear(desk, message, await _officer(desk))

    await asyncio.gather(*map(hear, replicas.doors))
    assert len(await replicas.calls()) == 1


async def _officer(desk: Desk) -> Officer:
    found = await desk.store.get(Officer, "o-简局")
    assert found is not None
    return found
