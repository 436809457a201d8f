"""While a second clock disagrees, nothing that harms a person happens by the machine's own."""

from email.utils import format_datetime

from bot.second_clock import SecondClock
from roster.model import Answer, Result, RollCallState
from tests.handlers.chat import Chat
from tests.handlers.roll_calls import call, result


async def test_fault_27_by_a_doubted_clock_no_roll_call_closes_and_nobody_is_late(chat: Chat) -> None:
    seconds = 0.0
    chat.door.second = SecondClock(chat.clock, lambda: seconds)
    await call(chat)
    chat.door.second.heard(format_datetime(chat.clock.now(), usegmt=True))
    true = chat.clock.now()
    await chat.advance(minutes=60)  # And not a second went by.
    await chat.scheduler.look()
    await chat.settle()
    assert (await chat.roll_call()).state is RollCallState.open
    await chat["邓值"].say("到")
    assert await result(chat, "邓值") is Result.present
    chat.clock.at = true  # Somebody sets it right, and the platform agrees.
    chat.door.second.heard(format_datetime(true, usegmt=True))
    for _ in range(12):
        await chat.pass_minutes(1)
        seconds += 60
        await chat.scheduler.look()
        await chat.settle()
    assert (await chat.roll_call()).state is RollCallState.closed
    assert {one.result for one in await chat.find(Answer)} == {Result.present, Result.no_answer}
