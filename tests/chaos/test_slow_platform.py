"""A desk whose platform is slow, mute or ill takes everything at once, and sends it when it can, without an unmarked
repeat.

CHAOS_SEED replays the plan of a run; CHAOS_SLOW changes how often the platform falls ill, 4 times each way."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.checker import PAGE
from tests.chaos.night import DRAIN_SECONDS
from tests.chaos.office import Office, Starter
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.slow_night import SlowNight
from tests.chaos.test_kills import RETRY_FACTOR, SEED, SLOTS, check
from tests.fakes.telegram_server import FakeTelegram

TIMES = int(os.environ.get("CHAOS_SLOW", "4"))
SECONDS_EACH = 60
TAKEN_SECONDS_MAX = 5.0  # Platforms give no more.
PAGE_SECONDS_MAX = 60.0  # Two unknown outcomes of 15 seconds, 10 seconds after each, and a busy machine.


@pytest.mark.chaos
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * TIMES)
@pytest.mark.parametrize("way", ["webhook", "polling"])
async def test_fault_11_to_13_and_19_a_platform_that_is_ill_holds_nothing_up_and_nothing_is_lost(
    way: str, tmp_path: Path
) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_SLOW={TIMES} {way}")
    dice = random.Random(f"{SEED}/slow/{way}")
    with FakeTelegram(retry_factor=RETRY_FACTOR) as telegram:
        office = Office(OnTelegram(telegram, way), tmp_path)
        await office.set_up()
        async with Starter(office) as starter:
            night = SlowNight(office, starter, dice, telegram)
            for number in range(TIMES):
                await night.fall_ill(number)
            books = await night.end()
    print(
        f"ill {dict(night.spans)}: {dict(night.spoiled)}; an update waited {telegram.slowest_answer_seconds:.2f} s"
    )
    # A repeat is due to a kill, or to a call of unknown outcome.
    check(night, books, sum(night.deaths.values()) + night.unknown // SLOTS + 1)
    assert telegram.slowest_answer_seconds <= TAKEN_SECONDS_MAX and not night.crowd.refused
    assert night.unknown, "the platform was never ill enough to leave a question open"
    pages = [one for one in books.letters if one.kind == PAGE and one.sent_at and not one.amends]
    waited = max((one.sent_at - one.made_at).total_seconds() for one in pages if one.sent_at)
    print(f"of {len(pages)} pages the slowest was sent after {waited:.1f} s")
    assert waited <= PAGE_SECONDS_MAX
