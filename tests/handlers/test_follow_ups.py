"""续报 and 更正: by number, by reply, by moment; whoever has it hears, nothing is overwritten, floods are folded."""

from dataclasses import replace

import pytest

from desk.model import Inbound
from desk.reports import correct_level
from incidents.model import Attachment, Draft, Incident, Report, ReportKind, Severity
from tests.handlers.chat import SPOT, Chat, open_chat

FIRE = "地点：泰丰路，五金厂二楼起火"


async def fire(chat: Chat, text: str = FIRE) -> Inbound:
    """陈村's report, complete at once."""
    return await chat["陈村"].say(text)


async def signed(chat: Chat) -> Incident:
    await fire(chat)
    await chat["邓值"].press(chat["邓值"].card("签收"), "sign")
    return await chat.incident()


async def reports(chat: Chat) -> list[Report]:
    return await chat.find(Report, order=("sequence",))


async def test_a_number_names_the_incident_however_it_is_spelled(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(30)
    await chat["陈村"].say("zs 20261124－001 火已扑灭")
    _first, more = await reports(chat)
    assert (more.kind, more.text) == (ReportKind.follow_up, "zs 20261124－001 火已扑灭")
    assert chat["陈村"].saw("续报一", "已收到")


async def test_a_reply_to_the_receipt_is_a_follow_up_hours_later(chat: Chat) -> None:
    await fire(chat)
    receipt = chat["陈村"].card("已报出")
    await chat.pass_minutes(180)
    await chat["陈村"].reply(receipt.id, "火已扑灭")
    assert [one.kind for one in await reports(chat)] == [ReportKind.first, ReportKind.follow_up]


async def test_a_reply_to_one_s_own_report_is_a_follow_up(chat: Chat) -> None:
    told = await fire(chat)
    await chat.pass_minutes(180)
    await chat["陈村"].reply(told.message_id, "火已扑灭")
    assert len(await chat.find(Incident)) == 1
    assert len(await reports(chat)) == 2


async def test_what_is_said_right_after_joins_and_can_be_told_apart_once(chat: Chat) -> None:
    await fire(chat)
    await chat["陈村"].say("地点：联丰路，两车相撞")
    card = chat["陈村"].card("另一件事")
    await chat["陈村"].press(card, "separate")
    await chat["陈村"].press(card, "separate")
    assert {one.title for one in await chat.find(Incident)} == {FIRE, "地点：联丰路，两车相撞"}
    assert len(await chat.find(Draft)) == 2
    assert chat["陈村"].saw("这个按钮已经过时")
    assert len(await chat.logged("report_separated")) == 1


async def test_a_second_report_may_be_opened_on_purpose_at_once(chat: Chat) -> None:
    await fire(chat)
    await chat["陈村"].say("/report 地点：联丰路，两车相撞")
    assert len(await chat.find(Incident)) == 2


async def test_a_place_far_from_the_report_just_made_begins_another(chat: Chat) -> None:
    await chat["陈村"].say("五金厂起火")
    await chat["陈村"].send_place()
    await chat["陈村"].send_place(replace(SPOT, lat=22.7))
    assert (await chat.the(Draft, state="open")).place is not None


async def test_who_keeps_adding_stays_in_the_same_incident(chat: Chat) -> None:
    await fire(chat)
    for number in range(4):
        await chat.pass_minutes(6)
        await chat["陈村"].say(f"第{number}次补充，火势未减")
    assert len(await chat.find(Incident)) == 1


async def test_long_after_the_report_a_sentence_is_a_new_report(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(10.1)
    await chat["陈村"].say("桥断了")
    assert len(await chat.find(Draft)) == 2


async def test_whoever_signed_hears_every_follow_up(chat: Chat) -> None:
    await signed(chat)
    await chat["陈村"].say("火势蔓延到三楼")
    assert chat["邓值"].saw("续报一", "火势蔓延到三楼")
    assert not chat["李领"].saw("续报")


async def test_unsigned_everybody_asked_so_far_hears_it(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(3)
    await chat["陈村"].say("火势蔓延到三楼")
    assert chat["邓值"].saw("续报一") and chat["李领"].saw("续报一")
    assert not chat["欧办"].saw("续报一")


async def test_new_casualties_raise_the_suggested_level_and_its_clocks_at_once(chat: Chat) -> None:
    await fire(chat)
    before = await chat.incident()
    await chat.pass_minutes(2)
    await chat["陈村"].say("死亡3人")
    after = await chat.incident()
    assert (before.severity, after.severity) == (Severity.general, Severity.major)
    assert before.phone_by is not None and after.phone_by is not None and after.phone_by < before.phone_by
    assert len(await chat.logged("level_suggested")) == 1
    await chat.pass_minutes(18)  # 20 minutes from 接报: the end of 较大's telephone clock, to the moment.
    assert any(facts["clock"] == "phone" for facts in await chat.logged("clock_overdue"))


async def test_a_level_a_person_set_is_changed_by_no_suggestion(chat: Chat) -> None:
    incident = await signed(chat)
    async with chat.desk() as desk:
        officer = await chat.officer("李领")
        await correct_level(desk, incident.id, officer, Severity.serious)
    await chat["陈村"].say("死亡3人")
    assert (await chat.incident()).severity is Severity.serious


async def test_an_edit_corrects_and_never_overwrites(chat: Chat) -> None:
    told = await fire(chat, f"{FIRE}，死亡3人")
    await chat.pass_minutes(45)
    await chat["陈村"].edit(told, f"{FIRE}，重伤3人，无人死亡")
    first, correction = await reports(chat)
    assert first.text == f"{FIRE}，死亡3人"
    assert (correction.kind, correction.corrects) == (ReportKind.correction, first.id)
    assert chat["陈村"].saw("更正已收到")
    assert (await chat.incident()).severity is Severity.major  # Only a person lowers a level.
    assert len(await chat.find(Incident)) == 1


async def test_an_edited_follow_up_corrects_that_follow_up(chat: Chat) -> None:
    await fire(chat)
    said = await chat["陈村"].say("一人受伤")
    await chat.pass_minutes(30)
    await chat["陈村"].edit(said, "两人受伤")
    _first, follow_up, correction = await reports(chat)
    assert correction.corrects == follow_up.id
    assert follow_up.text == "一人受伤"


async def test_fault_7_edits_of_one_message_apply_in_order_and_each_once(chat: Chat) -> None:
    told = await fire(chat)
    phone = chat["陈村"]
    edits = [
        phone.message("edit", f"{FIRE}，{number}人受伤", edited=True, message_id=told.message_id)
        for number in (1, 2, 3)
    ]
    await phone.hand_in(*edits, edits[0])
    await chat.settle()
    texts = [one.text for one in await reports(chat) if one.kind is ReportKind.correction]
    assert texts == [f"{FIRE}，{number}人受伤" for number in (1, 2, 3)]


async def test_an_edit_while_the_report_is_being_told_is_one_more_piece_of_it(chat: Chat) -> None:
    said = await chat["陈村"].say("仓库起火")
    await chat["陈村"].edit(said, "仓库起火，地点：联丰路")
    incident = await chat.incident()
    assert incident.place is not None and incident.place.text == "联丰路"
    assert (await chat.the(Report)).text == "仓库起火\n仓库起火，地点：联丰路"


async def test_a_new_caption_does_not_keep_the_same_picture_twice(chat: Chat) -> None:
    picture = chat["陈村"].picture()
    sent = await chat["陈村"].send("media", "起火", files=(picture,))
    await chat["陈村"].edit(sent, "仓库起火", files=(picture,))
    assert len(await chat.find(Attachment)) == 1


async def test_a_live_location_that_runs_on_for_hours_opens_nothing_and_asks_nothing(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    live = await chat["陈村"].send_place()
    told = len(chat["陈村"].shown)
    for step in range(1, 9):
        await chat.pass_minutes(30)
        moved = replace(SPOT, lat=22.6741 + step * 0.002)
        await chat["陈村"].edit(live, place=moved)
    assert len(await chat.find(Incident)) == 1
    assert len(await chat.find(Draft)) == 1
    assert len(chat["陈村"].shown) == told
    assert len(await chat.logged("place_moved")) == 8
    assert (await chat.incident()).place == SPOT


async def test_a_live_location_sent_to_a_roll_call_or_from_long_ago_opens_no_report(chat: Chat) -> None:
    await chat["陈村"].send("edit", place=SPOT, edited=True, message_id="unknown")
    assert await chat.find(Draft) == []


async def test_an_ended_incident_keeps_what_comes_after_and_the_watch_hears_it(chat: Chat) -> None:
    incident = await signed(chat)
    await chat["邓值"].say(f"办结 {incident.number} 已扑灭")
    await chat["陈村"].reply(chat["陈村"].card("已办结").id, "又复燃了")
    assert chat["陈村"].saw("续报", "另一件事")
    assert chat["邓值"].saw("又复燃了") and chat["李领"].saw("又复燃了")
    await chat["陈村"].press(chat["陈村"].card("另一件事"), "separate")
    await chat.pass_minutes(10)
    assert len(await chat.find(Incident)) == 2


async def test_a_number_of_another_unit_s_incident_shows_and_adds_nothing(chat: Chat) -> None:
    await fire(chat)
    await chat["郭东"].say("ZS-20261124-001 情况如何，路口积水")
    assert len(await reports(chat)) == 1
    assert not chat["郭东"].saw("泰丰路")
    assert len(await chat.find(Draft, officer_id="o-郭东")) == 1  # Kept as what it is: a report of their own.


async def test_a_flood_of_follow_ups_is_gathered_and_none_is_lost() -> None:
    async with open_chat() as chat:
        await signed(chat)
        before = len(chat["邓值"].shown)
        for number in range(30):
            await chat["陈村"].say(f"补充{number:02d}")
        await chat.pass_minutes(2)
        told = chat["邓值"].texts[before:]
        assert len(told) <= 5
        assert all(f"补充{number:02d}" in "".join(told) for number in range(30))
        assert len(await reports(chat)) == 31


async def test_casualties_are_told_at_once_even_in_a_flood(chat: Chat) -> None:
    await signed(chat)
    for number in range(10):
        await chat["陈村"].say(f"补充{number:02d}")
    await chat["陈村"].say("死亡3人")
    assert chat["邓值"].saw("死亡3人")


async def test_input_60_beyond_the_limit_reports_fold_into_the_last_incident_and_page_nobody_more() -> None:
    async with open_chat(pages_per_reporter_per_hour=3, messages_per_minute=1000) as chat:
        for number in range(12):
            await chat["陈村"].say(f"/report 地点：泰丰路{number:02d}号，起火{number:02d}")
        incidents = await chat.find(Incident, order=("number",))
        assert len(incidents) == 3
        assert len(await chat.paged()) == 3
        kept = await chat.find(Report)
        assert len(kept) == 12
        assert {one.incident_id for one in kept if one.kind is ReportKind.follow_up} == {incidents[-1].id}
        assert chat["陈村"].saw("并入这一件", "紧急请打值班电话")
        await chat.pass_minutes(61)
        await chat["陈村"].say("/report 地点：泰丰路，又起火")
        assert len(await chat.find(Incident)) == 4


async def test_folding_never_buries_a_report_in_an_incident_that_has_ended() -> None:
    async with open_chat(pages_per_reporter_per_hour=2) as chat:
        for street in ("泰丰路", "联丰路"):
            await chat["陈村"].say(f"/report 地点：{street}，起火")
        newest = (await chat.find(Incident, order=("-number",)))[0]
        await chat["邓值"].say(f"签收 {newest.number}")
        await chat["邓值"].say(f"办结 {newest.number} 误报")
        await chat["陈村"].say("/report 地点：兴中道，起火")
        folded = await chat.the(Report, kind=ReportKind.follow_up)
        assert folded.incident_id != newest.id


async def test_input_60_attachments_beyond_the_limit_are_named_and_not_fetched() -> None:
    async with open_chat(attachments_per_report_max=5) as chat:
        await fire(chat)
        for _ in range(8):
            await chat["陈村"].photo()
        states = [one.state.value for one in await chat.find(Attachment, order=("received_at", "id"))]
        assert states == ["stored"] * 5 + ["refused"] * 3
        assert len(await chat.logged("attachment_refused")) == 3


async def test_more_messages_a_minute_than_anybody_reads_are_kept_and_not_answered() -> None:
    async with open_chat(messages_per_minute=10) as chat:
        for number in range(40):
            await chat["陈村"].say(f"第{number}条")
        assert len(chat["陈村"].shown) <= 10
        text = "".join(one.text for one in await chat.find(Report))
        assert all(f"第{number}条" in text for number in range(40))


@pytest.mark.parametrize("word", ["好的", "谢谢", "知道了。", "OK"])
async def test_a_courtesy_wakes_nobody(chat: Chat, word: str) -> None:
    incident = await signed(chat)
    await chat["邓值"].say(f"办结 {incident.number} 已扑灭")
    await chat["陈村"].reply(chat["陈村"].card("已办结").id, word)
    await chat["陈村"].say(word)
    await chat.pass_minutes(30)
    assert len(await chat.find(Incident)) == 1
    assert len(await chat.find(Draft)) == 1
    assert not chat["邓值"].saw("续报")


async def test_a_courtesy_is_no_place(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].say("好的")
    assert (await chat.the(Draft)).place is None
    assert "在哪里" in chat["陈村"].last.text
