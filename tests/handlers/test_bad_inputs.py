"""faults.md 6, the Chat rows: each bad input keeps the report, is answered in one sentence, and breaks nothing."""

import math

import pytest

from desk.model import Letter
from incidents.model import Attachment, AttachmentState, Draft, Incident, Place, Report
from tests.handlers.chat import SPOT, Chat

PLACES = {  # The number is the row.
    "5_nan": Place(math.nan, math.nan),
    "5_infinite": Place(math.inf, 113.0),
    "6_zero": Place(0.0, 0.0),
    "6_latitude_91": Place(91.0, 113.0),
    "6_longitude_181": Place(22.0, 181.0),
    "6_swapped": Place(113.2402, 22.6741),
    "another_country": Place(48.85, 2.35),
}


@pytest.mark.parametrize("name", PLACES)
async def test_input_5_and_6_a_point_nobody_can_believe_is_kept_as_words_and_drawn_on_no_map(
    chat: Chat, name: str
) -> None:
    await chat["陈村"].say("五金厂起火")
    await chat["陈村"].send_place(PLACES[name])
    incident = await chat.incident()
    assert incident.title == "五金厂起火"
    assert incident.place is not None
    assert (incident.place.lat, incident.place.lon) == (None, None)
    assert incident.place.text


@pytest.mark.parametrize("name", PLACES)
async def test_input_5_and_6_such_a_point_in_a_follow_up_spoils_no_incident(chat: Chat, name: str) -> None:
    await chat["陈村"].say("五金厂起火")
    await chat["陈村"].send_place()
    await chat["陈村"].send_place(PLACES[name])
    assert (await chat.incident()).place == SPOT
    place = (await chat.find(Report, order=("-sequence",), limit=1))[0].place
    assert place is not None and place.lat is None


@pytest.mark.parametrize("length", [4_096, 4_097, 5_000])
async def test_input_11_a_long_text_is_kept_whole(chat: Chat, length: int) -> None:
    text = "水" * (length - 2) + "起火"
    await chat["陈村"].say(text)
    assert (await chat.the(Draft)).text == text


async def test_input_11_a_text_of_a_million_is_cut_at_the_limit_and_says_so(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，起火" + "水" * 1_000_000)
    await chat["陈村"].say("又" * 1_000_000)
    for report in await chat.find(Report):
        assert len(report.text) == 20_000 and report.text.endswith("…")
    assert all(len(letter.facts.get("text", "")) <= 1_000 for letter in await chat.find(Letter))


@pytest.mark.parametrize(
    "text", ["😭😭😭", "   \n ", "\u200b\u200c\u200d", "\u202e\u2066", "。。。", "\x00"], ids=ascii
)
async def test_input_12_and_13_signs_without_words_are_kept_and_the_event_is_asked_for(
    chat: Chat, text: str
) -> None:
    await chat["陈村"].photo(text)
    assert "什么事" in chat["陈村"].last.text
    await chat["陈村"].send_place()
    assert (await chat.the(Draft)).text == text.strip("\x00 \n")
    assert await chat.find(Incident) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><svg onload=alert(1)>',
        "{{7*7}} ${7*7} %s%n {0} {number}",
        "'; DROP TABLE incidents; --",
        "*_[`<b>粗</b>",
        "=cmd|' /C calc'!A0",
        "第一行\n2026-11-24 03:00 INFO 假日志",
        "abc\u202efdp.exe",
    ],
    ids=ascii,
)
async def test_input_14_to_19_what_looks_like_code_stays_literal(chat: Chat, text: str) -> None:
    told = f"地点：泰丰路，起火 {text}"
    await chat["陈村"].say(told)
    assert (await chat.the(Report)).text == told
    first = told.splitlines()[0][:40]
    assert (await chat.incident()).title == first
    assert chat["邓值"].saw("泰丰路")
    assert "49" not in chat["邓值"].last.text.replace("493", "")


@pytest.mark.parametrize(
    "text", ["2月30日仓库起火", "24:00仓库起火", "明天三点仓库起火", "2027年1月1日8点仓库起火"]
)
async def test_input_65_a_time_that_cannot_be_is_asked_back_and_never_guessed(chat: Chat, text: str) -> None:
    await chat["陈村"].say(f"地点：泰丰路，{text}")
    assert (await chat.incident()).occurred_at is None
    assert chat["陈村"].saw("待补充", "时间")


async def test_input_65_the_answer_fills_the_time(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，2月30日仓库起火")
    await chat["陈村"].say("今天凌晨2点10分")
    occurred = (await chat.incident()).occurred_at
    assert occurred is not None and occurred.isoformat() == "2026-11-23T18:10:00+00:00"


async def test_a_file_that_is_too_big_is_refused_by_name_and_the_report_stands(chat: Chat) -> None:
    big = chat["陈村"].picture("video", bytes_count=21 * 1024 * 1024, file_name="../../etc/" + "x" * 300)
    await chat["陈村"].send("media", "地点：泰丰路，起火", files=(big,))
    row = await chat.the(Attachment)
    assert (row.state, row.fault) == (AttachmentState.refused, "too_big")
    assert len(row.file_name) <= 200
    assert await chat.paged() == ["邓值"]
    assert chat["陈村"].saw("没有收到", "20 MB")


async def test_an_unknown_command_is_answered_with_help_and_opens_nothing(chat: Chat) -> None:
    for text in ("/foo", "/foo bar", "/foo@muster_bot"):
        await chat["陈村"].say(text)
    assert len([one for one in chat["陈村"].texts if "帮助" in one or "有情况直接发" in one]) == 3
    assert await chat.find(Draft) == []


async def test_words_that_begin_with_a_slash_are_a_report_all_the_same(chat: Chat) -> None:
    await chat["陈村"].say("/着火了，快来人")
    assert (await chat.the(Draft)).text == "/着火了，快来人"


async def test_a_sticker_opens_no_report_and_is_answered(chat: Chat) -> None:
    await chat["陈村"].send("other", "[贴纸 👍]")
    assert await chat.find(Draft) == []
    assert chat["陈村"].saw("有情况直接发")


async def test_a_sticker_within_a_report_asks_again_for_what_is_missing(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].send("other", "[贴纸 👍]")
    assert "在哪里" in chat["陈村"].last.text
    assert (await chat.the(Draft)).text == "仓库起火"


async def test_a_contact_is_kept_as_words_of_the_report(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].say("联系人：王五 19900009999")
    assert "19900009999" in (await chat.the(Draft)).text


async def test_a_forwarded_message_is_a_report_like_any_other(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，起火", forwarded=True)
    assert len(await chat.find(Incident)) == 1


async def test_a_forwarded_command_commands_nothing(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].say("取消", forwarded=True)
    assert not chat["陈村"].saw("已取消")
    assert await chat.find(Draft, state="cancelled") == []


async def test_input_22_a_hand_made_button_of_another_kind_is_refused_politely(chat: Chat) -> None:
    for token in (
        "nonsense:1",
        "separate:..",
        "present:../../x",
        "to:a:b:c",
        "sign:" + "x" * 60,
        ":",
        "call:-1",
    ):
        await chat["陈村"].press_token(token)
    assert len(chat["陈村"].shown) == 7
    assert await chat.find(Draft) == []
