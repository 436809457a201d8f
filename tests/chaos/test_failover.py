"""PostgreSQL fails over to its synchronous standby, again and again, and nothing is lost or silently doubled.

CHAOS_SEED replays the plan of a run; CHAOS_FAIL_OVERS changes the number of fail-overs, 2 in CI."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.failover_night import FailOverNight
from tests.chaos.night import DRAIN_SECONDS
from tests.chaos.office import Office, Starter
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.test_kills import SEED, check
from tests.fakes.telegram_server import FakeTelegram
from tests.standby import pair

FAIL_OVERS = int(os.environ.get("CHAOS_FAIL_OVERS", "2"))
SECONDS_EACH = 60
LATE_SECONDS = 5.0  # Longer than a pool tries by itself.
AGAIN_SECONDS_MAX = 10.0


@pytest.mark.chaos
@pytest.mark.postgresql
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * FAIL_OVERS)
async def test_fault_22_the_primary_dies_for_good_and_the_desk_goes_on_with_its_standby(
    tmp_path: Path,
) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_FAIL_OVERS={FAIL_OVERS}")
    dice = random.Random(f"{SEED}/fail-overs")
    with FakeTelegram() as telegram, pair() as servers:
        office = Office(OnTelegram(telegram, "polling"), tmp_path, servers.url)
        await office.set_up()
        async with Starter(office) as starter:
            night = FailOverNight(office, starter, dice, servers)
            async with night.standing():
                for number in range(FAIL_OVERS):
                    await night.fail_over(noticed_after=LATE_SECONDS if number == 0 else None)
                books = await night.end()
    print(f"{night.fail_overs} fail-overs: {night.figures()}; {night.front.broken_off} answers broken off")
    check(night, books, night.fail_overs * len(night.replicas))
    assert max(*night.ready, *night.heard, *night.worked) <= AGAIN_SECONDS_MAX
