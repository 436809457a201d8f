"""The words of imports and exports by language, read once from `words.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bot.wording.plain import one_line

FIRST = "zh-CN"
FACT_CHARS_MAX = 300
Words = dict[str, dict[str, str]]


@cache
def _table() -> dict[str, Words]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))


def words(language: str, part: str) -> dict[str, str]:
    """One part of the words in a language, Chinese when it is unknown."""
    table = _table()
    return table.get(language, table[FIRST])[part]


def say(language: str, part: str, kind: str, facts: Mapping[str, Any]) -> str:
    """One sentence filled with its facts; lists are joined, and what a file says stays on its line, visible."""
    joint = words(language, "join")["names"]
    plain = {
        name: joint.join(_shown(one) for one in fact) if isinstance(fact, list | tuple) else _shown(fact)
        for name, fact in facts.items()
    }
    return words(language, part)[kind].format_map(plain)


def _shown(fact: Any) -> Any:
    return one_line(fact, FACT_CHARS_MAX) if isinstance(fact, str) else fact
