"""A channel's trouble is told to the office once when it begins and once when it is over, under its own name."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.troubles import ChannelTroubles
from desk import troubles
from desk.board_troubles import read_troubles
from desk.model import Lane, Letter
from roster.model import Role
from tests.bot.machine import NOW, Machine, open_machine


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with open_machine(tmp_path) as opened:
        await opened.people("办", "主任", role=Role.office)
        await opened.people("甲")
        await opened.people("乙", channels=("wecom",))
        yield opened


async def told(machine: Machine, kind: str = "trouble") -> list[tuple[str, str, bool]]:
    """Who was told: name, channel, and whether it was over."""
    letters = await machine.find(Letter, kind=kind, order=("made_at", "officer_id"))
    return [(one.officer_id, one.facts.get("channel", ""), one.facts.get("over", False)) for one in letters]


async def shown(machine: Machine) -> list[tuple[str, str]]:
    """Channel and kind of what stands on the board."""
    async with machine.door.read() as store:
        found, _ = await read_troubles(store, machine.clock.now())
    return [(one.who, one.what) for one in found if one.kind == "channel"]


async def test_it_is_told_once_under_its_channel_s_name_and_once_when_it_is_over(machine: Machine) -> None:
    tell = ChannelTroubles(machine.door).of("wecom")
    for _ in range(3):
        await tell("token", "40014")
    assert await shown(machine) == [("wecom", "token")]
    machine.move(minutes=1)
    for _ in range(3):
        await tell("token", "")
    assert await shown(machine) == []
    assert await told(machine) == [
        ("主任", "wecom", False),
        ("办", "wecom", False),
        ("主任", "wecom", True),
        ("办", "wecom", True),
    ]


async def test_a_trouble_from_before_the_start_that_nobody_tells_of_again_is_over(machine: Machine) -> None:
    before = ChannelTroubles(machine.door)
    await before.of("telegram")("unreachable", "ConnectTimeout")
    await before.of("wecom")("token", "40014")
    async with machine.door.open() as desk:
        await troubles.begin(desk, "attachments", "store", "No space left on device")
    after = ChannelTroubles(machine.door)
    tell, _ = after.of("telegram"), after.of("wecom")
    await tell("unreachable", "ConnectTimeout")
    await after.end_unseen()
    assert await shown(machine) == [("attachments", "store"), ("telegram", "unreachable")]
    assert [channel for _, channel, over in await told(machine) if over] == ["wecom", "wecom"]


async def test_fault_20_after_a_gap_of_more_than_a_day_all_who_use_the_channel_are_told_once_to_resend(
    machine: Machine,
) -> None:
    starts_at, ends_at = NOW - timedelta(hours=25), NOW
    tell = ChannelTroubles(machine.door).of("line")
    await tell("gap", f"{starts_at.isoformat()}/{ends_at.isoformat()}")
    # After a crash before the mark moved on it is told once more, with a later end.
    await ChannelTroubles(machine.door).of("line")(
        "gap", f"{starts_at.isoformat()}/{(ends_at + timedelta(minutes=1)).isoformat()}"
    )
    letters = await machine.find(Letter, order=("officer_id",))
    assert [(one.kind, one.officer_id, one.lane) for one in letters] == [
        ("outage_gap", "主任", Lane.urgent),
        ("outage_gap", "办", Lane.urgent),
        ("outage_gap", "甲", Lane.bulk),
    ]
    assert letters[0].facts == {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    assert len(await machine.log("channel_silent")) == 1
    assert await shown(machine) == []  # It is over already.


async def test_a_shorter_gap_lost_nothing_and_is_only_logged(machine: Machine) -> None:
    tell = ChannelTroubles(machine.door).of("line")
    await tell("gap", f"{(NOW - timedelta(hours=24)).isoformat()}/{NOW.isoformat()}")
    assert await machine.find(Letter) == []
    assert len(await machine.log("channel_silent")) == 1
