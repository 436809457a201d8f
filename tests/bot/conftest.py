"""What the tests of several parts stand on."""

from collections.abc import AsyncIterator

import pytest

from bot.store.server import ServerDatabase


@pytest.fixture
async def shared(postgresql_url: str) -> AsyncIterator[ServerDatabase]:
    """An empty, started store on PostgreSQL."""
    opened = ServerDatabase(postgresql_url)
    await opened.start()
    yield opened
    await opened.close()
