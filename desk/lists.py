"""A list from outside: its rows, what taking it would change, and why it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from roster.model import Presence, Role


@dataclass(frozen=True)
class Spot:
    """Where a row stands in its file; row 1 is the first."""

    sheet: str = ""
    row: int = 0


@dataclass(frozen=True)
class UnitRow:
    """A unit as a list has it; None and "" leave what the desk knows."""

    name: str
    parent: str = ""
    lat: float | None = None
    lon: float | None = None
    kind: str = ""
    phone_duty: bool | None = None
    spot: Spot = Spot()


@dataclass(frozen=True)
class PersonRow:
    """A person as a list has them; None and "" leave what the desk knows."""

    name: str
    unit: str
    phone: str = ""  # Digits only, abroad with +.
    title: str = ""
    role: Role | None = None
    wecom: str = ""
    telegram: str = ""  # The numeric id: bound at once.
    spot: Spot = Spot()


class Mark(StrEnum):
    """What an import does with something."""

    added = "added"
    changed = "changed"
    removed = "removed"
    kept = "kept"  # The list says otherwise, and the desk does not follow; the reader is told.


@dataclass(frozen=True)
class Entry:
    """One difference between the list and the desk; `kind` and `facts` are for the words."""

    mark: Mark
    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """All that would change, and how many rows say what the desk knows already."""

    entries: tuple[Entry, ...]
    unchanged: int = 0

    @property
    def changes(self) -> int:
        """How many things are added, changed or removed."""
        return sum(entry.mark is not Mark.kept for entry in self.entries)

    def count(self, mark: Mark) -> int:
        """How many entries have this mark."""
        return sum(entry.mark is mark for entry in self.entries)


@dataclass(frozen=True)
class Conflict:
    """Why a row cannot be taken; `about` is the record's field, or a column as the file shows it."""

    spot: Spot
    about: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """Nothing was taken; carries every conflict."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(", ".join(conflict.kind for conflict in conflicts))
        self.conflicts = tuple(conflicts)


@dataclass(frozen=True)
class Step:
    """What to do with one row: the record found, or None for a new one, and its fields to set."""

    row: Any
    found: Any
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """The steps of an import and the difference they make."""

    steps: tuple[Step, ...]
    difference: Difference


@dataclass(frozen=True)
class ShiftRow:
    """One person on one watch, as a roster file has it."""

    unit_id: str
    post: str
    officer_id: str
    starts_at: datetime
    ends_at: datetime
    presence: Presence | None = None  # None: as the post's rule says.
    spot: Spot = Spot()
    column: str = ""
