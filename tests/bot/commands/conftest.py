"""The command line in a folder of its own, and a fake Telegram for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bot.commands.cli import Cli
from tests.fakes.telegram_server import FakeTelegram, Limits


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """An empty office that is no demonstration."""
    return Cli(tmp_path)


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    """A server without limits of pace."""
    async with FakeTelegram(limits=Limits(enabled=False)) as server:
        yield server
