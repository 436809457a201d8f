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


@pytest.fixture(params=["polling", "webhook"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    with FakeTelegram() as telegram:
        town = Town(telegram, tmp_path, request.param, MovedClock())
        async with town.open_desk():
            await town.people(*PEOPLE)
            yield town
