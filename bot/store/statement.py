"""One statement as it is kept: text for the driver, and how its values come to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Bind = Callable[[Any], Any]


@dataclass(frozen=True)
class Statement:
    """Text for the driver, and the names of its values in their order."""

    sql: str
    names: tuple[str, ...]
    turns: tuple[Bind | None, ...] = ()

    def values(self, given: dict[str, Any]) -> list[Any]:
        """The driver's values."""
        return [
            given[name] if turn is None else turn(given.get(name))
            for name, turn in zip(self.names, self.turns, strict=True)
        ]

    def rows(self, given: Sequence[dict[str, Any]]) -> list[list[Any]]:
        """The driver's values for many runs; a value that is the very one of the run before is not turned again."""
        columns = []
        for name, turn in zip(self.names, self.turns, strict=True):
            column = [one[name] for one in given]
            if turn is not None:
                last, turned = object(), None
                for place, value in enumerate(column):
                    if value is not last:
                        last, turned = value, turn(value)
                    column[place] = turned
            columns.append(column)
        return [list(row) for row in zip(*columns, strict=True)]
