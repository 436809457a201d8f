"""Who holds which post now and next, and which required posts nobody holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from roster.calendar import DayClass
from roster.model import Presence, Shift, Unit

UNROSTERED_KINDS = ("village", "area")  # Their people answer to the township's own watch.


@dataclass(frozen=True)
class Need:
    """How many people one watch must have on a post, and how many of them on site."""

    post: str
    count: int = 1
    on_site: int = 0


@dataclass(frozen=True)
class Gap:
    """空岗: a span in which a unit's post has fewer people than it must. A roster fault, never a person's."""

    unit_id: str
    post: str
    starts_at: datetime
    ends_at: datetime
    needed: int = 1
    held: int = 0
    on_site_short: int = 0  # People enough, but so many too few of them on site (双带班).


_ORDINARY = (Need("duty_leader"), Need("duty_officer", on_site=1))
_DUAL_LEAD = (Need("duty_leader", 2, on_site=1), Need("duty_officer", on_site=1))
_STRENGTHENED = (Need("duty_leader", 2, on_site=1), Need("duty_officer", 2, on_site=2))

REQUIRED_SOURCE = "《广东省政府系统值班工作规范》(粤府办〔2012〕55号) 第三条"
REQUIRED: Mapping[DayClass, tuple[Need, ...]] = {
    DayClass.workday: _ORDINARY,
    DayClass.makeup_workday: _ORDINARY,
    DayClass.rest_day: _ORDINARY,
    DayClass.holiday: _DUAL_LEAD,
    DayClass.in_lieu_rest: _DUAL_LEAD,
    DayClass.sensitive: _STRENGTHENED,
}


def required(day_class: DayClass) -> tuple[Need, ...]:
    """What each watch of such a day must have (REQUIRED_SOURCE); towns follow it 参照执行."""
    return REQUIRED[day_class]


def holders(unit_id: str, post: str, shifts: Iterable[Shift], at: datetime) -> list[Shift]:
    """Everybody who holds a unit's post at a moment, start included and end excluded, first comer first."""
    held = [one for one in on_watch(shifts, at) if one.unit_id == unit_id and one.post == post]
    return sorted(held, key=lambda shift: (shift.starts_at, shift.id))


def holder(unit_id: str, post: str, shifts: Iterable[Shift], at: datetime) -> Shift | None:
    """The first who holds a post of a unit at a moment, or None when nobody does."""
    held = holders(unit_id, post, shifts, at)
    return held[0] if held else None


def on_watch(shifts: Iterable[Shift], at: datetime) -> list[Shift]:
    """The shifts that run at a moment; at the very change only the incomers."""
    return [shift for shift in shifts if shift.starts_at <= at < shift.ends_at]


def next_watch(shifts: Iterable[Shift], at: datetime) -> list[Shift]:
    """The shifts that begin at the next change after a moment."""
    coming = [shift for shift in shifts if shift.starts_at > at]
    first = min((shift.starts_at for shift in coming), default=None)
    return [shift for shift in coming if shift.starts_at == first]


def watch_span(day: date, changes_at: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The moments between which the watch that begins on a local day runs; `changes_at` is "08:30"."""
    at = time.fromisoformat(changes_at)
    begins, ends = (datetime.combine(one, at, zone) for one in (day, day + timedelta(days=1)))
    return begins.astimezone(UTC), ends.astimezone(UTC)


def gaps(
    shifts: Iterable[Shift],
    units: Iterable[Unit],
    posts: Iterable[str | Need],
    span: tuple[datetime, datetime],
) -> list[Gap]:
    """Every stretch of a span in which a unit lacks a required post, per unit in the order given.

    A unit on phone duty (电话值班) and a village have no duty room to fill."""
    needs = [Need(one) if isinstance(one, str) else one for one in posts]
    begins, ends = span
    by_place: dict[tuple[str, str], list[Shift]] = {}
    for shift in shifts:
        if shift.starts_at < ends and begins < shift.ends_at:
            by_place.setdefault((shift.unit_id, shift.post), []).append(shift)
    found: list[Gap] = []
    for unit in units:
        if unit.phone_duty or unit.kind in UNROSTERED_KINDS or not _exists(unit, begins):
            continue
        for need in needs:
            found += _lacking(unit.id, need, by_place.get((unit.id, need.post), ()), span)
    return found


def _exists(unit: Unit, at: datetime) -> bool:
    day = at.date().isoformat()
    return (not unit.valid_from or unit.valid_from <= day) and (not unit.valid_to or day < unit.valid_to)


def _lacking(unit_id: str, need: Need, shifts: Sequence[Shift], span: tuple[datetime, datetime]) -> list[Gap]:
    begins, ends = span
    edges = {edge for one in shifts for edge in (one.starts_at, one.ends_at) if begins < edge < ends}
    cuts = sorted({begins, ends, *edges})
    found: list[Gap] = []
    for start, end in pairwise(cuts):
        held = on_watch(shifts, start)
        people = {one.officer_id for one in held}
        on_site = {one.officer_id for one in held if one.presence is Presence.on_site}
        short = max(0, need.on_site - len(on_site)) if len(people) >= need.count else 0
        if len(people) >= need.count and not short:
            continue
        gap = Gap(unit_id, need.post, start, end, need.count, len(people), short)
        before = found[-1] if found else None
        if (
            before is not None
            and replace(before, ends_at=end) == replace(gap, starts_at=before.starts_at)
            and before.ends_at == start
        ):
            found[-1] = replace(before, ends_at=end)
        else:
            found.append(gap)
    return found
