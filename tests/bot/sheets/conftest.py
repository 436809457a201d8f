"""Offices for the tests of files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.sheets.offices import Office, open_office, staff


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """An office that knows nobody yet."""
    async with open_office(tmp_path) as opened:
        yield opened


@pytest.fixture
async def staffed(office: Office) -> Office:
    """An office with two towns and seven people."""
    return await staff(office)
