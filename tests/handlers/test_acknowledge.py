"""签收 · 转办 · 办结 on phones: by button and in words, once, politely, and never by somebody who may not."""

import pytest

from desk.letters import tell
from desk.model import Choice, Letter, Notice
from incidents.model import Attachment, Draft, Incident, Report, ReportKind, State
from tests.handlers.chat import Chat

FIRE = "地点：泰丰路，五金厂二楼起火"
NUMBER = "ZS-20261124-001"


async def fire(chat: Chat) -> Incident:
    await chat["陈村"].say(FIRE)
    return await chat.incident()


async def test_a_tap_signs_tells_the_reporter_and_turns_the_card_into_the_proof(chat: Chat) -> None:
    await fire(chat)
    card = chat["邓值"].card("签收")
    await chat["邓值"].press(card, "sign")
    incident = await chat.incident()
    assert (incident.state, incident.signed_by) == (State.verifying, "o-邓值")
    assert chat["陈村"].saw(NUMBER, "邓值", "签收")
    assert "您已签收" in card.text and card.verbs == ["close", "hand"]
    assert len(chat.line.settled) == 1  # The phone stops waiting for its tap.


@pytest.mark.parametrize(
    "text", [f"签收 {NUMBER}", "签收", "签收！", f"签收{NUMBER}", "签收 zs20261124-001 "]
)
async def test_words_sign_with_the_number_or_alone_when_one_can_be_meant(chat: Chat, text: str) -> None:
    await fire(chat)
    await chat["邓值"].say(text)
    assert (await chat.incident()).signed_by == "o-邓值"


async def test_a_bare_word_that_may_mean_several_asks_which(chat: Chat) -> None:
    await fire(chat)
    await chat["陈村"].say("/report 地点：联丰路，两车相撞")
    await chat["邓值"].say("签收")
    assert {one.state for one in await chat.find(Incident)} == {State.received}
    assert chat["邓值"].last.verbs == ["sign", "sign"]


async def test_a_bare_word_that_means_nothing_opens_no_report(chat: Chat) -> None:
    for word in ("签收", "办结 已处理", "转办", "不属实"):
        await chat["邓值"].say(word)
    assert await chat.find(Draft) == []
    assert chat["邓值"].saw("没有找到这一件")


async def test_a_sentence_that_only_begins_so_is_a_report(chat: Chat) -> None:
    await chat["陈村"].say("签收点门口起火")
    assert (await chat.the(Draft)).text == "签收点门口起火"


async def test_what_is_said_with_the_signature_is_kept(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say(f"签收 {NUMBER} 马上派车")
    assert [facts["note"] for facts in await chat.logged("signed")] == ["马上派车"]


async def test_a_reply_of_received_to_the_page_signs(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].reply(chat["邓值"].card("签收").id, "收到")
    assert (await chat.incident()).signed_by == "o-邓值"


async def test_received_by_the_reporter_signs_nothing(chat: Chat) -> None:
    await fire(chat)
    await chat["陈村"].reply(chat["陈村"].card("已报出").id, "收到")
    assert (await chat.incident()).signed_by == ""
    assert not chat["陈村"].saw("不归您办")


async def test_received_that_goes_on_is_not_thrown_away(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].reply(chat["邓值"].card("签收").id, "收到群众反映，三楼还有人")
    assert (await chat.find(Report, kind=ReportKind.follow_up))[0].text == "收到群众反映，三楼还有人"


async def test_the_second_taker_hears_who_has_it(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(3)
    await chat["李领"].press(chat["李领"].card("签收"), "sign")
    await chat["邓值"].say(f"签收 {NUMBER}")
    assert chat["邓值"].saw("李领", "已签收，您不用处理")
    assert (await chat.incident()).signed_by == "o-李领"


async def test_fault_30_the_earlier_rung_s_card_says_who_signed_and_has_no_button_left(chat: Chat) -> None:
    await fire(chat)
    card = chat["邓值"].card("签收")
    await chat.pass_minutes(3)
    await chat["李领"].press(chat["李领"].card("签收"), "sign")
    assert "李领 已签收" in card.text and card.choices == ()


async def test_input_23_fifty_taps_have_one_effect(chat: Chat) -> None:
    incident = await fire(chat)
    phone = chat["邓值"]
    card = phone.card("签收")
    taps = [
        phone.message("choice", verb="sign", ref=incident.id, message_id=card.id, sent_at=None)
        for _ in range(50)
    ]
    await phone.hand_in(*taps)
    await chat.settle()
    assert len(await chat.logged("signed")) == 1
    assert len([text for text in chat["陈村"].texts if "正在核实" in text]) == 1


async def test_input_23_the_button_of_a_closed_incident_is_answered_politely(chat: Chat) -> None:
    incident = await fire(chat)
    await chat.pass_minutes(3)
    stale = chat["李领"].card("签收").choices
    await chat["邓值"].say("签收")
    await chat["邓值"].say("办结 误报")
    for _label, token in stale:
        if token.startswith("sign"):
            await chat["李领"].press_token(token)
    assert chat["李领"].saw("已办结，不能再操作")
    assert (await chat.get(Incident, incident.id)).state is State.closed


async def test_input_24_an_officer_pressing_the_leader_s_button_is_refused_and_logged(chat: Chat) -> None:
    incident = await fire(chat)
    for name in ("陈村", "郭东"):
        await chat[name].press_token(f"sign:{incident.id}", private=False)
    assert chat["陈村"].saw("不归您办") and chat["郭东"].saw("没有找到这一件")
    assert (await chat.incident()).signed_by == ""
    assert len(await chat.logged("choice_refused")) == 2


async def test_input_22_a_button_made_by_hand_is_refused_and_logged(chat: Chat) -> None:
    await fire(chat)
    for ref in ("..", "x" * 60, "01ARZ3NDEKTSV4RRFFQ69G5FAV", ""):
        await chat["邓值"].press_token(f"sign:{ref}")
    assert chat["邓值"].saw("没有找到这一件")
    assert len(await chat.logged("choice_refused")) == 4


async def test_a_role_lowered_between_showing_and_pressing_counts_at_the_press(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(3)
    card = chat["李领"].card("签收")
    await chat.change_officer("李领", active=False)
    await chat["李领"].press(card, "sign")
    assert (await chat.incident()).signed_by == ""


async def test_an_old_replayed_tap_shows_the_incident_and_signs_nothing(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].press_token(f"sign:{incident.id}", stale=True)
    assert (await chat.incident()).signed_by == ""
    assert chat["邓值"].saw(NUMBER, "已收到")


async def test_an_edited_or_forwarded_word_signs_nothing(chat: Chat) -> None:
    await fire(chat)
    said = await chat["邓值"].say("状态")
    await chat["邓值"].edit(said, f"签收 {NUMBER}")
    await chat["邓值"].say(f"签收 {NUMBER}", forwarded=True)
    assert (await chat.incident()).signed_by == ""


async def test_handing_on_offers_colleagues_and_waits_for_the_one_named(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "hand")
    offer = chat["邓值"].last
    assert "转给 马同" in [label for label, _ in offer.choices]
    assert "转给 邓值" not in [label for label, _ in offer.choices]
    token = next(token for label, token in offer.choices if label == "转给 马同")
    assert len(token.encode()) <= 64
    await chat["邓值"].press_token(token)
    incident = await chat.incident()
    assert (incident.state, incident.assigned_to, incident.signed_by) == (State.handed_on, "o-马同", "")
    assert chat["马同"].saw("邓值 转给您", "签收") and chat["陈村"].saw("已转给 马同")
    await chat["马同"].press(chat["马同"].card("转给您"), "sign")
    assert (await chat.incident()).signed_by == "o-马同"


async def test_handing_on_by_name_needs_no_list(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say(f"转办 {NUMBER} 马同")
    assert (await chat.incident()).assigned_to == "o-马同"


async def test_handing_on_to_nobody_to_oneself_or_to_who_left_is_refused(chat: Chat) -> None:
    incident = await fire(chat)
    await chat.change_officer("马同", active=False)
    for to in ("o-马同", "o-邓值", "nobody", ""):
        await chat["邓值"].press_token(f"to:{incident.id}:{to}")
    assert (await chat.incident()).state is State.received
    assert chat["邓值"].saw("这个按钮已经过时")


async def test_closing_needs_a_signature_and_an_outcome(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say(f"办结 {NUMBER} 已扑灭")
    assert chat["邓值"].saw("先签收才能办结")
    await chat["邓值"].say("签收")
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "close")
    assert chat["邓值"].saw("办结要写处置结果")
    assert (await chat.get(Incident, incident.id)).state is State.verifying


async def test_the_outcome_asked_for_is_the_next_plain_sentence(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "close")
    await chat["邓值"].say("明火已扑灭，无人伤亡")
    incident = await chat.incident()
    assert (incident.state, incident.outcome) == (State.closed, "明火已扑灭，无人伤亡")
    assert await chat.find(Draft, officer_id="o-邓值") == []


async def test_the_outcome_is_waited_for_ten_minutes_and_not_for_ever(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "close")
    await chat.pass_minutes(10.1)
    await chat["邓值"].say("兴中道路灯倒了")
    assert (await chat.incident()).state is State.verifying
    assert len(await chat.find(Draft, officer_id="o-邓值")) == 1


async def test_an_answer_to_a_roll_call_is_no_outcome(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "close")
    await chat["邓值"].say("到")
    assert (await chat.incident()).state is State.verifying


async def test_closing_writes_the_final_report_and_tells_the_reporter_and_every_card(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(3)
    await chat["李领"].say("签收")
    cards = [chat["邓值"].card(NUMBER), chat["李领"].card("您已签收")]
    await chat["李领"].say(f"办结 {NUMBER}：明火已扑灭")
    incident = await chat.incident()
    assert (incident.state, incident.outcome) == (State.closed, "明火已扑灭")
    final = (await chat.find(Report, kind=ReportKind.final))[0]
    assert (final.text, final.sequence) == ("明火已扑灭", 2)
    assert chat["陈村"].saw("已办结", "明火已扑灭")
    assert all("已办结" in card.text and card.choices == () for card in cards)


async def test_a_picture_sent_with_the_outcome_is_kept_with_the_incident(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].photo(f"办结 {NUMBER} 已扑灭")
    assert (await chat.the(Attachment)).incident_id == incident.id
    assert (await chat.incident()).outcome == "已扑灭"


async def test_unfounded_is_a_person_s_word_and_the_reporter_is_told_kindly(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].say(f"不属实 {NUMBER} 焚烧垃圾")
    assert (await chat.incident()).state is State.unfounded
    assert chat["陈村"].saw("经核实不属实", "焚烧垃圾")


async def test_a_page_made_in_the_transaction_of_its_signature_never_leaves(chat: Chat) -> None:
    """Row 29: hand-on and signature heard together; whoever was handed it gets nothing to sign."""
    incident = await fire(chat)
    phone, leader = chat["邓值"], chat["李领"]
    await phone.hand_in(
        phone.message("choice", verb="to", ref=f"{incident.id}:o-马同"),
        leader.message("text", f"签收 {NUMBER}"),
    )
    await chat.settle()
    assert (await chat.incident()).signed_by == "o-李领"
    assert not chat["马同"].saw("签收")


async def test_letters_of_one_moment_arrive_in_the_order_they_were_written(chat: Chat) -> None:
    async with chat.desk() as desk:
        for number in range(50):
            tell(desk, "o-陈村", Notice("already_signed", {"number": f"第{number}封", "by": "甲", "at": ""}))
    assert [text.split()[0] for text in chat["陈村"].texts] == [f"第{number}封" for number in range(50)]


async def test_every_button_fits_the_platforms_sixty_four_bytes(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].say(f"转办 {NUMBER}")
    choices: list[Choice] = [one for letter in await chat.find(Letter) for one in letter.choices]
    assert choices
    assert all(len(one.token.encode()) <= 64 for one in choices)
