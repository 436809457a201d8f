"""The words of one language, read once from its folder: notices, their pieces, terms, choices."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

FOLDER = Path(__file__).parent
FIRST = "zh-CN"


@dataclass(frozen=True)
class Field:
    """Words, then a fact said in some way; of several names the first that is known counts."""

    words: str
    names: tuple[str, ...] = ()  # Empty: only the words.
    way: str = ""
    argument: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a notice; an optional one is left out when none of its facts is known."""

    fields: tuple[Field, ...]
    is_optional: bool = False


Template = tuple[Line, ...]


@dataclass(frozen=True)
class Language:
    """Everything that can be said in one language."""

    name: str
    notices: Mapping[str, Template]  # "kind" or "kind.variant"
    pieces: Mapping[str, Template]  # Items of lists inside a notice.
    terms: Mapping[str, Mapping[str, str]]  # What a coded value is called.
    choices: Mapping[str, str]  # verb -> label
    commands: Mapping[str, str]  # Chat command -> what it does
    say: Mapping[str, str]  # The small words: missing, more, minutes …


def languages() -> list[str]:
    """The languages there are, the first one first."""
    found = sorted(folder.name for folder in FOLDER.iterdir() if any(folder.glob("*.toml")))
    return sorted(found, key=lambda name: name != FIRST)


@cache
def language(name: str) -> Language:
    """A language by its name ("en-GB" is "en"), the first one when nobody speaks it."""
    known = languages()
    short = name.partition("-")[0].lower()
    chosen = name if name in known else next((one for one in known if one.split("-")[0] == short), FIRST)
    tables = _read(FOLDER / chosen)
    return Language(
        chosen,
        {kind: parse(text) for kind, text in tables["notice"].items()},
        {piece: parse(text) for piece, text in tables["piece"].items()},
        tables["term"],
        tables["choice"],
        tables["command"],
        tables["say"],
    )


def parse(text: str) -> Template:
    """A template: `{fact}`, `{fact:way}`, `{fact|other:way argument}`; a line that begins with "? " is optional."""
    lines = []
    for line in text.strip("\n").split("\n"):
        body = line.removeprefix("? ")
        fields = []
        for words, name, spec, _conversion in Formatter().parse(body):
            way, _, argument = (spec or "").partition(" ")
            fields.append(Field(words, tuple(name.split("|")) if name else (), way, argument))
        lines.append(Line(tuple(fields), is_optional=body != line))
    return tuple(lines)


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """The tables of all files of a folder; a word written twice is a fault of ours."""
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.toml")):
        for table, words in tomllib.loads(path.read_text("utf-8")).items():
            into = merged.setdefault(table, {})
            if doubles := into.keys() & words.keys():
                raise ValueError(f"{path.name} says {', '.join(sorted(doubles))} again")
            into.update(words)
    return merged
