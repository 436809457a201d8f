"""`roll-call` calls the roll on a running desk from outside, and tells no random moment beforehand."""

import asyncio
import re

from desk.model import ChatMessage
from roster.model import Account, RollCall
from tests.bot.commands.cli import Cli, fill

PLANS = """
[[roll_call]]
name = "每日点名"
cron = "0 8 * * *"
posts = ["duty_officer"]
[[roll_call]]
name = "节日"
cron = "0 8 * * *"
day_classes = ["sensitive"]
[[roll_call]]
name = "夜间抽查"
random = { window = "22:00-06:00", times = 2, weekdays = [6, 7] }
"""


async def test_a_running_desk_asks_everybody_of_a_roll_call_started_outside(cli: Cli) -> None:
    cli.write(PLANS)
    await fill(cli)
    with cli.running():
        done = await asyncio.to_thread(cli.process, "roll-call", "start", "每日点名")
        assert done.code == 0 and "应到 1 人" in done.out and done.err == ""
        async with asyncio.timeout(30), cli.office() as office:
            async with office.door.read() as store:
                [account] = await store.find(Account, officer_id="o1")
            # Sent by the other process: look at the database until the question is on the phone.
            while True:
                async with office.door.read() as store:
                    asked = await store.find(ChatMessage, address=account.address, mine=False)
                if asked:
                    break
                await asyncio.sleep(0.05)
    assert asked[0].choices
    listed = cli("roll-call", "list").out
    assert re.search(r"每日点名 +进行中 +应到 1", listed)


async def test_without_a_desk_the_roll_call_waits_and_says_so(cli: Cli) -> None:
    cli.write(PLANS)
    await fill(cli)
    done = cli("roll-call", "start", "每日点名")
    assert done.code == 0 and "run.py" in done.err
    async with cli.office() as office, office.door.read() as store:
        [called] = await store.find(RollCall)
    assert called.due_count == 1 and called.slot.startswith("manual-")


async def test_input_64_a_second_start_while_one_runs_is_refused_unless_it_is_meant(cli: Cli) -> None:
    cli.write(PLANS)
    await fill(cli)
    assert cli("roll-call", "start", "每日点名").code == 0
    done = cli("roll-call", "start", "每日点名")
    assert done.code == 1 and "进行中" in done.err and "--again" in done.err
    assert cli("roll-call", "start", "每日点名", "--again").code == 0
    async with cli.office() as office, office.door.read() as store:
        assert await store.count(RollCall) == 2


def test_a_plan_that_does_not_exist_is_named_with_those_that_do(cli: Cli) -> None:
    cli.write(PLANS)
    done = cli("roll-call", "start", "每日点")
    assert done.code == 1 and "是不是 每日点名？" in done.err and "夜间抽查" in done.err


def test_a_roll_call_of_an_empty_watch_is_told(cli: Cli) -> None:
    cli.write(PLANS)
    done = cli("roll-call", "start", "每日点名")
    assert done.code == 1 and "值班表" in done.err


def test_the_list_tells_the_next_moment_but_never_a_random_one(cli: Cli) -> None:
    cli.write(PLANS)
    lines = cli("roll-call", "list").out.splitlines()
    assert re.fullmatch(r"每日点名：下一次 \d{4}-\d\d-\d\d 08:00", lines[0])
    assert lines[1].startswith("节日：400 天内不会点名")
    assert lines[2] == "夜间抽查：22:00-06:00 之间随机 2 次，周 6,7；时刻事先不公布"
