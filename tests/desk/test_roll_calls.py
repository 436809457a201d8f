"""点名 as the desk does it: a frozen audience, nudges for the silent alone, the silent named, counts that sum."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import roll_calls
from desk.model import Job, Lane, Letter, LetterState
from desk.permissions import NotAllowed
from roster.model import Account, Answer, Officer, Proof, Result, Role, RollCall, RollCallState, Shift
from tests.handlers.chat import EAST, NIGHT, NORTH, OFFICE, PLAN, Chat, open_chat
from tests.handlers.roll_calls import DUE, call, line_of, result


async def test_the_holders_of_the_posts_are_asked_once_each(chat: Chat) -> None:
    called = await call(chat)
    assert set(await chat.answers()) == DUE
    assert called.due_count == len(DUE)
    asked = [one.officer_id.removeprefix("o-") for one in await chat.letters("roll_call_question")]
    assert sorted(asked) == sorted(DUE)
    assert {one.lane for one in await chat.letters("roll_call_question")} == {Lane.bulk}


async def test_the_audience_is_frozen_when_the_roll_is_called(chat: Chat) -> None:
    await call(chat)
    await chat.roster(("马同", NORTH, "duty_officer"))
    await chat.pass_minutes(10)
    assert set(await chat.answers()) == DUE
    assert "roll_call_question" not in await chat.told("马同")


async def test_one_roll_call_exists_per_plan_and_slot(chat: Chat) -> None:
    await call(chat, slot="s")
    async with chat.desk() as desk:
        assert await roll_calls.call(desk, PLAN, "s") is None
    assert len(await chat.find(RollCall)) == 1
    assert len(await chat.letters("roll_call_question")) == len(DUE)


async def test_reminders_go_to_the_silent_alone_and_overtake_no_page(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("到")
    await chat["李领"].say("免点 在抢险")
    await chat.pass_minutes(2)
    nudged = await chat.letters("roll_call_reminder")
    assert {one.officer_id.removeprefix("o-") for one in nudged} == DUE - {"邓值", "李领"}
    assert {one.lane for one in nudged} == {Lane.bulk}
    await chat["郭东"].say("到")
    await chat.pass_minutes(2)
    again = (await chat.letters("roll_call_reminder"))[len(nudged) :]
    assert len(again) == len(DUE) - 3


async def test_reminders_missed_while_the_desk_was_away_are_one(chat: Chat) -> None:
    await call(chat)
    await chat.advance(minutes=5)
    assert len([kind for kind in await chat.told("邓值") if kind == "roll_call_reminder"]) == 1


async def test_a_clock_that_steps_back_nudges_nobody_early(chat: Chat) -> None:
    called = await call(chat)
    chat.clock.advance(minutes=-1)
    async with chat.desk() as desk:
        await roll_calls.remind(desk, called.id)
    assert await chat.letters("roll_call_reminder") == []
    await chat.pass_minutes(5.1)
    assert len(await chat.letters("roll_call_reminder")) == 2 * len(DUE)


async def test_a_question_still_waiting_is_withdrawn_when_its_answer_is_in(chat: Chat) -> None:
    async with chat.door.open() as desk:
        await roll_calls.call(desk, PLAN, "s")
    phone = chat["邓值"]
    await phone.hand_in(phone.message("text", "到"))
    async with chat.door.read() as store:  # Heard first: its question, in the bulk lane, has not left yet.
        [job] = await store.find(Job, kind="sweep")
    assert job.lane is Lane.urgent
    await chat.settle()
    assert await result(chat, "邓值") is Result.present
    question = await chat.the(Letter, kind="roll_call_question", officer_id="o-邓值")
    assert question.state is LetterState.cancelled


async def test_at_the_end_the_silent_are_named_to_their_unit_s_leader_and_to_the_duty_leader(
    chat: Chat,
) -> None:
    await call(chat)
    for name in ("李领", "何东", "简局"):
        await chat[name].say("到")
    await chat.pass_minutes(10)
    assert chat["李领"].saw("未应答", "邓值", "199-0000-0002")
    assert chat["何东"].saw("未应答", "郭东") and not chat["何东"].saw("未应答", "邓值")
    assert chat["简局"].saw("点名结果", "邓值", "郭东")
    assert (await chat.roll_call()).counts == {"present": 3, "no_answer": 2}


async def test_a_silent_leader_is_named_to_who_leads_the_watch(chat: Chat) -> None:
    await call(chat)
    for name in DUE - {"李领"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    assert chat["简局"].saw("未应答", "李领", "核实")
    assert not chat["李领"].saw("【未应答】")


async def test_when_the_duty_leader_is_silent_the_office_hears_it(chat: Chat) -> None:
    await call(chat)
    for name in DUE - {"简局"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    assert chat["欧办"].saw("未应答", "简局") and chat["欧办"].saw("点名结果")


async def test_standby_is_called_for_the_silent_and_not_when_silent_themselves(chat: Chat) -> None:
    await call(chat)
    for name in DUE - {"邓值"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    assert chat["贝备"].saw("备班", "邓值")
    async with chat.desk() as desk:
        plan = replace(PLAN, name="全体", posts=("duty_officer", "standby"), units=("北镇",))
        await roll_calls.call(desk, plan, "s2")
    await chat.pass_minutes(10)
    assert len([kind for kind in await chat.told("贝备") if kind == "standby_called"]) == 1


async def test_nobody_silent_gives_no_tasks_and_a_full_sum(chat: Chat) -> None:
    await call(chat)
    for name in DUE:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    assert await chat.letters("silent_named") == []
    assert chat["简局"].saw("点名结果", "没有未应答")


async def test_a_village_s_silent_are_named_to_the_township_s_leader(chat: Chat) -> None:
    await chat.change_officer("陈村", unit_id="u-village")
    await call(chat, replace(PLAN, posts=(), roles=("officer",)))
    await chat.pass_minutes(10)
    assert chat["李领"].saw("未应答", "陈村")


async def test_a_leader_with_a_hundred_silent_people_gets_a_readable_list(chat: Chat) -> None:
    async with chat.desk() as desk:
        for number in range(100):
            await desk.store.add(Officer(f"o-{number}", f"员{number:03d}", "u-north", role=Role.officer))
    await call(chat, replace(PLAN, posts=(), roles=("officer",)))
    await chat.pass_minutes(10)
    tasks = [one for one in await chat.letters("silent_named") if one.officer_id == "o-李领"]
    assert len(tasks) == 11
    told = " ".join(one.facts["name"] for one in tasks)
    assert all(f"员{number:03d}" in told for number in range(100))


async def test_fault_42_an_empty_audience_is_the_roster_s_fault_and_the_leader_hears_it(chat: Chat) -> None:
    await chat.roster(("简局", OFFICE, "duty_leader"))
    called = await call(chat, replace(PLAN, units=("北镇",)))
    assert (called.state, called.due_count, called.counts) == (RollCallState.closed, 0, {})
    assert chat["简局"].saw("空岗")


async def test_a_post_nobody_holds_is_written_down_though_others_answer(chat: Chat) -> None:
    await chat.roster(("李领", NORTH, "duty_leader"), ("郭东", EAST, "duty_officer"))
    await call(chat, replace(PLAN, units=("北镇", "东镇")))
    [facts] = await chat.logged("posts_unheld")
    assert sorted(facts["posts"]) == ["东镇/duty_leader", "北镇/duty_officer"]


async def test_closing_twice_changes_and_tells_nothing_more(chat: Chat) -> None:
    called = await call(chat)
    await chat.pass_minutes(10)
    before = len(await chat.find(Letter))
    for _ in range(3):
        async with chat.desk() as desk:
            await roll_calls.close(desk, called.id)
    assert len(await chat.find(Letter)) == before


async def test_fault_27_a_clock_that_steps_back_closes_nothing_early(chat: Chat) -> None:
    called = await call(chat)
    chat.clock.advance(minutes=-60)
    async with chat.desk() as desk:
        await roll_calls.close(desk, called.id)
    assert (await chat.roll_call()).state is RollCallState.open


async def test_fault_27_a_clock_that_jumps_ahead_or_a_desk_that_was_away_makes_nobody_silent(
    chat: Chat,
) -> None:
    await call(chat)
    said = chat["邓值"].message("text", "到")
    await chat.advance(minutes=60)  # Neither closed nor named: what was said meanwhile is still to be heard.
    assert (await chat.roll_call()).state is RollCallState.open
    assert len(await chat.logged("roll_call_extended")) == 1
    await chat["邓值"].hand_in(said)
    await chat.settle()
    assert await result(chat, "邓值") is Result.present
    await chat.pass_minutes(2)
    call_after = await chat.roll_call()
    assert call_after.counts == {"present": 1, "no_answer": 4}


async def test_fault_35_five_hundred_answers_are_all_taken_and_a_report_is_paged(chat: Chat) -> None:
    async with chat.desk() as desk:
        people = [Officer(f"o-n{number}", f"员{number}", "u-east") for number in range(500)]
        await desk.store.add(*people)
    await call(chat, replace(PLAN, posts=(), roles=("officer",), units=("东镇",)))
    lines = await chat.find(Answer)
    chat.stranger("crowd")
    async with chat.desk() as desk:
        await desk.store.add(
            *(Account(f"a-{one.id}", one.id, "line", f"p-{one.id}", NIGHT) for one in people)
        )
    messages = [
        replace(
            chat.phones["crowd"].message("choice", verb="present", ref=line.id),
            address=f"p-{line.officer_id}",
        )
        for line in lines
    ]
    await chat["陈村"].hand_in(chat["陈村"].message("text", "地点：泰丰路，仓库起火"), *messages)
    await chat.settle()
    assert {one.result for one in await chat.find(Answer)} == {Result.present}
    assert await chat.paged() == ["邓值"]


VERDICTS = (Result.verified_present, Result.line_fault, Result.excused, Result.unregistered_cover)


async def conclude(chat: Chat, line: Answer, verdict: Result, reason: str) -> None:
    """李领's verdict."""
    async with chat.desk() as desk:
        await roll_calls.conclude(desk, line.id, await chat.officer("李领"), verdict, reason)


async def silent_after_close(chat: Chat) -> Answer:
    await call(chat)
    for name in DUE - {"邓值"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    return await line_of(chat, "邓值")


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_leader_s_verdict_is_recorded_with_name_and_reason_and_the_sum_follows(
    chat: Chat, verdict: Result
) -> None:
    line = await silent_after_close(chat)
    await conclude(chat, line, verdict, "电话核实")
    after = await chat.get(Answer, line.id)
    assert (after.result, after.concluded_by, after.note) == (verdict, "o-李领", "电话核实")
    counts = (await chat.roll_call()).counts
    assert counts == {"present": 4, verdict.value: 1}
    [facts] = await chat.logged("answer_concluded")
    assert (facts["was"], facts["reason"]) == ("no_answer", "电话核实")


async def test_the_verdict_on_one_phone_settles_the_task_on_every_other(chat: Chat) -> None:
    await chat.roster(
        ("邓值", NORTH, "duty_officer"), ("李领", NORTH, "duty_leader"), ("马同", NORTH, "duty_leader")
    )
    await call(chat)
    await chat["李领"].say("到")
    await chat["马同"].say("到")
    await chat.pass_minutes(10)
    cards = [chat[name].card("【未应答】") for name in ("李领", "马同")]
    await chat["李领"].press(cards[0], "verified")
    assert await result(chat, "邓值") is Result.verified_present
    assert all("核实在岗" in card.text and card.choices == () for card in cards)


async def test_absence_needs_its_reason_and_is_never_one_tap(chat: Chat) -> None:
    line = await silent_after_close(chat)
    await chat["李领"].press(chat["李领"].card("【未应答】"), "absent")
    assert await result(chat, "邓值") is Result.no_answer
    assert chat["李领"].saw("理由")
    for reason in ("", "  "):
        with pytest.raises(ValueError, match="verdict"):
            await conclude(chat, line, Result.absent_from_post, reason)
    await conclude(chat, line, Result.absent_from_post, "监控核实离岗")
    assert await result(chat, "邓值") is Result.absent_from_post


@pytest.mark.parametrize("result_", [Result.waiting, Result.present, Result.late, Result.no_answer])
async def test_what_is_no_verdict_nobody_can_conclude(chat: Chat, result_: Result) -> None:
    line = await silent_after_close(chat)
    with pytest.raises(ValueError, match="verdict"):
        await conclude(chat, line, result_, "x")


async def test_the_duty_leader_who_was_given_the_task_may_judge_it(chat: Chat) -> None:
    """简局 leads the office's watch, not 北镇; the task was theirs because 北镇's leader was silent too."""
    await call(chat)
    for name in DUE - {"邓值", "李领"}:
        await chat[name].say("到")
    await chat.pass_minutes(10)
    await chat["简局"].press(chat["简局"].card("【未应答】", "邓值"), "verified")
    assert await result(chat, "邓值") is Result.verified_present


@pytest.mark.parametrize("name", ["陈村", "马同", "郭东", "何东"])
async def test_nobody_else_may_judge_and_the_try_is_logged(chat: Chat, name: str) -> None:
    line = await silent_after_close(chat)
    await chat[name].press_token(f"verified:{line.id}")
    assert await result(chat, "邓值") is Result.no_answer
    assert len(await chat.logged("choice_refused")) == 1


async def test_nobody_judges_the_own_line(chat: Chat) -> None:
    await call(chat)
    await chat.pass_minutes(10)
    line = await line_of(chat, "李领")
    with pytest.raises(NotAllowed):
        await conclude(chat, line, Result.verified_present, "我在")


async def test_what_is_said_after_a_verdict_is_kept_and_changes_nothing(chat: Chat) -> None:
    line = await silent_after_close(chat)
    await conclude(chat, line, Result.absent_from_post, "监控")
    await chat["邓值"].press_token(f"present:{line.id}")
    assert await result(chat, "邓值") is Result.absent_from_post


ACTS = ("到", "到 0000", "1", "免点 抢险", "tap", "excuse", "trouble", "photo", "place", "cover", "wait")


@settings(max_examples=60)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(sorted(DUE | {"马同"})), st.sampled_from(ACTS), st.floats(0, 4)),
        max_size=14,
    ),
    proof=st.sampled_from(list(Proof)),
)
def test_the_counts_always_sum_to_due(acts: list[tuple[str, str, float]], proof: Proof) -> None:
    async def story() -> None:
        async with open_chat() as chat:
            called = await call(chat, replace(PLAN, proof=proof))
            for name, act, minutes in acts:
                await chat.pass_minutes(minutes)
                await _do(chat, name, act)
            await chat.pass_minutes(12)
            after = await chat.get(RollCall, called.id)
            lines = await chat.find(Answer)
            assert after.state is RollCallState.closed
            assert after.counts is not None
            assert sum(after.counts.values()) == after.due_count == len(lines) == len(DUE)
            assert Result.waiting not in {line.result for line in lines}
            told = (await chat.letters("roll_call_summary"))[0].facts
            assert told["counts"] == after.counts and told["due"] == after.due_count
            assert len(told["silent"]) == after.counts.get("no_answer", 0)

    asyncio.run(story())


async def _do(chat: Chat, name: str, act: str) -> None:
    phone = chat[name]
    lines = await chat.find(Answer, officer_id=f"o-{name}")
    ref = lines[0].id if lines else "none"
    match act:
        case "tap":
            await phone.press_token(f"present:{ref}")
        case "excuse":
            await phone.press_token(f"excused:{ref}")
        case "trouble":
            await phone.press_token(f"trouble:{ref}")
        case "photo":
            await phone.photo()
        case "place":
            await phone.send_place()
        case "cover":
            await chat["贝备"].say("到")
        case "wait":
            await chat.pass_minutes(1)
        case _:
            await phone.say(act)


async def test_a_unit_on_phone_duty_owes_only_an_answer(chat: Chat) -> None:
    async with chat.desk() as desk:
        unit = await desk.store.get(type(NORTH), "u-north")
        assert unit is not None
        await desk.store.change(unit, phone_duty=True)
    await call(chat, replace(PLAN, proof=Proof.passcode))
    await chat["邓值"].say("到")
    assert await result(chat, "邓值") is Result.present


async def test_who_left_since_the_roster_was_made_is_not_asked(chat: Chat) -> None:
    await chat.change_officer("邓值", active=False)
    await call(chat)
    assert set(await chat.answers()) == DUE - {"邓值"}


async def test_at_the_very_change_of_watch_the_incomer_is_asked(chat: Chat) -> None:
    async with chat.desk() as desk:
        [old] = await desk.store.find(Shift, officer_id="o-邓值")
        await desk.store.change(old, ends_at=chat.clock.now())
        start, end = chat.clock.now(), old.ends_at
        await desk.store.add(Shift("new", "u-north", "duty_officer", "o-马同", start, end))
    await call(chat)
    assert set(await chat.answers()) == (DUE - {"邓值"}) | {"马同"}
