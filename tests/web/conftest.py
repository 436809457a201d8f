"""A served office for every test of the screen, and a browser that reports what it did not like."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.world import World, open_world


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Sign-in required, as in production."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def open_town(tmp_path: Path) -> AsyncIterator[World]:
    """Open on loopback, as the demonstration."""
    folder = tmp_path / "town"
    folder.mkdir()
    async with open_world(folder, demonstration=True) as opened:
        yield opened
