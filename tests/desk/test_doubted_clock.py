"""While a second clock disagrees, nothing that harms a person happens by the machine's own."""

from datetime import timedelta
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


async def test_fault_27_nobody_is_late_by_a_clock_that_was_set_ahead_since_the_question(chat: Chat) -> None:
    seconds = 0.0
    chat.door.second = SecondClock(chat.clock, lambda: seconds)
    await call(chat)
    chat.door.second.heard(format_datetime(chat.clock.now(), usegmt=True))
    running = await chat.roll_call()
    seconds += 60
    chat.clock.at = running.on_time_until + timedelta(seconds=30)  # It was behind, and somebody set it right.
    chat.door.second.heard(format_datetime(chat.clock.now(), usegmt=True))
    await chat["邓值"].say("到")
    assert await result(chat, "邓值") is Result.present
    [answer] = [one for one in await chat.find(Answer) if one.result is Result.present]
    assert answer.answered_at == running.on_time_until
    seconds += (running.on_time_until - running.called_at).total_seconds()
    chat.clock.at += running.on_time_until - running.called_at
    await chat["李领"].say("到")
    assert await result(chat, "李领") is not Result.present


async def test_fault_27_a_doubted_clock_tells_nobody_that_time_is_up_and_the_true_moment_still_comes(
    chat: Chat,
) -> None:
    true = set_to = chat.clock.now()
    chat.door.second = SecondClock(chat.clock, lambda: (chat.clock.now() - set_to).total_seconds())
    await chat["陈村"].say("地点：泰丰路，五金厂二楼起火")  # 一般: telephone 30 minutes.
    await chat["邓值"].say("签收")
    chat.door.second.heard(format_datetime(chat.clock.now(), usegmt=True))
    chat.clock.at = set_to = true + timedelta(minutes=50)  # And not a second went by.
    await chat.settle()
    await chat.scheduler.look()
    assert not await chat.logged("clock_warn") and not await chat.logged("clock_overdue")
    chat.clock.at = set_to = true
    chat.door.second.heard(format_datetime(true, usegmt=True))
    await chat.scheduler.look()
    await chat.pass_minutes(29)
    assert await chat.logged("clock_warn") and not await chat.logged("clock_overdue")
    await chat.pass_minutes(2)
    assert [facts["clock"] for facts in await chat.logged("clock_overdue")] == ["phone"]
