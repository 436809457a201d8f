"""The duty log's chain: every line's hash covers the line before, so that no line can be changed unseen."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Any

from bot.store.columns import clean, to_text
from desk.ports import LogEntry, Store
from incidents.model import LogLine

START = "0" * 64
_canonical = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
COVERED = ("sequence", "at", "kind", "subject", "actor", "facts")
PAGE = 2000


class Break(StrEnum):
    """How a chain can be broken."""

    changed = "changed"  # The line is not what its hash was made of.
    unlinked = "unlinked"  # It does not continue the line before it.
    gap = "gap"  # Lines before it are missing, doubled or out of order.
    rewritten = "rewritten"  # It is not the line whose hash was published.
    missing = "missing"  # A line whose hash was published is not there.


@dataclass(frozen=True)
class ChainFault:
    """One broken place of the log."""

    sequence: int
    fault: Break


def link(previous: str, sequence: int, entry: LogEntry) -> LogLine:
    """The entry as the line that follows the one with the hash `previous`.

    ValueError for a moment without a zone or for facts that are no JSON numbers (NaN)."""
    if entry.at.tzinfo is None or entry.at.utcoffset() is None:
        raise ValueError(f"A moment needs a time zone: {entry.at!r}.")
    told = {
        "sequence": sequence,
        "at": entry.at.astimezone(UTC),
        "kind": clean(entry.kind),
        "subject": clean(entry.subject),
        "actor": clean(entry.actor),
        "facts": json.loads(to_text(dict(entry.facts))),
    }
    return LogLine(**told, previous=previous, hash=_hash(previous, told))


def hash_of(line: LogLine) -> str:
    """SHA-256 (hex) of the previous hash and the line's canonical JSON: sorted keys, no spaces, UTF-8."""
    return _hash(line.previous, {name: getattr(line, name) for name in COVERED})


def _hash(previous: str, told: dict[str, Any]) -> str:
    at = told["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256((previous + _canonical({**told, "at": at})).encode()).hexdigest()


class Verification:
    """Reads a log line by line, from its first, and collects what is broken."""

    def __init__(self, published: Mapping[int, str] | None = None) -> None:
        self.faults: list[ChainFault] = []
        self.sequence = 0
        self.hash = START
        self._owed = dict(published or {})

    def read(self, line: LogLine) -> None:
        """Takes the next line."""
        if line.sequence != self.sequence + 1:
            self._fault(line.sequence, Break.gap)
        elif line.previous != self.hash:
            self._fault(line.sequence, Break.unlinked)
        if hash_of(line) != line.hash:
            self._fault(line.sequence, Break.changed)
        if self._owed.pop(line.sequence, line.hash) != line.hash:
            self._fault(line.sequence, Break.rewritten)
        self.sequence, self.hash = line.sequence, line.hash

    def end(self) -> list[ChainFault]:
        """Every fault, once the last line was read."""
        for sequence in sorted(self._owed):
            self._fault(sequence, Break.missing)
        self._owed.clear()
        return self.faults

    def _fault(self, sequence: int, fault: Break) -> None:
        self.faults.append(ChainFault(sequence, fault))


def verify(lines: Iterable[LogLine], published: Mapping[int, str] | None = None) -> list[ChainFault]:
    """What is broken in a whole log, in order; `published` maps sequences to hashes told to others before."""
    verification = Verification(published)
    for line in lines:
        verification.read(line)
    return verification.end()


async def verify_log(store: Store, published: Mapping[int, str] | None = None) -> Verification:
    """The whole stored log, verified page by page; the result's `faults`, `sequence` and `hash` tell of its end."""
    verification = Verification(published)
    after: int | None = None
    while True:
        more = {} if after is None else {"sequence_from": after + 1}
        lines = await store.find(LogLine, order=("sequence",), limit=PAGE, **more)
        for line in lines:
            verification.read(line)
        if len(lines) < PAGE:
            verification.end()
            return verification
        after = lines[-1].sequence
