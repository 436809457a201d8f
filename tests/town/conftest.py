"""The office of the town stories."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roster.model import Role
from tests.fakes.telegram_server import FakeTelegram
from tests.town.world import OFFICE, UNIT, MovedClock, Town

PEOPLE = (
    ("叶倩雯", Role.officer, "", UNIT),
    ("吴健芬", Role.duty, "duty_officer", UNIT),
    ("李永昌", Role.leader, "duty_leader", UNIT),
    ("周国强", Role.duty, "guard", UNIT),
    ("简俊贤", Role.office, "duty_leader", OFFICE),
)


@pytest.fixture(params=["polling", "webhook", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    with FakeTelegram() as telegram:
        is_shared = request.param == "postgresql"
        town = Town(telegram, tmp_path, "polling" if is_shared else request.param, MovedClock())
        town.url = request.getfixturevalue("postgresql_url") if is_shared else ""
        async with town.open_desk():
            await town.people(*PEOPLE)
            yield town
