"""Two processes over one PostgreSQL, one of them on the AI bot's only line: it dies, and the other takes the line."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.store.chain import verify
from desk.model import InboxRow
from incidents.model import Incident, LogLine, Report, State
from tests.fakes.wecom_model import Shown
from tests.fakes.wecom_server import FakeWeCom
from tests.town.conftest import PEOPLE
from tests.town.processes import Processes
from tests.town.wecom_town import WeComTown
from tests.town.world import eventually

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(240)]

SAID = re.compile(r"第(\d+)次报告")
SAID_MAX = 12
LONG_SECONDS = 60.0  # For whatever a busy machine takes its time over.


@pytest.fixture
async def several(tmp_path: Path, postgresql_url: str) -> AsyncIterator[tuple[WeComTown, Processes]]:
    with FakeWeCom() as wecom:
        town = WeComTown(wecom, tmp_path, has_bot=True, url=postgresql_url)
        async with town.open_desk():
            await town.people(*PEOPLE)
        async with town.open_desk():
            await town.everybody_is_bound()
        processes = Processes(tmp_path)
        try:
            yield town, processes
        finally:
            await processes.end()
            print(processes.log)


async def test_fault_17_a_killed_process_loses_the_bots_line_to_another_and_nothing_is_lost_or_doubled(
    several: tuple[WeComTown, Processes],
) -> None:
    town, processes = several
    bot, village = town.wecom.bot, town.phones["叶倩雯"]
    # What had come and was not stored when the line broke comes again: the desk must know it by its number.
    bot.brings_again_seconds = 5.0
    before = bot.subscribed
    holder = await processes.start("worker")
    await eventually(lambda: bot.subscribed == before + 1, LONG_SECONDS)
    other = await processes.start("all")
    await processes.ready(other)
    village.say("小榄镇联丰路五金厂二楼起火，有浓烟，第0次报告")
    await eventually(lambda: taken(village.messages), LONG_SECONDS)

    loop, lines = asyncio.get_running_loop(), bot.subscribed
    killed_at = 0.0
    for number in range(1, SAID_MAX):
        if number == SAID_MAX // 2:
            await processes.kill(holder)
            killed_at = loop.time()
        village.say(f"火势变化，第{number}次报告")
        await asyncio.sleep(0.1)
    await eventually(lambda: bot.subscribed > lines, LONG_SECONDS)
    took = loop.time() - killed_at
    await eventually(lambda: len(taken(village.messages)) >= SAID_MAX, LONG_SECONDS)
    answered = loop.time() - killed_at
    print(
        f"after kill -9 the line was taken over within {took:.1f} s, all was answered within {answered:.1f} s"
    )

    duty = town.phones["吴健芬"]
    await eventually(lambda: [one for one in duty.messages if "签收" in one.buttons], LONG_SECONDS)
    duty.press("签收")
    await eventually(lambda: [one for one in village.messages if "吴健芬" in one.text], LONG_SECONDS)

    third = await processes.start("all")
    await processes.ready(third)
    lines = bot.subscribed
    await processes.kill(other)
    killed_at = loop.time()
    await eventually(lambda: bot.subscribed > lines, LONG_SECONDS)
    print(f"after the next kill -9 within {loop.time() - killed_at:.1f} s")
    village.say(f"火已扑灭，第{SAID_MAX}次报告")
    await eventually(lambda: len(taken(village.messages)) > SAID_MAX, LONG_SECONDS)
    await processes.end()

    assert not any(event.is_lost for event in bot.events)
    async with town.open_desk(), town.read() as store:
        [incident] = await store.find(Incident)
        reports = await store.find(Report, order=("sequence",))
        inbox = await store.find(InboxRow, channel="wecom")
        lines_of_log = await store.find(LogLine)
    numbers = [int(found[1]) for one in reports if (found := SAID.search(one.text))]
    assert sorted(numbers) == list(range(SAID_MAX + 1))
    assert (incident.reports_count, incident.state) == (SAID_MAX + 1, State.verifying)
    assert len(inbox) == len({event.frame["body"]["msgid"] for event in bot.events})
    assert verify(lines_of_log) == []
    assert len(taken(village.messages)) == SAID_MAX + 1


def taken(messages: Sequence[Shown]) -> list[Shown]:
    """The messages that say a report, or what followed, was taken; without marked repeats."""
    said = [one for one in messages if "可能重复" not in one.text]
    return [one for one in said if "已报出" in one.text or "续报" in one.text]
