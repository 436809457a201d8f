"""The fake Telegram keeps the real rules: each test fails when its rule is not enforced."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from io import BytesIO
from itertools import pairwise
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    MessageEntity,
    ReplyKeyboardMarkup,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from tests.fakes.telegram_faults import Spell
from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.telegram_people import Tap
from tests.fakes.telegram_server import FakeTelegram, Limits

pytestmark = pytest.mark.asyncio

MIB = 1024 * 1024


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(retry_factor=0.01) as server:
        yield server


def bot_of(fake: FakeTelegram, token: str | None = None, read_timeout: float = 5) -> Bot:
    request = HTTPXRequest(connection_pool_size=8, read_timeout=read_timeout, httpx_kwargs={"verify": False})
    return Bot(token or fake.token, base_url=fake.base_url, base_file_url=fake.base_file_url, request=request)


@pytest_asyncio.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    # Without Bot.initialize: that would call getMe in every test.
    made = bot_of(fake)
    yield made
    await made._request[1].shutdown()


async def raw(fake: FakeTelegram, method: str, **params: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=10) as client:
        response = await client.post(f"{fake.base_url}{fake.token}/{method}", json=params)
        body: dict[str, Any] = response.json()
        assert response.status_code == body.get("error_code", 200)
        return body


async def control(fake: FakeTelegram, path: str, **body: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        response = await client.post(f"{fake.url}/_control/{path}", json=body)
        answer: dict[str, Any] = response.json()
        assert response.status_code == (400 if "error" in answer else 200)
        return answer


def buttons(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(t, callback_data=d) for t, d in row] for row in rows])


# Addresses, tokens, methods.


async def test_a_wrong_token_is_unauthorized_and_an_unknown_method_is_not_found(fake: FakeTelegram) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        wrong = await client.get(f"{fake.base_url}1:wrong/getMe")
        assert (wrong.status_code, wrong.json()) == (
            401,
            {"ok": False, "error_code": 401, "description": "Unauthorized"},
        )
        assert (await client.get(f"{fake.base_file_url}1:wrong/photos/file_0.jpg")).status_code == 401
        unknown = await client.get(f"{fake.base_url}{fake.token}/sendTelepathy")
        assert (unknown.status_code, unknown.json()["error_code"]) == (404, 404)
        assert (await client.get(f"{fake.url}/elsewhere")).json()["description"] == "Not Found"
        me = await client.get(f"{fake.base_url}{fake.token}/GETME")
        assert me.json()["result"]["is_bot"] is True
    with pytest.raises(InvalidToken):
        await bot_of(fake, "1:wrong").get_me()


async def test_parameters_come_by_query_form_multipart_and_json(fake: FakeTelegram) -> None:
    phone = fake.phone(1, started=True)
    url = f"{fake.base_url}{fake.token}/sendMessage"
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        await client.get(url, params={"chat_id": 1, "text": "query"})
        await client.post(url, data={"chat_id": "1", "text": "form"})
        await client.post(url, files={"chat_id": (None, "1"), "text": (None, "multipart")})
        await client.post(url, json={"chat_id": 1, "text": "json"})
    assert [m.text for m in phone.received] == ["query", "form", "multipart", "json"]


# Receiving by polling.


async def test_an_offset_confirms_everything_before_it(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, "王")
    said = [phone.start(), phone.say("一"), phone.say("二")]
    first = await bot.get_updates()
    assert [u.update_id for u in first] == [s.update_id for s in said]
    assert [u.update_id for u in await bot.get_updates()] == [s.update_id for s in said]
    rest = await bot.get_updates(offset=first[1].update_id)
    assert [u.message.text for u in rest if u.message] == ["一", "二"]
    assert fake.stats()["unconfirmed"] == 2
    assert [u.message.text for u in await bot.get_updates(offset=-1) if u.message] == ["二"]
    assert fake.stats()["unconfirmed"] == 1


async def test_a_batch_has_at_most_a_hundred(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    for number in range(120):
        phone.say(str(number))
    assert len(await bot.get_updates(limit=100)) == 100
    assert len((await raw(fake, "getUpdates", limit=5000))["result"]) == 100
    assert len(await bot.get_updates(limit=7)) == 7


async def test_a_long_poll_answers_when_something_happens(fake: FakeTelegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=5))
    await fake.wait_for(lambda: fake.is_polled)
    began = time.monotonic()
    fake.phone(1, started=True).say("喂")
    assert len(await poll) == 1 and time.monotonic() - began < 1
    began = time.monotonic()
    assert await bot.get_updates(offset=10**9, timeout=1) == ()
    assert time.monotonic() - began >= 0.9


async def test_the_older_of_two_pollers_gets_409(fake: FakeTelegram, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=10))
    await fake.wait_for(lambda: fake.is_polled)
    newer = asyncio.create_task(bot_of(fake).get_updates(timeout=10))
    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        await older
    fake.phone(1, started=True).say("谁在")
    assert len(await newer) == 1


async def test_polling_is_refused_while_a_webhook_is_set(fake: FakeTelegram, bot: Bot) -> None:
    await bot.set_webhook("http://127.0.0.1:9/hook")
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == ()


async def test_only_allowed_kinds_are_queued(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    await bot.get_updates(allowed_updates=["edited_message"])
    said = phone.say("错")
    phone.edit(said, "对")
    [update] = await bot.get_updates()
    assert update.edited_message is not None and update.edited_message.text == "对"


async def test_messages_wait_a_day_and_taps_150_seconds(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    await bot.send_message(1, "到岗？", reply_markup=buttons([("到", "yes")]))
    phone.say("还在")
    phone.press("到")
    fake.advance(149)
    assert len(await bot.get_updates()) == 2
    fake.advance(2)
    assert [u.message is not None for u in await bot.get_updates()] == [True]
    fake.advance(86_400)
    assert await bot.get_updates() == () and fake.stats()["expired"] == 2


async def test_updates_can_be_doubled_reordered_held_and_renumbered(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    first = phone.say("一")
    assert first.update_id is not None
    await bot.get_updates(offset=first.update_id + 1)
    fake.duplicate_update(first)
    assert [u.update_id for u in await bot.get_updates(offset=first.update_id + 1)] == [first.update_id]
    fake.hold_updates()
    phone.say("二")
    phone.say("三")
    assert await bot.get_updates() == ()
    fake.reorder_updates()
    fake.release_updates()
    assert [u.message.text for u in await bot.get_updates() if u.message] == ["三", "二"]
    fake.restart_update_ids()
    again = phone.say("四")
    assert again.update_id is not None and again.update_id < first.update_id


# Receiving by webhook.


class Hook:
    """The product's side of a webhook."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Update, str]] = []
        self.answers: list[Response] = []
        self.answers_for: str | None = None
        self.open = 0
        self.open_most = 0
        self.slow = 0.0

    async def hear(self, request: Request) -> Response:
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        update = Update.de_json(await request.json(), None)
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        self.seen.append((time.monotonic(), update, secret))
        await asyncio.sleep(self.slow)
        self.open -= 1
        text = update.message.text if update.message else None
        is_special = self.answers and self.answers_for in (None, text)
        return self.answers.pop(0) if is_special else Response()

    @property
    def texts(self) -> list[str | None]:
        return [u.message.text for _, u, _ in self.seen if u.message]


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    made = Hook()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=[Route("/hook", made.hear, methods=["POST"])]), log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield made, f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    server.should_exit = True
    await task


async def test_the_webhook_brings_the_secret_and_a_2xx_confirms(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    fake.phone(1, started=True).say("之前")
    await bot.set_webhook(url, secret_token="s3cret-X", max_connections=3)
    await fake.wait_for(lambda: fake.stats()["unconfirmed"] == 0)
    assert product.texts == ["之前"] and product.seen[0][2] == "s3cret-X"
    info = await bot.get_webhook_info()
    assert (info.url, info.max_connections, info.pending_update_count) == (url, 3, 0)
    with pytest.raises(BadRequest, match="unallowed characters"):
        await bot.set_webhook(url, secret_token="bad secret!")


async def test_a_non_2xx_is_repeated_at_once_then_ever_later_and_only_that_chat_waits(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    fake.retry_factor = 0.05
    product.answers = [Response(status_code=500) for _ in range(4)]
    product.answers_for = "一"
    await bot.set_webhook(url)
    phone, other = fake.phone(1, started=True), fake.phone(2, started=True)
    phone.say("一")
    phone.say("二")
    await fake.wait_for(lambda: len(product.seen) >= 2 or None, timeout=5)
    other.say("旁人")
    await fake.wait_for(lambda: fake.stats()["unconfirmed"] == 0)
    assert [t for t in product.texts if t != "旁人"] == ["一", "一", "一", "一", "一", "二"]
    assert product.texts.index("旁人") < product.texts.index("二")
    moments = [at for at, u, _ in product.seen if u.message and u.message.text == "一"]
    gaps = [b - a for a, b in pairwise(moments)]
    assert gaps[0] < 0.1 <= gaps[1] and gaps[2] >= 0.2 and gaps[3] >= 0.4
    assert "500" in ((await bot.get_webhook_info()).last_error_message or "")


async def test_retry_after_of_the_product_is_honoured(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    product.answers = [Response(status_code=503, headers={"Retry-After": "40"})]
    await bot.set_webhook(url)
    fake.phone(1, started=True).say("忙")
    await fake.wait_for(lambda: fake.stats()["unconfirmed"] == 0)
    assert product.seen[1][0] - product.seen[0][0] >= 0.4


async def test_max_connections_bounds_the_posts_in_flight(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    product.slow = 0.03
    await bot.set_webhook(url, max_connections=2)
    for number in range(1, 9):
        fake.phone(number, started=True).say("同时")
    await fake.wait_for(lambda: fake.stats()["unconfirmed"] == 0)
    assert product.open_most == 2


async def test_an_update_waits_while_nobody_listens_and_may_come_twice(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    await bot.set_webhook("http://127.0.0.1:9/hook")
    said = fake.phone(1, started=True).say("等")
    await fake.wait_for(lambda: "last_error_date" in fake._delivery.webhook or None, timeout=2)
    assert fake.stats()["unconfirmed"] == 1
    await bot.set_webhook(url)
    await fake.wait_for(lambda: fake.stats()["unconfirmed"] == 0)
    fake.duplicate_update(said)
    while len(product.seen) < 2:
        await asyncio.sleep(0.01)
    assert [u.update_id for _, u, _ in product.seen] == [said.update_id] * 2


async def test_a_method_in_the_webhook_answer_is_carried_out(
    fake: FakeTelegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    product, url = hook
    body = json.dumps({"method": "sendMessage", "chat_id": 1, "text": "收到"})
    product.answers = [Response(body, media_type="application/json")]
    await bot.set_webhook(url)
    phone = fake.phone(1, started=True)
    phone.say("报告")
    await fake.wait_for(lambda: phone.received)
    assert phone.last.text == "收到"


# Sending.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "message text is empty"),
        ("  \n ", "message text is empty"),
        ("<b></b>", "message text is empty"),
        ("字" * 4097, "message is too long"),
        ("<b>开", "can't find end tag"),
        ("温度 < 5", "unsupported start tag"),
        ("<div>x</div>", 'unsupported start tag "div"'),
        ("x</b>", "unexpected end tag"),
        ("<b><i>x</b></i>", "unmatched end tag"),
        ("<b", "unclosed start tag"),
        ("<span>x</span>", "must have class"),
    ],
)
async def test_bad_text_is_refused(fake: FakeTelegram, bot: Bot, text: str, reason: str) -> None:
    fake.phone(1, started=True)
    with pytest.raises(BadRequest, match=rf"(?i){reason}"):
        await bot.send_message(1, text, parse_mode="HTML")
    assert fake.sends == []


async def test_length_counts_after_parsing(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    sent = await bot.send_message(1, f"<b>{'字' * 4095}</b>&lt;", parse_mode="HTML")
    assert sent.text == "字" * 4095 + "<" and sent.entities[0].length == 4095
    assert phone.last.text == sent.text
    with pytest.raises(BadRequest, match="caption is too long"):
        await bot.send_photo(1, SMALL_JPEG, caption="字" * 1025)


async def test_html_entities_are_counted_in_utf16(fake: FakeTelegram, bot: Bot) -> None:
    fake.phone(1, started=True)
    sent = await bot.send_message(
        1, ' 🔥<a href="https://a.cn/">火</a> &amp; <code>x</code>', parse_mode="HTML"
    )
    assert sent.text == "🔥火 & x"
    found = {e.type: (e.offset, e.length) for e in sent.entities}
    assert found == {"text_link": (2, 1), "code": (6, 1)}


async def test_entities_must_lie_in_the_text(fake: FakeTelegram, bot: Bot) -> None:
    fake.phone(1, started=True)
    with pytest.raises(BadRequest, match="ends after the end of the text"):
        await bot.send_message(1, "短", entities=[MessageEntity("bold", 0, 2)])
    with pytest.raises(BadRequest, match=r"(?i)middle of a UTF-16 symbol"):
        await bot.send_message(1, "🔥火", entities=[MessageEntity("bold", 1, 1)])
    assert (await bot.send_message(1, "🔥火", entities=[MessageEntity("bold", 2, 1)])).entities


async def test_who_may_be_written_to(fake: FakeTelegram, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(99, "谁")
    stranger = fake.phone(1)
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await bot.send_message(1, "先说话")
    with pytest.raises(PermissionError):
        stranger.say("还没按开始")
    stranger.start("CODE_1")
    await bot.send_message(1, "欢迎")
    stranger.block()
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(1, "在吗")
    update = fake.unconfirmed[-1]
    assert update["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    assert Update.de_json(update, None).my_chat_member is not None
    stranger.unblock()
    await bot.send_message(1, "回来了")
    stranger.deactivate()
    with pytest.raises(Forbidden, match="deactivated"):
        await bot.send_message(1, "注销")
    assert [send.text for send in fake.sends] == ["欢迎", "回来了"]


async def test_a_migrated_group_names_its_new_id(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, "王", started=True)
    group = fake.group("值班群", [phone])
    await bot.send_message(group.id, "旧")
    new = group.migrate()
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(group.id, "旧址")
    assert caught.value.new_chat_id == new.id and str(new.id).startswith("-100")
    assert (await bot.send_message(new.id, "新")).message_id < 10
    new.remove_bot(phone)
    with pytest.raises(Forbidden, match="kicked from the supergroup"):
        await bot.send_message(new.id, "被移出")
    assert any("migrate_to_chat_id" in u.get("message", {}) for u in fake.unconfirmed)


async def test_privacy_mode_hides_group_talk_but_not_commands_and_replies(
    fake: FakeTelegram, bot: Bot
) -> None:
    phone = fake.phone(1, started=True)
    group = fake.group("群", [phone])
    sent = await bot.send_message(group.id, "点名")
    assert phone.say("闲聊", chat=group).update_id is None
    assert phone.say("/status", chat=group).update_id is not None
    assert phone.say("到", reply_to=sent.message_id, chat=group).update_id is not None
    fake.privacy_mode = False
    assert phone.say("闲聊", chat=group).update_id is not None


# Keyboards.


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([InlineKeyboardButton("长", callback_data="字" * 22)], "button_data_invalid"),
        ([InlineKeyboardButton("空")], "Text buttons are unallowed"),
        ([InlineKeyboardButton("桌面", url="http://localhost:8000/")], "Wrong HTTP URL"),
        ([InlineKeyboardButton("多", callback_data="x")] * 101, "reply markup is too long"),
    ],
)
async def test_bad_buttons_are_refused(
    fake: FakeTelegram, bot: Bot, row: list[InlineKeyboardButton], reason: str
) -> None:
    fake.phone(1, started=True)
    with pytest.raises(BadRequest, match=rf"(?i){reason}"):
        await bot.send_message(1, "签收？", reply_markup=InlineKeyboardMarkup([row]))


async def test_the_largest_buttons_pass(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    await bot.send_message(1, "签收？", reply_markup=buttons([("签", "x" * 64)] * 100))
    assert len(phone.last.button_data) == 100


async def test_location_is_requested_in_private_chats_only(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    group = fake.group("群", [phone])
    keys = ReplyKeyboardMarkup([[KeyboardButton("发送位置", request_location=True)], ["取消"]])
    with pytest.raises(BadRequest, match="Location can be requested in private chats only"):
        await bot.send_message(group.id, "在哪里？", reply_markup=keys)
    sent = await bot.send_message(1, "在哪里？", reply_markup=keys)
    assert phone.last.keyboard[0][0]["request_location"] is True
    phone.press("取消")
    assert fake.unconfirmed[-1]["message"]["text"] == "取消"
    # A message with a reply keyboard cannot be edited: bots/api#updating-messages.
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("改", 1, sent.message_id)


# Edits, deletes, taps.


async def test_cards_are_amended(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    card = await bot.send_message(1, "签收？", reply_markup=buttons([("签收", "ack")]))
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("签收？", 1, card.message_id, reply_markup=buttons([("签收", "ack")]))
    await bot.edit_message_reply_markup(1, card.message_id, reply_markup=buttons([("转办", "hand")]))
    assert phone.last.buttons == [["转办"]]
    await bot.edit_message_text("已签收 08:03", 1, card.message_id)
    assert (phone.last.text, phone.last.buttons) == ("已签收 08:03", [])
    assert phone.last.edits == ["签收？", "签收？"]
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("无", 1, card.message_id + 1000)
    mine = phone.say("我的")
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("别人的", 1, mine.message_id)
    photo = await bot.send_photo(1, SMALL_JPEG, caption="前")
    with pytest.raises(BadRequest, match="no text in the message"):
        await bot.edit_message_text("字", 1, photo.message_id)
    await bot.edit_message_caption(1, photo.message_id, caption="后")
    assert phone.last.text == "后"
    with pytest.raises(BadRequest, match="no caption"):
        await bot.edit_message_caption(1, card.message_id, caption="无")


async def test_a_message_is_deleted_within_48_hours(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    sent = await bot.send_message(1, "错发")
    await bot.delete_message(1, sent.message_id)
    assert phone.received == []
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(1, sent.message_id)
    old = await bot.send_message(1, "旧")
    fake.advance(48 * 3600 + 1)
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(1, old.message_id)


async def test_a_tap_is_answered_within_150_seconds(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    card = await bot.send_message(1, "到岗？", reply_markup=buttons([("到", "yes"), ("假", "no")]))
    tap = phone.press("到")
    assert isinstance(tap, Tap) and tap.answer is None
    [update] = await bot.get_updates()
    query = update.callback_query
    assert query is not None and query.message is not None
    assert (query.data, query.from_user.id, query.message.message_id) == ("yes", 1, card.message_id)
    with pytest.raises(BadRequest, match=r"(?i)message_too_long"):
        await bot.answer_callback_query(query.id, "长" * 201)
    await bot.answer_callback_query(query.id, "已记录")
    assert tap.answer == {"text": "已记录", "show_alert": False}
    with pytest.raises(BadRequest, match="too old"):
        await bot.answer_callback_query("12345")
    late = phone.press("no")
    assert isinstance(late, Tap)
    fake.advance(151)
    with pytest.raises(BadRequest, match="too old"):
        await bot.answer_callback_query(late.callback.id)


async def test_a_phone_taps_only_what_it_shows_unless_stale(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    card = await bot.send_message(1, "签收？", reply_markup=buttons([("签收", "ack")]))
    await bot.edit_message_text("已由李签收", 1, card.message_id)
    with pytest.raises(LookupError):
        phone.press("签收")
    phone.press("ack", message=card.message_id, stale=True)
    assert fake.unconfirmed[-1]["callback_query"]["data"] == "ack"


async def test_a_reply_needs_its_message(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    said = phone.say("报告")
    sent = await bot.send_message(1, "收到", reply_to_message_id=said.message_id)
    assert sent.reply_to_message is not None and sent.reply_to_message.text == "报告"
    phone.delete(said)
    with pytest.raises(BadRequest, match="to be replied not found"):
        await bot.send_message(1, "收到", reply_to_message_id=said.message_id)


# Files.


async def test_files_come_through_get_file_up_to_20_mib(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    phone.document(b"%PDF-1.7 x", "预案.pdf")
    phone.document(20 * MIB + 1, "大.zip")
    small, big = (u.message.document for u in await bot.get_updates() if u.message)
    assert small is not None and big is not None and small.file_name == "预案.pdf"
    link = await bot.get_file(small.file_id)
    assert bytes(await link.download_as_bytearray()) == b"%PDF-1.7 x"
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(big.file_id)
    with pytest.raises(BadRequest, match=r"(?i)wrong file_id"):
        await bot.get_file("nonsense")
    fake.advance(3601)
    with pytest.raises(TelegramError):
        await link.download_as_bytearray()


async def test_photo_sizes_rise_and_exif_is_stripped_from_photos_only(fake: FakeTelegram, bot: Bot) -> None:
    image, made = Image.new("RGB", (640, 480), "red"), BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    image.save(made, "JPEG", exif=exif)
    phone = fake.phone(1, started=True)
    phone.photo(made.getvalue(), caption="/report 火")
    phone.document(made.getvalue(), "photo.jpg", "image/jpeg")
    shown, kept = (u.message for u in await bot.get_updates())
    assert shown is not None and kept is not None and kept.document is not None
    assert [p.width for p in shown.photo] == sorted(p.width for p in shown.photo)
    assert shown.photo[-1].width == 640 and len({p.file_unique_id for p in shown.photo}) == 3
    assert shown.caption_entities[0].type == "bot_command"
    stripped = await (await bot.get_file(shown.photo[-1].file_id)).download_as_bytearray()
    whole = await (await bot.get_file(kept.document.file_id)).download_as_bytearray()
    assert not Image.open(BytesIO(stripped)).getexif() and Image.open(BytesIO(whole)).getexif()


async def test_an_album_comes_as_messages_with_the_caption_on_the_first(fake: FakeTelegram, bot: Bot) -> None:
    fake.phone(1, started=True).album([None, None, None], "三张")
    messages = [u.message for u in await bot.get_updates() if u.message]
    assert len(messages) == 3 and len({m.media_group_id for m in messages}) == 1
    assert [m.caption for m in messages] == ["三张", None, None]


async def test_the_bot_sends_every_kind(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    fake.limits.enabled = False
    photo = await bot.send_photo(1, SMALL_JPEG)
    await bot.send_photo(1, photo.photo[-1].file_id)
    await bot.send_document(1, b"csv", filename="点名.csv", caption="<b>名单</b>", parse_mode="HTML")
    await bot.send_location(1, 26.6, 106.7)
    await bot.send_venue(1, 26.6, 106.7, "应急局", "中山路")
    album = await bot.send_media_group(1, [InputMediaPhoto(SMALL_JPEG), InputMediaPhoto(SMALL_JPEG)])
    await bot.send_chat_action(1, "typing")
    assert [m.kind for m in phone.received] == [
        *("photo", "photo", "document", "location", "venue", "photo", "photo"),
    ]
    assert len({m.media_group_id for m in album}) == 1
    with pytest.raises(BadRequest, match=r"(?i)image_process_failed"):
        await bot.send_photo(1, b"no picture")
    with pytest.raises(BadRequest, match="2-10"):
        await bot.send_media_group(1, [InputMediaPhoto(SMALL_JPEG)])
    with pytest.raises(BadRequest, match=r"(?i)latitude"):
        await bot.send_location(1, 91, 0)


async def test_commands_and_descriptions_are_kept_by_scope_and_language(fake: FakeTelegram, bot: Bot) -> None:
    scope = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands([BotCommand("report", "上报")], scope, "zh")
    assert [c.command for c in await bot.get_my_commands(scope, "zh")] == ["report"]
    assert await bot.get_my_commands(scope, "en") == ()
    with pytest.raises(BadRequest, match=r"(?i)command_invalid"):
        await bot.set_my_commands([BotCommand("上报", "上报")])
    await bot.delete_my_commands(scope, "zh")
    assert await bot.get_my_commands(scope, "zh") == ()
    await bot.set_my_description("值班台", "zh")
    assert (await bot.get_my_description("zh")).description == "值班台"
    fake.phone(1, "王", started=True)
    assert (await bot.get_chat(1)).first_name == "王"


# Limits.


async def test_one_chat_takes_a_short_burst_then_429_for_the_whole_token(
    fake: FakeTelegram, bot: Bot
) -> None:
    fake.phone(1, started=True)
    fake.phone(2, started=True)
    fake.limits.retry_after = 7
    for number in range(4):
        await bot.send_message(1, str(number))
    body = await raw(fake, "sendMessage", chat_id=1, text="太快")
    assert body["parameters"] == {"retry_after": 7} and body["error_code"] == 429
    with pytest.raises(RetryAfter):
        await bot.send_message(2, "整个令牌都停")
    assert len(fake.sends) == 4 and fake.stats()["too_many"] == 2
    fake.advance(8)
    await bot.send_message(2, "又可以了")


async def test_one_message_a_second_to_one_chat_is_never_refused(fake: FakeTelegram, bot: Bot) -> None:
    fake.phone(1, started=True)
    for number in range(12):
        await bot.send_message(1, str(number))
        fake.advance(1)
    assert fake.stats()["too_many"] == 0


async def test_the_token_takes_thirty_a_second(fake: FakeTelegram) -> None:
    clock = [1_700_000_000.0]
    fake.world.clock = lambda: clock[0]
    for number in range(1, 401):
        fake.phone(number, started=True)
    for number in range(1, 201):
        assert (await raw_fast(fake, number))["ok"]
        clock[0] += 1 / 30
    answers = [(await raw_fast(fake, number))["ok"] for number in range(201, 301)]
    assert answers.count(True) == 36


async def raw_fast(fake: FakeTelegram, chat: int) -> dict[str, Any]:
    return await raw(fake, "sendMessage", chat_id=chat, text="点名")


async def test_a_group_takes_twenty_a_minute(fake: FakeTelegram, bot: Bot) -> None:
    group = fake.group("群", [fake.phone(1, started=True)])
    for number in range(20):
        await bot.send_message(group.id, str(number))
        fake.advance(2)
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "第二十一条")
    fake.advance(60)
    await bot.send_message(group.id, "下一分钟")


async def test_a_block_can_be_of_one_chat(fake: FakeTelegram, bot: Bot) -> None:
    fake.limits.block = "chat"
    fake.phone(1, started=True)
    fake.phone(2, started=True)
    for number in range(4):
        await bot.send_message(1, str(number))
    with pytest.raises(RetryAfter):
        await bot.send_message(1, "太快")
    await bot.send_message(2, "别人照常")


# Faults on the wire.


async def test_a_call_delivered_and_never_answered_times_out(fake: FakeTelegram) -> None:
    phone = fake.phone(1, started=True)
    fake.fail_next("sendMessage", "timeout_after_delivery")
    fake.fail_next("sendMessage", "timeout_before_delivery")
    impatient = bot_of(fake, read_timeout=0.2)
    with pytest.raises(TimedOut):
        await impatient.send_message(1, "到了吗")
    assert [m.text for m in phone.received] == ["到了吗"]
    with pytest.raises(TimedOut):
        await impatient.send_message(1, "没发出")
    assert len(fake.sends) == 1


@pytest.mark.parametrize(
    ("kind", "is_delivered"),
    [
        ("truncated_body", True),
        ("half_json", True),
        ("drop_after_delivery", True),
        ("502_after_delivery", True),
        ("drop", False),
        ("500", False),
        ("502", False),
        ("504", False),
    ],
)
async def test_faults_spoil_the_answer_or_the_call(
    fake: FakeTelegram, bot: Bot, kind: str, is_delivered: bool
) -> None:
    phone = fake.phone(1, started=True)
    fake.fail_next("sendMessage", kind, chat_id=1)
    with pytest.raises(TelegramError):
        await bot.send_message(1, "火情")
    assert [m.text for m in phone.received] == (["火情"] if is_delivered else [])
    await bot.send_message(1, "第二次")
    assert phone.last.text == "第二次"


async def test_an_ordered_429_blocks_for_its_time(fake: FakeTelegram, bot: Bot) -> None:
    fake.phone(1, started=True)
    fake.fail_next("sendMessage", "429", retry_after=3)
    for _ in range(2):
        with pytest.raises(RetryAfter):
            await bot.send_message(1, "等等")
    fake.advance(4)
    await bot.send_message(1, "好了")
    with pytest.raises(ValueError, match="unknown fault kind"):
        fake.fail_next("sendMessage", "explode")


async def test_offline_refuses_connections_and_keeps_the_state(fake: FakeTelegram, bot: Bot) -> None:
    phone = fake.phone(1, started=True)
    phone.say("断网前")
    await asyncio.to_thread(fake.offline)
    phone.say("断网中")
    with pytest.raises(NetworkError, match="ConnectError"):
        await bot.get_updates()
    await asyncio.to_thread(fake.online)
    assert len(await bot_of(fake).get_updates()) == 2


# People.


async def test_every_update_parses_as_the_real_one(fake: FakeTelegram) -> None:
    phone = fake.phone(1, "王")
    phone.start("ABC")
    live = phone.live_location(26.6, 106.7, 600)
    phone.move(live, 26.61, 106.71)
    phone.stop_live(live)
    phone.location(26.6, 106.7, accuracy=12.5)
    phone.venue(26.6, 106.7, "桥", "乌江路")
    phone.contact("13800000000", "李")
    phone.sticker()
    phone.poll("吃什么", ["面", "饭"])
    phone.dice()
    phone.voice()
    phone.video(caption="现场")
    phone.forward("转发的", "张")
    phone.album([None, 1000], "两张")
    group = fake.group("群", [phone])
    phone.say("/start@muster_fake_bot", chat=group)
    group.migrate()
    parsed = [Update.de_json(update, None) for update in fake.unconfirmed]
    for update, source in zip(parsed, fake.unconfirmed, strict=True):
        kind = next(key for key in source if key != "update_id")
        assert getattr(update, kind) is not None and not update.api_kwargs
        if update.effective_message is not None:
            assert not update.effective_message.api_kwargs
    messages = [update.effective_message for update in parsed]
    assert messages[0] is not None and messages[0].entities[0].type == "bot_command"
    moved, stopped = parsed[2].edited_message, parsed[3].edited_message
    assert moved is not None and moved.location is not None and moved.location.live_period == 600
    assert stopped is not None and stopped.location is not None and stopped.location.live_period is None
    ids = [update.update_id for update in parsed]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_long_talk_is_cut_and_bad_start_payloads_never_leave(fake: FakeTelegram) -> None:
    phone = fake.phone(1)
    with pytest.raises(ValueError, match="start payload"):
        phone.start("码" * 3)
    with pytest.raises(ValueError, match="start payload"):
        phone.start("x" * 65)
    phone.start()
    phone.say("长" * 5000)
    assert [len(u["message"]["text"]) for u in fake.unconfirmed] == [6, 4096, 904]


async def test_sends_carry_moments_and_the_hook_hears_them(fake: FakeTelegram, bot: Bot) -> None:
    heard: list[str] = []
    fake.on_send = lambda send: heard.append(send.text)
    fake.phone(1, started=True)
    await bot.send_message(1, "一")
    await bot.send_message(1, "二")
    assert heard == ["一", "二"] and fake.sends[0].monotonic < fake.sends[1].monotonic
    assert fake.calls["sendmessage"] == 2


# Its own process.


async def test_it_runs_in_its_own_process_under_control() -> None:
    command = [sys.executable, "-m", "tests.fakes.telegram_server", "--retry-factor", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(await asyncio.to_thread(process.stdout.readline))
            fake = FakeTelegram(told["token"], port=told["port"])
            said = await control(fake, "phone/7/start", payload="CODE", name_of_person="赵")
            photo = await control(fake, "phone/7/photo", caption="火")
            assert photo["update_id"] == said["update_id"] + 1
            assert "error" in await control(fake, "phone/7/teleport")
            assert "error" in await control(fake, "phone/7/say", words="错")
            bot = bot_of(fake)
            assert len(await bot.get_updates()) == 2
            await bot.send_message(7, "签收？", reply_markup=buttons([("签收", "ack")]))
            tap = await control(fake, "phone/7/press", button="签收")
            await bot.answer_callback_query(tap["callback_id"], "好")
            await control(fake, "knobs", fail_next={"method": "sendMessage", "kind": "500"})
            assert "error" in await control(fake, "knobs", gravity=0)
            with pytest.raises(TelegramError):
                await bot.send_message(7, "失败")
            group = await control(fake, "group", title="群", members=[7])
            moved = await control(fake, f"group/{-group['chat_id']}/migrate")
            assert moved["chat_id"] < -(10**12)
            async with httpx.AsyncClient(
                base_url=f"{fake.url}/_control", trust_env=False, verify=False
            ) as client:
                shown = (await client.get("/phone/7/messages")).json()["messages"]
                assert [m["text"] for m in shown] == ["/start CODE", "火", "签收？"]
                assert (await client.get("/phone/7/taps")).json()["taps"][0]["answer"]["text"] == "好"
                sends = (await client.get("/sends", params={"since": 0})).json()
                assert (sends["next"], sends["sends"][0]["chat_id"]) == (1, 7)
                stats = (await client.get("/stats")).json()
                assert (stats["sends"], stats["calls"]["sendmessage"]) == (1, 2)
            await control(fake, "knobs", offline_for=0.3, advance=1)

            async def ask_until_away() -> None:
                for _ in range(50):
                    await bot.get_me()

            with pytest.raises(NetworkError):
                await ask_until_away()
        finally:
            process.terminate()
        assert process.wait(10) == 0


async def test_a_thousand_sends_a_second(fake: FakeTelegram) -> None:
    """Bench needs the fake to cost little: 1,000 sends over four raw connections in well under a second."""
    fake.limits.enabled = False
    fake.phone(1, started=True)
    body = b"chat_id=1&text=hello"
    head = f"POST /bot{fake.token}/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    call = f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body

    async def lane() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        for _ in range(250):
            writer.write(call)
            reply = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(reply.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    began = time.monotonic()
    await asyncio.gather(*(lane() for _ in range(4)))
    # Half of the promise still passes on a loaded machine; 2,000/s is measured on an idle one.
    assert len(fake.sends) == 1000 and time.monotonic() - began < 2


async def test_limits_can_be_given(fake: FakeTelegram) -> None:
    async with FakeTelegram(limits=Limits(chat_burst=1, retry_after=2)) as strict:
        strict.phone(1, started=True)
        assert (await raw_fast(strict, 1))["ok"]
        assert (await raw_fast(strict, 1))["parameters"]["retry_after"] == 2


async def test_a_spell_carries_a_call_out_though_its_caller_has_gone_away(fake: FakeTelegram) -> None:
    fake.phone(7, started=True)
    fake.weather = lambda method: Spell(before_seconds=0.4) if method == "sendmessage" else None
    async with httpx.AsyncClient(timeout=0.1, trust_env=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{fake.base_url}{fake.token}/sendMessage", json={"chat_id": 7, "text": "晚"})
        assert not fake.sends
        await fake.wait_for(lambda: [send.text for send in fake.sends] == ["晚"], 5)
        fake.weather = lambda _: Spell(kind="429", retry_after=3)
        answer = await client.post(
            f"{fake.base_url}{fake.token}/sendMessage", json={"chat_id": 7, "text": "x"}
        )
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "3"
