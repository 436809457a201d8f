"""The ladder: each step at its moment, and always one more while nobody signs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.escalation import after_step, due_step, is_repeating, ladder_for, next_step, skip_unheld
from incidents.lifecycle import hand_on, sign
from incidents.model import Category, Incident, Ladder, Severity, State, Step
from incidents.tables.ladders import DEFAULT_LADDER, SLOW_REST_MINUTES
from tests.incidents.samples import LADDER, MINUTE, NOW, TICK, incident

ANY = Ladder("any", (Step(0, ("role:office",)),))


@pytest.mark.parametrize(
    ("ladder", "fits"),
    [
        (replace(ANY, severities=(Severity.major,)), True),
        (replace(ANY, severities=(Severity.serious,)), False),
        (replace(ANY, categories=(Category.accident,)), True),
        (replace(ANY, categories=(Category.natural,)), False),
        (replace(ANY, units=("xl",)), True),
        (replace(ANY, units=("小榄镇",)), True),
        (replace(ANY, units=("sq",)), False),
        (replace(ANY, severities=(Severity.major,), units=("sq",)), False),
        (replace(ANY, steps=()), False),
    ],
)
def test_a_ladder_fits_when_all_its_conditions_do(ladder: Ladder, fits: bool) -> None:
    fire = incident(severity=Severity.major, category=Category.accident)
    assert ladder_for(fire, [ladder], "小榄镇") is (ladder if fits else DEFAULT_LADDER)


def test_the_first_fitting_ladder_wins() -> None:
    assert ladder_for(incident(), [replace(ANY, units=("sq",)), LADDER, ANY]) is LADDER


def test_a_step_is_due_at_its_very_moment() -> None:
    assert due_step(incident(), NOW - TICK) is None
    assert due_step(incident(), NOW) == LADDER.steps[0]


@pytest.mark.parametrize("state", [State.verifying, State.closed, State.unfounded, State.merged])
def test_nobody_is_paged_once_it_is_signed_or_over(state: State) -> None:
    assert due_step(incident(state=state), NOW) is None
    assert after_step(incident(state=state), NOW, MINUTE).next_step_at is None


def test_the_steps_come_at_their_minutes_then_the_walk_repeats_faster_then_slowly_for_ever() -> None:
    one, now, seen = incident(), NOW, []
    for _ in range(15):
        seen.append((one.walk, one.step, (now - NOW) / MINUTE))
        one = after_step(one, now, MINUTE)
        assert one.next_step_at is not None
        now = one.next_step_at
    assert seen == [
        *((0, 0, 0), (0, 1, 5), (0, 2, 10)),
        *((1, 0, 15), (1, 1, 17.5), (1, 2, 20)),
        *((2, 0, 25), (2, 1, 27.5), (2, 2, 30)),
        *((3, 0, 60), (3, 1, 62.5), (3, 2, 65)),
        *((4, 0, 95), (4, 1, 97.5), (4, 2, 100)),
    ]
    assert is_repeating(one) and not is_repeating(incident())


def test_a_step_taken_late_does_not_put_off_the_promised_minute_of_the_next() -> None:
    late = after_step(incident(), NOW + 3 * MINUTE, MINUTE)
    assert late.next_step_at == NOW + 5 * MINUTE
    later = after_step(incident(), NOW + 20 * MINUTE, MINUTE)
    assert later.next_step_at == NOW + 20 * MINUTE


def test_a_step_nobody_holds_is_passed_over_at_once_but_an_empty_roster_never_spins() -> None:
    one = skip_unheld(incident(), NOW, MINUTE)
    assert (one.step, one.next_step_at) == (1, NOW)
    one = skip_unheld(skip_unheld(one, NOW, MINUTE), NOW, MINUTE)
    assert (one.walk, one.step, one.next_step_at) == (1, 0, NOW + 5 * MINUTE)


def test_an_incident_without_a_ladder_walks_the_built_in_one() -> None:
    bare = incident(ladder=None)
    assert due_step(bare, NOW) == DEFAULT_LADDER.steps[0]
    assert due_step(incident(ladder=Ladder("empty", ())), NOW) == DEFAULT_LADDER.steps[0]


def test_after_the_signature_is_handed_on_the_ladder_starts_again() -> None:
    signed = sign(incident(walk=1, step=2), "zhang", NOW)
    handed = hand_on(signed, "zhang", "li", NOW, MINUTE)
    assert (handed.walk, handed.step, handed.next_step_at) == (2, 0, NOW + 5 * MINUTE)
    assert due_step(handed, NOW + 5 * MINUTE) == LADDER.steps[0]


STEPS = st.lists(st.floats(0, 60, allow_nan=False), min_size=1, max_size=5).map(sorted)
MOVES = st.lists(
    st.tuples(st.sampled_from(["take", "skip", "late", "hand", "sign"]), st.floats(0, 120)), max_size=40
)


@given(STEPS, st.integers(0, 4), MOVES)
def test_an_unsigned_incident_always_has_a_next_step_and_it_always_comes(
    minutes: list[float], repeat: int, moves: list[tuple[str, float]]
) -> None:
    ladder = Ladder("any", tuple(Step(one, ("role:office",)) for one in minutes), repeat=repeat)
    one: Incident = incident(ladder=ladder, next_step_at=NOW + minutes[0] * MINUTE)
    now = NOW
    for move, wait in moves:
        before = (one.walk, one.step)
        if move == "hand":
            one = hand_on(one, "a", "b", now, MINUTE)
            assert due_step(one, now) is None or one.next_step_at is not None
            continue
        if move == "sign":
            assert due_step(sign(one, "a", now), now + timedelta(days=365)) is None
            continue
        assert one.next_step_at is not None
        now = max(now, one.next_step_at) + (wait * MINUTE if move == "late" else timedelta(0))
        assert due_step(one, now) == next_step(one)
        one = skip_unheld(one, now, MINUTE) if move == "skip" else after_step(one, now, MINUTE)
        assert (one.walk, one.step) > before
        assert one.next_step_at is not None and one.next_step_at >= now
        assert one.next_step_at - now <= (SLOW_REST_MINUTES + 60) * MINUTE
