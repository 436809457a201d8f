"""Sums up a span for the 值班要情: what came in, what is open, how the roll calls went; counts that sum."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidents.deadlines import clocks
from incidents.model import OPEN_STATES, UNSIGNED_STATES, Category, Incident, Severity, State

CASUALTY_NAMES = ("deaths", "missing", "trapped", "serious_injuries", "injuries")


@dataclass(frozen=True)
class CalledRoll:
    """What a bulletin says of one roll call; `counts` sums to `due`."""

    plan: str
    called_at: datetime
    due: int
    counts: Mapping[str, int] = field(default_factory=dict)
    is_missed: bool = False  # 漏点
    is_make_up: bool = False  # 补点


@dataclass(frozen=True)
class Bulletin:
    """A span in figures; each mapping sums to the total beside it."""

    kind: str  # daily, weekly or zero_report
    starts_at: datetime
    ends_at: datetime
    opened: tuple[Incident, ...]  # Came in within the span, worst first, then in order.
    by_severity: Mapping[Severity, int]
    by_category: Mapping[Category, int]
    by_state: Mapping[State, int]
    closed_count: int  # Ended within the span, whenever they came in.
    still_open: tuple[Incident, ...]  # Open at the end of the span, whenever they came in.
    unsigned_count: int
    overdue_count: int  # Came in within the span and went over a reporting clock (超时).
    sensitive_count: int
    casualties: Mapping[str, int]  # Sums of the figures that are known.
    unknown_casualties_count: int  # Incidents of the span whose 伤亡 are 不详.
    drills_count: int  # 演练 are counted here and nowhere else.
    roll_calls: tuple[CalledRoll, ...]
    roll_calls_missed: int
    due: int
    roll_call_counts: Mapping[str, int]

    @property
    def opened_count(self) -> int:
        return len(self.opened)

    @property
    def is_zero(self) -> bool:
        """零报告: nothing came in and nothing is open."""
        return not self.opened and not self.still_open


def sum_up(
    kind: str,
    incidents: Iterable[Incident],
    roll_calls: Iterable[CalledRoll],
    span: tuple[datetime, datetime],
) -> Bulletin:
    """The bulletin of a span, start included and end excluded; what ended afterwards is open in it."""
    starts_at, ends_at = span
    known = [one for one in incidents if one.received_at < ends_at]
    real = [one for one in known if not one.drill]
    opened = sorted((one for one in real if starts_at <= one.received_at), key=_rank)
    still_open = sorted((one for one in real if _is_open(one, ends_at)), key=_rank)
    called = sorted(
        (one for one in roll_calls if starts_at <= one.called_at < ends_at), key=lambda one: one.called_at
    )
    counts: Counter[str] = Counter()
    for one in called:
        counts.update(one.counts)
    return Bulletin(
        kind=kind,
        starts_at=starts_at,
        ends_at=ends_at,
        opened=tuple(opened),
        by_severity=Counter(one.severity for one in opened),
        by_category=Counter(one.category for one in opened),
        by_state=Counter(one.state for one in opened),
        closed_count=sum(one.closed_at is not None and starts_at <= one.closed_at < ends_at for one in real),
        still_open=tuple(still_open),
        unsigned_count=sum(one.state in UNSIGNED_STATES for one in still_open),
        overdue_count=sum(any(clock.is_late for clock in clocks(one, ends_at)) for one in opened),
        sensitive_count=sum(one.sensitive for one in opened),
        casualties=_casualties(opened),
        unknown_casualties_count=sum(_is_unknown(one) for one in opened),
        drills_count=sum(one.drill and starts_at <= one.received_at for one in known),
        roll_calls=tuple(called),
        roll_calls_missed=sum(one.is_missed for one in called),
        due=sum(one.due for one in called if not one.is_missed),
        roll_call_counts=dict(counts),
    )


def _rank(incident: Incident) -> tuple[int, datetime, str]:
    return list(Severity).index(incident.severity), incident.received_at, incident.id


def _is_open(incident: Incident, at: datetime) -> bool:
    return incident.state in OPEN_STATES or (incident.closed_at is not None and incident.closed_at >= at)


def _casualties(incidents: Iterable[Incident]) -> dict[str, int]:
    """Known figures only, and none of a report that was unfounded or a second one of the same event."""
    told = [one for one in incidents if one.state not in (State.unfounded, State.merged) and one.casualties]
    return {name: sum(getattr(one.casualties, name) or 0 for one in told) for name in CASUALTY_NAMES}


def _is_unknown(incident: Incident) -> bool:
    known = incident.casualties
    return known is None or (
        not known.nobody and all(getattr(known, name) is None for name in CASUALTY_NAMES)
    )
