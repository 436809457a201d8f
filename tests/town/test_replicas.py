"""Three replicas of one office on one PostgreSQL: one dies or freezes, and the others do its work."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.chain import verify
from incidents.model import Incident, LogLine, Report
from tests.town.replicas import Replicas, receipts, replicated
from tests.town.world import Town

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(240)]

TAKE_OVER_SECONDS_MAX = 30.0


@pytest.fixture
async def replicas(tmp_path: Path, postgresql_url: str) -> AsyncIterator[tuple[Town, Replicas]]:
    async with replicated(tmp_path, postgresql_url) as opened:
        yield opened


async def test_fault_17_one_of_three_replicas_receives_and_a_killed_one_is_replaced(
    replicas: tuple[Town, Replicas],
) -> None:
    town, several = replicas
    ports = [await several.start() for _ in range(3)]
    for port in ports:
        await several.ready(port)
    await several.report()
    # At most with the last call of the desk that set the office up: three that poll would collide again and again.
    assert town.telegram.stats()["conflicts"] <= 1
    took = []
    for port in ports:
        await several.kill(port)
        took.append(await several.report())
        await several.ready(await several.start())
    print("after kill -9 a report had its number within", [f"{seconds:.1f} s" for seconds in took])
    assert max(took) < TAKE_OVER_SECONDS_MAX
    await check(town, 4)


async def test_fault_25_a_frozen_replica_is_replaced_and_changes_nothing_when_it_wakes(
    replicas: tuple[Town, Replicas],
) -> None:
    town, several = replicas
    first = await several.start()
    await several.ready(first)
    await several.report()
    second = await several.start()
    await several.ready(second)
    several.processes[first].send_signal(signal.SIGSTOP)
    took = await several.report()
    print(f"after SIGSTOP a report had its number within {took:.1f} s")
    assert took < TAKE_OVER_SECONDS_MAX
    several.processes[first].send_signal(signal.SIGCONT)
    await several.report()
    await several.kill(second)
    assert await several.report() < TAKE_OVER_SECONDS_MAX
    await check(town, 4)


async def test_web_and_worker_share_the_office(replicas: tuple[Town, Replicas]) -> None:
    town, several = replicas
    web = await several.start("web")
    await several.start("worker")
    await several.ready(web)
    await several.report()
    await check(town, 1)


async def check(town: Town, count: int) -> None:
    """Everything said is there once, in one incident, in order; each with one unmarked answer at most."""
    async with town.open_desk(), town.read() as store:
        [incident] = await store.find(Incident)
        reports = await store.find(Report, order=("sequence",))
        lines = await store.find(LogLine)
    assert incident.reports_count == len(reports) == count
    assert [one.text[-4:-3] for one in reports[1:]] == [str(number) for number in range(1, count)]
    assert verify(lines) == []
    assert len(receipts(town.phones["叶倩雯"].received)) == count
