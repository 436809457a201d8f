"""One line of `check`: a part, how it is, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Say = Callable[..., str]


class State(StrEnum):
    """How a part is."""

    ok = "ok"
    warning = "warning"  # It works, and somebody should look.
    fault = "fault"


@dataclass(frozen=True)
class Finding:
    """What was found about one part."""

    part: str  # "config", "database", "disk", "clock", "telegram", …
    state: State
    text: str

    def as_json(self) -> dict[str, Any]:
        """As `check --json` tells it."""
        return {"part": self.part, "state": self.state.value, "text": self.text}


def ok(part: str, text: str) -> Finding:
    """A part that is as it should be."""
    return Finding(part, State.ok, text)


def warning(part: str, text: str) -> Finding:
    """A part that works and should be looked at."""
    return Finding(part, State.warning, text)


def fault(part: str, text: str) -> Finding:
    """A part that does not work."""
    return Finding(part, State.fault, text)
