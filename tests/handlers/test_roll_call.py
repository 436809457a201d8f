"""点名 on phones: 到 in every form, the proofs, 免点 and 有情况, and what is said too late or by the wrong person."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.model import Attachment, Draft, Incident, Place
from roster.model import Answer, Presence, Proof, Result, RollCall, Shift
from tests.handlers.chat import NORTH, PLAN, SPOT, Chat, open_chat
from tests.handlers.roll_calls import call, call_with, line_of, result

POST = Place(NORTH.lat, NORTH.lon)
QUESTION = "【点名】"


async def test_the_button_answers_and_the_card_becomes_the_proof(chat: Chat) -> None:
    await call(chat)
    card = chat["邓值"].card(QUESTION)
    await chat["邓值"].press(card, "present")
    assert await result(chat, "邓值") is Result.present
    assert "已记录" in card.text and card.choices == ()
    assert len(chat["邓值"].shown) == 1


@pytest.mark.parametrize("word", ["到", "1", "１", "到岗", "在岗", "到！", " 到 ", "present", "收到", "到了"])
async def test_every_way_to_say_it_counts(chat: Chat, word: str) -> None:
    await call(chat)
    await chat["邓值"].say(word)
    assert await result(chat, "邓值") is Result.present
    assert chat["邓值"].saw("已记录", "到岗")


async def test_to_the_very_moment_it_is_present_and_then_late(chat: Chat) -> None:
    called = await call(chat)
    for name, at, milliseconds, expected in (
        ("邓值", called.on_time_until, 0, Result.present),
        ("李领", called.on_time_until, 1, Result.late),
        ("郭东", called.closes_at, -2, Result.late),
        ("何东", called.closes_at, 1, Result.no_answer),
    ):
        chat.clock.at = at + timedelta(milliseconds=milliseconds)  # It arrives a millisecond later.
        await chat[name].say("到")
        assert await result(chat, name) is expected


async def test_an_answer_counts_when_it_was_given_and_not_when_the_desk_came_to_hear_it(chat: Chat) -> None:
    called = await call(chat)
    said = chat["邓值"].message("text", "到")
    chat.clock.advance(minutes=7)  # The desk was away.
    await chat["邓值"].hand_in(said)
    await chat.settle()
    line = await line_of(chat, "邓值")
    assert (line.result, line.answered_at) == (Result.present, called.called_at)


async def test_a_moment_before_the_call_or_in_the_future_is_not_believed(chat: Chat) -> None:
    called = await call(chat)
    chat.clock.advance(minutes=7)
    for name, minutes in (("邓值", -60), ("李领", 60)):
        await chat[name].say("到", sent_at=called.called_at + minutes * (called.closes_at - called.called_at))
        assert await result(chat, name) is Result.late


async def test_the_first_answer_stands(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("到")
    await chat["邓值"].say("免点 在抢险")
    line = await line_of(chat, "邓值")
    assert (line.result, line.text) == (Result.present, "到")
    assert (await chat.told("邓值"))[-1] == "answer_stands"
    assert len(await chat.logged("roll_call_answered")) == 1


async def test_input_23_fifty_taps_are_one_answer(chat: Chat) -> None:
    await call(chat)
    phone, line = chat["邓值"], await line_of(chat, "邓值")
    card = phone.card(QUESTION)
    taps = [phone.message("choice", verb="present", ref=line.id, message_id=card.id) for _ in range(50)]
    await phone.hand_in(*taps)
    await chat.settle()
    assert len(await chat.logged("roll_call_answered")) == 1


async def test_one_word_answers_every_call_that_runs(chat: Chat) -> None:
    await call(chat, slot="a")
    await call(chat, replace(PLAN, name="抽查"), slot="b")
    await chat["邓值"].say("到")
    assert [one.result for one in await chat.find(Answer, officer_id="o-邓值")] == [Result.present] * 2


async def test_the_passcode_on_the_duty_room_screen_is_the_proof(chat: Chat) -> None:
    called = await call_with(chat, Proof.passcode)
    assert len(called.passcode) == 4 and called.passcode.isdigit()
    await chat["邓值"].say("到")
    assert chat["邓值"].saw("还差口令码")
    assert await result(chat, "邓值") is Result.waiting
    await chat["邓值"].say(called.passcode)
    assert await result(chat, "邓值") is Result.present
    await chat["李领"].say(f"到 {called.passcode}")
    assert await result(chat, "李领") is Result.present


async def test_a_wrong_passcode_is_named_and_cannot_be_found_by_trying(chat: Chat) -> None:
    called = await call_with(chat, Proof.passcode)
    wrong = [f"{number:04d}" for number in range(20) if f"{number:04d}" != called.passcode][:5]
    for code in wrong:
        await chat["邓值"].say(code)
    assert chat["邓值"].saw("不对")
    assert len(await chat.logged("passcode_locked")) == 1
    await chat["邓值"].say(called.passcode)
    assert await result(chat, "邓值") is Result.waiting


async def test_only_those_on_site_owe_a_proof() -> None:
    async with open_chat() as chat:
        async with chat.desk() as desk:
            for shift in await desk.store.find(Shift, officer_id="o-李领"):
                await desk.store.change(shift, presence=Presence.reachable)
        await call_with(chat, Proof.passcode)
        await chat["李领"].say("到")
        assert await result(chat, "李领") is Result.present


async def test_a_place_within_reach_is_the_proof_and_its_metres_are_kept(chat: Chat) -> None:
    await call_with(chat, Proof.place)
    card = chat["邓值"].card(QUESTION)
    assert card.asks_place
    await chat["邓值"].press(card, "present")
    assert chat["邓值"].saw("还差位置")
    await chat["邓值"].send_place(POST)
    assert await result(chat, "邓值") is Result.present
    assert (await chat.logged("roll_call_answered"))[0]["metres"] == 0
    assert await chat.find(Draft) == []


async def test_a_place_too_far_away_is_told_in_metres_and_logged(chat: Chat) -> None:
    await call_with(chat, Proof.place)
    await chat["邓值"].send_place(SPOT)
    assert await result(chat, "邓值") is Result.waiting
    assert chat["邓值"].saw("您离岗位")
    assert [facts["metres"] for facts in await chat.logged("answered_from_afar")] == [865]


@pytest.mark.parametrize("place", [Place(0.0, 0.0), Place(91.0, 113.0), Place(float("nan"), float("nan"))])
async def test_a_place_nobody_can_believe_proves_nothing(chat: Chat, place: Place) -> None:
    await call_with(chat, Proof.place)
    await chat["邓值"].send_place(place)
    assert await result(chat, "邓值") is Result.waiting
    assert chat["邓值"].saw("还差位置")


async def test_a_photo_is_the_proof_and_is_kept(chat: Chat) -> None:
    await call_with(chat, Proof.photo)
    await chat["邓值"].photo()
    line = await line_of(chat, "邓值")
    assert line.result is Result.present
    row = await chat.the(Attachment)
    assert (row.draft_id, row.state.value) == (line.id, "stored")
    assert (await chat.logged("roll_call_answered"))[0]["attachments"] == [row.id]


async def test_a_photo_with_harmless_words_is_still_the_proof(chat: Chat) -> None:
    await call_with(chat, Proof.photo)
    await chat["邓值"].photo("值班室一切正常")
    assert await result(chat, "邓值") is Result.present


async def test_a_photo_that_tells_of_an_event_is_a_report_and_no_answer(chat: Chat) -> None:
    await call_with(chat, Proof.photo)
    await chat["邓值"].photo("仓库起火")
    assert await result(chat, "邓值") is Result.waiting
    assert (await chat.the(Draft)).text == "仓库起火"


async def test_excused_with_its_reason(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("免点 正在抢险现场")
    line = await line_of(chat, "邓值")
    assert (line.result, line.note) == (Result.excused, "正在抢险现场")
    assert chat["邓值"].saw("免点", "正在抢险现场")


async def test_excused_by_button_asks_the_reason_and_the_next_words_are_it(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "excused")
    assert chat["邓值"].saw("请写免点原因")
    assert await result(chat, "邓值") is Result.waiting
    await chat["邓值"].say("正在抢险现场")
    line = await line_of(chat, "邓值")
    assert (line.result, line.note) == (Result.excused, "正在抢险现场")
    assert await chat.find(Draft) == []


async def test_an_event_told_while_a_reason_is_owed_is_a_report(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "excused")
    await chat["邓值"].say("泰丰路仓库起火")
    assert (await chat.the(Draft)).text == "泰丰路仓库起火"
    assert await result(chat, "邓值") is Result.waiting


async def test_the_reason_given_after_the_close_is_kept_and_opens_no_report(chat: Chat) -> None:
    await call(chat)
    await chat.pass_minutes(9.9)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "excused")
    await chat.pass_minutes(0.2)
    await chat["邓值"].say("正在抢险现场")
    line = await line_of(chat, "邓值")
    assert (line.result, line.text) == (Result.no_answer, "正在抢险现场")
    assert await chat.find(Draft) == []


async def test_having_something_to_report_is_an_answer_and_opens_the_report(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "trouble")
    assert await result(chat, "邓值") is Result.present
    assert chat["邓值"].saw("请报送")
    await chat["邓值"].say("地点：泰丰路，仓库起火")
    assert len(await chat.find(Incident)) == 1


async def test_having_something_to_report_in_words_is_both(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("有情况，泰丰路仓库起火")
    assert await result(chat, "邓值") is Result.present
    assert "仓库起火" in (await chat.the(Draft)).text


async def test_where_a_proof_is_owed_trouble_leaves_it_owed(chat: Chat) -> None:
    await call_with(chat, Proof.passcode)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "trouble")
    assert await result(chat, "邓值") is Result.waiting
    assert chat["邓值"].saw("点名才算应答")


async def test_input_20_a_forwarded_answer_is_neither_s_and_is_explained(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("到", forwarded=True)
    assert await result(chat, "邓值") is Result.waiting
    assert chat["邓值"].saw("转发的")


async def test_input_21_an_edit_is_logged_and_the_first_stands(chat: Chat) -> None:
    await call(chat)
    said = await chat["邓值"].say("免点 在抢险")
    await chat["邓值"].edit(said, "到")
    assert await result(chat, "邓值") is Result.excused
    assert chat["邓值"].saw("改动过的消息不算应答")
    assert len(await chat.logged("answer_edited")) == 1


async def test_input_21_an_answer_after_the_close_is_kept_beside_for_a_person_to_judge(chat: Chat) -> None:
    await call(chat)
    await chat.pass_minutes(11)
    await chat["邓值"].say("到，刚才手机没电")
    await chat["李领"].say("到")
    await chat["李领"].say("到")
    line = await line_of(chat, "李领")
    assert (line.result, line.text) == (Result.no_answer, "到")
    assert line.answered_at is not None
    assert chat["李领"].saw("已留存")
    assert len(await chat.logged("answered_after_close")) == 1
    call_after = await chat.the(RollCall)
    assert call_after.counts == {"no_answer": 5}


async def test_twelve_hours_later_nobody_asks_any_more(chat: Chat) -> None:
    await call(chat)
    await chat.pass_minutes(10 + 12 * 60 + 1)
    await chat["邓值"].say("到")
    assert (await chat.told("邓值"))[-1] == "no_roll_call"


async def test_input_22_somebody_else_s_button_is_refused_and_logged(chat: Chat) -> None:
    await call(chat)
    line = await line_of(chat, "李领")
    for verb in ("present", "excused"):
        await chat["邓值"].press_token(f"{verb}:{line.id}", private=False)
    assert chat["邓值"].saw("这个按钮是发给别人的")
    assert await result(chat, "李领") is Result.waiting
    assert len(await chat.logged("choice_refused")) == 2


async def test_all_who_are_asked_alike_get_the_very_same_card_and_a_press_counts_for_who_pressed(
    chat: Chat,
) -> None:
    called = await call(chat)
    cards = [chat[name].card(QUESTION) for name in ("邓值", "李领")]
    assert cards[0].choices == cards[1].choices
    await chat["邓值"].press_token(f"present:{called.id}")
    assert await result(chat, "邓值") is Result.present
    assert await result(chat, "李领") is Result.waiting
    await chat["陈村"].press_token(f"present:{called.id}")  # A forwarded card: nobody asked this person.
    assert chat["陈村"].saw("这个按钮是发给别人的")


async def test_an_old_replayed_tap_answers_nothing(chat: Chat) -> None:
    await call(chat)
    line = await line_of(chat, "邓值")
    await chat["邓值"].press_token(f"present:{line.id}", stale=True)
    assert await result(chat, "邓值") is Result.waiting
    assert chat["邓值"].saw("已经过时")


@pytest.mark.parametrize("text", ["到", "1", "1234", "免点 家里有事", "请假"])
async def test_an_answer_nobody_asked_for_is_said_to_be_none(chat: Chat, text: str) -> None:
    await chat["陈村"].say(text)
    assert (await chat.told("陈村"))[-1] == "no_roll_call"
    assert await chat.find(Draft) == []


async def test_a_sentence_during_a_call_is_a_report_and_no_answer(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("到处都是水")
    assert await result(chat, "邓值") is Result.waiting
    assert (await chat.the(Draft)).text == "到处都是水"


async def test_a_colleague_s_word_is_kept_as_unregistered_cover_for_the_leader_to_judge(chat: Chat) -> None:
    await chat.roster(("邓值", NORTH, "duty_officer"))
    await call(chat)
    await chat["马同"].say("到")
    assert chat["马同"].saw("替班未报备")
    line = await line_of(chat, "邓值")
    assert (line.result, line.note, line.text) == (Result.waiting, "马同", "到")
    await chat.pass_minutes(2)
    assert chat["邓值"].saw("催答")  # The holder is asked all the same.
    await chat.pass_minutes(8)
    assert await result(chat, "邓值") is Result.unregistered_cover
    assert (await chat.roll_call()).counts == {"unregistered_cover": 1}
    assert chat["李领"].saw("邓值", "核实")


async def test_the_holder_s_own_answer_outdoes_the_cover(chat: Chat) -> None:
    await chat.roster(("邓值", NORTH, "duty_officer"))
    await call(chat)
    await chat["马同"].say("到")
    await chat["邓值"].say("到")
    line = await line_of(chat, "邓值")
    assert (line.result, line.note) == (Result.present, "")


async def test_for_whom_it_was_is_never_guessed(chat: Chat) -> None:
    await call(chat)  # In 北镇 the duty officer and the leader both owe an answer.
    await chat["马同"].say("到")
    assert (await chat.told("马同"))[-1] == "no_roll_call"
    assert {(await line_of(chat, name)).note for name in ("邓值", "李领")} == {""}
    assert len(await chat.logged("cover_unclear")) == 1


async def test_a_colleague_of_another_unit_covers_nobody(chat: Chat) -> None:
    await chat.roster(("邓值", NORTH, "duty_officer"))
    await call(chat)
    await chat["郭东"].say("到")
    assert (await line_of(chat, "邓值")).note == ""


async def test_a_leader_calls_the_own_unit_and_who_leads_the_watch_calls_all(chat: Chat) -> None:
    for name, due in (("李领", 2), ("简局", 5), ("欧办", 5)):
        await chat[name].say("点名")
        await chat[name].press(chat[name].card("马上点哪一个"), "call")
        called = (await chat.find(RollCall, order=("-called_at", "-id"), limit=1))[0]
        assert (called.due_count, called.called_by) == (due, f"o-{name}")
        assert chat[name].saw("点名已发出", str(due))
        await chat.pass_minutes(15)


@pytest.mark.parametrize(
    "words",
    [
        "绩东一社区毒气味很大，很多人晕倒，快派人来",
        "救命，楼塌了",
        "泰丰路有人被困",
        "泰丰路仓库起火",
    ],
)
async def test_a_report_is_never_taken_as_the_reason_that_was_asked_for(chat: Chat, words: str) -> None:
    await call(chat)
    await chat["邓值"].press(chat["邓值"].card(QUESTION), "excused")
    await chat["邓值"].say(words)
    assert await result(chat, "邓值") is Result.waiting
    assert len(await chat.find(Incident)) + len(await chat.find(Draft)) == 1


async def test_what_was_taken_as_a_reason_becomes_a_report_by_one_press(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("免点 泰丰路 12 号仓库里有怪味，我们都在外面")
    card = chat["邓值"].card("免点")
    assert card.verbs == ["danger"]
    token = card.choices[0][1]
    for _ in range(2):
        await chat["邓值"].press_token(token, message_id=card.id)
    incidents, drafts = await chat.find(Incident), await chat.find(Draft)
    assert len(incidents) == 1 or len(drafts) == 1
    assert await result(chat, "邓值") is Result.excused
    assert chat["邓值"].saw("已经过时")


async def call_by_card(chat: Chat, name: str, verb: str = "call") -> None:
    """Ask for the card, and press it."""
    await chat[name].say("点名")
    await chat[name].press(chat[name].card("马上点哪一个"), verb)


async def test_input_23_however_often_one_card_s_button_is_pressed_it_is_one_roll_call(chat: Chat) -> None:
    await chat["简局"].say("点名")
    card = chat["简局"].card("马上点哪一个")
    for _ in range(20):
        await chat["简局"].press_token("call:0", message_id=card.id)
    assert len(await chat.find(RollCall)) == 1
    assert "点名已发出" in card.text and card.choices == ()


async def test_input_64_while_one_runs_another_of_the_same_is_called_only_when_confirmed(chat: Chat) -> None:
    await call_by_card(chat, "简局")
    await call_by_card(chat, "欧办")
    assert len(await chat.find(RollCall)) == 1
    card = chat["欧办"].card("已有一次进行中")
    assert card.verbs == ["call_again"]
    for _ in range(3):
        await chat["欧办"].press_token("call_again:0", message_id=card.id)
    assert len(await chat.find(RollCall)) == 2


async def test_a_leader_whose_unit_is_asked_already_is_asked_first_and_the_office_is_not(chat: Chat) -> None:
    await call_by_card(chat, "李领")
    await call_by_card(chat, "简局")
    assert [one.due_count for one in await chat.find(RollCall)] == [2, 5]
    await call_by_card(chat, "李领")
    assert chat["李领"].saw("已有一次进行中") and len(await chat.find(RollCall)) == 2


async def test_one_word_answers_every_call_that_runs_however_many(chat: Chat) -> None:
    for number in range(25):
        await call(chat, slot=f"s{number}")
    await chat["邓值"].say("到")
    assert {one.result for one in await chat.find(Answer, officer_id="o-邓值")} == {Result.present}


async def test_after_the_close_the_card_has_no_buttons_and_what_is_written_is_still_kept(chat: Chat) -> None:
    await call(chat)
    card = chat["邓值"].card(QUESTION)
    await chat.pass_minutes(10)
    assert "已结束" in card.text and card.choices == ()
    chat.clock.advance(seconds=1)
    await chat["邓值"].say("到")
    assert chat["邓值"].saw("已留存")
    assert (await line_of(chat, "邓值")).answered_at is not None


async def test_while_the_window_is_open_status_says_they_are_waited_for(chat: Chat) -> None:
    await call(chat)
    await chat["简局"].say("状态")
    assert chat["简局"].saw("等待 5") and not chat["简局"].saw("未应答 5")


async def test_input_64_how_many_a_roll_call_will_ask_stands_on_its_button(chat: Chat) -> None:
    for name, due in (("李领", 2), ("简局", 5)):
        await chat[name].say("点名")
        [(label, _)] = chat[name].card("马上点哪一个").choices
        assert label == f"点名：晚点名（{due} 人）"


async def test_whoever_may_not_call_the_roll_is_told_so(chat: Chat) -> None:
    await chat["邓值"].say("点名")
    await chat["邓值"].press_token("call:0")
    assert len([text for text in chat["邓值"].texts if "不归您办" in text]) == 2
    assert await chat.find(RollCall) == []


@pytest.mark.parametrize("ref", ["7", "-1", "x", "", "²"])
async def test_a_plan_that_is_no_more_is_answered_politely(chat: Chat, ref: str) -> None:
    await chat["欧办"].press_token(f"call:{ref}")
    assert chat["欧办"].saw("已经过时")


async def test_calling_with_nobody_on_watch_says_it_is_the_roster_s_fault(chat: Chat) -> None:
    await chat.roster()
    await chat["欧办"].say("点名")
    await chat["欧办"].press(chat["欧办"].card("马上点哪一个"), "call")
    assert chat["欧办"].saw("空岗")
