"""The channel's own words by language, read once from `words.toml`."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FIRST = "zh-CN"


@cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


def chat(language: str, name: str, /, **facts: Any) -> str:
    """Words that stand in a message or a report; Chinese when the language is unknown."""
    return _words(language, "chat")[name].format(**facts)


def trouble(language: str, name: str, /, **facts: Any) -> str:
    """One sentence for whoever runs the desk: what is wrong, and the cure."""
    return _words(language, "troubles")[name].format(**facts)


def setting(language: str, name: str, /, **facts: Any) -> str:
    """One sentence for a setting that cannot be used, with its cure."""
    return _words(language, "settings")[name].format(**facts)


def _words(language: str, part: str) -> dict[str, str]:
    return _table().get(language, _table()[FIRST])[part]
