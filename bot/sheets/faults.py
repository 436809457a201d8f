"""What is wrong with a file, where, and what to do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sheets.words import say, words


@dataclass(frozen=True)
class Fault:
    """One thing wrong: its sheet, row and column as Excel shows them, and its kind with facts for the words."""

    kind: str
    sheet: str = ""
    row: int = 0  # 1 is the first; 0 when the fault is the whole sheet's or file's.
    column: str = ""  # Letter and header: "C 手机".
    facts: Mapping[str, Any] = field(default_factory=dict)

    def what(self, language: str) -> str:
        """What is wrong, one sentence."""
        return say(language, "what", self.kind, self._said(language))

    def cure(self, language: str) -> str:
        """What to do about it, one sentence."""
        return say(language, "cure", self.kind, self._said(language))

    def text(self, language: str) -> str:
        """The whole line: where, what, cure."""
        facts = {"sheet": self.sheet, "row": self.row, "column": self.column}
        shape = "cell" if self.row and self.column else "row" if self.row else "sheet" if self.sheet else ""
        where = say(language, "where", shape, facts) if shape else ""
        said = [one.strip() for one in (self.what(language), self.cure(language))]
        return where + words(language, "join")["sentences"].join(one for one in said if one)

    def _said(self, language: str) -> dict[str, Any]:
        facts = dict(self.facts)
        if "like" in facts:
            facts["hint"] = say(language, "hint", "like", facts) if facts["like"] else ""
        if isinstance(facts.get("other"), Mapping):
            facts["other"] = say(language, "hint", "other", facts["other"])
        return facts


class Faulty(Exception):
    """A file that is not taken; carries every fault found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.text("en") for fault in self.faults))
