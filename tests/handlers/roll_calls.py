"""What the roll-call tests do again and again."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from desk import roll_calls
from roster.model import Answer, Proof, Result, RollCall, RollCallPlan
from tests.handlers.chat import PLAN, POLICY, Chat, open_chat

DUE = {"邓值", "李领", "郭东", "何东", "简局"}  # Who holds a called post, all night.


async def call(chat: Chat, plan: RollCallPlan = PLAN, slot: str = "manual-1", **more: Any) -> RollCall:
    """Call the roll now."""
    async with chat.desk() as desk:
        called = await roll_calls.call(desk, plan, slot, **more)
    assert called is not None
    return await chat.get(RollCall, called.id)


async def call_with(chat: Chat, proof: Proof, **changes: Any) -> RollCall:
    """Call the roll with a proof owed by those on site."""
    return await call(chat, replace(PLAN, proof=proof, **changes))


def with_plan(**changes: Any) -> AbstractAsyncContextManager[Chat]:
    """An office whose only plan is changed."""
    return open_chat(replace(POLICY, roll_calls=(replace(PLAN, **changes),)))


async def line_of(chat: Chat, name: str) -> Answer:
    """The newest line of a person's."""
    return (await chat.find(Answer, officer_id=f"o-{name}", order=("-id",), limit=1))[0]


async def result(chat: Chat, name: str) -> Result:
    return (await line_of(chat, name)).result
