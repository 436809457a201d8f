"""WeCom keeps the channel contract, by callback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.bot.channels.contract import ChannelContract
from tests.bot.channels.wecom_line import WeComLine, open_line


class TestWeComCallback(ChannelContract):
    captions = False
    datum = "gcj02"

    @pytest_asyncio.fixture
    async def line(self, tmp_path: Path) -> AsyncIterator[WeComLine]:
        async with open_line(tmp_path) as line:
            yield line
