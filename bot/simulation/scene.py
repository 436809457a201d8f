"""What a watcher of promises may look at: the world, the desk's rows by a connection of its own, and the ledger."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bot.simulation.ledger import Ledger
from bot.simulation.office import Office
from bot.simulation.world import World


class Watcher(Protocol):
    """Holds some promises against what is there."""

    def look(self) -> None:
        """A virtual minute in which something happened is over."""

    def end(self) -> None:
        """Faults have ended and everything had time to settle."""


class Rows:
    """The database as committed, read past the desk's own code."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        self._seen: dict[str, int] = {}

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a question."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def new(self, table: str, asker: str, where: str = "") -> Iterator[sqlite3.Row]:
        """The rows that came since the same asker asked last."""
        name = f"{asker}/{table}"
        found = self.all(
            f"SELECT rowid AS place, * FROM {table} WHERE rowid > ? {where} ORDER BY rowid",  # noqa: S608  # Our own words.
            self._seen.get(name, 0),
        )
        if found:
            self._seen[name] = found[-1]["place"]
        return iter(found)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


@dataclass(frozen=True)
class Scene:
    """Everything at hand."""

    world: World
    office: Office
    rows: Rows
    ledger: Ledger

    def check(self, promise: str, holds: bool, found: str) -> None:
        """It was kept, or broken as `found` says."""
        self.ledger.check(promise, holds, found)


def moment(text: str | None) -> datetime | None:
    """A stored moment."""
    return datetime.fromisoformat(text) if text else None
