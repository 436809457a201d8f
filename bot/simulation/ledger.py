"""The ledger of promises: how often each was kept, and when one was broken first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

BREACHES_KEPT = 20


@dataclass(frozen=True)
class Breach:
    """One broken promise: which, when by the true time, and what was found."""

    promise: str
    at: datetime
    found: str


@dataclass
class Ledger:
    """Counts per promise. A promise nobody had to keep is not in it."""

    now: Callable[[], datetime]
    kept: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)  # The first ones.
    happened: dict[str, int] = field(default_factory=dict)  # What went on: messages, crashes, outages.
    _told: set[tuple[str, str]] = field(default_factory=set)

    def keep(self, promise: str, count: int = 1) -> None:
        """It was kept so many times."""
        self.kept[promise] = self.kept.get(promise, 0) + count

    def breach(self, promise: str, found: str) -> None:
        """It was broken; the same finding counts once."""
        if (promise, found) in self._told:
            return
        self._told.add((promise, found))
        self.broken[promise] = self.broken.get(promise, 0) + 1
        if len(self.breaches) < BREACHES_KEPT:
            self.breaches.append(Breach(promise, self.now(), found))

    def check(self, promise: str, holds: bool, found: str) -> None:
        """It was kept, or broken as `found` says."""
        if holds:
            self.keep(promise)
        else:
            self.breach(promise, found)

    def count(self, what: str, number: int = 1) -> None:
        """Something happened."""
        self.happened[what] = self.happened.get(what, 0) + number

    @property
    def holds(self) -> bool:
        """Whether nothing was broken."""
        return not self.broken
