"""The office of the flows' tests."""

from collections.abc import AsyncIterator

import pytest

from tests.handlers.chat import Chat, open_chat


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with open_chat() as chat:
        yield chat
