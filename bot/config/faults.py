"""What can be wrong in the configuration: a place, a kind, its facts, and the sentence they make."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FIRST = "zh-CN"
SHOWN_MAX = 60


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong; the fact `hint` becomes a did-you-mean."""

    where: str  # "[web] port", an environment variable, or a file
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, language: str) -> str:
        """Where, what, and the cure, in one sentence."""
        words = _words(language)
        facts = dict(self.facts)
        if "hint" in facts:
            facts["hint"] = words["hint"].format(word=facts["hint"]) if facts["hint"] else ""
        if "expected" in facts:
            facts["expected"] = words["types"][facts["expected"]].format()
        text = str(words[self.kind]).format(**facts).replace("？：", "？").replace("?:", "?")
        return f"{self.where}{'：' if language == FIRST else ': '}{text}" if self.where else text


class ConfigFaults(ValueError):
    """The configuration cannot be used; every reason at once, one sentence each."""

    def __init__(self, faults: Iterable[Fault], language: str = FIRST) -> None:
        self.faults = tuple(faults)
        self.language = language
        self.sentences = tuple(fault.sentence(language) for fault in self.faults)
        super().__init__("\n".join(self.sentences))


class Wrong(ValueError):
    """A value that cannot stand where it stands; its place is added by the reader."""

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.facts = facts


def shown(value: Any) -> str:
    """A value as a short text for a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), "")


def languages() -> tuple[str, ...]:
    """The languages this release speaks."""
    return tuple(_table())


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))


def _words(language: str) -> dict[str, Any]:
    return _table().get(language, _table()[FIRST])
