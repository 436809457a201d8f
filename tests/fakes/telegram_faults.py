"""Faults on order: what the network or the platform does to the next calls."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fakes.orders import due

BEFORE_KINDS = frozenset({"drop", "timeout_before_delivery", "400", "403", "429", "500", "502", "504"})
AFTER_KINDS = frozenset(
    {"timeout_after_delivery", "drop_after_delivery", "truncated_body", "half_json", "502_after_delivery"}
)


@dataclass(slots=True)
class Fault:
    """One order: which calls, what happens to them, how often and after how many good ones.

    Kinds that act before the call does anything: `drop` (connection closed), `timeout_before_delivery`
    (never answered), `400 403 429 500 502 504`. Kinds that act after it was carried out:
    `timeout_after_delivery`, `drop_after_delivery`, `truncated_body` (fewer bytes than Content-Length),
    `half_json` (whole HTTP, cut JSON), `502_after_delivery`.
    """

    method: str
    kind: str
    times: int = 1
    after: int = 0
    chat_id: int | None = None
    retry_after: int = 1
    description: str = ""

    def __post_init__(self) -> None:
        if self.kind not in BEFORE_KINDS | AFTER_KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}: {sorted(BEFORE_KINDS | AFTER_KINDS)}")

    @property
    def is_before(self) -> bool:
        """Tell a fault that stops the call from one that only spoils the answer."""
        return self.kind in BEFORE_KINDS


class Faults:
    """The orders still open, oldest first."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add an order."""
        self.orders.append(fault)

    def take(self, method: str, chat_id: int | None) -> Fault | None:
        """Return the fault due for this call and use it up, or nothing."""
        return due(
            self.orders,
            lambda one: one.method.lower() in ("*", method.lower()) and one.chat_id in (None, chat_id),
        )


@dataclass(frozen=True, slots=True)
class Spell:
    """What one call meets while the platform is ill: it waits, is carried out, waits again, and is answered or not.

    A caller that has gone away meanwhile changes nothing: what was to be carried out is."""

    before_seconds: float = 0.0
    after_seconds: float = 0.0
    kind: str = ""  # As of a Fault; "" for an answer as always.
    retry_after: int = 1
