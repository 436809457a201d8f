"""Web chat keeps the channel contract, over real HTTP, and is live unless config.toml says otherwise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bot.channels import Services, open_channels
from bot.channels.webchat import WebChatChannel
from tests.bot.channels.contract import ChannelContract, KeptIntake
from tests.bot.channels.webchat_line import WebChatLine, open_line
from tests.bot.channels.webchat_parts import open_door, open_media


class TestWebChat(ChannelContract):
    @pytest_asyncio.fixture
    async def line(self, tmp_path: Path) -> AsyncIterator[WebChatLine]:
        async with open_line(tmp_path) as line:
            yield line


async def test_web_chat_is_live_unless_switched_off(tmp_path: Path) -> None:
    async def tell(kind: str, text: str) -> None:
        """Nothing is told here."""

    async with open_door(tmp_path) as door:
        services = Services(KeptIntake(), tell, door, open_media(tmp_path))
        found = open_channels({}, lambda _: services)["webchat"]
        assert isinstance(found, WebChatChannel)
        assert "/chat/{token}" in [getattr(route, "path", "") for route in found.routes()]
        assert "webchat" not in open_channels({"webchat": {"enabled": False}}, lambda _: services)
