"""Takes whole lists of units and people into the desk: planned first, then all rows or none, and harmless twice."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from desk.enrolment import FOR_GOOD, bind
from desk.lists import Conflict, Difference, Entry, Mark, PersonRow, Plan, Refused, Step, UnitRow
from desk.ports import Desk, Store
from roster.model import Account, Officer, Unit


def digits(phone: str) -> str:
    """What two spellings of a number share."""
    return re.sub(r"[^\d+]", "", phone)


def one_form(name: str) -> str:
    """What two spellings of a name share: width and spaces do not count."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name))


def current_units(units: Iterable[Unit], at: datetime) -> dict[str, Unit]:
    """The units that exist now, by `one_form`."""
    day = at.date().isoformat()
    return {one_form(unit.name): unit for unit in units if not unit.valid_to or unit.valid_to > day}


async def plan_units(store: Store, rows: Sequence[UnitRow], at: datetime) -> Plan:
    """What taking these units would change; raises Refused."""
    known = current_units(await store.find(Unit), at)
    names = {unit.id: unit.name for unit in known.values()}
    parents = {name: one_form(names.get(unit.parent_id or "", "")) for name, unit in known.items()}
    parents |= {
        one_form(row.name): one_form(row.parent) or parents.get(one_form(row.name), "") for row in rows
    }
    conflicts = [
        Conflict(row.spot, "parent", kind, {"parent": row.parent, "name": row.name})
        for row in rows
        if row.parent and (kind := _wrong_parent(one_form(row.name), parents))
    ]
    if conflicts:
        raise Refused(conflicts)
    steps, entries = [], []
    for row in rows:
        found = known.get(one_form(row.name))
        wanted = {"lat": row.lat, "lon": row.lon, "phone_duty": row.phone_duty, "kind": row.kind or None}
        values = {name: value for name, value in wanted.items() if value is not None}
        if found is not None:
            values = {name: value for name, value in values.items() if getattr(found, name) != value}
            if row.parent and parents[one_form(row.name)] != one_form(names.get(found.parent_id or "", "")):
                values["parent"] = row.parent
        elif row.parent:
            values["parent"] = row.parent
        if found is None or values:
            before = {} if found is None else {**vars(found), "parent": names.get(found.parent_id or "", "")}
            entries.append(_entry("unit", found, {"name": row.name}, before, values))
            steps.append(Step(row, found, values))
    return Plan(tuple(steps), Difference(tuple(entries), len(rows) - len(steps)))


def _wrong_parent(name: str, parents: Mapping[str, str]) -> str:
    seen, above = {name}, parents[name]
    while above:
        if above in seen:
            return "parent_circle"
        if above not in parents:
            return "unknown_parent"
        seen.add(above)
        above = parents[above]
    return ""


async def apply_units(desk: Desk, rows: Sequence[UnitRow], by: str) -> Difference:
    """Take the units: all, or none and Refused."""
    plan = await plan_units(desk.store, rows, desk.now)
    ids = {name: unit.id for name, unit in current_units(await desk.store.find(Unit), desk.now).items()}
    ids |= {one_form(step.row.name): desk.new_id() for step in plan.steps if step.found is None}
    new = []
    for step in plan.steps:
        values = dict(step.values)
        if "parent" in values:
            values["parent_id"] = ids[one_form(values.pop("parent"))]
        if step.found is None:
            new.append(Unit(ids[one_form(step.row.name)], step.row.name, **values))
        else:
            await desk.store.change(step.found, **values)
    await desk.store.add(*new)
    _log(desk, "unit", plan, by, [ids[one_form(step.row.name)] for step in plan.steps])
    return plan.difference


async def plan_people(store: Store, rows: Sequence[PersonRow], at: datetime) -> Plan:
    """What taking these people would change; nobody is removed. Raises Refused."""
    units = current_units(await store.find(Unit), at)
    officers = await store.find(Officer)
    accounts = await store.find(Account, channel="telegram")
    matched = _Matcher(officers, units).match(rows)
    conflicts = [*matched.conflicts, *_taken(rows, matched.found, officers, accounts)]
    if conflicts:
        raise Refused(sorted(conflicts, key=lambda one: (one.spot.sheet, one.spot.row)))
    names = {unit.id: unit.name for unit in await store.find(Unit)}
    steps, entries = [], []
    for place, row in enumerate(rows):
        found = matched.found.get(place)
        facts = {"name": row.name, "unit": row.unit}
        if found is not None and not found.active:
            entries.append(Entry(Mark.kept, "person_inactive", facts))
            continue
        values = _person_values(row, found, units[one_form(row.unit)].id)
        if row.telegram and not _is_bound(row.telegram, found, accounts):
            values["telegram"] = row.telegram
        if found is None or values:
            before = {} if found is None else {**vars(found), "unit_id": names.get(found.unit_id, "")}
            said = values | ({"unit_id": row.unit} if "unit_id" in values else {})
            entries.append(_entry("person", found, facts, before, said))
            steps.append(Step(row, found, values))
    kept = sum(entry.mark is Mark.kept for entry in entries)
    return Plan(tuple(steps), Difference(tuple(entries), len(rows) - len(steps) - kept))


async def apply_people(desk: Desk, rows: Sequence[PersonRow], by: str) -> Difference:
    """Take the people: all, or none and Refused. A Telegram id is bound at once."""
    plan = await plan_people(desk.store, rows, desk.now)
    ids, new, bindings = [], [], []
    for step in plan.steps:
        values = dict(step.values)
        telegram = values.pop("telegram", "")
        officer = step.found
        if officer is None:
            officer = Officer(desk.new_id(), step.row.name, **values)
            new.append(officer)
        elif values:
            officer = await desk.store.change(officer, **values)
        ids.append(officer.id)
        if telegram:
            bindings.append((officer, telegram))
    await desk.store.add(*new)
    for officer, telegram in bindings:
        await bind(desk, officer, "telegram", telegram)
    _log(desk, "officer", plan, by, ids)
    return plan.difference


def _person_values(row: PersonRow, found: Officer | None, unit_id: str) -> dict[str, Any]:
    wanted = {
        "unit_id": unit_id,
        "phone": row.phone,
        "title": row.title,
        "role": row.role,
        "wecom": row.wecom,
    }
    values = {name: value for name, value in wanted.items() if value}
    if found is None:
        return values
    if digits(found.phone) == row.phone:
        values.pop("phone", None)
    return {name: value for name, value in values.items() if getattr(found, name) != value}


def _is_bound(address: str, found: Officer | None, accounts: Sequence[Account]) -> bool:
    """Whether this id is this officer's; one the platform refuses stays refused until the person writes again."""
    return any(
        one.address == address
        and found is not None
        and one.officer_id == found.id
        and one.fault not in FOR_GOOD
        for one in accounts
    )


@dataclass
class _Matched:
    found: dict[int, Officer] = field(default_factory=dict)  # Place of the row to the officer it means.
    conflicts: list[Conflict] = field(default_factory=list)


class _Matcher:
    """Which officer a row means: by name and number first, then by name and unit."""

    def __init__(self, officers: Sequence[Officer], units: Mapping[str, Unit]) -> None:
        self._units = units
        self._by_name: dict[str, list[Officer]] = {}
        for one in officers:
            self._by_name.setdefault(one_form(one.name), []).append(one)

    def match(self, rows: Sequence[PersonRow]) -> _Matched:
        """The officer of each row; a row without one is somebody new."""
        matched = _Matched()
        for place, row in enumerate(rows):
            if one_form(row.unit) not in self._units:
                matched.conflicts.append(Conflict(row.spot, "unit", "unknown_unit", {"unit": row.unit}))
            same = [
                one
                for one in self._by_name.get(one_form(row.name), ())
                if row.phone and digits(one.phone) == row.phone
            ]
            if same:
                matched.found[place] = min(same, key=lambda one: (not one.active, one.id))
        taken = {one.id for one in matched.found.values()}
        for place, row in enumerate(rows):
            if place in matched.found or one_form(row.unit) not in self._units:
                continue
            same = [one for one in self._namesakes(row) if one.id not in taken]
            if len(same) > 1:
                shown = [one.phone or one.title or one.id for one in same]
                matched.conflicts.append(
                    Conflict(row.spot, "name", "which_person", {"name": row.name, "of": shown})
                )
            elif same:
                matched.found[place] = same[0]
                taken.add(same[0].id)
        return matched

    def _namesakes(self, row: PersonRow) -> list[Officer]:
        """The active of this name in this unit, else who left, unless the row has another number than they had."""
        unit_id = self._units[one_form(row.unit)].id
        same = [one for one in self._by_name.get(one_form(row.name), ()) if one.unit_id == unit_id]
        active = [one for one in same if one.active]
        return active or [one for one in same if not row.phone or not one.phone]


def _taken(
    rows: Sequence[PersonRow],
    found: Mapping[int, Officer],
    officers: Sequence[Officer],
    accounts: Sequence[Account],
) -> Iterable[Conflict]:
    """What another active officer has: a number, a WeCom id, a Telegram id."""
    active = {one.id: one for one in officers if one.active}
    rows_of = {officer.id: rows[place] for place, officer in found.items()}
    owners: dict[tuple[str, str], list[Officer]] = {}
    for one in active.values():
        row = rows_of.get(one.id)
        phone, wecom = (row and row.phone) or digits(one.phone), (row and row.wecom) or one.wecom
        owners.setdefault(("phone", phone), []).append(one)
        owners.setdefault(("wecom", wecom), []).append(one)
    for account in accounts:
        if account.officer_id in active and account.fault != "replaced":
            owners.setdefault(("telegram", account.address), []).append(active[account.officer_id])
    for place, row in enumerate(rows):
        me = found.get(place)
        for name in ("phone", "wecom", "telegram"):
            value = getattr(row, name)
            others = [one for one in owners.get((name, value), ()) if me is None or one.id != me.id]
            if value and others:
                facts = {"value": value, "owner": others[0].name, "name": row.name}
                yield Conflict(row.spot, name, f"{name}_taken", facts)


def _entry(
    what: str, found: Any, facts: Mapping[str, Any], before: Mapping[str, Any], values: Mapping[str, Any]
) -> Entry:
    mark = Mark.added if found is None else Mark.changed
    changes = [(name, before.get(name, ""), value) for name, value in values.items()]
    return Entry(mark, f"{what}_{mark.value}", {**facts, "changes": changes})


def _log(desk: Desk, what: str, plan: Plan, by: str, ids: Sequence[str]) -> None:
    """One line for each record, without numbers and ids of chats; one for the whole, when anything changed."""
    for step, record_id in zip(plan.steps, ids, strict=True):
        facts: dict[str, Any] = {"name": step.row.name, "fields": sorted(step.values)}
        if "role" in step.values:
            facts["role"] = str(step.values["role"])
        kind = f"{what}_added" if step.found is None else f"{what}_changed"
        desk.log(kind, f"{what}:{record_id}", by, **facts)
    if plan.steps:
        difference = plan.difference
        desk.log(
            "units_imported" if what == "unit" else "people_imported",
            "desk",
            by,
            added=difference.count(Mark.added),
            changed=difference.count(Mark.changed),
            unchanged=difference.unchanged,
        )
