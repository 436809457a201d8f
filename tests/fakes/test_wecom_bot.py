"""The fake AI bot keeps the long connection's rules: one line, events once, replies in time."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.test_wecom_server import CARD
from tests.fakes.wecom_model import Json
from tests.fakes.wecom_server import BotPhone, FakeWeCom, Limits


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeWeCom]:
    async with FakeWeCom(limits=Limits()) as server:
        yield server


class Line:
    """What the product does with the long connection, reduced to frames."""

    def __init__(self, socket: ClientConnection, fake: FakeWeCom) -> None:
        self.socket = socket
        self.fake = fake
        self.events: list[Json] = []
        self._ids = count(1)

    async def send(self, cmd: str, body: Json | None = None, req_id: str = "") -> str:
        req_id = req_id or f"{cmd}-{next(self._ids)}"
        await self.socket.send(json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": body or {}}))
        return req_id

    async def ask(self, cmd: str, body: Json | None = None, req_id: str = "") -> int:
        """The errcode of the acknowledgement."""
        asked = await self.send(cmd, body, req_id)
        while True:
            frame = json.loads(await asyncio.wait_for(self.socket.recv(), 2))
            if "cmd" not in frame and frame["headers"]["req_id"] == asked:
                return int(frame["errcode"])
            self.events.append(frame)

    async def subscribe(self) -> int:
        bot = self.fake.bot
        return await self.ask("aibot_subscribe", {"bot_id": bot.bot_id, "secret": bot.secret})

    async def event(self) -> Json:
        if not self.events:
            self.events.append(json.loads(await asyncio.wait_for(self.socket.recv(), 2)))
        return self.events.pop(0)


@asynccontextmanager
async def dialled(fake: FakeWeCom) -> AsyncIterator[Line]:
    async with connect(fake.ws_url, ping_interval=None) as socket:
        yield Line(socket, fake)


@pytest_asyncio.fixture
async def line(fake: FakeWeCom) -> AsyncIterator[Line]:
    async with dialled(fake) as line:
        assert await line.subscribe() == 0
        yield line


@pytest.fixture
def mei(fake: FakeWeCom) -> BotPhone:
    return fake.bot_phone("LiXiaoMei", "李小梅", met=True)


def markdown(chat: str, text: str = "点名") -> Json:
    return {"chatid": chat, "chat_type": 1, "msgtype": "markdown", "markdown": {"content": text}}


def card_for(chat: str, **changes: object) -> Json:
    return {"chatid": chat, "msgtype": "template_card", "template_card": {**CARD, **changes}}


async def test_nothing_is_done_before_subscribing_and_a_wrong_secret_is_refused(
    fake: FakeWeCom, mei: BotPhone
) -> None:
    async with dialled(fake) as line:
        assert await line.ask("aibot_send_msg", markdown(mei.id)) != 0 and mei.messages == []
        assert await line.ask("aibot_subscribe", {"bot_id": fake.bot.bot_id, "secret": "x"}) != 0
        with pytest.raises(ConnectionClosed):
            await line.socket.recv()


async def test_a_message_is_brought_and_the_reply_acknowledged(
    fake: FakeWeCom, line: Line, mei: BotPhone
) -> None:
    mei.say("河边起火")
    frame = await line.event()
    body = frame["body"]
    assert (frame["cmd"], body["msgtype"], body["text"]) == (
        "aibot_msg_callback",
        "text",
        {"content": "河边起火"},
    )
    assert (body["from"]["userid"], body["chattype"]) == ("LiXiaoMei", "single") and "chatid" not in body
    asked = frame["headers"]["req_id"]
    part = {"msgtype": "stream", "stream": {"id": "s1", "finish": False, "content": "正在记"}}
    assert await line.ask("aibot_respond_msg", part, asked) == 0
    part["stream"] = {"id": "s1", "finish": True, "content": "已记录"}
    assert await line.ask("aibot_respond_msg", part, asked) == 0
    assert [shown.text for shown in mei.messages] == ["已记录"]
    assert await line.ask("aibot_respond_msg", part, asked) == 846608
    assert await line.ask("aibot_respond_msg", part, "made-up") == 846605
    assert await line.ask("aibot_respond_update_msg", part, asked) == 846605


async def test_a_stream_ends_by_itself_after_its_time(fake: FakeWeCom, line: Line, mei: BotPhone) -> None:
    mei.say("河边起火")
    asked = (await line.event())["headers"]["req_id"]
    part = {"msgtype": "stream", "stream": {"id": "s1", "finish": False, "content": "…"}}
    assert await line.ask("aibot_respond_msg", part, asked) == 0
    fake.advance(361)
    assert await line.ask("aibot_respond_msg", part, asked) == 846608


async def test_only_a_chat_that_wrote_before_can_be_written_to(fake: FakeWeCom, line: Line) -> None:
    wei = fake.bot_phone("wei")
    assert await line.ask("aibot_send_msg", markdown("wei")) != 0
    wei.say("到")
    await line.event()
    assert await line.ask("aibot_send_msg", markdown("WEI")) == 0
    assert wei.last.text == "点名"
    wei.leave()
    assert await line.ask("aibot_send_msg", markdown("wei")) != 0


async def test_pushes_are_markdown_or_cards_within_their_bounds(line: Line, mei: BotPhone) -> None:
    text = {"chatid": mei.id, "msgtype": "text", "text": {"content": "点名"}}
    assert await line.ask("aibot_send_msg", text) == 40008
    assert await line.ask("aibot_send_msg", markdown(mei.id, "")) == 44004
    assert await line.ask("aibot_send_msg", markdown(mei.id, "急" * 6827)) == 45002
    assert await line.ask("aibot_send_msg", card_for(mei.id, task_id="点名")) == 40058
    assert await line.ask("aibot_send_msg", card_for(mei.id)) == 0
    assert await line.ask("aibot_send_msg", card_for(mei.id)) == 40058
    assert mei.last.buttons == ["到岗", "有情况"]


async def test_a_chats_pace_is_kept(fake: FakeWeCom, line: Line, mei: BotPhone) -> None:
    told = [await line.ask("aibot_send_msg", markdown(mei.id)) for _ in range(31)]
    assert told == [0] * 30 + [45009]
    fake.advance(61)
    assert await line.ask("aibot_send_msg", markdown(mei.id)) == 0


async def test_a_pressed_card_can_be_amended_for_five_seconds(
    fake: FakeWeCom, line: Line, mei: BotPhone
) -> None:
    await line.ask("aibot_send_msg", card_for(mei.id))
    mei.press("到岗")
    frame = await line.event()
    event = frame["body"]["event"]
    assert (frame["cmd"], event["eventtype"]) == ("aibot_event_callback", "template_card_event")
    pressed = event["template_card_event"]
    assert (pressed["event_key"], pressed["task_id"]) == ("present:01A", "roll@01A")
    new = {
        "card_type": "text_notice",
        "task_id": "roll@01A",
        "main_title": {"title": "已记录 08:03"},
        "card_action": {"type": 1, "url": "https://d.example"},
    }
    amend = {"response_type": "update_template_card", "template_card": new}
    asked = frame["headers"]["req_id"]
    wrong = {**amend, "template_card": {**new, "task_id": "another"}}
    assert await line.ask("aibot_respond_update_msg", wrong, asked) == 40058
    assert await line.ask("aibot_respond_msg", {"msgtype": "stream"}, asked) == 846605
    assert await line.ask("aibot_respond_update_msg", amend, asked) == 0
    assert (mei.last.text, mei.last.buttons, len(mei.messages)) == ("已记录 08:03", [], 1)
    mei.press("到岗", stale=True)
    late = (await line.event())["headers"]["req_id"]
    fake.advance(6)
    assert await line.ask("aibot_respond_update_msg", amend, late) == 846605


async def test_chosen_options_come_with_the_event(line: Line, mei: BotPhone) -> None:
    select = {"question_key": "town", "title": "镇街", "option_list": [{"id": "1", "text": "小榄镇"}]}
    card: Json = {"card_type": "multiple_interaction", "main_title": {"title": "在哪里？"}, "task_id": "p1"}
    card |= {"select_list": [select], "submit_button": {"text": "提交", "key": "place"}}
    push = {"chatid": mei.id, "msgtype": "template_card", "template_card": card}
    assert await line.ask("aibot_send_msg", push) == 0
    mei.choose({"town": ["1"]})
    [item] = (await line.event())["body"]["event"]["template_card_event"]["selected_items"]["selected_item"]
    assert item == {"question_key": "town", "option_ids": {"option_id": ["1"]}}


async def test_a_welcome_is_taken_for_five_seconds(fake: FakeWeCom, line: Line, mei: BotPhone) -> None:
    welcome = {"msgtype": "text", "text": {"content": "您好"}}
    mei.enter()
    asked = (await line.event())["headers"]["req_id"]
    assert await line.ask("aibot_respond_welcome_msg", welcome, asked) == 0
    mei.enter()
    asked = (await line.event())["headers"]["req_id"]
    fake.advance(6)
    assert await line.ask("aibot_respond_welcome_msg", welcome, asked) == 846605
    assert [shown.text for shown in mei.messages] == ["您好"]


async def test_files_come_as_a_link_and_a_key_and_end_after_five_minutes(
    fake: FakeWeCom, line: Line, mei: BotPhone
) -> None:
    mei.photo(SMALL_JPEG, "桥头冒烟")
    words, picture = (await line.event())["body"]["mixed"]["msg_item"]
    assert words["text"]["content"] == "桥头冒烟"
    image = picture["image"]
    async with httpx.AsyncClient(trust_env=False) as client:
        sealed = (await client.get(image["url"])).content
        key = base64.b64decode(image["aeskey"])
        opened = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = opened.update(sealed) + opened.finalize()
        assert plain[: -plain[-1]] == SMALL_JPEG and 1 <= plain[-1] <= 32 and len(sealed) % 32 == 0
        mei.file(b"%PDF-", "灾情 报告.pdf")
        url = (await line.event())["body"]["file"]["url"]
        told = (await client.get(url)).headers["content-disposition"]
        assert "%E7%81%BE%E6%83%85" in told
        fake.advance(301)
        assert (await client.get(url)).status_code == 404


async def test_a_second_connection_takes_over_and_the_first_is_told(
    fake: FakeWeCom, line: Line, mei: BotPhone
) -> None:
    async with dialled(fake) as second:
        assert await second.subscribe() == 0
        told = await line.event()
        assert told["body"]["event"]["eventtype"] == "disconnected_event"
        with pytest.raises(ConnectionClosed):
            await line.socket.recv()
        event = mei.say("起火")
        assert (await second.event())["body"]["text"]["content"] == "起火"
        assert event.lines == [2] and fake.bot.takeovers == 1


async def test_an_event_nobody_listens_for_is_lost(fake: FakeWeCom, mei: BotPhone) -> None:
    event = mei.say("起火")
    await fake.wait_for(lambda: event.is_lost)
    async with dialled(fake) as line:
        await line.subscribe()
        assert await line.ask("ping") == 0 and line.events == []


async def test_a_line_that_stays_silent_is_shut(fake: FakeWeCom) -> None:
    fake.limits.silence_seconds = 0.1
    async with dialled(fake) as line:
        await line.subscribe()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(line.socket.recv(), 2)
        await fake.wait_for(lambda: not fake.bot.is_connected)


async def test_broken_lines_and_refusals_come_on_order(fake: FakeWeCom, line: Line, mei: BotPhone) -> None:
    fake.bot.fail_next("aibot_send_msg", "errcode", errcode=-1)
    assert await line.ask("aibot_send_msg", markdown(mei.id)) == -1
    fake.bot.fail_next("aibot_send_msg", "no_ack")
    await line.send("aibot_send_msg", markdown(mei.id, "一"))
    await fake.wait_for(lambda: len(mei.messages) == 1)
    fake.bot.fail_next("aibot_send_msg", "drop_after")
    await line.send("aibot_send_msg", markdown(mei.id, "二"))
    with pytest.raises(ConnectionClosed):
        await line.socket.recv()
    assert [shown.text for shown in mei.messages] == ["一", "二"]
    async with dialled(fake) as again:
        await again.subscribe()
        fake.bot.fail_next("ping", "mute")
        await again.send("ping")
        await fake.wait_for(lambda: fake.bot.calls["ping"] == 1)
        event = mei.say("起火")
        await fake.wait_for(lambda: event.is_lost)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(again.socket.recv(), 0.1)
    with pytest.raises(ValueError, match="unknown fault"):
        fake.bot.fail_next("ping", "gently")


async def test_the_same_event_can_be_brought_again(fake: FakeWeCom, line: Line, mei: BotPhone) -> None:
    event = mei.say("起火")
    first = await line.event()
    fake.bot.again(event)
    second = await line.event()
    assert first["body"] == second["body"] and first["headers"] != second["headers"]


async def test_what_a_group_says_names_its_chat(line: Line, fake: FakeWeCom, mei: BotPhone) -> None:
    mei.say("状态", group="wrGroup1")
    body = (await line.event())["body"]
    assert (body["chattype"], body["chatid"], body["text"]["content"]) == (
        "group",
        "wrGroup1",
        "@点到 状态",
    )
    assert await line.ask("aibot_send_msg", markdown("wrGroup1")) == 0
    assert fake.bot.inboxes["wrgroup1"][-1].text == "点名"


async def test_it_listens_on_the_same_port_after_a_pause(fake: FakeWeCom, line: Line) -> None:
    before = fake.ws_url
    await asyncio.to_thread(fake.stop)
    with pytest.raises(ConnectionClosed):
        await line.socket.recv()
    await asyncio.to_thread(fake.start)
    assert fake.ws_url == before
    async with dialled(fake) as again:
        assert await again.subscribe() == 0
