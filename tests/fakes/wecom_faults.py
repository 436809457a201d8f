"""Faults on order: what the network or WeCom does to the next calls."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fakes.orders import due

BEFORE_KINDS = frozenset({"drop", "timeout_before", "500", "502", "504", "errcode"})
AFTER_KINDS = frozenset({"timeout_after", "drop_after", "truncated_body", "half_json", "502_after"})
_WORDS = {
    -1: "system busy",
    40001: "invalid credential",
    40014: "invalid access_token",
    42001: "access_token expired",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    48002: "api forbidden",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    81013: "user & party & tag all invalid",
}


@dataclass(slots=True)
class Fault:
    """One order: which calls, what happens to them, how often and after how many good ones.

    `method` is the path behind /cgi-bin/ ("*": any). Before the call does anything: `drop` (connection
    closed), `timeout_before` (never answered), `500 502 504`, `errcode` (refused with that code). After it was
    carried out: `timeout_after`, `drop_after`, `truncated_body`, `half_json`, `502_after`.
    """

    method: str
    kind: str
    times: int = 1
    after: int = 0
    errcode: int = 0
    errmsg: str = ""

    def __post_init__(self) -> None:
        if self.kind not in BEFORE_KINDS | AFTER_KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}: {sorted(BEFORE_KINDS | AFTER_KINDS)}")
        if (self.kind == "errcode") != bool(self.errcode):
            raise ValueError("kind errcode goes with an errcode")
        self.errmsg = self.errmsg or _WORDS.get(self.errcode, "refused by the test")

    @property
    def is_before(self) -> bool:
        """Tell a fault that stops the call from one that only spoils the answer."""
        return self.kind in BEFORE_KINDS


class Faults:
    """The orders still open, oldest first."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []

    def take(self, method: str) -> Fault | None:
        """Return the fault due for this call and use it up, or nothing."""
        return due(self.orders, lambda one: one.method in ("*", method))
