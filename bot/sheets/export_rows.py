"""What an export holds: the columns of each kind, and its rows a page at a time, as plain values."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from desk.policy import Policy
from desk.ports import Store
from desk.registry import one_form
from incidents.casualties import is_nobody
from incidents.model import Casualties, Incident, LogLine
from roster.model import Account, Answer, Officer, Role, RollCall, Shift, Unit

PAGE_ROWS = 1000
PAGE_ROLL_CALLS = 20
R = TypeVar("R")
Record = dict[str, Any]
Pages = AsyncIterator[list[Record]]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "people": tuple("name phone unit title role wecom telegram".split()),
    "units": tuple("name parent lat lon kind phone_duty".split()),
    "roster": tuple("date shift post name unit presence".split()),
    "incidents": tuple(
        "number title state severity potential basis category kind sensitive drill unit reporter received_at "
        "occurred_at place lat lon deaths missing trapped serious_injuries injuries loss_yuan signed_by signed_at "
        "assigned_to phone_by phone_done_at written_by written_done_at reports_count closed_at outcome "
        "merged_into".split()
    ),
    "roll-calls": tuple(
        "plan called_at closes_at state make_up due_count unit post name presence result answered_at channel text "
        "note concluded_by".split()
    ),
    "log": tuple("sequence at kind subject actor facts previous hash".split()),
}


@dataclass(frozen=True)
class Names:
    """What ids are called."""

    officers: Mapping[str, Officer]
    units: Mapping[str, Unit]
    zone: ZoneInfo

    @classmethod
    async def read(cls, store: Store, policy: Policy) -> "Names":
        """Everybody and every unit."""
        officers = {one.id: one for one in await store.find(Officer)}
        units = {one.id: one for one in await store.find(Unit)}
        return cls(officers, units, ZoneInfo(policy.timezone))

    def officer(self, officer_id: str) -> str:
        """A name; an id nobody has stays what it is."""
        found = self.officers.get(officer_id)
        return found.name if found else officer_id

    def unit(self, unit_id: str | None) -> str:
        """As above."""
        found = self.units.get(unit_id or "")
        return found.name if found else unit_id or ""

    def place(self, unit_id: str) -> tuple[bool, str, str]:
        """Where a unit stands in a list: those above all first, then by name."""
        found = self.units.get(unit_id)
        return (found is None or found.parent_id is not None, found.name if found else "", unit_id)


async def pages(
    store: Store, kind: type[R], key: str = "id", size: int = PAGE_ROWS
) -> AsyncIterator[list[R]]:
    """Every record in the order of its key, so many at a time."""
    last: Any = None
    while True:
        criteria = {} if last is None else {f"{key}_from": last}
        found = await store.find(kind, order=(key,), limit=size + 1, **criteria)
        new = found if last is None else found[1:]
        if new:
            yield new
        if len(found) <= size:
            return
        last = getattr(new[-1], key)


async def people(store: Store, policy: Policy) -> Pages:
    """The active people, as an import takes them."""
    names = await Names.read(store, policy)
    telegram: dict[str, str] = {}
    for account in await store.find(Account, channel="telegram", order=("-rank", "id")):
        if account.fault != "replaced":
            telegram[account.officer_id] = account.address
    found = [one for one in names.officers.values() if one.active]
    found.sort(key=lambda one: (*names.place(one.unit_id), one.role is not Role.leader, one.name, one.id))
    for start in range(0, len(found), PAGE_ROWS):
        yield [
            {
                "name": one.name,
                "phone": one.phone,
                "unit": names.unit(one.unit_id),
                "title": one.title,
                "role": one.role.value,
                "wecom": one.wecom,
                "telegram": telegram.get(one.id, ""),
            }
            for one in found[start : start + PAGE_ROWS]
        ]


async def units(store: Store, policy: Policy) -> Pages:
    """The units of today, as an import takes them."""
    names = await Names.read(store, policy)
    found = sorted(names.units.values(), key=lambda one: names.place(one.id))
    yield [
        {
            "name": one.name,
            "parent": names.unit(one.parent_id),
            "lat": one.lat,
            "lon": one.lon,
            "kind": one.kind,
            "phone_duty": one.phone_duty,
        }
        for one in found
        if not one.valid_to
    ]


async def roster(store: Store, policy: Policy) -> Pages:
    """Every watch, one person a row, as an import takes them."""
    names = await Names.read(store, policy)
    counts: dict[str, int] = {}
    for officer in names.officers.values():
        counts[one_form(officer.name)] = counts.get(one_form(officer.name), 0) + 1
    shifts = await store.find(Shift, order=("starts_at", "unit_id", "post", "id"))
    for start in range(0, len(shifts), PAGE_ROWS):
        yield [_shift(one, names, counts) for one in shifts[start : start + PAGE_ROWS]]


def _shift(shift: Shift, names: Names, counts: Mapping[str, int]) -> Record:
    starts_at, ends_at = shift.starts_at.astimezone(names.zone), shift.ends_at.astimezone(names.zone)
    officer = names.officers.get(shift.officer_id)
    name = names.officer(shift.officer_id)
    if officer and officer.phone and (counts[one_form(name)] > 1 or officer.unit_id != shift.unit_id):
        name = f"{name}({officer.phone})"  # So that an import knows which of them.
    return {
        "date": starts_at.date().isoformat(),
        "shift": _span(starts_at, ends_at),
        "post": shift.post,
        "name": name,
        "unit": names.unit(shift.unit_id),
        "presence": shift.presence.value,
        "id": shift.id,
        "starts_at": shift.starts_at,
        "ends_at": shift.ends_at,
    }


def _span(starts_at: datetime, ends_at: datetime) -> str:
    """08:30-08:30 for a whole watch; 次日 where the end would else be read as the same day's."""
    days = (ends_at.date() - starts_at.date()).days
    start, end = f"{starts_at:%H:%M}", f"{ends_at:%H:%M}"
    if ends_at - starts_at <= timedelta(days=1):
        return f"{start}-{end}"
    return f"{start}-次日{end}" if days == 1 else f"{start}-{ends_at:%Y-%m-%d %H:%M}"


async def incidents(store: Store, policy: Policy) -> Pages:
    """Every incident."""
    names = await Names.read(store, policy)
    async for found in pages(store, Incident):
        yield [_incident(one, names) for one in found]


def _incident(one: Incident, names: Names) -> Record:
    place, harm = one.place, one.casualties or Casualties()
    if is_nobody(harm):  # 无 is of the dead and the hurt; of the missing and the trapped it says nothing.
        harm = replace(harm, deaths=0, serious_injuries=0, injuries=0)
    plain = {name: getattr(one, name, None) for name in COLUMNS["incidents"]}
    return plain | {
        "unit": names.unit(one.unit_id),
        "reporter": names.officer(one.reporter_id),
        "place": place.text if place else "",
        "lat": place.lat if place else None,
        "lon": place.lon if place else None,
        "deaths": harm.deaths,
        "missing": harm.missing,
        "trapped": harm.trapped,
        "serious_injuries": harm.serious_injuries,
        "injuries": harm.injuries,
        "loss_yuan": harm.loss_yuan,
        "signed_by": names.officer(one.signed_by),
        "assigned_to": names.officer(one.assigned_to),
    }


async def roll_calls(store: Store, policy: Policy) -> Pages:
    """Every line of every ledger; a roll call that was missed has one line without a person."""
    names = await Names.read(store, policy)
    async for found in pages(store, RollCall, size=PAGE_ROLL_CALLS):
        answers: dict[str, list[Answer | None]] = {}
        for answer in await store.find(Answer, roll_call_id_in=[one.id for one in found]):
            answers.setdefault(answer.roll_call_id, []).append(answer)
        nobody: list[Answer | None] = [None]
        yield [_answer(call, one, names) for call in found for one in answers.get(call.id, nobody)]


def _answer(call: RollCall, answer: Answer | None, names: Names) -> Record:
    of_call = ("plan", "called_at", "closes_at", "state", "make_up", "due_count")
    of_answer = ("post", "presence", "result", "answered_at", "channel", "text", "note")
    return {
        **{name: getattr(call, name) for name in of_call},
        **{name: getattr(answer, name, None) for name in of_answer},
        "unit": names.unit(answer.unit_id) if answer else "",
        "name": names.officer(answer.officer_id) if answer else "",
        "concluded_by": names.officer(answer.concluded_by) if answer else "",
    }


async def log(store: Store, policy: Policy) -> Pages:
    """The duty log, line by line, with the hashes that chain it."""
    async for found in pages(store, LogLine, "sequence"):
        yield [{name: getattr(one, name) for name in COLUMNS["log"]} for one in found]


ROWS: Mapping[str, Callable[[Store, Policy], Pages]] = {
    "people": people,
    "units": units,
    "roster": roster,
    "incidents": incidents,
    "roll-calls": roll_calls,
    "log": log,
}
