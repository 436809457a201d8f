"""A file dropped into handlers/ that offers a `flow` is live with no other edit."""

import sys
from pathlib import Path

import pytest

import handlers
from tests.handlers.chat import open_chat

NEW = """
from desk.model import Notice
from handlers.flow import Flow, say

async def hear(desk, message, officer):
    say(desk, message, officer, Notice("no_roll_call", {}))

flow = Flow("tide", hear, commands=("tide",), words=("潮位",))
"""
ANSWER = "没有等您应答的点名"


async def answers() -> list[str]:
    """What a person is told who asks for the tide by its command and by its word."""
    async with open_chat() as chat:
        for words in ("/tide", "潮位"):
            await chat["马同"].say(words)
        return chat["马同"].texts


async def test_a_new_flow_file_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(ANSWER in text for text in await answers())
    (tmp_path / "tide.py").write_text(NEW, "utf-8")
    monkeypatch.setattr(handlers, "__path__", [*handlers.__path__, str(tmp_path)])
    try:
        told = await answers()
    finally:
        sys.modules.pop("handlers.tide", None)
    assert len(told) == 2 and all(ANSWER in text for text in told)
