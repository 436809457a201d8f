"""Takes a roster into the desk: it replaces what has not begun of its own units, days and posts, and no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from desk.lists import Conflict, Difference, Entry, Mark, Refused, ShiftRow
from desk.policy import Policy
from desk.ports import Desk, Store
from roster.model import Officer, Presence, Shift, Unit

WATCH_FOR_MAX = timedelta(days=2)  # No watch is longer: how far back one may begin and still run.
Slot = tuple[str, str, str]  # Unit, the local day it begins on, post.
Key = tuple[str, str, str, datetime, datetime]


@dataclass(frozen=True)
class RosterPlan:
    """What to write, what to take away, and the difference it makes."""

    new: tuple[ShiftRow, ...]
    changed: tuple[tuple[Shift, Presence], ...]
    removed: tuple[Shift, ...]
    difference: Difference


async def plan_roster(store: Store, policy: Policy, rows: Sequence[ShiftRow], at: datetime) -> RosterPlan:
    """What taking this roster at a moment would change; raises Refused when someone would stand twice at once."""
    if not rows:
        return RosterPlan((), (), (), Difference(()))
    stored = await _stored(store, rows)
    zone = ZoneInfo(policy.timezone)
    names = await _Names.read(store, policy, zone)
    scope = _scope(rows, zone)
    known = {_key(shift): shift for shift in stored}
    wanted = {_key(row): row for row in rows}
    removed = [
        shift
        for shift in stored
        if _key(shift) not in wanted and shift.starts_at > at and _slot(shift, zone) in scope
    ]
    new, kept = _split([row for key, row in wanted.items() if key not in known], stored, removed, at)
    changed = [
        (known[key], row.presence)
        for key, row in wanted.items()
        if key in known and row.presence not in (None, known[key].presence)
    ]
    gone = {shift.id for shift in removed}
    conflicts = _double([*new, *(wanted.get(_key(one), one) for one in stored if one.id not in gone)], names)
    if conflicts:
        raise Refused(conflicts)
    entries = [
        *(names.entry(Mark.removed, "shift_removed", shift) for shift in removed),
        *(names.entry(Mark.added, "shift_added", row) for row in new),
        *(names.entry(Mark.changed, "shift_changed", row, presence=str(to)) for row, to in changed),
        *(names.entry(Mark.kept, "shift_begun", row) for row in kept),
    ]
    entries.sort(
        key=lambda one: (one.facts["from"], one.facts["unit"], one.facts["post"], one.mark != Mark.removed)
    )
    unchanged = sum(key in known for key in wanted) - len(changed)
    difference = Difference(tuple(entries), unchanged)
    return RosterPlan(tuple(new), tuple((one, to) for one, to in changed if to), tuple(removed), difference)


async def apply_roster(desk: Desk, rows: Sequence[ShiftRow], by: str) -> Difference:
    """Take the roster: all, or none and Refused. Who was asked before keeps being asked: ladders are frozen."""
    plan = await plan_roster(desk.store, desk.policy, rows, desk.now)
    rules = {rule.key: rule.presence for rule in desk.policy.posts}
    await desk.store.remove(Shift, [shift.id for shift in plan.removed])
    await desk.store.add(
        *(
            Shift(
                desk.new_id(), row.unit_id, row.post, row.officer_id, row.starts_at, row.ends_at,
                row.presence or rules.get(row.post, Presence.on_site),
            )
            for row in plan.new
        )
    )  # fmt: skip
    for shift, presence in plan.changed:
        await desk.store.change(shift, presence=presence)
    _log(desk, plan, by)
    return plan.difference


async def _stored(store: Store, rows: Sequence[ShiftRow]) -> list[Shift]:
    """Every stored watch of any unit that begins near these rows: a person may be on two rosters."""
    first = min(row.starts_at for row in rows) - WATCH_FOR_MAX
    last = max(row.ends_at for row in rows)
    return await store.find(Shift, order=("starts_at", "id"), starts_at_from=first, starts_at_to=last)


def _scope(rows: Sequence[ShiftRow], zone: ZoneInfo) -> set[Slot]:
    posts = {row.post for row in rows}
    days = {(row.unit_id, _day(row.starts_at, zone)) for row in rows}
    return {(unit_id, day, post) for unit_id, day in days for post in posts}


def _split(
    missing: Sequence[ShiftRow], stored: Sequence[Shift], removed: Sequence[Shift], at: datetime
) -> tuple[list[ShiftRow], list[ShiftRow]]:
    """Rows to write, and rows of begun watches that somebody else holds: those a swap must change."""
    gone = {shift.id for shift in removed}
    held: dict[tuple[str, str], list[Shift]] = {}
    for shift in stored:
        if shift.id not in gone:
            held.setdefault((shift.unit_id, shift.post), []).append(shift)
    new: list[ShiftRow] = []
    kept: list[ShiftRow] = []
    for row in missing:
        others = held.get((row.unit_id, row.post), ())
        is_held = any(one.starts_at < row.ends_at and row.starts_at < one.ends_at for one in others)
        (kept if row.starts_at <= at and is_held else new).append(row)
    return new, kept


def _double(shifts: Iterable[Shift | ShiftRow], names: "_Names") -> list[Conflict]:
    """Whoever would stand two watches at once, named at the row that says so."""
    by_officer: dict[str, list[Shift | ShiftRow]] = {}
    for one in shifts:
        by_officer.setdefault(one.officer_id, []).append(one)
    found: list[Conflict] = []
    for held in by_officer.values():
        held.sort(key=lambda one: (one.starts_at, isinstance(one, ShiftRow)))
        first = held[0]  # Of those so far, the one that ends last.
        for second in held[1:]:
            row, other = (second, first) if isinstance(second, ShiftRow) else (first, second)
            if second.starts_at < first.ends_at and isinstance(row, ShiftRow):
                facts = {**names.facts(row), "other": names.facts(other)}
                if isinstance(other, ShiftRow):
                    facts["row"] = other.spot.row
                kind = "double_booking" if "row" in facts else "double_booking_stored"
                found.append(Conflict(row.spot, row.column, kind, facts))
            first = max(first, second, key=lambda one: one.ends_at)
    return found


@dataclass(frozen=True)
class _Names:
    """What ids are called, for the lines a person reads."""

    officers: Mapping[str, str]
    units: Mapping[str, str]
    posts: Mapping[str, str]
    zone: ZoneInfo

    @classmethod
    async def read(cls, store: Store, policy: Policy, zone: ZoneInfo) -> "_Names":
        officers = {one.id: one.name for one in await store.find(Officer)}
        units = {one.id: one.name for one in await store.find(Unit)}
        return cls(officers, units, {rule.key: rule.name for rule in policy.posts}, zone)

    def facts(self, one: Shift | ShiftRow) -> dict[str, Any]:
        return {
            "name": self.officers.get(one.officer_id, one.officer_id),
            "unit": self.units.get(one.unit_id, one.unit_id),
            "post": self.posts.get(one.post, one.post),
            "from": f"{one.starts_at.astimezone(self.zone):%Y-%m-%d %H:%M}",
            "to": f"{one.ends_at.astimezone(self.zone):%m-%d %H:%M}",
        }

    def entry(self, mark: Mark, kind: str, one: Shift | ShiftRow, **more: str) -> Entry:
        return Entry(mark, kind, self.facts(one) | more)


def _key(one: Shift | ShiftRow) -> Key:
    return (one.unit_id, one.post, one.officer_id, one.starts_at, one.ends_at)


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).date().isoformat()


def _slot(shift: Shift, zone: ZoneInfo) -> Slot:
    return (shift.unit_id, _day(shift.starts_at, zone), shift.post)


def _log(desk: Desk, plan: RosterPlan, by: str) -> None:
    """One line for each unit whose roster changed."""
    zone = ZoneInfo(desk.policy.timezone)
    units: dict[str, dict[str, Any]] = {}
    for mark, shifts in (
        ("added", plan.new),
        ("removed", plan.removed),
        ("changed", [one for one, _ in plan.changed]),
    ):
        for one in shifts:
            facts = units.setdefault(one.unit_id, {"added": 0, "removed": 0, "changed": 0, "days": set()})
            facts[mark] += 1
            facts["days"].add(_day(one.starts_at, zone))
    for unit_id, facts in units.items():
        desk.log("roster_imported", f"unit:{unit_id}", by, **facts | {"days": sorted(facts["days"])})
