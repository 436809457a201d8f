"""The phone page's words by language, read once from `templates/words.toml`."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FIRST = "zh-CN"


@cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((Path(__file__).parent / "templates" / "words.toml").read_text("utf-8"))


def words(language: str, part: str) -> dict[str, str]:
    """One part of the words ("phone", "quick", "reasons") in a language, Chinese when it is unknown."""
    table = _table()
    return table.get(language, table[FIRST])[part]


def reason(language: str, code: str, facts: dict[str, Any]) -> str:
    """The sentence that tells a phone why something was not taken, and the cure."""
    return words(language, "reasons")[code].format(**facts)
