"""报送: in any order, only what is missing asked for, nothing lost, and out in time even when incomplete."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.filing import told_as
from incidents.model import (
    Attachment,
    AttachmentState,
    Category,
    Draft,
    Incident,
    LogLine,
    Place,
    Report,
    ReportKind,
    Severity,
    State,
)
from incidents.places import distance_metres
from tests.handlers.chat import SPOT, Chat, Phone, open_chat

FIRE = "五金厂二楼起火，一人受伤"
NEAR = Place(SPOT.lat and SPOT.lat + 0.0002, SPOT.lon, "")
ASKS_PLACE, ASKS_WHAT = "在哪里", "什么事"


def asked(phone: Phone) -> list[str]:
    """The questions on the phone, in order."""
    return [one.text for one in phone.shown if ASKS_PLACE in one.text or ASKS_WHAT in one.text]


async def test_only_the_place_is_asked_for_when_the_event_is_told(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    assert ASKS_PLACE in chat["陈村"].last.text and ASKS_WHAT not in chat["陈村"].last.text
    assert chat["陈村"].last.asks_place


async def test_only_the_event_is_asked_for_when_the_place_is_told(chat: Chat) -> None:
    await chat["陈村"].send_place()
    assert ASKS_WHAT in chat["陈村"].last.text and ASKS_PLACE not in chat["陈村"].last.text


async def test_both_are_asked_for_in_one_message_when_only_a_photo_came(chat: Chat) -> None:
    await chat["陈村"].photo()
    assert len(chat["陈村"].shown) == 1
    assert ASKS_PLACE in chat["陈村"].last.text and ASKS_WHAT in chat["陈村"].last.text


async def test_nothing_is_asked_when_one_message_says_it_all(chat: Chat) -> None:
    await chat["陈村"].say(f"地点：泰丰路 12 号，{FIRE}")
    assert asked(chat["陈村"]) == []
    assert (await chat.incident()).place == Place(text="泰丰路 12 号")


async def test_words_that_name_a_known_village_send_the_report_at_once_and_a_position_may_follow(
    chat: Chat,
) -> None:
    await chat["陈村"].say("北镇一村路口有树倒了")
    incident = await chat.incident()
    assert incident.place == Place(text="北镇一村路口")  # Words only: no point is made up for them.
    assert asked(chat["陈村"]) == []
    assert chat["陈村"].saw(incident.number, "已报出", "准确位置") and chat["陈村"].last.asks_place
    await chat["陈村"].send_place()
    place = (await chat.incident()).place
    assert place is not None and (place.lat, place.lon, place.text) == (SPOT.lat, SPOT.lon, "北镇一村路口")


@pytest.mark.parametrize("words", ["南镇一村路口有树倒了", "北镇一村", "市应急办：有树倒了"])
async def test_words_without_a_known_place_or_without_an_event_are_asked_about_as_ever(
    chat: Chat, words: str
) -> None:
    await chat["陈村"].say(words)
    assert await chat.find(Incident) == [] and ASKS_PLACE in chat["陈村"].last.text


async def test_the_number_is_returned_to_the_teller(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].send_place()
    assert (await chat.incident()).number == "ZS-20261124-001"
    assert chat["陈村"].saw("ZS-20261124-001", "已报出")


async def test_numbers_count_up_through_the_local_day_and_begin_again(chat: Chat) -> None:
    for name in ("陈村", "马同"):
        await chat[name].say(f"地点：泰丰路，{FIRE}")
    await chat.pass_minutes(24 * 60)
    await chat["陈村"].say(f"地点：联丰路，{FIRE}")
    numbers = sorted(one.number for one in await chat.find(Incident))
    assert numbers == ["ZS-20261124-001", "ZS-20261124-002", "ZS-20261125-001"]


async def test_words_after_the_question_are_the_place(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say("泰丰路口")
    place = (await chat.incident()).place
    assert place is not None and place.text == "泰丰路口"


async def test_the_level_is_suggested_with_its_clause_and_the_reporter_is_the_source(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，工厂爆炸，死亡3人")
    incident = await chat.incident()
    assert incident.severity is Severity.major
    assert "493" in incident.basis
    assert incident.severity_set_by == ""
    assert (incident.category, incident.reporter_id) == (Category.accident, "o-陈村")


async def test_an_incomplete_report_goes_out_after_the_limit_and_its_teller_gets_the_number(
    chat: Chat,
) -> None:
    await chat["陈村"].photo()
    await chat.pass_minutes(9.99)
    assert await chat.find(Incident) == []
    await chat.pass_minutes(0.01)
    incident = await chat.incident()
    assert chat["陈村"].saw(incident.number, "已报出", "待补充", "地点", "何事")
    assert await chat.paged() == ["邓值"]
    assert (await chat.the(Attachment)).incident_id == incident.id


async def test_a_report_that_never_said_anything_is_put_away_in_silence(chat: Chat) -> None:
    await chat["陈村"].say("/report")
    await chat.pass_minutes(30)
    assert await chat.find(Incident) == []
    assert (await chat.the(Draft)).state == "cancelled"


async def test_a_clock_that_steps_back_does_not_lose_a_draft(chat: Chat) -> None:
    await chat["陈村"].photo()
    chat.clock.advance(minutes=9)
    await chat.settle()
    chat.clock.advance(minutes=-8)
    await chat.settle()
    await chat.pass_minutes(10)
    assert len(await chat.find(Incident)) == 1


async def test_the_number_of_a_late_report_never_goes_to_a_phone_that_was_replaced(chat: Chat) -> None:
    await chat["陈村"].photo()
    await chat.stranger("new").start(await chat.invite("陈村"))
    await chat.pass_minutes(10)
    assert not chat["陈村"].saw("已报出")
    assert chat.stranger("new").saw("已报出")


async def test_what_was_known_of_an_incomplete_report_is_completed_by_the_answer(chat: Chat) -> None:
    await chat["陈村"].photo()
    await chat.pass_minutes(10)
    await chat["陈村"].say("泰丰路口仓库起火，昨晚23点50分")
    incident = await chat.incident()
    assert incident.kind == "火灾"
    assert incident.title.startswith("泰丰路口仓库起火")
    assert incident.place is not None and "泰丰路口" in incident.place.text
    assert incident.occurred_at is not None


PIECES = ("text", "photo", "place", "album", "voice", "live")


async def tell(phone: Phone, piece: str) -> int:
    """Send one piece of a report; returns how many files came with it."""
    match piece:
        case "text":
            await phone.say(FIRE)
        case "photo":
            await phone.photo()
            return 1
        case "place":
            await phone.send_place()
        case "album":
            number = phone.chat.line.number()
            album = [
                phone.message("media", files=(phone.picture(),), album=f"album-{number}") for _ in range(3)
            ]
            await phone.hand_in(*album)
            await phone.chat.settle()
            return 3
        case "voice":
            await phone.send("media", files=(phone.picture("voice"),))
            return 1
        case "live":
            live = await phone.send_place(NEAR)
            for step in (1, 2):
                phone.chat.clock.advance(seconds=20)
                moved = replace(NEAR, lat=NEAR.lat and NEAR.lat + step * 0.0001)
                await phone.edit(live, place=moved)
    return 0


@settings(max_examples=120)
@given(order=st.permutations(PIECES), pauses=st.lists(st.integers(0, 45), min_size=6, max_size=6))
def test_in_any_order_the_same_incident_results_and_nothing_is_lost(
    order: list[str], pauses: list[int]
) -> None:
    async def story() -> None:
        async with open_chat() as chat:
            files = 0
            for piece, pause in zip(order, pauses, strict=True):
                files += await tell(chat["陈村"], piece)
                await chat.pass_minutes(pause / 60)
            await chat.pass_minutes(12)
            incident = await chat.incident()
            assert (incident.kind, incident.title, incident.severity) == ("火灾", FIRE, Severity.general)
            assert incident.casualties is not None and incident.casualties.injuries == 1
            metres = distance_metres(incident.place, SPOT)
            assert metres is not None and metres < 100
            kept = await chat.find(Attachment)
            assert len(kept) == files == 5
            assert {(one.incident_id, one.state) for one in kept} == {(incident.id, AttachmentState.stored)}
            reports = await chat.find(Report)
            assert sorted(i for one in reports for i in one.attachment_ids) == sorted(one.id for one in kept)
            assert sum(FIRE in one.text for one in reports) == 1
            assert await chat.find(Draft, state="open") == []
            assert (await chat.paged())[:3] == ["邓值", "李领", "欧办"]
            assert len(asked(chat["陈村"])) <= 3

    asyncio.run(story())


async def test_an_album_is_answered_once(chat: Chat) -> None:
    await tell(chat["陈村"], "album")
    assert len(chat["陈村"].shown) == 1
    assert len((await chat.the(Draft)).attachment_ids) == 3


async def test_an_album_after_the_report_is_one_follow_up(chat: Chat) -> None:
    await chat["陈村"].say(f"地点：泰丰路，{FIRE}")
    await tell(chat["陈村"], "album")
    first, more = await chat.find(Report, order=("sequence",))
    assert (first.kind, more.kind) == (ReportKind.first, ReportKind.follow_up)
    assert len(more.attachment_ids) == 3
    assert len([one for one in chat["陈村"].texts if "续报" in one]) == 1


async def test_the_rest_of_an_album_whose_caption_said_it_all_joins_the_first_report(chat: Chat) -> None:
    phone = chat["陈村"]
    caption = phone.message("media", f"地点：泰丰路，{FIRE}", files=(phone.picture(),), album="a")
    rest = [phone.message("media", files=(phone.picture(),), album="a") for _ in range(4)]
    await phone.hand_in(caption, *rest)
    await chat.settle()
    report = await chat.the(Report)
    assert len(report.attachment_ids) == 5
    assert len(phone.shown) == 1


async def test_a_second_point_is_the_place_and_the_first_stays_in_the_log(chat: Chat) -> None:
    phone, other = chat["陈村"], replace(SPOT, lat=22.7, text="")
    await phone.send_place(replace(SPOT, text="泰丰路口"))
    await phone.send_place(other)
    await phone.send_place(other)  # The same again replaces nothing.
    await phone.say(FIRE)
    place = (await chat.incident()).place
    assert place is not None and (place.lat, place.lon) == (other.lat, other.lon)
    line = await chat.the(LogLine, kind="point_replaced")
    assert line.facts == {"lat": SPOT.lat, "lon": SPOT.lon, "text": "泰丰路口"}
    assert told_as(await chat.find(Report)) == [line.subject]


async def test_a_live_location_that_moves_while_words_are_awaited_writes_no_way_down(chat: Chat) -> None:
    live = await chat["陈村"].send_place()
    await chat["陈村"].edit(live, place=replace(SPOT, lat=22.7))
    await chat["陈村"].say(FIRE)
    place = (await chat.incident()).place
    assert place is not None and place.lat == 22.7
    assert await chat.logged("point_replaced") == []


async def test_fault_36_a_report_stands_without_the_picture_that_could_not_be_fetched(chat: Chat) -> None:
    picture = chat["陈村"].picture()
    del chat.line.files[picture.remote_id]
    await chat["陈村"].send("media", f"地点：泰丰路，{FIRE}", files=(picture,))
    incident = await chat.incident()
    row = await chat.the(Attachment)
    assert (row.incident_id, row.state) == (incident.id, AttachmentState.refused)
    assert await chat.paged() == ["邓值"]
    assert chat["陈村"].saw("没有收到", "请重发")
    assert len(await chat.logged("attachment_missing")) == 1


async def test_two_drafts_at_once_both_go_out(chat: Chat) -> None:
    await chat["陈村"].say(f"地点：泰丰路，{FIRE}")
    await chat["陈村"].say("联丰路有人打架")
    await chat["陈村"].press(chat["陈村"].card("另一件事"), "separate")
    assert len(await chat.find(Draft, state="open")) == 1
    await chat["郭东"].photo()  # Another person's draft is another draft.
    assert len(await chat.find(Draft, state="open")) == 2
    await chat.pass_minutes(10)
    assert len(await chat.find(Incident)) == 3


async def test_cancel_puts_the_draft_away_and_keeps_what_was_said_in_the_log(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say("取消")
    assert chat["陈村"].saw("已取消")
    await chat.pass_minutes(30)
    assert await chat.find(Incident) == []
    assert [facts["text"] for facts in await chat.logged("draft_cancelled")] == [FIRE]


async def test_cancel_with_nothing_open_says_so(chat: Chat) -> None:
    await chat["陈村"].say("/cancel")
    assert chat["陈村"].saw("没有正在写的报告")


async def test_a_village_officer_s_incident_belongs_to_the_township_that_keeps_the_watch(chat: Chat) -> None:
    await chat.change_officer("陈村", unit_id="u-village")
    await chat["陈村"].say(f"地点：泰丰路，{FIRE}")
    assert (await chat.incident()).unit_id == "u-north"
    assert await chat.paged() == ["邓值"]


async def test_similar_open_incidents_are_suggested_and_never_merged(chat: Chat) -> None:
    for name in ("陈村", "马同"):
        await chat[name].say(FIRE)
        await chat[name].send_place()
    first, second = await chat.find(Incident, order=("number",))
    assert chat["马同"].saw(second.number, first.number, "同一件")
    assert {first.state, second.state} == {State.received}


async def test_the_same_message_given_twice_by_the_platform_has_one_effect(chat: Chat) -> None:
    message = await chat["陈村"].say(f"地点：泰丰路，{FIRE}")
    await chat["陈村"].hand_in(message)
    await chat.settle()
    assert len(await chat.find(Incident)) == 1
    assert len(chat["陈村"].shown) == 1


async def test_a_whole_burst_handed_in_together_reads_as_if_it_came_slowly(chat: Chat) -> None:
    phone = chat["陈村"]
    burst = [
        phone.message("text", FIRE),
        phone.message("media", files=(phone.picture(),)),
        phone.message("place", place=SPOT),
        phone.message("text", "火势变大"),
    ]
    await phone.hand_in(*burst)
    await chat.settle()
    incident = await chat.incident()
    assert incident.reports_count == 2
    assert ["已报出" in one.text for one in phone.shown][-2:] == [True, False]
    assert "续报一" in phone.last.text


@pytest.mark.parametrize("word", ["/report", "报送", "上报"])
async def test_a_report_may_be_opened_on_purpose(chat: Chat, word: str) -> None:
    await chat["陈村"].say(word)
    assert chat["陈村"].saw("请报送")
    await chat["陈村"].say(f"{word} {FIRE}")
    assert (await chat.the(Draft)).text == FIRE


async def test_the_limit_of_attachments_holds_also_where_the_channel_keeps_the_bytes() -> None:
    async with open_chat(attachments_per_report_max=2) as chat:
        phone = chat["陈村"]
        files = tuple(replace(phone.picture(), digest=f"{number:064x}") for number in range(4))
        await phone.send("media", "泰丰路 12 号仓库起火", files=files)
        states = [one.state.value for one in await chat.find(Attachment, order=("id",))]
    assert states == ["stored", "stored", "refused", "refused"]
