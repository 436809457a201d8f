"""What people really said and did: the truth the desk is measured against."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Press:
    """A tap on a roll-call card that says its reader is there."""

    officer_id: str
    roll_call_id: str
    at: datetime


@dataclass(frozen=True)
class Word:
    """到 said in words."""

    officer_id: str
    at: datetime


@dataclass
class Told:
    """Everything said by every phone, each thing with a mark that no other has."""

    tokens: dict[str, str] = field(default_factory=dict)  # The mark in a text -> who wrote it.
    photos: dict[str, str] = field(default_factory=dict)  # file_id -> SHA-256 of its bytes.
    albums: list[tuple[str, ...]] = field(default_factory=list)
    places: dict[tuple[float, float], str] = field(default_factory=dict)
    presses: list[Press] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    signatures: set[tuple[str, str]] = field(default_factory=set)  # (officer id, incident id)
    # The slot that each 点名 button pressed must have made, and when; while one runs, the next is asked about first.
    calls: dict[str, datetime] = field(default_factory=dict)
    asked_status: Counter[str] = field(default_factory=Counter)
    events: set[str] = field(default_factory=set)  # Inbox ids of everything said.

    @property
    def next_token(self) -> str:
        """The mark that the next text gets."""
        return f"T{len(self.tokens) + 1:05d}号"

    def token(self, officer_id: str) -> str:
        """A mark for a text, and who writes it."""
        mark = self.next_token
        self.tokens[mark] = officer_id
        return mark
