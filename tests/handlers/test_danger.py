"""A report of danger is never swallowed, whatever was asked before and whatever word stands in front."""

import pytest

from desk.model import InboxRow
from incidents.model import Attachment, Draft, Incident, Report, ReportKind, State
from roster.model import Result
from tests.handlers.chat import Chat
from tests.handlers.roll_calls import call

FIRE = "地点：泰丰路，五金厂二楼起火"
NUMBER = "ZS-20261124-001"
BLAST = "北镇化工厂爆炸，5人受伤，2人被困，请求支援"
DYKE = "北镇一村河堤决口，三人被困"


async def signed(chat: Chat, text: str = FIRE) -> Incident:
    await chat["陈村"].say(f"/report {text}")
    incident = await chat.newest()
    await chat["邓值"].say(f"签收 {incident.number}")
    return await chat.newest()


async def closed(chat: Chat) -> Incident:
    await signed(chat)
    await chat["邓值"].say(f"办结 {NUMBER} 已扑灭")
    return await chat.incident()


async def asked_for_outcome(chat: Chat) -> Incident:
    incident = await signed(chat)
    await chat["邓值"].press(chat["邓值"].card("您已签收"), "close")
    return incident


async def told(chat: Chat) -> list[str]:
    """All that is kept, wherever: reports and drafts."""
    drafts = [one.text for one in await chat.find(Draft, state="open")]
    return drafts + [one.text for one in await chat.find(Report)]


async def test_an_event_told_when_the_outcome_was_asked_for_is_a_report_and_closes_nothing(
    chat: Chat,
) -> None:
    before = await asked_for_outcome(chat)
    await chat["邓值"].say(BLAST)
    assert (await chat.get(Incident, before.id)).state is State.verifying
    new = await chat.newest()
    assert new.id != before.id and new.title == BLAST
    assert chat["邓值"].saw(NUMBER, "没有办结", "新情况") and chat["邓值"].saw(new.number, "已报出")
    assert chat["李领"].saw(new.number)  # Somebody else hears of it at once or by the ladder.


async def test_after_it_the_next_words_are_no_outcome_either(chat: Chat) -> None:
    before = await asked_for_outcome(chat)
    await chat["邓值"].say("化工厂爆炸，5人受伤")
    await chat["邓值"].say("北镇一村路口")
    assert (await chat.get(Incident, before.id)).state is State.verifying
    assert (await chat.newest()).title == "化工厂爆炸，5人受伤"


async def test_words_that_may_be_the_outcome_or_not_are_kept_and_asked_about(chat: Chat) -> None:
    incident = await asked_for_outcome(chat)
    await chat["邓值"].say("火已扑灭，另有1人失踪")
    assert (await chat.incident()).state is State.verifying
    card = chat["邓值"].card("作为办结结果")
    assert card.verbs == ["outcome", "separate"]
    assert (await chat.find(Report, kind=ReportKind.follow_up))[0].text == "火已扑灭，另有1人失踪"
    await chat["邓值"].press(card, "outcome")
    after = await chat.get(Incident, incident.id)
    assert (after.state, after.outcome) == (State.closed, "火已扑灭，另有1人失踪")


async def test_such_words_may_become_another_incident_instead(chat: Chat) -> None:
    await asked_for_outcome(chat)
    await chat["邓值"].say("火已扑灭，北镇一村又有1人失踪")
    await chat["邓值"].press(chat["邓值"].card("作为办结结果"), "separate")
    assert len(await chat.find(Incident)) == 2


async def test_a_courtesy_is_no_outcome(chat: Chat) -> None:
    await asked_for_outcome(chat)
    for word in ("好的", "收到，谢谢", "👍"):
        await chat["邓值"].say(word)
    assert (await chat.incident()).state is State.verifying


async def test_the_receipt_of_an_outcome_always_offers_another_incident_and_takes_the_close_back(
    chat: Chat,
) -> None:
    await asked_for_outcome(chat)
    await chat["邓值"].say("北镇一村村口有群众反映")
    assert (await chat.incident()).state is State.closed
    await chat["邓值"].press(chat["邓值"].card("已办结"), "separate")
    incident = await chat.find(Incident, number=NUMBER)
    assert (incident[0].state, incident[0].signed_by) == (State.verifying, "o-邓值")
    assert chat["陈村"].saw(NUMBER, "还没有完") and chat["邓值"].saw(NUMBER, "重新办理")
    assert len(await chat.logged("reopened")) == 1
    assert any("有群众反映" in text for text in await told(chat))


@pytest.mark.parametrize(
    "text", [f"办结。新情况：{DYKE}", f"签收 {DYKE}", f"不属实！{DYKE}", f"转办，{DYKE}"]
)
async def test_a_working_word_with_nothing_to_work_on_swallows_no_event(chat: Chat, text: str) -> None:
    await chat["邓值"].say(text)
    assert chat["邓值"].saw("没有找到这一件", "新情况")
    assert (await chat.incident()).title.endswith(DYKE)


@pytest.mark.parametrize("text", [f"办结。新情况：{DYKE}", f"不属实！{DYKE}", f"转办，{DYKE}"])
async def test_nor_does_it_when_one_incident_may_be_meant(chat: Chat, text: str) -> None:
    before = await signed(chat)
    await chat["邓值"].say(text)
    assert (await chat.get(Incident, before.id)).state is State.verifying
    assert (await chat.newest()).title.endswith(DYKE)


async def test_nor_does_it_when_several_may_be_meant(chat: Chat) -> None:
    for street in ("泰丰路", "联丰路"):
        await signed(chat, f"地点：{street}，起火")
    await chat["邓值"].say(f"办结 {DYKE}")
    assert len(await chat.find(Incident)) == 3


async def test_a_signature_with_an_event_signs_and_reports(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].say(f"签收 {DYKE}")
    first, second = await chat.find(Incident, order=("number",))
    assert first.signed_by == "o-邓值" and second.title == DYKE


async def test_with_a_number_it_is_kept_as_that_incident_s_follow_up(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].say(f"签收 {NUMBER} 三楼还有2人被困")
    await chat["邓值"].say(f"签收 {NUMBER} 四楼也有1人被困")
    texts = [one.text for one in await chat.find(Report, kind=ReportKind.follow_up)]
    assert texts == ["三楼还有2人被困", "四楼也有1人被困"]


async def test_an_unknown_number_loses_no_event_and_no_picture(chat: Chat) -> None:
    await chat["邓值"].photo(f"办结 ZS-20261124-999 {DYKE}")
    incident = await chat.incident()
    assert incident.title == DYKE
    assert (await chat.the(Attachment)).incident_id == incident.id


async def test_a_fire_that_comes_back_is_added_with_its_picture_told_to_the_leader_and_may_be_reopened(
    chat: Chat,
) -> None:
    incident = await closed(chat)
    await chat["邓值"].photo(f"办结 {NUMBER} 复燃，火又起来了，一人失踪")
    follow_up = (await chat.find(Report, kind=ReportKind.follow_up))[0]
    assert follow_up.text == "复燃，火又起来了，一人失踪"
    assert (await chat.the(Attachment)).incident_id == incident.id
    assert chat["李领"].saw(NUMBER, "复燃")
    assert chat["邓值"].saw(NUMBER, "已办结", "已告知")
    await chat["邓值"].press(chat["邓值"].card("已告知"), "reopen")
    assert (await chat.incident()).state is State.verifying
    assert chat["陈村"].saw("还没有完")


async def test_the_leader_who_hears_it_may_reopen_it(chat: Chat) -> None:
    await closed(chat)
    await chat["陈村"].say(f"{NUMBER} 又着火了")
    await chat["李领"].press(chat["李领"].card("又着火了"), "reopen")
    assert (await chat.incident()).signed_by == "o-李领"


async def test_closing_with_words_of_danger_is_asked_about_and_closes_nothing(chat: Chat) -> None:
    await signed(chat)
    await chat["邓值"].say(f"办结 {NUMBER} 复燃，火又起来了，一人失踪")
    assert (await chat.incident()).state is State.verifying
    assert chat["邓值"].saw("还没有办结", "作为办结结果")


async def test_whoever_may_not_do_it_is_told_so_and_heard_all_the_same(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say(f"办结 {NUMBER} 又有2人被困")
    assert chat["陈村"].saw("不归您办") and chat["邓值"].saw("又有2人被困")


async def test_closing_unsigned_keeps_what_is_more_than_an_outcome(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].photo(f"办结 {NUMBER} 现场照片")
    assert chat["邓值"].saw("先签收才能办结")
    assert (await chat.the(Attachment)).incident_id == (await chat.incident()).id


@pytest.mark.parametrize("command", ["/mine", "/help", "/onduty", "/cancel", "/rollcall", "/status", "绑定"])
async def test_a_command_with_words_of_danger_is_answered_and_reported(chat: Chat, command: str) -> None:
    await chat["陈村"].say(f"{command} {DYKE}")
    assert (await chat.incident()).title == DYKE
    assert len(chat["陈村"].shown) == 2


async def test_so_is_a_start_and_a_command_nobody_knows(chat: Chat) -> None:
    await chat["陈村"].start(DYKE)
    await chat["马同"].say(f"/foo {DYKE}")
    assert len(await chat.find(Incident)) == 2


async def test_a_command_under_a_picture_keeps_the_picture(chat: Chat) -> None:
    await chat["陈村"].photo("/help")
    assert len((await chat.the(Draft)).attachment_ids) == 1
    assert chat["陈村"].saw("状态")


async def test_a_command_with_courtesies_after_it_is_only_answered(chat: Chat) -> None:
    for text in ("/mine 谢谢", "/help 你好", "/status@muster_bot", "/status 1"):
        await chat["陈村"].say(text)
    assert len(chat["陈村"].shown) == 4
    assert await chat.find(Draft) == [] and await chat.logged("aside_kept") == []


@pytest.mark.parametrize("command", ["/mine", "/help", "/status@muster_bot", "/rollcall", "/foo"])
async def test_other_words_after_a_command_are_asked_about_and_reported_at_one_press(
    chat: Chat, command: str
) -> None:
    await chat["陈村"].say(f"{command} 三楼那边不太对劲")
    assert await chat.find(Draft) == []
    card = chat["陈村"].card("命令后面", "三楼那边不太对劲")
    assert card.verbs == ["event"] and await chat.logged("aside_kept") == [{"text": "三楼那边不太对劲"}]
    await chat["马同"].press_token(card.choices[0][1])  # Not theirs.
    await chat["陈村"].press(card, "event")
    await chat["陈村"].press(card, "event")
    assert (await chat.the(Draft)).text == "三楼那边不太对劲"
    assert chat["陈村"].saw("这个按钮已经过时") and chat["马同"].saw("这个按钮已经过时")


async def test_words_under_a_picture_go_with_it_though_a_command_stands_before(chat: Chat) -> None:
    await chat["陈村"].photo("/status 三楼那边不太对劲")
    draft = await chat.the(Draft)
    assert (draft.text, len(draft.attachment_ids)) == ("三楼那边不太对劲", 1)


async def test_danger_told_by_whoever_holds_the_own_report_is_a_report_that_others_hear(chat: Chat) -> None:
    await chat["邓值"].say(FIRE)
    await chat["邓值"].say(f"签收 {NUMBER}")
    await chat["邓值"].say(DYKE)
    assert len(await chat.find(Incident)) == 2


async def test_a_command_answered_twice_by_the_platform_reports_once(chat: Chat) -> None:
    message = await chat["陈村"].say(f"/mine {DYKE}")
    await chat["陈村"].hand_in(message)
    await chat.settle()
    assert len(await chat.find(Incident)) == 1
    assert len(await chat.find(InboxRow)) == 1


async def test_a_follow_up_in_a_group_is_kept_though_its_number_is_that_of_a_private_one(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    said = await chat["陈村"].say("三楼有人受伤")
    await chat["陈村"].say("四楼也着火了", message_id=f"-77/{said.message_id}", private=False)
    texts = [one.text for one in await chat.find(Report, kind=ReportKind.follow_up)]
    assert texts == ["三楼有人受伤", "四楼也着火了"]


@pytest.mark.parametrize("word", ["收到", "签收"])
async def test_a_reply_in_a_group_signs_nothing(chat: Chat, word: str) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].reply(f"-77/{chat['邓值'].card('签收').id}", word, private=False)
    await chat["邓值"].reply(chat["邓值"].card("签收").id, "收到", private=False)
    assert (await chat.incident()).signed_by == ""


@pytest.mark.parametrize("text", ["救命", "三人被困", "快来人，水漫进来了"])
async def test_danger_is_no_reason_for_an_absence(chat: Chat, text: str) -> None:
    await call(chat)
    await chat["邓值"].press(chat["邓值"].card("免点"), "excused")
    await chat["邓值"].say(text)
    assert (await chat.the(Draft)).text == text


@pytest.mark.parametrize("text", ["免点 后山滑坡了", "请假，北镇一村着火了", "三楼的人下不来，请假"])
async def test_an_excuse_that_tells_of_an_event_is_an_excuse_and_a_report(chat: Chat, text: str) -> None:
    await call(chat)
    await chat["邓值"].say(text)
    assert (await chat.answers())["邓值"].result is Result.excused
    assert len(await told(chat)) == 1 and (await told(chat))[0] in text
    assert chat["邓值"].card("免点").verbs == []  # It is reported already.


async def test_so_is_one_that_comes_when_the_answer_was_given_before(chat: Chat) -> None:
    await call(chat)
    await chat["邓值"].say("到")
    await chat["邓值"].say("免点 后山滑坡了")
    assert len(await told(chat)) == 1
