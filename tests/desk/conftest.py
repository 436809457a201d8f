"""A served office, so that the board is read from a real database; and the chat office of the jobs' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.handlers.chat import Chat, open_chat
from tests.web.world import World, open_world


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Three units, eight people, the watch of one night."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[Chat]:
    """An office on phones over the memory store, and a clock to move."""
    async with open_chat() as opened:
        yield opened
