"""Sending through Telegram: every way a send can end has its one right receipt."""

import asyncio
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.channels.redaction import Redaction
from bot.channels.telegram.api import Api
from bot.channels.telegram.keyboards import fitted, units
from bot.channels.telegram.settings import TelegramSettings
from desk.model import Card, Outcome, RemoteFile, Rendered
from desk.ports import ChannelFault, FetchFailed
from tests.bot.channels.contract import KeptIntake, Shown, heard
from tests.bot.channels.telegram_line import SECRET, TelegramLine, open_line
from tests.fakes.telegram_people import Tap
from tests.fakes.telegram_server import FakeTelegram, Limits

CALL = Rendered("点名", (("到岗", "present:01A"),))


@pytest_asyncio.fixture
async def line(fake: FakeTelegram) -> AsyncIterator[TelegramLine]:
    """A channel that only sends."""
    line = TelegramLine(fake, KeptIntake())
    yield line
    await line.channel.close()


@pytest.mark.parametrize(
    ("kind", "outcome", "arrives"),
    [
        ("timeout_before_delivery", Outcome.unknown, False),
        ("timeout_after_delivery", Outcome.unknown, True),
        ("drop", Outcome.unknown, False),
        ("drop_after_delivery", Outcome.unknown, True),
        ("truncated_body", Outcome.unknown, True),
        ("half_json", Outcome.unknown, True),
        ("500", Outcome.unknown, False),
        ("502", Outcome.unknown, False),
        ("504", Outcome.unknown, False),
        ("502_after_delivery", Outcome.unknown, True),
        ("400", Outcome.refused, False),
        ("403", Outcome.refused, False),
        ("429", Outcome.not_sent, False),
    ],
)
async def test_fault_11_and_12_what_may_have_arrived_is_unknown(
    fake: FakeTelegram, line: TelegramLine, kind: str, outcome: Outcome, arrives: bool
) -> None:
    fake.fail_next("sendMessage", kind)
    [receipt] = await line.channel.send(CALL, [line.address], key="k")
    assert receipt.outcome is outcome and receipt.reason and not receipt.remote_id
    assert len(line.person.received) == arrives
    assert fake.calls["sendmessage"] == 1  # One retry layer only, and it is not this one.


async def test_fault_10_a_refused_connection_is_not_sent(fake: FakeTelegram, line: TelegramLine) -> None:
    await asyncio.to_thread(fake.stop)
    [receipt] = await line.channel.send(CALL, [line.address], key="k")
    assert (receipt.outcome, receipt.whole_channel) == (Outcome.not_sent, False)
    assert "ConnectError" in receipt.reason
    [amended] = await line.channel.amend(CALL, [Card(line.address, "5")])
    assert amended.outcome is Outcome.not_sent


async def test_fault_10_a_host_without_address_or_trust_is_not_sent(fake: FakeTelegram) -> None:
    for base_url in ("http://no.such.host.invalid/bot", f"https://127.0.0.1:{fake.port}/bot"):
        line = TelegramLine(fake, KeptIntake(), base_url=base_url)
        [receipt] = await line.channel.send(CALL, [line.address], key="k")
        assert receipt.outcome is Outcome.not_sent, receipt
        await line.channel.close()


async def test_fault_10_a_connection_that_is_never_taken_is_not_sent(fake: FakeTelegram) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with socket.create_connection(deaf.getsockname()), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(deaf.getsockname())  # Fills the line of waiting connections.
            line = TelegramLine(fake, KeptIntake(), base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/bot")
            [receipt] = await line.channel.send(CALL, [line.address], key="k")
            await line.channel.close()
    assert receipt.outcome is Outcome.not_sent and "ConnectTimeout" in receipt.reason


async def test_a_full_pool_is_not_sent(fake: FakeTelegram, line: TelegramLine) -> None:
    fake.fail_next("sendMessage", "timeout_before_delivery", times=8)
    waiting = [line.channel.send(CALL, [line.address], key=f"{n}") for n in range(9)]
    receipts = [receipt for [receipt] in await asyncio.gather(*waiting)]
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes.count(Outcome.unknown) == 8
    assert receipts[8].outcome in (Outcome.not_sent, Outcome.sent)  # Its turn may come at the very moment.


async def test_fault_13_429_names_its_seconds_for_the_whole_channel(
    fake: FakeTelegram, line: TelegramLine
) -> None:
    fake.fail_next("sendMessage", "429", retry_after=37)
    [receipt] = await line.channel.send(CALL, [line.address], key="k")
    assert (receipt.outcome, receipt.retry_after_seconds, receipt.whole_channel) == (
        Outcome.not_sent,
        37,
        True,
    )


async def test_the_real_limits_answer_429_with_their_own_time() -> None:
    async with FakeTelegram(limits=Limits(chat_burst=1)) as fake:
        line = TelegramLine(fake, KeptIntake())
        receipts = [(await line.channel.send(CALL, [line.address], key=f"{n}"))[0] for n in range(2)]
        await line.channel.close()
    assert [receipt.outcome for receipt in receipts] == [Outcome.sent, Outcome.not_sent]
    assert receipts[1].retry_after_seconds == 1


async def test_fault_16_blocked_gone_and_unknown_people_are_refused(
    fake: FakeTelegram, line: TelegramLine
) -> None:
    line.person.block()
    gone = fake.phone(2, started=True)
    gone.deactivate()
    stranger = fake.phone(3)
    to = [line.address, str(gone.id), str(stranger.id), "404", "@name", "0", "9" * 30]
    receipts = await line.channel.send(CALL, to, key="k")
    assert {receipt.outcome for receipt in receipts} == {Outcome.refused}
    assert "blocked" in receipts[0].reason and "deactivated" in receipts[1].reason
    assert "chat not found" in receipts[3].reason.lower()


async def test_fault_16_a_migrated_chat_names_its_new_address(fake: FakeTelegram, line: TelegramLine) -> None:
    group = fake.group("值班群", [line.person])
    moved = group.migrate()
    [receipt] = await line.channel.send(CALL, [str(group.id)], key="k")
    assert (receipt.outcome, receipt.new_address) == (Outcome.not_sent, str(moved.id))
    assert receipt.retry_after_seconds is None
    fake.groups[moved.id] = moved
    [again] = await line.channel.send(CALL, [receipt.new_address], key="k")
    assert again.outcome is Outcome.sent


async def test_a_token_telegram_does_not_know_holds_the_channel(fake: FakeTelegram) -> None:
    line = TelegramLine(fake, KeptIntake(), token="7000000001:AAwrong")
    [receipt] = await line.channel.send(CALL, [line.address], key="k")
    await line.channel.close()
    assert receipt.outcome is Outcome.not_sent and receipt.whole_channel and "@BotFather" in receipt.reason


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"ok":true,"result":[1]}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"ok":true,"result":{} }',
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html></html",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"not http at all\r\n\r\n",
        b"",
    ],
)
async def test_fault_12_an_answer_that_is_not_telegrams_is_unknown(fake: FakeTelegram, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = TelegramLine(fake, KeptIntake(), base_url=f"http://127.0.0.1:{port}/bot")
        [receipt] = await line.channel.send(CALL, [line.address], key="k")
        assert receipt.outcome is Outcome.unknown and receipt.reason
        await line.channel.close()


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        ("429 Too Many Requests", Outcome.not_sent),
        ("413 Too Large", Outcome.refused),
        ("409 X", Outcome.not_sent),
    ],
)
async def test_a_gateways_own_refusal_was_not_sent(fake: FakeTelegram, head: str, outcome: Outcome) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 4\r\n\r\n<ht>".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = TelegramLine(fake, KeptIntake(), base_url=f"http://127.0.0.1:{port}/bot")
        [receipt] = await line.channel.send(CALL, [line.address], key="k")
        assert receipt.outcome is outcome
        assert receipt.whole_channel is head.startswith("429")
        await line.channel.close()


# Looks.


async def test_short_labels_stand_two_in_a_row_and_long_ones_alone(line: TelegramLine) -> None:
    choices = ("到岗", "请假"), ("这是一个很长很长的按钮", "有情况"), ("a" * 16,)
    message = Rendered("点名", tuple((label, f"v:{label[:4]}") for row in choices for label in row))
    await line.channel.send(message, [line.address], key="k")
    assert line.person.last.buttons == [["到岗", "请假"], ["这是一个很长很长的按钮"], ["有情况", "a" * 16]]


async def test_input_22_a_choice_telegram_would_refuse_costs_only_its_button(line: TelegramLine) -> None:
    choices = (("好", "ok:1"), ("太长", "v:" + "x" * 63), (" ", "v:2"), ("半\ud83d", "v:3"))
    [receipt] = await line.channel.send(Rendered("点名\ud83d", choices), [line.address], key="k")
    assert receipt.outcome is Outcome.sent
    assert await line.shown() == [Shown("点名\ufffd", ("好", "半\ufffd"))]
    many = tuple((f"{n}", f"v:{n}") for n in range(120))
    [receipt] = await line.channel.send(Rendered("多", many), [line.address], key="k")
    assert receipt.outcome is Outcome.sent and len(line.person.last.button_data) == 100


async def test_a_place_is_asked_for_by_a_key_in_private_chats_only(
    fake: FakeTelegram, line: TelegramLine
) -> None:
    asking = Rendered("在哪里？", asks_place=True, place_label="发送我的位置")
    await line.channel.send(asking, [line.address], key="k")
    assert line.person.last.keyboard == [[{"text": "发送我的位置", "request_location": True}]]
    group = fake.group("值班群", [line.person])
    [receipt] = await line.channel.send(asking, [str(group.id)], key="k")
    assert receipt.outcome is Outcome.sent and group.messages[-1].keyboard == []
    both = Rendered("点名", CALL.choices, asks_place=True, place_label="发送我的位置")
    await line.channel.send(both, [line.address], key="k")
    assert (line.person.last.buttons, line.person.last.keyboard) == ([["到岗"]], [])


async def test_input_11_a_text_over_the_limit_is_cut_and_said(line: TelegramLine) -> None:
    whole = "急" * 4096
    assert fitted(whole) == whole and units("😀") == 2
    for text in ("急" * 4097, "😀" * 2049, "a" + "😀" * 4000, "急" * 1_000_000):
        assert 4094 <= units(fitted(text)) <= 4096 and text.startswith(fitted(text)[:-1])
        [receipt] = await line.channel.send(Rendered(text), [line.address], key="k")
        assert receipt.outcome is Outcome.sent and "cut" in receipt.reason
        assert line.person.last.text.endswith("…")


async def test_input_17_names_with_markup_are_shown_literally(line: TelegramLine) -> None:
    text = "*_[王]`\\ <b>x</b> &amp; https://x.example"
    await line.channel.send(Rendered(text), [line.address], key="k")
    assert line.person.last.text == text


# Amending and settling.


async def test_an_amendment_keeps_the_rules_of_sending(fake: FakeTelegram, line: TelegramLine) -> None:
    [receipt] = await line.channel.send(CALL, [line.address], key="k")
    expected: list[tuple[str, Outcome]] = [
        ("429", Outcome.not_sent),
        ("timeout_after_delivery", Outcome.unknown),
    ]
    card = Card(line.address, receipt.remote_id)
    for kind, outcome in expected:
        fake.fail_next("editMessageText", kind, retry_after=1)
        [amended] = await line.channel.amend(Rendered("x"), [card])
        assert amended.outcome is outcome
    [amended] = await line.channel.amend(Rendered("x"), [card])
    assert amended.outcome is Outcome.sent
    [nowhere] = await line.channel.amend(Rendered("x"), [Card("x", "y")])
    assert nowhere.outcome is Outcome.refused


async def test_settling_answers_the_phone_and_is_never_an_error(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        await line.channel.send(CALL, [line.address], key="k")
        tap = line.person.press("到岗")
        assert isinstance(tap, Tap) and tap.answer is None
        [pressed] = await heard(line, 1)
        await line.channel.settle(pressed.interaction, "已记录" * 100)
        answer: Any = tap.answer
        assert answer["text"].startswith("已记录") and len(answer["text"]) == 200
        fake.advance(151)
        await line.channel.settle(pressed.interaction, "晚了")
        await asyncio.to_thread(fake.stop)
        await line.channel.settle(pressed.interaction, "断了")


# Files.


async def fetched(line: TelegramLine, file: RemoteFile) -> bytes:
    return b"".join([piece async for piece in line.channel.fetch(file)])


async def test_a_file_of_20_mb_is_fetched_and_one_byte_more_is_refused(line: TelegramLine) -> None:
    most = line.channel.limits.file_bytes_max
    ids = [line.person.document(size).message["document"]["file_id"] for size in (most, most + 1)]
    assert len(await fetched(line, RemoteFile("file", ids[0], bytes_count=most))) == most
    for told in (None, most + 1):
        with pytest.raises(FetchFailed, match=r"too big|over 20 MB") as failure:
            await fetched(line, RemoteFile("file", ids[1], bytes_count=told))
        assert failure.value.permanent


@pytest.mark.parametrize("method", ["getFile", "file"])
@pytest.mark.parametrize("kind", ["drop", "500", "502", "429", "truncated_body", "timeout_before_delivery"])
async def test_fault_36_a_fetch_that_failed_for_the_moment_may_be_tried_again(
    fake: FakeTelegram, line: TelegramLine, method: str, kind: str
) -> None:
    file = RemoteFile("file", line.person.document(b"%PDF" * 5000).message["document"]["file_id"])
    fake.fail_next(method, kind)
    with pytest.raises(FetchFailed) as failure:
        await fetched(line, file)
    assert not failure.value.permanent
    assert await fetched(line, file) == b"%PDF" * 5000


async def test_fault_36_an_expired_link_is_asked_for_again(fake: FakeTelegram, line: TelegramLine) -> None:
    stored = fake.world.shelf.keep(b"%PDF", "documents", "空 格?#.pdf")
    assert await fetched(line, RemoteFile("file", stored.file_id)) == b"%PDF"
    fake.advance(2 * 3600)
    assert await fetched(line, RemoteFile("file", stored.file_id)) == b"%PDF"
    assert fake.calls["getfile"] == 2


async def test_every_call_goes_to_base_url(fake: FakeTelegram) -> None:
    line = TelegramLine(fake, KeptIntake(), base_url=f"{fake.url}/bot")
    assert line.settings.file_url == f"{fake.url}/file/bot"
    await line.channel.close()


# Secrets.


async def test_input_62_the_token_is_in_no_log_and_no_error(
    fake: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx", "httpcore", "telegram"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with open_line(fake, "webhook") as line:
        for name in ("httpx", "httpcore", "telegram"):  # As an operator who wants to see everything.
            logging.getLogger(name).setLevel(logging.DEBUG)
        photo = line.person.photo(None).message["photo"][-1]["file_id"]
        for kind in ("drop", "500", "half_json", "timeout_before_delivery", "400", "403"):
            fake.fail_next("*", kind, times=4)
            told += [repr(await line.channel.send(CALL, [line.address], key="k"))]
            told += [repr(await line.channel.amend(CALL, [Card(line.address, "5")]))]
            try:
                await fetched(line, RemoteFile("photo", photo))
            except FetchFailed as failure:
                told += traceback.format_exception(failure)
            try:
                await line.channel.check()
            except ChannelFault as fault:
                told += traceback.format_exception(fault)
        await asyncio.to_thread(fake.stop)
        try:
            await line.channel.check()
        except ChannelFault as fault:
            told += traceback.format_exception(fault)
        told += [repr(line.settings), str(line.troubles)]
    logged = "\n".join(
        [caplog.text, *(json.dumps(record.__dict__, default=str) for record in caplog.records)]
    )
    assert "<token>" in logged and "httpx" in logged  # The log was looked at where the token would be.
    secret = fake.token.split(":")[1]
    assert len(told) > 20
    for text in (logged, "\n".join(told)):
        assert secret not in text and SECRET not in text


@pytest.mark.parametrize("status", ["502 Bad Gateway", "400 Bad Request", "500 X", "403 Forbidden", "200 OK"])
async def test_input_62_a_gateway_that_echoes_the_url_gives_the_token_away_to_nobody(
    fake: FakeTelegram, status: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        page = json.dumps({"ok": False, "description": f"cannot reach {path}"}) + " " * 5000
        page = page if status.startswith("40") else f"<html>cannot reach {path}{page}</html>"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\n\r\n{page}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = TelegramLine(fake, KeptIntake(), base_url=f"http://127.0.0.1:{port}/bot")
        [receipt] = await line.channel.send(CALL, [line.address], key="k")
        with pytest.raises(ChannelFault) as fault:
            await line.channel.check()
        with pytest.raises(FetchFailed) as failure:
            await fetched(line, RemoteFile("photo", "x"))
        await line.channel.close()
    for text in (receipt.reason, str(fault.value), str(failure.value)):
        assert text and fake.token not in text and len(text) < 500


async def test_at_the_usual_level_the_libraries_say_nothing(
    line: TelegramLine, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with caplog.at_level(logging.DEBUG):
        await line.channel.send(Rendered("张三 13800000000"), [line.address], key="k")
        line.fake.fail_next("sendMessage", "half_json")
        await line.channel.send(Rendered("张三 13800000000"), [line.address], key="k")
    assert not [
        record for record in caplog.records if record.name.startswith(("httpx", "httpcore", "telegram"))
    ]
    assert "13800000000" not in caplog.text


async def test_what_telegram_says_the_time_is_reaches_the_desk() -> None:
    told: list[str | None] = []
    async with FakeTelegram() as fake:
        settings = TelegramSettings(token=fake.token, base_url=fake.base_url)
        api = Api(settings, False, Redaction(fake.token), told.append)
        await api.call("getMe")
        fake.tells_date = "Tue, 24 Nov 2026 03:00:00 GMT"
        await api.call("getMe")
        await api.close()
    assert told == [None, "Tue, 24 Nov 2026 03:00:00 GMT"]
