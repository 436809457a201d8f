"""A desk whose disk fills up again and again tells platforms to come again, shows what it has, and goes on by itself.

CHAOS_SEED replays the plan of a run; CHAOS_FULL changes how often the disk is full, 4 times each way."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.disk_night import FULL, ONLY_PHOTOS, DiskNight
from tests.chaos.night import DRAIN_SECONDS
from tests.chaos.office import Office, Starter
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.small_disk import SmallDisk, small_disk
from tests.chaos.test_kills import RETRY_FACTOR, SEED, check
from tests.fakes.telegram_server import FakeTelegram

TIMES = int(os.environ.get("CHAOS_FULL", "4"))
SECONDS_EACH = 60
LEFT_BYTES = (0, 0, 0, 4096, 40_000, ONLY_PHOTOS)


@pytest.mark.chaos
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * TIMES)
@pytest.mark.parametrize("way", ["webhook", "polling"])
async def test_fault_23_a_disk_full_at_any_moment_loses_nothing_and_all_goes_on_by_itself(
    way: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk.folder / "attachments").mkdir()
        (tmp_path / "attachments").symlink_to(disk.folder / "attachments")
        night = await _a_night(way, tmp_path, disk, f"sqlite+aiosqlite:///{disk.folder}/muster.db")
        # With other words than these a platform does not come again.
        assert set(night.crowd.refused) <= {503}
        assert FULL in night.office.log_path.read_text("utf-8", "replace")


@pytest.mark.chaos
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * TIMES)
async def test_fault_23_while_only_the_attachments_disk_is_full_all_but_photos_goes_on(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "attachments") as disk:
        night = await _a_night("webhook", tmp_path, disk, "")
        assert not night.crowd.refused and not night.starts_in_vain


async def _a_night(way: str, folder: Path, disk: SmallDisk, database_url: str) -> DiskNight:
    what = "all" if database_url else "attachments"
    print(f"CHAOS_SEED={SEED} CHAOS_FULL={TIMES} {way} {what}")
    dice = random.Random(f"{SEED}/full/{way}/{what}")
    with FakeTelegram(retry_factor=RETRY_FACTOR) as telegram:
        office = Office(OnTelegram(telegram, way), folder, database_url)
        await office.set_up()
        async with Starter(office) as starter:
            night = DiskNight(office, starter, dice, disk)
            await night.sign_in(TIMES)
            for number in range(TIMES):
                await night.fill_and_free(
                    number, dice.choice(LEFT_BYTES) if number else 0
                )  # Quite full at least once.
            books = await night.end()
    print(
        f"full {dict(night.spans)}, {night.starts_in_vain} starts in vain, refused {dict(night.crowd.refused)}"
    )
    check(night, books, sum(night.deaths.values()) + TIMES)
    return night
