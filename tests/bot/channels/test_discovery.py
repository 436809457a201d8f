"""A folder of bot/channels with a `channel.py` that offers `make` is live with no other edit."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import bot.channels
from bot.channels import Services, open_channels
from bot.channels.telegram import TelegramChannel
from desk.ports import ChannelFault
from tests.bot.channels.contract import KeptIntake
from tests.bot.channels.webchat_parts import open_door, open_media


@pytest_asyncio.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async def tell(kind: str, text: str) -> None:
        """Nothing is told here."""

    async with open_door(tmp_path) as door:
        yield Services(KeptIntake(), tell, door, open_media(tmp_path))


NEW = """
class Pigeon:
    name = "pigeon"
    def __init__(self, lofts): self.lofts = lofts

def make(settings, services):
    return Pigeon(settings["lofts"]) if settings else None
"""


async def test_a_new_folder_is_live(
    tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pigeon").mkdir()
    (tmp_path / "pigeon" / "__init__.py").write_text("")
    (tmp_path / "pigeon" / "channel.py").write_text(NEW)
    (tmp_path / "loft").mkdir()
    (tmp_path / "loft" / "__init__.py").write_text("")  # No channel.py: no channel.
    monkeypatch.setattr(bot.channels, "__path__", [*bot.channels.__path__, str(tmp_path)])
    try:
        found: Any = open_channels({"pigeon": {"lofts": 3}}, lambda _: services)
        assert found["pigeon"].lofts == 3
        assert "pigeon" not in open_channels({}, lambda _: services)
    finally:
        for name in [
            name for name in sys.modules if name.startswith(("bot.channels.pigeon", "bot.channels.loft"))
        ]:
            del sys.modules[name]


async def test_telegram_is_live_with_a_token_and_silent_without(services: Services) -> None:
    assert "telegram" not in open_channels({"telegram": {"token": ""}}, lambda _: services)
    found = open_channels(
        {"telegram": {"token": "7:abc", "mode": "polling", "unknown": 1}}, lambda _: services
    )
    assert isinstance(found["telegram"], TelegramChannel)
    with pytest.raises(ChannelFault, match="mode"):
        open_channels({"telegram": {"token": "7:abc", "mode": "push"}}, lambda _: services)
