"""Takes a file into the desk: read apart, checked whole, then all rows or none in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.sheets.dates import WatchReader
from bot.sheets.faults import Fault, Faulty
from bot.sheets.lines import difference_lines, total_line
from bot.sheets.opening import open_apart
from bot.sheets.people import read_people
from bot.sheets.roster import Known, read_roster
from bot.sheets.sheet import LIMITS, Book
from bot.sheets.table import Findings
from bot.sheets.units import read_units
from bot.sheets.words import words
from desk.lists import Difference, Refused
from desk.ports import Desk, Door, Store
from desk.registry import apply_people, apply_units, current_units, one_form, plan_people, plan_units
from desk.rostering import apply_roster, plan_roster
from roster.model import Officer, Unit

NEEDS_WHOLE_FILE = (
    "double_booking_stored",
)  # A row not understood may be the one that ends the other watch.
NEEDS_WHOLE_ROW = ("which_person",)  # The number that cannot be read may tell.
Rows = Sequence[Any]
Plan = Callable[[Store, Rows, datetime], Awaitable[Difference]]
Apply = Callable[[Desk, Rows, str], Awaitable[Difference]]


@dataclass(frozen=True)
class Order:
    """How an import is done: only tried or for good, by whom, and whose roster it is if the file does not say."""

    dry_run: bool = False
    by: str = "system"  # An officer's id, for the duty log.
    unit: str = ""


@dataclass(frozen=True)
class Result:
    """What an import did, or would do: lines ready to print, and the faults that stopped it."""

    lines: tuple[str, ...] = ()  # In the office's language; the faults are among them.
    faults: tuple[Fault, ...] = ()  # When there is one, nothing was imported.
    changed: int = 0  # Things added, changed and removed; 0 when the file says what the desk knows.


async def import_units(door: Door, path: Path, *, dry_run: bool = False) -> Result:
    """Take units from a file; with `dry_run` only say what would change."""
    return await _import_file("units", door, path, Order(dry_run))


async def import_people(door: Door, path: Path, *, dry_run: bool = False) -> Result:
    """Take people from a file; with `dry_run` only say what would change. Nobody is removed."""
    return await _import_file("people", door, path, Order(dry_run))


async def import_roster(door: Door, path: Path, *, unit: str = "", dry_run: bool = False) -> Result:
    """Take a roster from a file; `unit` names whose it is when the file has no column for it."""
    return await _import_file("roster", door, path, Order(dry_run, unit=unit))


async def import_bytes(what: str, door: Door, data: bytes, name: str, order: Order) -> Result:
    """As above, from bytes: `what` is "units", "people" or "roster", `name` the file's name."""
    try:
        book = await open_apart(data, name)
    except Faulty as faulty:
        return _refused(door.policy.language, faulty.faults)
    return await import_book(what, door, book, order)


async def import_book(what: str, door: Door, book: Book, order: Order) -> Result:
    """As above, from sheets that were read already."""
    language = door.policy.language
    try:
        rows, findings = await _read(what, door, book, order)
    except Faulty as faulty:
        return _refused(language, faulty.faults)
    if findings.faults:
        await _look_further(what, door, rows, findings)
        return _refused(language, findings.shown())
    try:
        difference = await _take(what, door, rows, order)
    except Refused as refused:
        findings.faults += [
            findings.at(one.spot, one.about, one.kind, one.facts) for one in refused.conflicts
        ]
        return _refused(language, findings.shown())
    lines = [*(remark.text(language) for remark in findings.remarks), *difference_lines(language, difference)]
    lines.append(total_line(language, difference, dry_run=order.dry_run))
    if what == "people":
        lines.append(words(language, "sum")["nobody_removed"])
    return Result(tuple(lines), changed=difference.changes)


async def _import_file(what: str, door: Door, path: Path, order: Order) -> Result:
    try:
        data = await asyncio.to_thread(_read_file, path)
    except FileNotFoundError:
        return _refused(door.policy.language, [Fault("file_missing", facts={"path": path.name})])
    except OSError:
        return _refused(door.policy.language, [Fault("file_unreadable", facts={"path": path.name})])
    return await import_bytes(what, door, data, path.name, order)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LIMITS.file_bytes_max + 1)  # One more says that it is too big.


def _refused(language: str, faults: Iterable[Fault]) -> Result:
    found = tuple(faults)
    last = words(language, "sum")["refused"].format(count=len(found))
    return Result((*(fault.text(language) for fault in found), last), found)


async def _read(what: str, door: Door, book: Book, order: Order) -> tuple[Rows, Findings]:
    if what == "units":
        return await asyncio.to_thread(read_units, book)
    if what == "people":
        return await asyncio.to_thread(read_people, book)
    known = await _known(door, order.unit)
    return await asyncio.to_thread(read_roster, book, known)


async def _known(door: Door, unit_name: str) -> Known:
    now, policy = door.clock.now(), door.policy
    zone = ZoneInfo(policy.timezone)
    async with door.read() as store:
        officers = await store.find(Officer)
        units = current_units(await store.find(Unit), now)
    unit = units.get(one_form(unit_name))
    if unit_name and unit is None:
        raise Faulty([Fault("unknown_unit", facts={"unit": unit_name})])
    watches = WatchReader(policy.watch_changes_at, zone)
    return Known(officers, units, policy.posts, watches, now.astimezone(zone).date(), unit)


async def _look_further(what: str, door: Door, rows: Rows, findings: Findings) -> None:
    """Add what the desk would refuse as well, so that one reading names every fault of a row.

    Left out is what only follows from a fault named already: of the same cell, or of rows that were not understood."""
    try:
        await _take(what, door, rows, Order(dry_run=True))
    except Refused as refused:
        named = {(one.sheet, one.row, one.column) for one in findings.faults}
        faulty = {(one.sheet, one.row) for one in findings.faults}
        for one in refused.conflicts:
            fault = findings.at(one.spot, one.about, one.kind, one.facts)
            is_vague = one.kind in NEEDS_WHOLE_FILE or (
                one.kind in NEEDS_WHOLE_ROW and (fault.sheet, fault.row) in faulty
            )
            if not is_vague and (fault.sheet, fault.row, fault.column) not in named:
                findings.faults.append(fault)
    findings.sort()


async def _take(what: str, door: Door, rows: Rows, order: Order) -> Difference:
    """The rows planned, and written unless it is only tried; raises Refused."""
    if order.dry_run:
        async with door.read() as store:
            if what == "roster":
                return (await plan_roster(store, door.policy, rows, door.clock.now())).difference
            plan = plan_units if what == "units" else plan_people
            return (await plan(store, rows, door.clock.now())).difference
    async with door.open() as desk:
        if what == "roster":
            return await apply_roster(desk, rows, order.by)
        apply: Apply = apply_units if what == "units" else apply_people
        return await apply(desk, rows, order.by)
