"""The long connection's line: dialled again, taken over, given away, and nothing that came on it is lost."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from bot.channels.wecom.long_connection import LongConnectionSettings
from desk.model import Card, Outcome, Rendered
from desk.ports import ChannelFault
from roster.model import Account
from tests.bot.channels.contract import KeptIntake, heard
from tests.bot.channels.serving import receiving
from tests.bot.channels.wecom_bot_line import BotLine, open_line, second_desk
from tests.fakes.wecom_server import FakeWeCom

CARD = Rendered("点名", (("到岗", "present:01A"), ("有情况", "trouble:01A")))


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[BotLine]:
    async with open_line(tmp_path) as line:
        yield line


async def subscribe(fake: FakeWeCom, socket: object) -> None:
    """Sign in as a program of somebody else's with the same secret."""
    body = {"bot_id": fake.bot.bot_id, "secret": fake.bot.secret}
    frame = {"cmd": "aibot_subscribe", "headers": {"req_id": "stranger"}, "body": body}
    await socket.send(json.dumps(frame))  # type: ignore[attr-defined]  # A client connection.
    await socket.recv()  # type: ignore[attr-defined]  # The same.


async def test_a_line_that_was_cut_is_dialled_again(line: BotLine) -> None:
    for number in range(3):
        subscribed = line.fake.bot.subscribed
        line.fake.bot.cut()
        await line.until(lambda before=subscribed: line.fake.bot.subscribed > before)  # type: ignore[misc]  # A default.
        await line.open()
        await line.say(f"第{number}句")
        await line.intake.raws(number + 1)
    assert [said.text for said in await heard(line, 3)] == ["第0句", "第1句", "第2句"]
    assert line.troubles == []  # A short break is ordinary.


async def test_a_vendor_that_stays_away_is_told_and_told_to_be_over(line: BotLine) -> None:
    await asyncio.to_thread(line.fake.stop)
    assert "长连接" in await line.told("bot_unreachable")
    [receipt] = await line.channel.send(Rendered("点名"), [line.address], key="k1")
    assert (receipt.outcome, receipt.whole_channel) == (Outcome.not_sent, True)
    assert receipt.retry_after_seconds is not None
    await asyncio.to_thread(line.fake.start)
    await line.told("bot_unreachable", over=True)


async def test_a_dead_peer_is_noticed_by_its_silence(line: BotLine) -> None:
    line.fake.bot.fail_next("ping", "mute")
    await line.until(lambda: line.fake.bot.subscribed == 2)
    await line.open()
    await line.say("起火")
    assert [said.text for said in await heard(line, 1)] == ["起火"]


async def test_fault_21_what_came_before_the_line_broke_is_stored_when_the_store_is_well(
    line: BotLine,
) -> None:
    line.intake.is_down = True
    await line.say("一")
    await line.say("二")
    await line.intake.until(lambda: line.intake.refused >= 2)
    assert "数据库" in await line.told("store")
    await asyncio.to_thread(line.fake.stop)
    line.intake.is_down = False
    assert [said.text for said in await heard(line, 2)] == ["一", "二"]
    await line.told("store", over=True)


async def test_fault_6_everything_that_came_is_stored_when_the_desk_stops(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        for number in range(300):
            await line.say(f"第{number}句")
        await line.intake.raws(1)
    brought = [event for event in line.fake.bot.events if not event.is_lost]
    assert len(brought) > 1
    missing = [
        event.number for event in brought if f"wecom/{event.frame['body']['msgid']}" not in line.intake.rows
    ]
    assert missing == []


async def test_another_desk_of_ours_takes_over_and_nothing_is_lost_or_doubled(line: BotLine) -> None:
    async def talk() -> None:
        for number in range(60):
            await line.say(f"第{number}句")
            await asyncio.sleep(0.01)

    talking = asyncio.create_task(talk())
    await line.intake.raws(5)
    async with second_desk(line) as other:
        await other.open()
        await line.until(lambda: line.channel.line.is_standing_by)
        await talking
        assert not any(event.is_lost for event in line.fake.bot.events)
        assert [said.text for said in await heard(line, 60)] == [f"第{n}句" for n in range(60)]
        assert line.intake.deliveries == 60 and line.fake.bot.takeovers == 1
        [receipt] = await line.channel.send(CARD, [line.address], key="k1")
        assert (receipt.outcome, receipt.not_here) == (Outcome.not_sent, True)
        # A change too: whether it is too late is known where the press was heard.
        [receipt] = await line.channel.amend(Rendered("已记录"), [Card(line.address, "t1")])
        assert (receipt.outcome, receipt.not_here) == (Outcome.not_sent, True)
        assert receipt.retry_after_seconds is None  # Nobody's line is held for it.
        [receipt] = await other.channel.send(CARD, [line.address], key="k1")
        assert receipt.outcome is Outcome.sent and len(line.person.messages) == 1
        assert await line.channel.check() == await other.channel.check()
    await line.open()  # The other one stopped and left its seat.
    await line.say("最后")
    await line.intake.raws(61)
    assert line.troubles == [] == other.troubles and line.fake.bot.takeovers == 1


async def test_fault_17_a_stranger_with_the_same_secret_is_told_of_and_not_fought(line: BotLine) -> None:
    async with connect(line.fake.ws_url) as socket:
        await subscribe(line.fake, socket)
        assert "别的程序" in await line.told("displaced")
        assert not line.channel.line.is_open
        subscribed = line.fake.bot.subscribed
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.open(), 0.25)
        assert line.fake.bot.subscribed == subscribed
        await line.open()  # After a good while it tries once more.
        await line.told("displaced", over=True)


async def test_a_wrong_secret_is_told_with_its_cure_and_takes_nothing_away(line: BotLine) -> None:
    async with second_desk(line, bot_secret="wrong") as other:
        assert "bot_secret" in await other.told("bot_refused")
        assert line.channel.line.is_open


async def test_fault_20_a_silence_long_enough_to_lose_messages_is_told_as_a_gap(line: BotLine) -> None:
    await asyncio.to_thread(line.fake.stop)
    line.clock.ahead += timedelta(minutes=10)
    await asyncio.to_thread(line.fake.start)
    starts_at, _, ends_at = (await line.told("gap")).partition("/")
    assert starts_at < ends_at


async def test_what_is_no_frame_is_passed_over_and_the_line_lives(line: BotLine) -> None:
    for text in ("", "null", "[1]", "{", '{"cmd": 5}', "[" * 5000, '{"headers": 3}', '{"cmd": "aibot_new"}'):
        line.fake.bot.bring_raw(text)
    line.fake.bot.bring_raw('{"cmd": "aibot_msg_callback", "headers": 7, "body": []}')
    await line.say("起火")
    rows = await line.intake.raws(2)
    with pytest.raises(ValueError, match="no callback"):
        line.channel.parse(rows[0])
    assert line.channel.parse(rows[1]).text == "起火"  # type: ignore[union-attr]  # A message.
    assert line.fake.bot.subscribed == 1


async def test_check_signs_in_only_while_nobody_has_the_line(line: BotLine, tmp_path: Path) -> None:
    idle = BotLine(line.fake, KeptIntake(), line.door, line.media, line.clock)
    assert "由值班台使用" in await idle.channel.check()
    assert line.fake.bot.subscribed == 1
    line.clock.ahead += timedelta(seconds=2)  # As if the desk that had the line were gone.
    assert "可以登录" in await idle.channel.check() or line.channel.line.is_open
    wrong = BotLine(line.fake, KeptIntake(), line.door, line.media, line.clock, bot_secret="wrong")
    line.clock.ahead += timedelta(seconds=2)
    with pytest.raises(ChannelFault, match="bot_secret"):
        await wrong.channel.check()
    await asyncio.to_thread(line.fake.stop)
    line.clock.ahead += timedelta(seconds=2)
    with pytest.raises(ChannelFault, match="连不上"):
        await idle.channel.check()


async def test_people_of_the_table_are_bound_by_their_user_id(line: BotLine) -> None:
    async with asyncio.timeout(5):
        while True:
            async with line.door.read() as store:
                accounts = await store.find(Account, channel="wecom")
            if accounts:
                break
            await asyncio.sleep(0.02)
    assert [(one.officer_id, one.address) for one in accounts] == [("o1", "lixiaomei")]


async def test_the_secret_never_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_line(tmp_path) as line:
        await line.say("起火")
        await line.intake.raws(1)
        secret = line.settings.bot_secret
    assert secret not in caplog.text and secret not in repr(line.settings)


def test_settings_name_every_fault_with_its_cure() -> None:
    faults = LongConnectionSettings(bot_id=" ", bot_secret="", ws_url="https://x").faults()
    assert [one.split()[1] for one in faults] == ["bot_id", "bot_secret", "ws_url"]


async def test_receiving_again_after_a_stop_goes_on(line: BotLine) -> None:
    async with receiving(
        BotLine(line.fake, line.intake, line.door, line.media, line.clock).channel, line.intake
    ):
        await line.until(lambda: line.fake.bot.subscribed == 2)
    await line.open()
