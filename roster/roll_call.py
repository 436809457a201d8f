"""The one call-out engine (点名, 叫应): a frozen audience, an owed answer, a proof, counts that sum."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from roster.answers import Reading, reads_as_answer
from roster.distance import metres_between
from roster.model import (
    Answer,
    Officer,
    Presence,
    Proof,
    Result,
    RollCall,
    RollCallPlan,
    Shift,
    Unit,
)
from roster.rota import UNROSTERED_KINDS, on_watch

__all__ = [
    "Due",
    "Located",
    "Reading",
    "Verdict",
    "applies_on",
    "audience",
    "judge",
    "make_up",
    "reads_as_answer",
    "reminders",
    "silent",
    "tally",
]

STARTS_WITHIN = timedelta(minutes=1)  # A call that starts this soon after its moment is not 补点.
_STRICTEST = (Presence.on_site, Presence.in_town, Presence.reachable)


class Located(Protocol):
    """Anything with WGS-84 degrees, or None where only words are known."""

    @property
    def lat(self) -> float | None: ...

    @property
    def lon(self) -> float | None: ...


@dataclass(frozen=True)
class Due:
    """One person who owes an answer, for which post, and with which proof."""

    officer_id: str
    unit_id: str
    post: str
    presence: Presence
    proof: Proof


@dataclass(frozen=True)
class Verdict:
    """How an answer counts: a result, or the proof still missing."""

    result: Result | None
    missing: str = ""  # The Proof's value still owed.
    distance: float | None = None  # Metres from the unit's own point, when a place was sent.
    after_close: bool = False  # Said after the window: kept and shown, a person judges it.
    repeated: bool = False  # Answered or settled before: the first stands.
    unchecked: bool = False  # A place was owed and sent, but the unit has no point to compare it with.


def applies_on(plan: RollCallPlan, day_class: str) -> bool:
    """Whether a plan calls on days of this class; a plan without classes calls on all."""
    return not plan.day_classes or day_class in plan.day_classes


def audience(
    plan: RollCallPlan,
    shifts: Iterable[Shift],
    officers: Iterable[Officer],
    units: Iterable[Unit],
    at: datetime,
) -> list[Due]:
    """Who owes an answer, each person once, in the order of units, posts and ids.

    Posts mean their holders on watch, roles their active people on watch or not, neither the whole watch.
    Units (names or ids, with their villages) narrow all of these. Who holds two posts owes the stricter."""
    known = {unit.id: unit for unit in units}
    active = {one.id: one for one in officers if one.active}
    wanted = _wanted_units(plan.units, known)
    places = {unit_id: number for number, unit_id in enumerate(known)}
    posts = {post: number for number, post in enumerate(plan.posts)}

    def rank(one: Due) -> tuple[int, int, str, str]:
        return places.get(one.unit_id, len(places)), posts.get(one.post, len(posts)), one.post, one.officer_id

    found: dict[str, Due] = {}
    watch = [one for one in on_watch(shifts, at) if one.officer_id in active]
    for due in sorted((_due(plan, one, known.get(one.unit_id)) for one in watch), key=rank):
        role = active[due.officer_id].role.value
        is_meant = due.post in plan.posts or role in plan.roles or not (plan.posts or plan.roles)
        if not is_meant or (wanted is not None and due.unit_id not in wanted):
            continue
        before = found.get(due.officer_id)
        if before is None or _strictness(due) < _strictness(before):
            found[due.officer_id] = due
    for officer in active.values():
        is_here = wanted is None or officer.unit_id in wanted
        if officer.role.value in plan.roles and officer.id not in found and is_here:
            found[officer.id] = Due(officer.id, officer.unit_id, "", Presence.reachable, Proof.tap)
    return sorted(found.values(), key=rank)


def judge(
    call: RollCall,
    answer: Answer,
    *,
    at: datetime,
    passcode: str = "",
    place: Located | None = None,
    has_photo: bool = False,
    unit: Unit | None = None,
) -> Verdict:
    """How an answer said at a moment counts. The same answer twice changes nothing: the first stands.

    At the very deadline it is still in time. Without the owed proof nothing is recorded yet."""
    after_close = at > call.closes_at
    if answer.result is not Result.waiting:
        return Verdict(answer.result, after_close=after_close, repeated=True)
    distance, unchecked = _distance(place, unit)
    shown = {
        Proof.tap: True,
        Proof.passcode: bool(passcode) and passcode == call.passcode,
        Proof.photo: has_photo,
        Proof.place: unchecked or (distance is not None and distance <= call.place_within_metres),
    }
    if not shown[answer.proof]:
        return Verdict(None, answer.proof.value, distance, after_close)
    result = Result.present if at <= call.on_time_until else Result.late
    return Verdict(result, "", distance, after_close, unchecked=unchecked and answer.proof is Proof.place)


def reminders(plan: RollCallPlan, called_at: datetime, minute: timedelta) -> tuple[datetime, ...]:
    """When the silent are nudged: each moment once, in order, and only while the window is open."""
    wanted = {count for count in plan.remind_after_minutes if 0 < count < plan.answer_window_minutes}
    return tuple(called_at + count * minute for count in sorted(wanted))


def tally(answers: Iterable[Answer]) -> dict[str, int]:
    """How many stand where, by the result's value; the counts always sum to 应到."""
    counts = Counter(answer.result for answer in answers)
    return {result.value: counts[result] for result in Result if counts[result]}


def silent(answers: Iterable[Answer]) -> list[Answer]:
    """Those who owe an answer still, or said nothing in time."""
    return [answer for answer in answers if answer.result in (Result.waiting, Result.no_answer)]


def make_up(plan: RollCallPlan, slot_at: datetime, now: datetime) -> str:
    """How a planned moment is served: "on_time", "make_up" (补点, caught up) or "missed" (漏点)."""
    if now <= slot_at + STARTS_WITHIN:
        return "on_time"
    return "make_up" if now <= slot_at + timedelta(minutes=plan.catch_up_minutes) else "missed"


def _due(plan: RollCallPlan, shift: Shift, unit: Unit | None) -> Due:
    # A unit without a duty room is on 电话值班: its people answer, and prove no place.
    presence = Presence.reachable if unit is not None and unit.phone_duty else shift.presence
    owed = Proof.place if plan.needs_place else plan.proof
    proof = owed if presence is Presence.on_site else Proof.tap
    return Due(shift.officer_id, shift.unit_id, shift.post, presence, proof)


def _strictness(due: Due) -> int:
    return _STRICTEST.index(due.presence)


def _wanted_units(names: Sequence[str], known: dict[str, Unit]) -> set[str] | None:
    """The ids of the units meant, with the villages below them; None for all."""
    if not names:
        return None
    wanted = {unit.id for unit in known.values() if unit.id in names or unit.name in names}
    grown = 0
    while grown != len(wanted):
        grown = len(wanted)
        wanted |= {
            unit.id for unit in known.values() if unit.kind in UNROSTERED_KINDS and unit.parent_id in wanted
        }
    return wanted


def _distance(place: Located | None, unit: Unit | None) -> tuple[float | None, bool]:
    """Metres between the place sent and the unit's point, and whether there was nothing to compare with."""
    if place is None or place.lat is None or place.lon is None:
        return None, False
    if unit is None or unit.lat is None or unit.lon is None:
        return None, True
    return metres_between(place.lat, place.lon, unit.lat, unit.lon), False
