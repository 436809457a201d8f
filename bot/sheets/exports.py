"""Writes what the desk knows into a file whose name says the format."""

from dataclasses import dataclass
from pathlib import Path

from desk.ports import Door

WHAT = ("people", "units", "roster", "incidents", "roll-calls", "log")


@dataclass(frozen=True)
class Exported:
    """How many rows went into the file, and the line that says so."""

    rows: int
    line: str


class CannotExport(Exception):
    """This cannot be written so; carries the kind and facts, `text(language)` is the line."""

    def __init__(self, kind: str, **facts: str) -> None:
        super().__init__(kind)
        self.kind, self.facts = kind, facts

    def text(self, language: str) -> str:
        """What is wrong and the cure."""
        return f"{self.kind} {self.facts} {language}"


async def export(door: Door, what: str, path: Path) -> Exported:
    """Write one of WHAT to .xlsx, .csv, .json, .geojson (incidents) or .ics (roster). Raises CannotExport."""
    return Exported(0, "")
