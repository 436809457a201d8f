"""Receiving from Telegram: nothing lost, nothing fought over, every trouble named."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.channels.telegram import TelegramChannel, TelegramSettings
from bot.channels.telegram.mark import SETTING, Mark, read_mark
from desk.ports import ChannelFault
from tests.bot.channels.contract import KeptIntake, heard
from tests.bot.channels.telegram_line import SECRET, TelegramLine, open_line
from tests.fakes.telegram_server import FakeTelegram

UPDATE: dict[str, Any] = {
    "update_id": 71,
    "message": {"message_id": 5, "date": 1, "chat": {"id": 9, "type": "private"}, "from": {"id": 9}},
}


# Polling.


async def test_a_batch_and_its_offset_are_stored_together_and_only_then_confirmed(fake: FakeTelegram) -> None:
    intake = KeptIntake()
    intake.is_down = True
    async with open_line(fake, intake=intake) as line:
        for number in range(3):
            line.person.say(f"{number}")
        assert await line.told("store")
        assert fake.stats()["confirmed"] == 0 and intake.settings == {}
        intake.is_down = False
        await intake.raws(3)
        await fake.wait_for(lambda: fake.stats()["confirmed"] == 3)
        assert await line.told("store", over=True) == ""
    newest = max(int(row.split("/")[1]) for row in intake.rows)
    assert read_mark(intake.settings[SETTING]).offset == newest + 1


async def test_fault_1_what_was_not_stored_before_a_crash_comes_after_it(fake: FakeTelegram) -> None:
    intake = KeptIntake()
    async with open_line(fake, intake=intake) as line:
        await line.say("一")
        await intake.raws(1)
        fake.hold_updates()
        await line.say("二")
    fake.release_updates()
    async with open_line(fake, intake=intake) as line:
        assert [said.text for said in await heard(line, 2)] == ["一", "二"]


async def test_fault_9_an_update_nobody_can_read_later_holds_back_no_other(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        fake.world.updates.add("message", {"text": 5, "chat": "nonsense"}, "chat:1")
        await line.say("好")
        raws = await line.intake.raws(2)
        with pytest.raises(ValueError, match="chat"):
            line.channel.parse(raws[0])
        good = line.channel.parse(raws[1])
        assert good is not None and good.text == "好"


@asynccontextmanager
async def canned(answers: dict[int, bytes]) -> AsyncIterator[tuple[str, list[Any]]]:
    """A Bot API that answers getUpdates by offset with these bytes, whatever they are."""
    asked: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = int(head.lower().split(b"content-length:")[1].split()[0])
                sent = json.loads(await reader.readexactly(size))
                body = b'{"ok":true,"result":{}}'
                if b"/getUpdates" in head:
                    asked.append(sent)
                    body = answers.get(sent.get("offset", 0), b'{"ok":true,"result":[]}')
                    await asyncio.sleep(0.01)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/bot", asked


@pytest.mark.parametrize(
    "poison",
    [
        b'{"ok":true,"result":[{"update_id":7,"message":{"date":1' + b"1" * 5000 + b"}}]}",
        b'{"ok":true,"result":[{"update_id":7,"message":' + b"[" * 90_000 + b"]" * 90_000 + b"}]}",
        b'{"ok":true,"result":[{"update_id":7,"message":{"text":"\xff',
    ],
    ids=["endless number", "deep nesting", "cut"],
)
async def test_fault_9_an_answer_that_is_no_json_is_kept_as_it_is_and_passed(poison: bytes) -> None:
    good = b'{"ok":true,"result":[' + json.dumps({**UPDATE, "update_id": 8}).encode() + b"]}"
    intake = KeptIntake()
    async with canned({0: poison, 8: good}) as (base_url, asked):
        line = TelegramLine(FakeTelegram(), intake, base_url=base_url)
        task = asyncio.create_task(line.channel.run(intake.take))
        await intake.raws(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await line.channel.close()
    assert intake.rows["telegram/7"][1] == poison
    assert json.loads(intake.rows["telegram/8"][1])["update_id"] == 8
    assert asked[0]["limit"] == 100 and asked[1]["limit"] == 1
    assert [kind for kind, text in line.troubles if text] == ["unreadable"]


async def test_half_a_surrogate_pair_is_stored() -> None:
    update = {**UPDATE, "message": {**UPDATE["message"], "text": "半\ud83d"}}
    body = json.dumps({"ok": True, "result": [update]}).encode()
    intake = KeptIntake()
    async with canned({0: body}) as (base_url, _):
        line = TelegramLine(FakeTelegram(), intake, base_url=base_url)
        task = asyncio.create_task(line.channel.run(intake.take))
        [said] = await heard(line, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await line.channel.close()
    assert said.text == "半\ufffd"


async def test_a_place_that_is_no_number_is_stored(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        nowhere = {"latitude": float("nan"), "longitude": 1}
        fake.world.updates.add("message", {**UPDATE["message"], "location": nowhere}, "chat:9")
        [said] = await heard(line, 1)
    assert said.place is not None and said.place.lat is None and "nan" in said.place.text


async def test_updates_are_never_dropped_and_only_four_kinds_are_asked_for(fake: FakeTelegram) -> None:
    bystander = fake.phone(5, started=True)
    bystander.say("先到")
    async with open_line(fake) as line:
        assert [said.text for said in await heard(line, 1)] == ["先到"]
        assert fake.world.updates.allowed == ["message", "edited_message", "callback_query", "my_chat_member"]


async def test_fault_17_a_second_poller_is_told_once_and_not_fought(fake: FakeTelegram) -> None:
    async with open_line(fake) as line, httpx.AsyncClient() as other:
        for _ in range(3):
            await other.post(f"{fake.base_url}{fake.token}/getUpdates", json={"timeout": 0})
            before = fake.calls["getupdates"]
            await line.told("conflict")
            await asyncio.sleep(0.05)
            assert fake.calls["getupdates"] <= before + 1
            await fake.wait_for(lambda: fake.is_polled)
        await line.say("仍在")
        assert [said.text for said in await heard(line, 1)] == ["仍在"]
        told = [text for kind, text in line.troubles if kind == "conflict"]
        assert len(told) == 1 and "stop the other program" in told[0]
        line.clock.ahead = timedelta(seconds=60)
        await line.say("走了")
        assert await line.told("conflict", over=True) == ""


async def test_fault_18_a_webhook_set_elsewhere_is_removed_at_start_and_named_later(
    fake: FakeTelegram,
) -> None:
    async with httpx.AsyncClient() as other:
        await other.post(f"{fake.base_url}{fake.token}/setWebhook", json={"url": "http://127.0.0.1:9/x"})
        fake.phone(4211, started=True).say("在等")
        async with open_line(fake) as line:
            assert [said.text for said in await heard(line, 1)] == ["在等"]
            await other.post(f"{fake.base_url}{fake.token}/setWebhook", json={"url": "http://127.0.0.1:9/x"})
            assert "webhook" in await line.told("conflict")
            before = fake.calls["getupdates"]
            await asyncio.sleep(0.35)
            assert fake.calls["getupdates"] - before <= 5  # One call per pause of 0.1 s.
            with pytest.raises(
                ChannelFault, match=r"127\.0\.0\.1 while mode is polling: set mode to webhook"
            ):
                await line.channel.check()


async def test_an_outage_is_waited_out_and_told(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        await asyncio.to_thread(fake.stop)
        assert await line.told("unreachable")
        await asyncio.to_thread(fake.start)
        await line.say("通了")
        assert [said.text for said in await heard(line, 1)] == ["通了"]
        assert await line.told("unreachable", over=True) == ""


@pytest.mark.parametrize(
    "kind", ["500", "502", "429", "drop", "half_json", "truncated_body", "drop_after_delivery"]
)
async def test_a_failing_get_updates_loses_nothing(fake: FakeTelegram, kind: str) -> None:
    async with open_line(fake) as line:
        fake.fail_next("getUpdates", kind, times=1 if kind == "429" else 2)
        for number in range(3):
            await line.say(f"{number}")
            await asyncio.sleep(0.02)
        assert [said.text for said in await heard(line, 3)] == ["0", "1", "2"]


async def test_fault_20_a_gap_over_an_hour_is_reported_with_its_times_across_a_restart(
    fake: FakeTelegram,
) -> None:
    intake = KeptIntake()
    async with open_line(fake, intake=intake) as line:
        await line.say("一")
        await intake.raws(1)
    last = read_mark(intake.settings[SETTING]).reached_at
    assert last is not None
    line = TelegramLine(fake, intake)
    line.clock.ahead = timedelta(hours=25)
    task = asyncio.create_task(line.channel.run(intake.take))
    told = await line.told("gap")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await line.channel.close()
    starts, _, ends = told.partition("/")
    assert starts == last.isoformat()
    assert timedelta(hours=25) <= datetime.fromisoformat(ends) - last < timedelta(hours=25, minutes=1)


async def test_a_short_break_is_no_gap(fake: FakeTelegram) -> None:
    intake = KeptIntake()
    async with open_line(fake, intake=intake) as line:
        await line.say("一")
        await intake.raws(1)
    async with open_line(fake, intake=intake) as line:
        line.clock.ahead = timedelta(minutes=50)
        await line.say("二")
        await intake.raws(2)
        assert "gap" not in dict(line.troubles)


async def test_ids_that_begin_anew_after_a_quiet_week_are_heard(fake: FakeTelegram) -> None:
    intake = KeptIntake()
    async with open_line(fake, intake=intake) as line:
        await line.say("一")
        await intake.raws(1)
        await fake.wait_for(lambda: not fake.unconfirmed)
    mark = read_mark(intake.settings[SETTING])
    assert mark.heard_at is not None
    intake.settings[SETTING] = replace(mark, heard_at=mark.heard_at - timedelta(days=8)).write()
    await asyncio.to_thread(fake.stop)  # Ends the abandoned long poll, whose old offset would confirm all.
    await asyncio.to_thread(fake.start)
    fake.restart_update_ids()
    async with open_line(fake, intake=intake) as line:
        await line.say("二")
        assert [said.text for said in await heard(line, 2)] == ["一", "二"]


def test_the_mark_is_read_as_it_was_written_and_nonsense_is_named() -> None:
    assert read_mark("") == Mark()
    with pytest.raises(ValueError, match=r"."):
        read_mark("x")


async def test_an_unreadable_mark_asks_for_everything(fake: FakeTelegram) -> None:
    intake = KeptIntake()
    intake.settings[SETTING] = '{"bad": 1}'
    async with open_line(fake, intake=intake) as line:
        await line.say("在")
        assert [said.text for said in await heard(line, 1)] == ["在"]


async def test_taps_and_edits_come_in_order_of_the_person(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        said = line.person.say("一")
        line.person.edit(said, "一改")
        line.person.say("二")
        assert [(s.kind, s.text) for s in await heard(line, 3)] == [
            ("text", "一"),
            ("edit", "一改"),
            ("text", "二"),
        ]
        assert {sender for sender, _ in line.intake.rows.values()} == {"4211"}


# Webhook.


async def post(line: TelegramLine, body: bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(line.settings.webhook_url, content=body, headers=headers)


SIGNED = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


async def test_input_1_a_wrong_or_missing_secret_is_403_and_nothing_is_stored(fake: FakeTelegram) -> None:
    body = json.dumps(UPDATE).encode()
    async with open_line(fake, "webhook") as line:
        for headers in (
            {},
            {"X-Telegram-Bot-Api-Secret-Token": "wrong"},
            {"X-Telegram-Bot-Api-Secret-Token": ""},
        ):
            answer = await post(line, body, **headers)
            assert (answer.status_code, answer.json()) == (403, {"error": "wrong or missing secret token"})
        assert line.intake.rows == {} and line.channel.webhook.wrong_secrets == 3
        assert (await post(line, body, **SIGNED)).status_code == 200
        assert list(line.intake.rows.values()) == [("9", body)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b"{}", 400),
        (b'{"update_id": "7"}', 400),
        (b'{"update_id": true}', 400),
        (b"\xff\xfe\x00", 400),
        (b" " * (256 * 1024 + 1), 413),
        (b"x" * 10_000_000, 413),
        (b'{"update_id": 7}', 200),
        (b'{"update_id": 7, "update_id": 8, "message": {"from": 5, "chat": {"id": "x"}}}', 200),
    ],
    ids=lambda value: repr(value[:24]) + str(len(value)) if isinstance(value, bytes) else None,
)
async def test_input_2_a_body_that_is_no_update(fake: FakeTelegram, body: bytes, status: int) -> None:
    async with open_line(fake, "webhook") as line:
        answer = await post(line, body, **SIGNED)
        assert answer.status_code == status
        assert ("error" in answer.json()) if status != 200 else answer.content == b""
        assert len(line.intake.rows) == (status == 200)
        # Of an id given twice the last one counts.
        assert set(line.intake.rows) <= {"telegram/8" if b"8" in body else "telegram/7"}


async def test_a_body_in_pieces_without_a_length_is_bounded_and_read(fake: FakeTelegram) -> None:
    body = json.dumps(UPDATE).encode()

    async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            await asyncio.sleep(0)

    async with open_line(fake, "webhook") as line, httpx.AsyncClient(headers=SIGNED) as client:
        url = line.settings.webhook_url
        assert (await client.post(url, content=pieces(body[:9], body[9:]))).status_code == 200
        assert (await client.post(url, content=pieces(*[b" " * 60_000] * 5))).status_code == 413
        assert (await client.get(url)).status_code == 405
        assert list(line.intake.rows) == ["telegram/71"]


async def test_fault_21_503_while_the_store_is_down_and_all_come_after_it(fake: FakeTelegram) -> None:
    async with open_line(fake, "webhook") as line:
        line.intake.is_down = True
        answer = await post(line, json.dumps(UPDATE).encode(), **SIGNED)
        assert answer.status_code == 503 and line.intake.rows == {}
        for number in range(3):
            await line.say(f"{number}")
        await line.intake.until(lambda: line.intake.refused >= 3)
        line.intake.is_down = False
        assert [said.text for said in await heard(line, 3)] == ["0", "1", "2"]
        await fake.wait_for(lambda: not fake.unconfirmed)


async def test_a_client_that_leaves_in_the_middle_is_not_answered_and_harms_nothing(
    fake: FakeTelegram,
) -> None:
    async with open_line(fake, "webhook") as line:
        port = int(line.settings.public_url.rsplit(":", 1)[1])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /channels/telegram/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
        secret = f"X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n\r\n"
        writer.write((head + secret).encode() + b'{"update_id": 7')
        await writer.drain()
        writer.close()
        await line.say("好")
        assert [said.text for said in await heard(line, 1)] == ["好"]


async def test_the_webhook_is_set_with_its_secret_and_keeps_what_waits(fake: FakeTelegram) -> None:
    fake.phone(4211, started=True).say("在等")
    async with open_line(fake, "webhook") as line:
        assert [said.text for said in await heard(line, 1)] == ["在等"]
        assert await line.channel.check() == "@muster_fake_bot by webhook, 0 waiting"
    async with open_line(fake, "webhook") as line:  # Setting it again is harmless.
        await line.say("又来")
        assert [said.text for said in await heard(line, 1)] == ["又来"]


async def test_fault_18_a_webhook_pointed_elsewhere_is_told_and_not_fought(fake: FakeTelegram) -> None:
    async with open_line(fake, "webhook") as line, httpx.AsyncClient() as other:
        await other.post(
            f"{fake.base_url}{fake.token}/setWebhook", json={"url": "http://localhost:9/secret-path"}
        )
        told = await line.told("webhook")
        assert "points to localhost and not to 127.0.0.1" in told and "secret-path" not in told
        with pytest.raises(ChannelFault, match="start the desk"):
            await line.channel.check()
        assert fake.calls["setwebhook"] == 2
        await other.post(
            f"{fake.base_url}{fake.token}/setWebhook",
            json={"url": line.settings.webhook_url, "secret_token": "changed-elsewhere"},
        )
        await line.told("webhook", over=True)
        line.troubles.clear()
        await line.say("收不到")
        assert "403 Forbidden; restart the desk" in await line.told("webhook")


async def test_polling_serves_no_route_and_check_names_bot_and_mode(fake: FakeTelegram) -> None:
    async with open_line(fake) as line:
        assert line.channel.routes() == []
        assert await line.channel.check() == "@muster_fake_bot by polling, 0 waiting"


async def test_a_wrong_token_is_named_with_its_cure(fake: FakeTelegram) -> None:
    line = TelegramLine(fake, KeptIntake(), token="7000000001:AAwrong")
    task = asyncio.create_task(line.channel.run(line.intake.take))
    assert "@BotFather" in await line.told("token")
    with pytest.raises(ChannelFault, match="@BotFather"):
        await line.channel.check()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(fake.stop)
    with pytest.raises(ChannelFault, match="check the network"):
        await line.channel.check()
    await line.channel.close()


async def test_commands_are_set_per_language_once_and_block_nothing(fake: FakeTelegram) -> None:
    commands = {"zh": [("status", "今日情况")], "en": [("status", "today")]}
    for _ in range(2):
        async with open_line(fake, commands=commands) as line:
            await fake.wait_for(lambda: fake.calls["getmycommands"] % 3 == 0 and fake.calls["getmycommands"])
            await line.say("在")
            await line.intake.raws(1)
    assert fake.calls["setmycommands"] == 3
    words = {key[2]: value for key, value in fake.world.settings.items() if key[0] == "commands"}
    zh, en = ({"command": "status", "description": text} for text in ("今日情况", "today"))
    assert words == {"": [zh], "zh": [zh], "en": [en]}


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"token": ""}, "@BotFather"),
        ({"token": "7:a b/../c"}, "@BotFather"),
        ({"base_url": "api.telegram.org"}, "base_url must be like"),
        ({"base_url": "ftp://x/bot"}, "base_url must be like"),
        ({"mode": "push"}, "polling"),
        ({"mode": "webhook", "public_url": "https://x.example"}, "webhook_secret"),
        ({"mode": "webhook", "public_url": "https://x.example", "webhook_secret": "空格"}, "webhook_secret"),
        ({"mode": "webhook", "webhook_secret": SECRET}, "public_url"),
        ({"mode": "webhook", "webhook_secret": SECRET, "public_url": "http://x.example"}, "https://"),
    ],
)
def test_settings_that_cannot_work_are_named_with_their_cure(settings: dict[str, Any], cure: str) -> None:
    chosen = TelegramSettings(**{"token": "7:abc", **settings})
    line = TelegramLine(FakeTelegram(), KeptIntake())
    with pytest.raises(ChannelFault, match=cure):
        TelegramChannel(chosen, line.intake, line.clock, line._tell)


async def test_a_webhook_update_costs_little(fake: FakeTelegram) -> None:
    """The route alone, without a server: well under 0.2 ms even on a busy machine."""
    line = TelegramLine(
        fake, KeptIntake(), mode="webhook", webhook_secret=SECRET, public_url="http://127.0.0.1:1"
    )
    body = json.dumps(UPDATE).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"x-telegram-bot-api-secret-token", SECRET.encode())],
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    began = time.process_time()
    for _ in range(2000):
        await line.channel.webhook(scope, receive, send)
    assert (time.process_time() - began) / 2000 < 0.0002
    assert statuses.count(200) == 2000
    await line.channel.close()
