"""What the AI bot's chats carry: replies and pushes, cards in time, numbers, places, files behind their keys."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.channels.wecom.long_connection.files import is_vendors
from bot.channels.wecom.long_connection.markdown import plain
from bot.channels.wecom.long_connection.place_card import NAMES_MAX, chosen_places, place_card
from bot.channels.wecom.long_connection.settings import LongConnectionSettings
from desk.model import Card, Outcome, RemoteFile, Rendered
from desk.ports import FetchFailed
from roster.model import Account
from tests.bot.channels.contract import heard
from tests.bot.channels.wecom_bot_line import BotLine, open_line
from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.wecom_cards import check_card
from tests.fakes.wecom_server import Limits

CARD = Rendered("点名", (("到岗", "present:01A"), ("有情况", "trouble:01A")))


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[BotLine]:
    async with open_line(tmp_path) as line:
        yield line


async def fetched(line: BotLine, file: RemoteFile) -> bytes:
    return b"".join([piece async for piece in line.channel.fetch(file)])


# Replies and pushes.


async def test_who_wrote_is_replied_to_and_others_are_pushed_to(line: BotLine) -> None:
    await line.channel.send(Rendered("点名"), [line.address], key="k1")
    assert (line.fake.bot.calls["aibot_send_msg"], line.fake.bot.calls["aibot_respond_msg"]) == (1, 0)
    await line.say("状态")
    await line.intake.raws(1)
    await line.channel.send(Rendered("一切正常"), [line.address], key="k2")
    await line.channel.send(CARD, [line.address], key="k3")
    assert (line.fake.bot.calls["aibot_send_msg"], line.fake.bot.calls["aibot_respond_msg"]) == (1, 2)
    assert [one.text for one in await line.shown()] == ["点名", "一切正常", "点名"]


@pytest.mark.parametrize("errcode", [846604, 846605, 846608])
async def test_a_reply_that_comes_too_late_is_pushed_once(line: BotLine, errcode: int) -> None:
    await line.say("状态")
    await line.intake.raws(1)
    line.fake.bot.fail_next("aibot_respond_msg", "errcode", errcode=errcode)
    for number in range(2):
        [receipt] = await line.channel.send(Rendered(f"第{number}句"), [line.address], key=f"k{number}")
        assert receipt.outcome is Outcome.sent
    assert [one.text for one in await line.shown()] == ["第0句", "第1句"]
    assert (line.fake.bot.calls["aibot_send_msg"], line.fake.bot.calls["aibot_respond_msg"]) == (2, 1)


async def test_a_message_is_replied_to_so_often_and_no_more(line: BotLine) -> None:
    await line.say("状态")
    await line.intake.raws(1)
    for number in range(line.settings.pace.replies_max + 1):
        await line.channel.send(Rendered(f"第{number}句"), [line.address], key=f"k{number}")
    assert line.fake.bot.calls["aibot_send_msg"] == 1


@pytest.mark.parametrize(
    ("kind", "errcode", "outcome", "gone"),
    [
        ("drop_after", 0, Outcome.unknown, False),
        ("no_ack", 0, Outcome.unknown, False),
        ("drop", 0, Outcome.unknown, False),
        ("errcode", -1, Outcome.not_sent, False),
        ("errcode", 45009, Outcome.not_sent, False),
        ("errcode", 93006, Outcome.refused, True),
        ("errcode", 40058, Outcome.refused, False),
    ],
)
async def test_fault_11_every_end_of_a_push_has_its_outcome(
    line: BotLine, kind: str, errcode: int, outcome: Outcome, gone: bool
) -> None:
    line.fake.bot.fail_next("aibot_send_msg", kind, errcode=errcode)
    [receipt] = await line.channel.send(Rendered("点名"), [line.address], key="k1")
    assert (receipt.outcome, receipt.address_gone) == (outcome, gone) and receipt.reason
    assert (receipt.retry_after_seconds is not None) == (errcode == 45009)
    assert not receipt.whole_channel
    assert len(line.person.messages) == (kind in ("drop_after", "no_ack"))
    await line.open()
    [again] = await line.channel.send(Rendered("点名"), [line.address], key="k1")
    assert again.outcome is Outcome.sent


async def test_two_pushes_at_once_have_each_their_own_acknowledgement(line: BotLine) -> None:
    line.fake.bot.fail_next("aibot_send_msg", "errcode", errcode=40058, after=3)
    sending = [line.channel.send(Rendered(f"{n}"), [line.address], key=f"k{n}") for n in range(8)]
    receipts = [receipt for [receipt] in await asyncio.gather(*sending)]
    assert sorted(one.outcome for one in receipts) == ["refused", *["sent"] * 7]


async def test_who_never_wrote_to_the_bot_cannot_be_written_to(line: BotLine) -> None:
    wei = line.fake.bot_phone("wei")
    [receipt] = await line.channel.send(Rendered("点名"), ["wei"], key="k1")
    assert (receipt.outcome, receipt.address_gone) == (Outcome.refused, True)
    wei.say("到")
    await line.intake.raws(1)
    [receipt] = await line.channel.send(Rendered("点名"), ["wei"], key="k2")
    assert receipt.outcome is Outcome.sent


# Cards.


async def test_a_press_that_came_once_outlasts_a_store_that_is_ill(line: BotLine) -> None:
    await line.channel.send(CARD, [line.address], key="k1")
    line.intake.is_down = True
    await line.press("到岗")
    await line.intake.until(lambda: line.intake.refused >= 2)
    line.intake.is_down = False
    [pressed] = await heard(line, 1)
    assert (pressed.kind, pressed.verb, pressed.ref) == ("choice", "present", "01A")


async def test_a_card_changes_within_five_seconds_of_its_press_and_not_later(line: BotLine) -> None:
    [receipt] = await line.channel.send(CARD, [line.address], key="k1")
    await line.press("到岗")
    await line.intake.raws(1)
    line.clock.ahead += timedelta(seconds=5)
    [late] = await line.channel.amend(Rendered("已记录"), [Card(line.address, receipt.remote_id)])
    assert late.outcome is Outcome.refused and line.fake.bot.calls["aibot_respond_update_msg"] == 0
    await line.press("到岗")
    await line.intake.raws(2)
    [amended] = await line.channel.amend(Rendered("已记录"), [Card(line.address, receipt.remote_id)])
    assert amended.outcome is Outcome.sent and (await line.shown())[-1].text == "已记录"


@pytest.mark.parametrize(
    ("kind", "errcode", "outcome"),
    [
        ("errcode", 846605, Outcome.refused),
        ("errcode", 846608, Outcome.refused),
        ("drop_after", 0, Outcome.unknown),
        ("no_ack", 0, Outcome.unknown),
    ],
)
async def test_every_end_of_a_change_has_its_outcome(
    line: BotLine, kind: str, errcode: int, outcome: Outcome
) -> None:
    [receipt] = await line.channel.send(CARD, [line.address], key="k1")
    await line.press("到岗")
    await line.intake.raws(1)
    line.fake.bot.fail_next("aibot_respond_update_msg", kind, errcode=errcode)
    [amended] = await line.channel.amend(Rendered("已记录"), [Card(line.address, receipt.remote_id)])
    assert amended.outcome is outcome


async def test_a_long_text_stands_above_the_card_with_its_buttons(line: BotLine) -> None:
    text = "火灾\n" + "很长的情况。" * 60
    [receipt] = await line.channel.send(Rendered(text, CARD.choices), [line.address], key="k1")
    words, card = await line.shown()
    assert words.text == text and card.labels == ("到岗", "有情况") and card.text.startswith("火灾")
    await line.press("有情况")
    [pressed] = await heard(line, 1)
    assert (pressed.verb, pressed.message_id) == ("trouble", receipt.remote_id)


async def test_the_same_key_twice_is_two_cards_with_ids_of_their_own(line: BotLine) -> None:
    receipts = [(await line.channel.send(CARD, [line.address], key="k" * 200))[0] for _ in range(2)]
    assert {one.outcome for one in receipts} == {Outcome.sent}
    assert receipts[0].remote_id != receipts[1].remote_id and len(line.person.messages) == 2


async def test_more_choices_than_buttons_are_numbers_to_reply(line: BotLine) -> None:
    choices = tuple((f"选项{n}", f"pick:{n}") for n in range(1, 9))
    [receipt] = await line.channel.send(Rendered("选哪个？", choices), [line.address], key="k1")
    [shown] = await line.shown()
    assert "8 选项8" in shown.text and shown.labels == ()
    await line.say("8")
    await line.say("9")
    eight, nine = await heard(line, 2)
    assert (eight.kind, eight.verb, eight.ref, eight.message_id) == ("choice", "pick", "8", receipt.remote_id)
    assert (nine.kind, nine.text) == ("text", "9")


async def test_without_cards_every_choice_is_a_number(tmp_path: Path) -> None:
    async with open_line(tmp_path, cards=False) as line:
        await line.channel.send(CARD, [line.address], key="k1")
        await line.say("1")
        [said] = await heard(line, 1)
        assert (said.verb, said.ref) == ("present", "01A")


# What people send.


async def test_messages_of_every_kind_are_understood(line: BotLine) -> None:
    line.person.voice("河边起火")
    line.person.say("/start code-123")
    line.person.say("状态", group="wrGroup1")
    line.person.photo(SMALL_JPEG)
    line.person.video()
    line.person.file(b"%PDF-1.7 report")
    line.person.enter()
    line.fake.bot.event(line.person.member, "feedback_event", {"feedback_event": {"id": "f"}})
    await line.intake.raws(8)
    voice, start, group, photo, video, file = await heard(line, 8)
    assert (voice.kind, voice.text) == ("text", "河边起火")
    assert (start.kind, start.text) == ("start", "code-123")
    assert (group.text, group.private, group.address) == ("状态", False, line.address)
    assert [one.files[0].kind for one in (photo, video, file)] == ["photo", "video", "file"]
    assert all(one.sent_at is not None and one.message_id for one in (voice, photo))


async def test_a_group_is_never_replied_into(line: BotLine) -> None:
    line.person.say("状态", group="wrGroup1")
    await line.intake.raws(1)
    await line.channel.send(Rendered("一切正常"), [line.address], key="k1")
    assert [one.text for one in await line.shown()] == ["一切正常"]
    assert line.fake.bot.inboxes["wrgroup1"] == []


async def test_who_opens_the_chat_is_welcomed_after_it_is_stored(line: BotLine) -> None:
    line.intake.is_down = True
    line.person.enter()
    await line.intake.until(lambda: line.intake.refused >= 1)
    assert line.person.messages == []
    line.intake.is_down = False
    await line.until(lambda: line.person.messages)
    assert "值班台" in line.person.last.text


@pytest.mark.parametrize(
    "body",
    [
        {"msgtype": "image", "image": {"url": "https://x"}},
        {"msgtype": "image", "image": {"url": "https://x y", "aeskey": "k"}},
        {"msgtype": "file", "file": []},
        {"msgtype": "text", "text": {"content": "x"}, "from": {}},
    ],
    ids=["no key", "a blank in the address", "no object", "nobody"],
)
async def test_a_frame_that_makes_no_sense_is_a_value_error(line: BotLine, body: dict[str, object]) -> None:
    frame = {
        "cmd": "aibot_msg_callback",
        "headers": {"req_id": "r"},
        "body": {"from": {"userid": "a"}, **body},
    }
    with pytest.raises(ValueError, match=r"."):
        line.channel.parse(json.dumps({"frame": frame, "at": 1.0}).encode())


# Files.


async def test_a_file_is_opened_with_its_own_key_in_pieces(line: BotLine) -> None:
    content = bytes(range(256)) * 5000 + b"end"
    line.person.file(content)
    [said] = await heard(line, 1)
    pieces = [piece async for piece in line.channel.fetch(said.files[0])]
    assert b"".join(pieces) == content and len(pieces) > 1


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64])
async def test_a_file_of_any_length_is_whole(line: BotLine, count: int) -> None:
    line.person.file(b"x" * count)
    [said] = await heard(line, 1)
    assert await fetched(line, said.files[0]) == b"x" * count


async def test_a_link_that_is_over_or_a_key_that_does_not_fit_is_a_failure(line: BotLine) -> None:
    line.person.photo(SMALL_JPEG)
    [said] = await heard(line, 1)
    url, key = said.files[0].remote_id.split(" ")
    other = base64.b64encode(bytes(32)).decode()
    for wrong, permanent in ((other, False), ("short", True), ("€", True)):
        with pytest.raises(FetchFailed) as failure:
            await fetched(line, RemoteFile("photo", f"{url} {wrong}"))
        assert failure.value.permanent is permanent
    for kind, permanent in (("drop", False), ("500", False), ("truncated_body", False)):
        line.fake.fail_next("media", kind)
        with pytest.raises(FetchFailed) as failure:
            await fetched(line, RemoteFile("photo", f"{url} {key}"))
        assert failure.value.permanent is permanent
    assert await fetched(line, said.files[0]) == SMALL_JPEG
    line.fake.advance(301)
    with pytest.raises(FetchFailed) as failure:
        await fetched(line, said.files[0])
    assert failure.value.permanent


async def test_nothing_is_fetched_from_a_host_that_is_not_the_vendors(line: BotLine) -> None:
    key = base64.b64encode(bytes(32)).decode()
    calls = line.fake.calls["media"]
    for url in ("http://localhost:1/x", "https://evil.test/x", "file:///etc/passwd", "http://[bad", "x"):
        with pytest.raises(FetchFailed) as failure:
            await fetched(line, RemoteFile("photo", f"{url} {key}"))
        assert failure.value.permanent
    assert line.fake.calls["media"] == calls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ww-aibot-img-1258476243.cos.ap-guangzhou.myqcloud.com/a/b?sign=1", True),
        ("https://openws.work.weixin.qq.com/media/1", True),
        ("http://ww-aibot-img-1258476243.cos.ap-guangzhou.myqcloud.com/a", False),
        ("http://openws.work.weixin.qq.com/media/1", False),
        ("https://my-own-bucket.cos.ap-guangzhou.myqcloud.com/a", False),
        ("https://weixin.qq.com.evil.test/a", False),
        ("https://user@work.weixin.qq.com/a", False),
        ("ftp://work.weixin.qq.com/a", False),
    ],
)
def test_only_the_vendors_hosts_are_believed(url: str, expected: bool) -> None:
    assert is_vendors(url, LongConnectionSettings("b", "s")) is expected


# Places.


async def test_a_place_is_asked_for_by_lists_of_townships(line: BotLine) -> None:
    await line.until(lambda: line.channel._places.names)
    await line.channel.send(Rendered("在哪里？", asks_place=True), [line.address], key="k1")
    assert line.person.last.content["select_list"][0]["option_list"][1]["text"] == "小榄镇"
    line.person.choose({"where0": ["古镇镇".encode().hex()]})
    [said] = await heard(line, 1)
    assert (said.kind, said.text) == ("text", "古镇镇")


async def test_a_page_that_phones_can_reach_is_offered_for_the_exact_place(tmp_path: Path) -> None:
    async with open_line(tmp_path, chat_links=True) as line:
        await line.say("到")
        await line.intake.raws(1)
        async with asyncio.timeout(5):
            while True:
                async with line.door.read() as store:
                    if await store.find(Account, channel="wecom"):
                        break
                await asyncio.sleep(0.02)
        for number in range(2):
            await line.channel.send(Rendered("在哪里？", asks_place=True), [line.address], key=f"k{number}")
        links = {
            one.content["jump_list"][0]["url"] for one in line.person.messages if "jump_list" in one.content
        }
        assert len(links) == 1 and links.pop().startswith("https://duty.test/chat/")


async def test_lists_that_do_not_go_out_leave_the_question_standing(line: BotLine) -> None:
    await line.until(lambda: line.channel._places.names)
    line.fake.bot.fail_next("aibot_send_msg", "errcode", errcode=40058, after=1)
    [receipt] = await line.channel.send(Rendered("在哪里？", asks_place=True), [line.address], key="k1")
    assert receipt.outcome is Outcome.sent and [one.text for one in await line.shown()] == ["在哪里？"]


@pytest.mark.parametrize("count", [1, 9, 10, 24, NAMES_MAX])
def test_up_to_twenty_seven_townships_fit_the_vendors_card(count: int) -> None:
    names = [f"第{number}镇" for number in range(count)]
    card = place_card(names, "t1", "zh-CN")
    assert card is not None
    check_card(card, Limits())
    options = [one for some in card["select_list"] for one in some["option_list"]]
    assert [one["text"] for one in options if one["id"] != "none"] == names
    chosen = {"selected_item": [{"option_ids": {"option_id": [one["id"]]}} for one in options]}
    assert chosen_places({"selected_items": chosen}) == names


def test_no_townships_or_too_many_have_no_card() -> None:
    assert place_card([], "t1", "zh-CN") is None
    assert place_card(["镇"] * (NAMES_MAX + 1), "t1", "zh-CN") is None


@pytest.mark.parametrize(
    "items", [None, {}, {"selected_item": 5}, {"selected_item": [3, {"option_ids": "x"}]}]
)
def test_a_strange_selection_is_no_place(items: object) -> None:
    assert chosen_places({"selected_items": items}) == []


# Words.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("起火", "起火"),
        ("# 标题", "＃ 标题"),
        ("编号 #3", "编号 #3"),
        ("**急** `x` ~~y~~", "＊＊急＊＊ ｀x｀ ～～y～～"),
        ("[点此](https://evil.test/a_b)", "［点此］(https://evil.test/a_b)"),
        ("<@all> <font color='red'>", "＜@all> ＜font color='red'>"),
        ("> 引用", "＞ 引用"),
        ("_斜体_ 与 a_b", "＿斜体＿ 与 a_b"),
        ("标题\n---", "标题\n－－－"),
        ("标题\n===", "标题\n＝=="),
        ("|a|b|", "｜a｜b｜"),
        ("https://d.test/chat/a_-b_ 看", "https://d.test/chat/a_-b_ 看"),
        ("- 第一\n1. 第二", "- 第一\n1. 第二"),
        ("", ""),
    ],
)
def test_what_people_write_never_becomes_markup(text: str, shown: str) -> None:
    assert plain(text) == shown
