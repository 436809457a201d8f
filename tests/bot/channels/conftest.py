"""A fake Telegram for the tests of channels."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fakes.telegram_server import FakeTelegram, Limits


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    """A server without limits of pace, whose webhook retries come at once."""
    async with FakeTelegram(retry_factor=0.01, limits=Limits(enabled=False)) as server:
        yield server
