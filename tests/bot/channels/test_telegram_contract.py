"""Telegram keeps the channel contract, by polling and by webhook."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.bot.channels.contract import ChannelContract
from tests.bot.channels.telegram_line import TelegramLine, open_line
from tests.fakes.telegram_server import FakeTelegram


class TestTelegramPolling(ChannelContract):
    @pytest_asyncio.fixture
    async def line(self, fake: FakeTelegram) -> AsyncIterator[TelegramLine]:
        async with open_line(fake) as line:
            yield line


class TestTelegramWebhook(ChannelContract):
    @pytest_asyncio.fixture
    async def line(self, fake: FakeTelegram) -> AsyncIterator[TelegramLine]:
        async with open_line(fake, "webhook") as line:
            yield line
