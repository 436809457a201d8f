"""The ledger's words in the office's language."""

import tomllib
from importlib import resources

FIRST = "zh-CN"


def names(language: str) -> dict[str, str]:
    """What each promise is called, and each thing that went on; Chinese when the language is unknown."""
    table = tomllib.loads(resources.files("bot.simulation").joinpath("words.toml").read_text("utf-8"))
    found: dict[str, str] = table.get(language, table[FIRST])
    return found
