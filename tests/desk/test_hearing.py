"""Nobody is silent who answered in time: the close waits to hear them, and a late hearing puts it right."""

from datetime import timedelta

import pytest

from desk import hearing, roll_calls
from desk.model import InboxRow, InboxState, Letter, LetterState
from roster.model import Answer, Proof, Result, RollCallState
from tests.handlers.chat import Chat
from tests.handlers.roll_calls import DUE, call, call_with, line_of, result


async def close(chat: Chat, roll_call_id: str) -> None:
    """What the due job does, and nothing else that is due."""
    async with chat.door.open() as desk:
        await roll_calls.close(desk, roll_call_id)


async def named_silent(chat: Chat) -> set[str]:
    """Whom the leaders are asked to verify."""
    return {letter.facts["name"] for letter in await chat.letters("silent_named")}


async def test_a_roll_call_stays_open_while_an_answer_given_in_time_waits_to_be_heard(chat: Chat) -> None:
    called = await call(chat)
    chat.clock.at = called.closes_at - timedelta(seconds=0.5)
    for name in DUE:
        await chat[name].hand_in(chat[name].message("text", "到"))
    chat.clock.at = called.closes_at
    await close(chat, called.id)
    assert (await chat.roll_call()).state is RollCallState.open
    await chat.advance(minutes=1 / 60)
    assert (await chat.roll_call()).counts == {"late": len(DUE)}
    assert await named_silent(chat) == set()


async def test_a_message_nobody_can_hear_holds_a_roll_call_open_for_half_a_minute_at_most(
    chat: Chat,
) -> None:
    called = await call(chat)
    async with chat.door.open() as desk:
        await desk.store.add(InboxRow("line/x", "line", "p-x", desk.now, b"x", state=InboxState.failing))
    await chat.pass_minutes(10)
    assert (await chat.roll_call()).state is RollCallState.open
    await chat.pass_minutes(hearing.HEARD_WITHIN / timedelta(minutes=1))
    closed = await chat.roll_call()
    assert (closed.state, closed.counts) == (RollCallState.closed, {"no_answer": len(DUE)})
    assert closed.closes_at == called.closes_at


async def test_a_desk_that_stood_still_over_the_close_first_lets_every_channel_bring_what_was_said(
    chat: Chat,
) -> None:
    called = await call(chat)
    chat.clock.at = called.closes_at - timedelta(seconds=1)
    said = chat["邓值"].message("text", "到")
    await chat.advance(minutes=0.5)
    assert (await chat.roll_call()).state is RollCallState.open
    chat.clock.advance(seconds=3)
    await chat["邓值"].hand_in(said)
    await chat.settle()
    assert await result(chat, "邓值") is Result.late
    await chat.pass_minutes(10 / 60)
    assert (await chat.roll_call()).counts == {"late": 1, "no_answer": len(DUE) - 1}


async def test_a_desk_that_starts_just_before_the_close_waits_as_long(chat: Chat) -> None:
    called = await call(chat)
    chat.clock.at = called.closes_at - timedelta(seconds=1)
    async with chat.door.open() as desk:
        await hearing.note_start(desk)
    await chat.pass_minutes(8 / 60)
    assert (await chat.roll_call()).state is RollCallState.open
    await chat.pass_minutes(3 / 60)
    assert (await chat.roll_call()).state is RollCallState.closed


@pytest.mark.parametrize("way", ["words", "button", "excuse"])
async def test_an_answer_given_in_time_and_heard_after_the_close_counts_and_whoever_was_told_hears_it(
    chat: Chat, way: str
) -> None:
    called = await call(chat)
    line = await line_of(chat, "邓值")
    chat.clock.at = called.on_time_until
    phone = chat["邓值"]
    said = {
        "words": phone.message("text", "到"),
        "button": phone.message("choice", verb="present", ref=line.id),
        "excuse": phone.message("text", "免点 在抢险现场"),
    }[way]
    for name in DUE - {"邓值", "郭东"}:
        await chat[name].say("到")
    await chat.pass_minutes(6)
    assert await named_silent(chat) == {"邓值", "郭东"}
    await phone.hand_in(said)
    await chat.settle()
    is_here = way != "excuse"
    line = await line_of(chat, "邓值")
    assert line.result is (Result.present if is_here else Result.excused)
    assert line.answered_at == called.on_time_until
    after = await chat.roll_call()
    assert after.counts is not None and sum(after.counts.values()) == after.due_count
    assert after.counts["no_answer"] == 1
    assert not any("【未应答】" in text and "邓值" in text for text in chat["李领"].texts)
    assert chat["李领"].saw("邓值", "已应答", "不用核实")
    assert chat["李领"].saw("更正", "邓值") and not chat["何东"].saw("更正")
    assert chat["简局"].saw("点名结果", "郭东") and not chat["简局"].saw("点名结果", "邓值")
    [facts] = await chat.logged("answer_heard_late")
    assert facts["was"] == "no_answer"


async def test_what_was_heard_late_is_told_once(chat: Chat) -> None:
    await call(chat)
    said = {name: chat[name].message("text", "到") for name in ("邓值", "李领")}
    await chat.pass_minutes(10)
    for name, message in said.items():
        await chat[name].hand_in(message)
        await chat.settle()
    told = [(one.officer_id, one.facts["names"]) for one in await chat.letters("silence_corrected")]
    assert sorted(told) == [("o-欧办", ["李领"]), ("o-欧办", ["邓值"])]


async def test_a_card_that_never_left_is_not_sent_any_more(chat: Chat) -> None:
    called = await call(chat)
    said = chat["邓值"].message("text", "到")
    for name in DUE - {"邓值"}:
        await chat[name].say("到")
    chat.clock.at = called.closes_at
    await close(chat, called.id)
    await chat["邓值"].hand_in(said)
    await chat.settle()
    [letter] = await chat.find(Letter, kind="silent_named")
    assert letter.state is LetterState.cancelled and await chat.letters("silence_corrected") == []
    assert (await chat.roll_call()).counts == {"present": len(DUE)}


async def test_words_said_in_time_and_heard_late_answer_also_the_call_that_runs_now(chat: Chat) -> None:
    await call(chat, slot="a")
    said = chat["邓值"].message("text", "到")
    await chat.pass_minutes(10)
    await call(chat, slot="b")
    await chat["邓值"].hand_in(said)
    await chat.settle()
    lines = await chat.find(Answer, officer_id="o-邓值")
    assert [line.result for line in lines] == [Result.present, Result.present]


async def test_a_proof_still_owed_is_owed_as_well_when_heard_late(chat: Chat) -> None:
    await call_with(chat, Proof.photo)
    said = chat["邓值"].message("text", "到")
    await chat.pass_minutes(10)
    await chat["邓值"].hand_in(said)
    await chat.settle()
    assert await result(chat, "邓值") is Result.no_answer


async def test_after_a_person_s_verdict_a_late_hearing_changes_nothing(chat: Chat) -> None:
    await call(chat)
    said = chat["邓值"].message("text", "到")
    for name in DUE - {"邓值"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    line = await line_of(chat, "邓值")
    async with chat.desk() as desk:
        await roll_calls.conclude(desk, line.id, await chat.officer("李领"), Result.absent_from_post, "监控")
    await chat["邓值"].hand_in(said)
    await chat.settle()
    assert await result(chat, "邓值") is Result.absent_from_post
