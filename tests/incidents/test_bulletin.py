"""The day in figures: counts that sum, drills kept apart, edges of the span."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidents.bulletin import CalledRoll, sum_up
from incidents.deadlines import set_clocks
from incidents.lifecycle import close, sign
from incidents.model import Casualties, Category, Incident, Severity, State
from tests.incidents.samples import MINUTE, NOW, TICK, incident

DAY = timedelta(days=1)
SPAN = (NOW, NOW + DAY)


def test_the_span_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    moments = {"before": NOW - TICK, "first": NOW, "last": NOW + DAY - TICK, "after": NOW + DAY}
    found = sum_up("daily", [incident(id=name, received_at=at) for name, at in moments.items()], [], SPAN)
    assert [one.id for one in found.opened] == ["first", "last"]
    assert [one.id for one in found.still_open] == ["before", "first", "last"]


def test_a_quiet_day_is_a_zero_report() -> None:
    found = sum_up("zero_report", [], [], SPAN)
    assert found.is_zero and found.opened_count == 0 and found.due == 0
    assert not sum_up("zero_report", [incident(received_at=NOW - DAY)], [], SPAN).is_zero
    assert sum_up("zero_report", [incident(drill=True)], [], SPAN).is_zero


def test_what_ended_after_the_span_is_open_in_it() -> None:
    ended = close(sign(incident(), "zhang", NOW), "zhang", "已扑灭", NOW + DAY)
    assert sum_up("daily", [ended], [], SPAN).still_open == (ended,)
    assert sum_up("daily", [ended], [], SPAN).closed_count == 0
    assert sum_up("daily", [ended], [], (NOW, NOW + DAY + TICK)).closed_count == 1


def test_casualties_are_known_figures_of_true_events_only() -> None:
    told = [
        incident(id="a", casualties=Casualties(deaths=1, injuries=2)),
        incident(id="b", casualties=Casualties(injuries=3)),
        incident(id="c", state=State.merged, casualties=Casualties(deaths=1)),
        incident(id="d", casualties=None),
        incident(id="e", casualties=Casualties(nobody=True)),
    ]
    found = sum_up("daily", told, [], SPAN)
    assert (found.casualties["deaths"], found.casualties["injuries"]) == (1, 5)
    assert found.unknown_casualties_count == 1


def test_overdue_and_sensitive_are_counted_once_each() -> None:
    late = set_clocks(incident(id="late", sensitive=True), NOW, MINUTE)
    found = sum_up("daily", [late, incident(id="b")], [], SPAN)
    assert (found.overdue_count, found.sensitive_count, found.unsigned_count) == (1, 1, 2)


def test_roll_calls_sum_over_the_span_and_missed_ones_owe_nothing() -> None:
    called = [
        CalledRoll("早", NOW, 3, {"present": 2, "no_answer": 1}),
        CalledRoll("晚", NOW + DAY - TICK, 2, {"present": 1, "late": 1}),
        CalledRoll("漏", NOW + MINUTE, 0, is_missed=True),
        CalledRoll("外", NOW + DAY, 9, {"present": 9}),
    ]
    found = sum_up("daily", [], called, SPAN)
    assert (found.due, found.roll_calls_missed) == (5, 1)
    assert found.roll_call_counts == {"present": 3, "no_answer": 1, "late": 1}
    assert sum(found.roll_call_counts.values()) == found.due


INCIDENTS = st.builds(
    lambda number, state, severity, category, hours, drill: incident(
        id=str(number),
        state=state,
        severity=severity,
        category=category,
        received_at=NOW + timedelta(hours=hours),
        closed_at=NOW + timedelta(hours=hours + 1)
        if state in (State.closed, State.unfounded, State.merged)
        else None,
        drill=drill,
    ),
    st.integers(),
    st.sampled_from(list(State)),
    st.sampled_from(list(Severity)),
    st.sampled_from(list(Category)),
    st.integers(-30, 30),
    st.booleans(),
)


@given(st.lists(INCIDENTS, max_size=20))
def test_every_breakdown_sums_to_its_total(incidents: list[Incident]) -> None:
    found = sum_up("weekly", incidents, [], SPAN)
    for breakdown in (found.by_severity, found.by_category, found.by_state):
        assert sum(breakdown.values()) == found.opened_count
    inside = [one for one in incidents if SPAN[0] <= one.received_at < SPAN[1]]
    assert found.opened_count + found.drills_count == len(inside)
