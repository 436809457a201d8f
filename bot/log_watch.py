"""Verifies the duty log's chain as it grows, and the whole of it every night, a bounded number of lines at a time."""

import asyncio
import contextlib
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.heads import read_heads, tell_head
from bot.intake import put_setting
from bot.store.chain import START, Break, ChainFault, Verification
from desk.model import Setting
from desk.ports import Door, Store, Unavailable
from incidents.model import LogLine

VERIFIED = "audit/log"  # The Setting that keeps how far the log is verified: "sequence hash".
WALKED = "audit/whole"  # … and the one that keeps the last whole walk: its day, and what it found.
PAGE = 500
PAGES_MAX = 20  # Of each of the two walks, each minute.
NIGHT = (time(1, 0), time(6, 0))


class LogWatch:
    """Two walks along the chain: one behind its growing end, one from its first line every night.

    The nightly walk holds every head told before against the log, and tells the head it came to when all is sound: a
    log cut short or written anew is found within a day, whoever can write to the database."""

    def __init__(self, door: Door, heads: Path) -> None:
        self._door = door
        self._heads = heads
        self._night: Verification | None = None

    async def look(self) -> str:
        """What is broken in the chain, or "". A broken place is found again at every look, until it is mended."""
        return await self._look_at_the_end() or await self._look_at_the_whole()

    async def _look_at_the_end(self) -> str:
        async with self._door.read() as store:
            kept = await store.get(Setting, VERIFIED)
            sequence, _, known = kept.value.partition(" ") if kept else ("0", "", START)
            walk = _from(int(sequence), known)
            if walk.sequence and not await _stands(store, walk):
                return _said([ChainFault(walk.sequence, Break.rewritten)])
            await _go_on(store, walk)
        if walk.faults:
            return _said(walk.faults)
        if walk.sequence != int(sequence):
            # A full disk breaks no chain: the next look walks it again.
            with contextlib.suppress(Unavailable):
                async with self._door.open() as desk:
                    await put_setting(desk.store, VERIFIED, f"{walk.sequence} {walk.hash}")
        return ""

    async def _look_at_the_whole(self) -> str:
        local = self._door.clock.now().astimezone(ZoneInfo(self._door.policy.timezone))
        today = local.date().isoformat()
        async with self._door.read() as store:
            kept = await store.get(Setting, WALKED)
            walked_on, _, fault = kept.value.partition(" ") if kept else ("", "", "")
            if self._night is None and walked_on != today and NIGHT[0] <= local.time() < NIGHT[1]:
                self._night = Verification(await asyncio.to_thread(read_heads, self._heads))
            if self._night is None or not await _go_on(store, self._night):
                return fault
        walk = self._night
        fault = _said(walk.end())
        if not fault:  # What keeps the head from being told is a fault of this watch; the next look tells it.
            at = self._door.clock.now()
            await asyncio.to_thread(tell_head, self._heads, walk.sequence, walk.hash, at)
        self._night = None
        async with self._door.open() as desk:
            await put_setting(desk.store, WALKED, f"{today} {fault}".strip())
        return fault


def _from(sequence: int, known: str) -> Verification:
    walk = Verification()
    walk.sequence, walk.hash = sequence, known
    return walk


async def _stands(store: Store, walk: Verification) -> bool:
    """Whether the line verified last is still there, and still the same."""
    [*found] = await store.find(
        LogLine, sequence_from=walk.sequence, sequence_to=walk.sequence, order=("sequence",), limit=1
    )
    return bool(found) and found[0].hash == walk.hash


async def _go_on(store: Store, walk: Verification) -> bool:
    """Read a bounded number of further lines; whether the end, or a broken place, was reached."""
    for _ in range(PAGES_MAX):
        lines = await store.find(LogLine, sequence_from=walk.sequence + 1, order=("sequence",), limit=PAGE)
        for line in lines:
            walk.read(line)
        if walk.faults or len(lines) < PAGE:
            return True
    return False


def _said(faults: list[ChainFault]) -> str:
    return f"{faults[0].sequence} {faults[0].fault.value}" if faults else ""
