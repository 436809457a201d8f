"""The log's chain by itself: whatever is done to a line is found."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.chain import START, Break, ChainFault, hash_of, link, verify
from desk.ports import LogEntry
from incidents.model import LogLine
from tests.bot.store.samples import any_of, entry, json_values, moments, texts

entries = st.builds(LogEntry, moments, texts, texts, texts, st.dictionaries(texts, json_values, max_size=3))


def chain(entries: list[LogEntry]) -> list[LogLine]:
    """These entries as a whole log."""
    lines: list[LogLine] = []
    for one in entries:
        lines.append(link(lines[-1].hash if lines else START, len(lines) + 1, one))
    return lines


LOG = chain([entry(minutes=number, number=number) for number in range(9)])


@given(st.lists(entries, max_size=6))
def test_a_log_as_it_was_written_has_no_fault(log: list[LogEntry]) -> None:
    lines = chain(log)
    assert verify(lines) == []
    assert verify(lines, {line.sequence: line.hash for line in lines}) == []


@given(st.lists(entries, min_size=1, max_size=4), st.data())
def test_a_line_changed_in_any_field_is_found(log: list[LogEntry], data: st.DataObject) -> None:
    lines = chain(log)
    place = data.draw(st.integers(0, len(lines) - 1))
    field = data.draw(
        st.sampled_from(["sequence", "at", "kind", "subject", "actor", "facts", "previous", "hash"])
    )
    value = data.draw(any_of(LogLine).map(lambda line: getattr(line, field)))
    changed = replace(lines[place], **{field: value})
    # Equal, or the same JSON (1 and 1.0 and True are equal in Python, and are no fault when they are the same text).
    same = json.dumps(value, default=str) == json.dumps(getattr(lines[place], field), default=str)
    faults = verify([*lines[:place], changed, *lines[place + 1 :]])
    assert faults or same or (field == "at" and value == lines[place].at)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([*LOG[:4], replace(LOG[4], actor="o9"), *LOG[5:]], ChainFault(5, Break.changed)),
        ([*LOG[:4], replace(LOG[4], facts={"number": 5}), *LOG[5:]], ChainFault(5, Break.changed)),
        ([*LOG[:4], *LOG[5:]], ChainFault(6, Break.gap)),
        (LOG[1:], ChainFault(2, Break.gap)),
        ([*LOG[:3], LOG[4], LOG[3], *LOG[5:]], ChainFault(5, Break.gap)),
        ([*LOG[:4], LOG[3], *LOG[4:]], ChainFault(4, Break.gap)),
        (
            [*LOG[:3], replace(LOG[4], sequence=4), replace(LOG[3], sequence=5), *LOG[5:]],
            ChainFault(4, Break.unlinked),
        ),
        (
            [*LOG[:4], *(replace(line, sequence=line.sequence - 1) for line in LOG[5:])],
            ChainFault(5, Break.unlinked),
        ),
    ],
    ids="flip facts delete behead swap double swap-renumbered delete-renumbered".split(),
)
def test_a_log_that_was_tampered_with_says_where_it_breaks(lines: list[LogLine], fault: ChainFault) -> None:
    assert verify(lines)[0] == fault


def test_a_line_hashed_again_breaks_from_the_next_line_on() -> None:
    forged = replace(LOG[4], actor="o9")
    forged = replace(forged, hash=hash_of(forged))
    assert verify([*LOG[:4], forged, *LOG[5:]]) == [ChainFault(6, Break.unlinked)]


def test_a_log_hashed_again_to_its_end_is_found_by_a_hash_that_was_told_to_others() -> None:
    """The daily bulletin publishes the head: a whole forged chain is sound by itself."""
    told = {LOG[-1].sequence: LOG[-1].hash}
    forged = chain([entry(minutes=number, number=99 if number == 4 else number) for number in range(9)])
    assert forged[:4] == LOG[:4]
    assert verify(forged) == []
    assert verify(forged, told) == [ChainFault(9, Break.rewritten)]


def test_a_log_cut_off_at_its_end_is_found_by_a_hash_that_was_told_to_others() -> None:
    told = {LOG[2].sequence: LOG[2].hash, LOG[-1].sequence: LOG[-1].hash}
    assert verify(LOG[:5]) == []
    assert verify(LOG[:5], told) == [ChainFault(9, Break.missing)]
    assert verify([], told) == [ChainFault(3, Break.missing), ChainFault(9, Break.missing)]


def test_the_hash_is_the_one_that_is_documented() -> None:
    """SHA-256 of the previous hash and the canonical JSON: anybody can recompute it with other tools."""
    line = link(START, 1, LogEntry(entry().at, "报送", "incident:i1", "o1", {"b": 1.5, "a": "火"}))
    told = (
        '{"actor":"o1","at":"2026-11-23T04:00:00.000000+00:00","facts":{"a":"火","b":1.5},'
        '"kind":"报送","sequence":1,"subject":"incident:i1"}'
    )
    import hashlib

    assert line.hash == hashlib.sha256((START + told).encode()).hexdigest()


def test_the_same_moment_in_another_zone_has_the_same_hash() -> None:
    local = replace(LOG[0], at=LOG[0].at.astimezone(timezone(timedelta(hours=8))))
    assert verify([local]) == []


@pytest.mark.parametrize("facts", [{"share": float("nan")}, {"share": float("inf")}], ids=str)
def test_facts_that_are_no_json_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        link(START, 1, LogEntry(entry().at, "k", "s", "a", facts))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        link(START, 1, replace(entry(), at=entry().at.replace(tzinfo=None)))
