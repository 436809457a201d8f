"""The states of an incident, and what each refuses."""

from collections.abc import Callable
from datetime import datetime

import pytest

from incidents.lifecycle import (
    AlreadySigned,
    CannotMerge,
    NoOutcome,
    NotOpen,
    NotSigned,
    close,
    hand_on,
    merge,
    reopen,
    set_severity,
    sign,
    unfounded,
)
from incidents.model import Incident, Severity, State
from tests.incidents.samples import MINUTE, NOW, incident

ENDED = [State.closed, State.unfounded, State.merged]


def test_a_signature_stops_the_ladder_and_names_the_holder() -> None:
    signed = sign(incident(), "zhang", NOW)
    assert (signed.state, signed.signed_by, signed.signed_at) == (State.verifying, "zhang", NOW)
    assert signed.next_step_at is None


@pytest.mark.parametrize("taker", ["li", "zhang"])
def test_the_second_taker_hears_who_has_it(taker: str) -> None:
    signed = sign(incident(), "zhang", NOW)
    with pytest.raises(AlreadySigned) as told:
        sign(signed, taker, NOW + MINUTE)
    assert (told.value.by, told.value.at) == ("zhang", NOW)


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_takes_nothing_more(state: State) -> None:
    ended = incident(state=state, signed_by="zhang")
    acts: list[Callable[[], Incident]] = [
        lambda: sign(ended, "li", NOW),
        lambda: hand_on(ended, "li", "wang", NOW, MINUTE),
        lambda: close(ended, "li", "好了", NOW),
        lambda: unfounded(ended, "li", "没有", NOW),
        lambda: merge(ended, "li", incident(id="i2"), NOW),
        lambda: set_severity(ended, "li", Severity.major, NOW),
    ]
    for act in acts:
        with pytest.raises(NotOpen) as told:
            act()
        assert told.value.state is state


def test_handed_on_waits_for_the_one_named_and_anybody_may_sign() -> None:
    handed = hand_on(sign(incident(), "zhang", NOW), "zhang", "li", NOW, MINUTE)
    assert (handed.state, handed.signed_by, handed.assigned_to) == (State.handed_on, "", "li")
    assert handed.heard_by == ("zhang", "li")
    signed = sign(handed, "wang", NOW + MINUTE)
    assert (signed.signed_by, signed.assigned_to, signed.next_step_at) == ("wang", "", None)


def test_handing_on_before_any_signature_lets_the_ladder_climb_as_before() -> None:
    climbing = incident(step=1, next_step_at=NOW + 5 * MINUTE)
    handed = hand_on(climbing, "zhang", "li", NOW + MINUTE, MINUTE)
    assert (handed.walk, handed.step, handed.next_step_at) == (0, 1, NOW + 5 * MINUTE)


@pytest.mark.parametrize("end", [close, unfounded])
def test_nothing_ends_without_a_signature_or_a_final_report(
    end: Callable[[Incident, str, str, datetime], Incident],
) -> None:
    with pytest.raises(NotSigned):
        end(incident(), "zhang", "已扑灭", NOW)
    with pytest.raises(NotSigned):
        end(hand_on(sign(incident(), "a", NOW), "a", "b", NOW, MINUTE), "a", "已扑灭", NOW)
    with pytest.raises(NoOutcome):
        end(sign(incident(), "zhang", NOW), "zhang", "  ", NOW)


def test_the_outcome_is_the_final_report() -> None:
    closed = close(sign(incident(follow_up_by=NOW), "zhang", NOW), "zhang", " 明火已扑灭 ", NOW + MINUTE)
    assert (closed.state, closed.outcome, closed.closed_at) == (State.closed, "明火已扑灭", NOW + MINUTE)
    assert closed.follow_up_by is None and closed.next_step_at is None


def test_a_second_report_joins_an_open_incident_only() -> None:
    joined = merge(incident(), "zhang", incident(id="i2"), NOW)
    assert (joined.state, joined.merged_into, joined.next_step_at) == (State.merged, "i2", None)
    for into in (incident(), incident(id="i2", state=State.closed)):
        with pytest.raises(CannotMerge):
            merge(incident(), "zhang", into, NOW)


def test_reopened_it_belongs_to_whoever_reopened_it() -> None:
    closed = close(sign(incident(), "zhang", NOW), "zhang", "好了", NOW)
    again = reopen(closed, "li", NOW + MINUTE)
    assert (again.state, again.signed_by, again.closed_at) == (State.verifying, "li", None)
    with pytest.raises(NotOpen):
        reopen(again, "li", NOW)


def test_a_level_set_by_a_person_says_who() -> None:
    changed = set_severity(incident(), "li", Severity.serious, NOW)
    assert (changed.severity, changed.severity_set_by) == (Severity.serious, "li")
