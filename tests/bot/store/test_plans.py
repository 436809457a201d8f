"""What is asked again and again is answered from an index, however many rows there are."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from bot.store.statements import Statements
from bot.store.tables import metadata
from desk.model import ChatMessage, InboxRow, Job, Letter, Session, Setting
from incidents.model import Attachment, Draft, Incident, LogLine, Report
from roster.model import Account, Answer, RollCall, Shift


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """The tables without rows: the planner knows no more of ours, as nobody runs ANALYZE."""
    path: Path = tmp_path_factory.mktemp("plans") / "muster.db"
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("kind", "criteria", "order", "index"),
    [
        (Account, "address_in reachable", "id", "address=?"),
        (Account, "channel address", "id", "channel=? AND address=?"),
        (Account, "officer_id_in reachable", "rank id", "officer_id=?"),
        (Answer, "officer_id result", "-id", "officer_id=? AND result=?"),
        (Answer, "officer_id_in roll_call_id_in", "id", "roll_call_id=? AND officer_id=?"),
        (Answer, "roll_call_id result", "id", "roll_call_id=? AND result=?"),
        (Attachment, "id_in state", "id", "id=?"),
        (Attachment, "incident_id", "id", "incident_id=?"),
        (Attachment, "digest state", "id", "digest=?"),
        (ChatMessage, "address", "-id", "address=?"),
        (ChatMessage, "address event_id", "id", "address=? AND event_id=?"),
        (ChatMessage, "address_in event_id", "id", "address=? AND event_id=?"),
        (ChatMessage, "address sequence_from", "sequence", "address=? AND sequence>?"),
        (Draft, "officer_id state", "-id", "officer_id=? AND state=?"),
        (InboxRow, "id_in state", "id", "id=?"),
        (InboxRow, "state", "-received_at", "state=?"),
        (Incident, "id_in state_in unit_id", "id", "id=?"),
        (Incident, "number", "id", "number=?"),
        (Incident, "reporter_id received_at_from", "-id", "reporter_id=? AND received_at>?"),
        (Incident, "reporter_id", "-received_at", "reporter_id=?"),
        (Incident, "severity state_in", "id", "state=? AND severity=?"),
        (Incident, "state_in", "received_at", "state=?"),
        (Incident, "state next_step_at_to", "id", "state=? AND next_step_at<?"),
        (Incident, "unit_id state_in", "received_at", "unit_id=? AND state=?"),
        (Job, "id_in parked", "id", "id=?"),
        (Job, "parked lane kind_in due_at_to", "due_at id", "parked=? AND lane=? AND due_at<?"),
        (Job, "parked lane due_at_from", "due_at id", "parked=? AND lane=? AND due_at>?"),
        (Letter, "id_in state", "id", "id=?"),
        (Letter, "remote_id channel address", "-id", "remote_id=? AND channel=?"),
        (Letter, "state", "-made_at", "state=?"),
        (Letter, "subject state_in kind_in amends", "id", "subject=?"),
        (Letter, "subject officer_id state_in kind_in amends", "id", "subject=? AND officer_id=?"),
        (LogLine, "sequence_from", "sequence", "rowid>?"),
        (LogLine, "subject", "-sequence", "subject=?"),
        (Report, "event_key", "id", "event_key=?"),
        (Report, "incident_id", "sequence", "incident_id=?"),
        (RollCall, "plan slot", "id", "plan=? AND slot=?"),
        (RollCall, "state", "-called_at", "state=?"),
        (Session, "officer_id kind_in ended", "id", "officer_id=? AND kind=?"),
        (Setting, "id_from id_to", "id", "id>? AND id<?"),
        (Shift, "officer_id ends_at_from starts_at_to", "id", "officer_id=?"),
        (Shift, "starts_at_to ends_at_from", "starts_at id", "ends_at>?"),
        (Shift, "starts_at_to ends_at_from", "id", "ends_at>?"),
        (Shift, "unit_id ends_at_from starts_at_to", "id", "unit_id=? AND ends_at>?"),
    ],
    ids=str,
)
def test_a_question_asked_often_is_answered_from_an_index(
    empty: sqlite3.Connection, kind: type[Any], criteria: str, order: str, index: str
) -> None:
    statement = Statements(dialect()).find(kind, order.split(), False, criteria.split())
    plan = empty.execute(f"EXPLAIN QUERY PLAN {statement.sql}", [None] * len(statement.names))
    steps = [step for *_, step in plan if step.startswith(("SCAN", "SEARCH")) and "VIRTUAL" not in step]
    (step,) = steps
    assert step.startswith("SEARCH") and step.endswith(f"({index})")


def test_the_logs_head_is_its_last_row(empty: sqlite3.Connection) -> None:
    statement = Statements(dialect()).find(LogLine, ["-sequence"], True, [])
    steps = [step for *_, step in empty.execute(f"EXPLAIN QUERY PLAN {statement.sql}", [1, 0])]
    assert steps == ["SCAN duty_log"]  # Backwards along the row numbers, without sorting, up to the limit.
