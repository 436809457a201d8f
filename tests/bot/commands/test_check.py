"""`check` names every part, how it is, and the cure."""

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.commands.findings import State
from bot.commands.office import policy_of
from bot.commands.roster_checks import SPAN, check_calendar
from bot.commands.terminal import say
from bot.config import load
from desk.gaps import find_gaps
from roster.calendar import Calendar
from roster.model import Presence, Shift, Unit
from tests.bot.commands.cli import Cli, fill
from tests.fakes.telegram_server import FakeTelegram

MONDAY = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)  # 08:30 in Shanghai: a watch begins.


def parts(told: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {one["part"]: one["state"] for one in told["checks"]}


def test_an_office_before_its_first_start_is_sound_and_left_alone(cli: Cli) -> None:
    done = cli("check", "--json")
    assert done.code == 0 and done.json["ok"]
    found = parts(done.json)
    assert found["config"] == found["database"] == found["disk"] == found["web"] == found["webchat"] == "ok"
    assert not (cli.folder / "data").exists()


def test_a_proxy_that_is_trusted_by_no_address_is_warned_of(cli: Cli) -> None:
    cli.write("trusted_proxies = ['*']\n")
    done = cli("check", "--json")
    [told] = [one for one in done.json["checks"] if one["part"] == "config" and one["state"] == "warning"]
    assert done.code == 0 and '"*"' in told["text"]


async def test_a_staffed_office_that_reaches_everybody_is_sound(cli: Cli) -> None:
    await fill(cli)
    done = cli.process("check", "--json")
    found = parts(done.json)
    assert done.code == 0
    assert found["reach"] == "ok"
    assert found["roster"] == "ok"


async def test_fault_42_people_on_watch_whom_no_channel_reaches_are_a_fault_with_their_names(
    cli: Cli,
) -> None:
    await fill(cli, accounts=False)
    done = cli("check")
    assert done.code == 1
    line = next(line for line in done.out.splitlines() if line.startswith("✗ reach"))
    assert "陈值班" in line and "invite" in line


async def test_a_roster_that_ends_is_a_warning_and_one_that_ends_today_a_fault(cli: Cli) -> None:
    await fill(cli, days=10)
    done = cli("check")
    assert done.code == 0 and any(
        line.startswith("! roster") and "小榄镇" in line for line in done.out.splitlines()
    )
    (cli.folder / "data" / "muster.db").unlink()
    await fill(cli, days=0)
    done = cli("check")
    assert done.code == 1 and "✗ roster" in done.out


def test_a_taken_port_is_a_fault_with_its_cure(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", cli.port))
        other.listen()
        done = cli("check")
    assert done.code == 1 and f"✗ web: 127.0.0.1:{cli.port}" in done.out and "[web] port" in done.out


def test_fault_23_a_nearly_full_disk_is_a_fault(cli: Cli) -> None:
    done = cli("check", MUSTER_ATTACHMENTS__DISK_FREE_PERCENT_MIN="99")
    assert done.code == 1 and "✗ disk" in done.out


def test_an_old_schema_that_may_not_be_migrated_names_the_command(cli: Cli) -> None:
    done = cli("check", MUSTER_DATABASE__AUTO_MIGRATE="false")
    assert done.code == 1 and "✗ database" in done.out and "migrate" in done.out


def test_a_running_desk_holds_its_own_port(cli: Cli) -> None:
    with cli.running():
        done = cli("check")
        assert done.code == 0 and f"✓ web: 127.0.0.1:{cli.port}" in done.out
        moved = cli("check", MUSTER_WEB__PORT="1")
        assert "✗ web" in moved.out or "! web" in moved.out


async def test_telegram_is_asked_who_the_bot_is(cli: Cli, fake: FakeTelegram) -> None:
    cli.write(f"[telegram]\ntoken = '{fake.token}'\nbase_url = '{fake.base_url}'\n")
    done = await asyncio.to_thread(cli, "check", "--json")
    found = {one["part"]: one for one in done.json["checks"]}
    assert found["telegram"]["state"] == "ok" and "@" in found["telegram"]["text"]


@pytest.mark.parametrize(("ahead_seconds", "mark"), [(0, "✓"), (-12, "!"), (12, "!"), (-90, "✗"), (90, "✗")])
async def test_fault_27_our_clock_is_compared_with_the_platforms(
    cli: Cli, ahead_seconds: int, mark: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead_seconds), usegmt=True)
        writer.write(f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cli.write(
            f"[telegram]\ntoken = '7:AAF-loopback_only-000000000000000'\nbase_url = 'http://127.0.0.1:{port}/bot'\n"
        )
        done = await asyncio.to_thread(cli, "check")
    line = next(line for line in done.out.splitlines() if " clock: " in line)
    assert line.startswith(mark)
    if ahead_seconds:
        assert "timedatectl" in line and ("快" in line) == (ahead_seconds < 0)


async def test_input_62_a_wrong_token_is_a_fault_that_never_shows_it(cli: Cli, fake: FakeTelegram) -> None:
    token = "7000000002:AAF-loopback_only-000000000000000"
    cli.write(f"[telegram]\ntoken = '{token}'\nbase_url = '{fake.base_url}'\n")
    done = await asyncio.to_thread(cli, "check")
    assert done.code == 1 and "✗ telegram" in done.out and "@BotFather" in done.out
    assert token not in done.out + done.err


def test_an_unreachable_platform_is_told_within_seconds(cli: Cli) -> None:
    cli.write(
        f"[telegram]\ntoken = '7000000002:AAF-loopback_only-000000000000000'\nbase_url = 'http://127.0.0.1:{cli.port}/bot'\n"
    )
    done = cli("check")
    assert done.code == 1 and "✗ telegram" in done.out and "! clock" in done.out


@pytest.mark.parametrize(
    ("year", "month", "known", "state"),
    [
        (2026, 3, {2026: "通知"}, State.ok),
        (2026, 11, {2026: "通知"}, State.warning),
        (2026, 12, {2026: "通知", 2027: "通知"}, State.ok),
        (2027, 1, {2026: "通知"}, State.fault),
    ],
)
def test_the_calendar_of_the_next_year_is_missed_from_november_on(
    year: int, month: int, known: dict[int, str], state: State
) -> None:
    policy = policy_of(load(None, {"MUSTER_OFFICE__DEMONSTRATION": "0"}))
    calendar = Calendar(sources=known)
    found = check_calendar(
        replace(policy, calendar=calendar),
        datetime(year, month, 2, tzinfo=UTC),
        lambda kind, **facts: say("zh-CN", kind, **facts),
    )
    assert found.state is state and found.text


def test_gaps_are_counted_by_what_each_day_requires() -> None:
    policy = policy_of(load(None, {"MUSTER_OFFICE__DEMONSTRATION": "0"}))
    unit = Unit("u1", "小榄镇")
    span = (MONDAY, MONDAY + timedelta(days=40))
    leader = Shift("s1", "u1", "duty_leader", "o1", *span)
    officer = Shift("s2", "u1", "duty_officer", "o2", *span)
    assert {gap.post for gap in find_gaps(policy, [unit], [leader], MONDAY, SPAN)} == {"duty_officer"}
    ordinary = find_gaps(policy, [unit], [leader, officer], MONDAY, SPAN)
    assert ordinary == []  # March 2026 has no holiday.
    festival = datetime(2026, 9, 30, 0, 30, tzinfo=UTC)
    span = (festival, festival + timedelta(days=40))
    shifts = [Shift("s1", "u1", "duty_leader", "o1", *span), Shift("s2", "u1", "duty_officer", "o2", *span)]
    missing = find_gaps(policy, [unit], shifts, festival, SPAN)
    assert {(gap.post, gap.needed, gap.held) for gap in missing} == {("duty_leader", 2, 1)}
    second = Shift("s3", "u1", "duty_leader", "o3", *span, presence=Presence.in_town)
    assert find_gaps(policy, [unit], [*shifts, second], festival, SPAN) == []
