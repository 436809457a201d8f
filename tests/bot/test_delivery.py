"""What becomes of a letter after one sending."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.delivery import ATTEMPTS_MAX, CUT_OFF_MAX, after_unknown, is_stale, judge, split
from desk.model import Choice, Lane, Letter, LetterState, Outcome, Receipt

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PAGE = Letter("1", "incident_page", {}, (Choice("sign", "i"),), Lane.urgent, NOW, attempts=1)
RECEIPT = replace(PAGE, kind="report_filed", choices=())
DIGEST = replace(RECEIPT, kind="bulletin_daily", lane=Lane.bulk)
STATUS = replace(RECEIPT, kind="status")
CARD = replace(RECEIPT, amends="0", remote_id="7")


def judged(letter: Letter, receipt: Receipt) -> tuple[LetterState, float | None, int, bool]:
    """State, seconds until the next attempt, unknowns so far, and whether another way is taken."""
    verdict = judge(letter, receipt, NOW, hides_repeats=False)
    wait = None if verdict.again_at is None else (verdict.again_at - NOW).total_seconds()
    return verdict.state, wait, verdict.unknowns, verdict.other_way


@pytest.mark.parametrize(
    ("letter", "receipt", "expected"),
    [
        (PAGE, Receipt(Outcome.sent, "9"), (LetterState.sent, None, 0, False)),
        (PAGE, Receipt(Outcome.refused, reason="blocked"), (LetterState.queued, 0.0, 0, True)),
        (
            PAGE,
            Receipt(Outcome.not_sent, retry_after_seconds=37, whole_channel=True),
            (LetterState.queued, 37.0, 0, False),
        ),
        (PAGE, Receipt(Outcome.not_sent, not_here=True), (LetterState.queued, 0.2, 0, False)),
        (
            replace(PAGE, attempts=200),
            Receipt(Outcome.not_sent, not_here=True),
            (LetterState.queued, 2.0, 0, False),
        ),
        (PAGE, Receipt(Outcome.not_sent, new_address="-100"), (LetterState.queued, 0.0, 0, False)),
        (PAGE, Receipt(Outcome.unknown), (LetterState.queued, 10.0, 1, False)),
        (replace(PAGE, unknowns=1), Receipt(Outcome.unknown), (LetterState.queued, 10.0, 2, False)),
        (replace(PAGE, unknowns=2), Receipt(Outcome.unknown), (LetterState.unknown, None, 3, False)),
        (RECEIPT, Receipt(Outcome.unknown), (LetterState.queued, 10.0, 1, False)),
        (replace(RECEIPT, unknowns=1), Receipt(Outcome.unknown), (LetterState.unknown, None, 2, False)),
        (DIGEST, Receipt(Outcome.unknown), (LetterState.unknown, None, 1, False)),
        (STATUS, Receipt(Outcome.unknown), (LetterState.unknown, None, 1, False)),
        (
            replace(CARD, attempts=ATTEMPTS_MAX),
            Receipt(Outcome.unknown),
            (LetterState.failed, None, 0, False),
        ),
    ],
)
def test_fault_11_each_stage_and_class_has_its_answer(
    letter: Letter, receipt: Receipt, expected: tuple[LetterState, float | None, int, bool]
) -> None:
    assert judged(letter, receipt) == expected


def test_fault_10_what_never_left_is_tried_with_growing_pauses() -> None:
    waits = [judged(replace(PAGE, attempts=n), Receipt(Outcome.not_sent))[1] for n in range(1, ATTEMPTS_MAX)]
    for wait, seconds in zip(waits, [1, 5, 30, 120, 600, 600, 600, 600, 600], strict=True):
        assert wait is not None
        assert 0.89 * seconds <= wait <= 1.11 * seconds


def test_fault_19_what_never_left_waits_for_the_channel_until_it_is_stale() -> None:
    for attempts in (ATTEMPTS_MAX, 100):
        verdict = judge(replace(PAGE, attempts=attempts), Receipt(Outcome.not_sent), NOW, hides_repeats=False)
        assert verdict.state is LetterState.queued and verdict.again_at is not None
        assert verdict.again_at - NOW <= timedelta(minutes=11)


def test_a_chat_that_moves_for_ever_is_not_followed_in_a_hurry() -> None:
    assert judged(replace(PAGE, attempts=2), Receipt(Outcome.not_sent, new_address="-1"))[1] == 0
    wait = judged(replace(PAGE, attempts=3), Receipt(Outcome.not_sent, new_address="-1"))[1]
    assert wait is not None and wait > 20


def test_a_repeat_that_shows_nothing_twice_is_free_but_known_should_it_go_another_way() -> None:
    again = PAGE
    for attempt in range(1, ATTEMPTS_MAX):
        verdict = after_unknown(replace(again, attempts=attempt), NOW, hides_repeats=True)
        assert (verdict.state, verdict.unknowns) == (LetterState.queued, 1)
        again = replace(again, unknowns=verdict.unknowns)
    cut_off = replace(again, attempts=ATTEMPTS_MAX)  # By our own end, not by the platform.
    assert (
        after_unknown(cut_off, NOW, hides_repeats=True, attempts_max=CUT_OFF_MAX).state is LetterState.queued
    )
    last = replace(again, attempts=CUT_OFF_MAX)
    assert after_unknown(last, NOW, hides_repeats=True, attempts_max=CUT_OFF_MAX).state is LetterState.failed
    assert after_unknown(CARD, NOW, hides_repeats=False).unknowns == 0
    assert after_unknown(CARD, NOW, hides_repeats=False).state is LetterState.queued


def test_fault_19_old_digests_are_not_sent_any_more_and_pages_longer() -> None:
    assert not is_stale(DIGEST, NOW + timedelta(hours=6))
    assert is_stale(DIGEST, NOW + timedelta(hours=6, seconds=1))
    assert not is_stale(PAGE, NOW + timedelta(hours=24))
    assert is_stale(PAGE, NOW + timedelta(hours=24, seconds=1))


def test_input_11_a_long_text_is_cut_where_a_reader_would_pause() -> None:
    assert split("第一句很长很长很长。第二句", 12) == ["第一句很长很长很长。", "第二句"]
    assert split("短", 10) == ["短"]
    assert split("", 10) == [""]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(4, 50))
def test_input_11_every_part_fits_and_no_word_is_lost(text: str, units_max: int) -> None:
    parts = split(text, units_max)
    assert all(len(part.encode("utf-16-le")) // 2 <= units_max for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
