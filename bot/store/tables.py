"""The tables: one per record, its columns read from the record's own fields."""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, text
from sqlalchemy.types import TypeEngine

from bot.store.columns import Figure, Json, Moment, Named, Words
from desk.model import Bucket, ChatMessage, InboxRow, Job, Letter, Mailing, Session, Setting
from incidents.model import Attachment, Draft, Incident, LogLine, Report
from roster.model import Account, Answer, Draw, Invite, Officer, RollCall, Shift, Unit

metadata = MetaData()
TABLES: dict[type[Any], Table] = {}

Values = Mapping[str, Any]
# By this name SQLite's own row number is the key.
_ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _column(name: str, hint: Any, *, key: bool) -> Column[Any]:
    nullable = False
    if get_origin(hint) in (Union, types.UnionType):
        given = [one for one in get_args(hint) if one is not type(None)]
        nullable, hint = len(given) < len(get_args(hint)), given[0]
    kind = _ROW_NUMBER if key and hint is int else _type(hint)
    return Column(name, kind, primary_key=key, nullable=nullable, autoincrement=False)


def _type(hint: Any) -> TypeEngine[Any]:
    plain: dict[Any, TypeEngine[Any]] = {
        str: Words(),
        int: BigInteger(),
        bool: Boolean(),
        float: Figure(),
        datetime: Moment(),
        bytes: LargeBinary(),
    }
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Named(hint)
    return Json(hint)


def _table(kind: type[Any], name: str, *indexes: Index, key: str = "id") -> Table:
    hints = get_type_hints(kind)
    columns = [_column(one.name, hints[one.name], key=one.name == key) for one in fields(kind)]
    TABLES[kind] = Table(name, metadata, *columns, *indexes)
    return TABLES[kind]


def _index(*columns: str, name: str) -> Index:
    return Index(f"ix_{name}", *columns)


def _unique(
    *columns: str, name: str, where: str = "", holds: Callable[[Values], bool] | None = None
) -> Index:
    """A unique index; `where` limits it in a database, and `holds` says the same to the memory store."""
    if not where:
        return Index(f"uq_{name}", *columns, unique=True)
    return Index(
        f"uq_{name}",
        *columns,
        unique=True,
        sqlite_where=text(where),
        postgresql_where=text(where),
        info={"holds": holds},
    )


_table(Unit, "units", _index("name", name="units_name"))
_table(
    Officer,
    "officers",
    _index("unit_id", "active", name="officers_unit"),
    _index("name", name="officers_name"),
    _index("phone", name="officers_phone"),
    _index("role", "active", name="officers_role"),
)
_table(
    Account,
    "accounts",
    _unique("channel", "address", name="accounts_address"),
    _index("address", name="accounts_place"),
    _index("officer_id", "rank", name="accounts_officer"),
)
_table(Invite, "invites", _index("officer_id", name="invites_officer"))
_table(
    Shift,
    "shifts",
    _index("unit_id", "starts_at", name="shifts_unit"),
    _index("officer_id", "starts_at", name="shifts_officer"),
    _index("starts_at", name="shifts_starts"),
    _index("ends_at", name="shifts_ends"),
    _index("unit_id", "ends_at", name="shifts_unit_ends"),
)
_table(
    RollCall,
    "roll_calls",
    _unique("plan", "slot", name="roll_calls_slot"),
    _index("state", "called_at", name="roll_calls_state"),
    _index("called_at", name="roll_calls_called"),
)
_table(
    Answer,
    "answers",
    _unique("roll_call_id", "officer_id", name="answers_officer"),
    _index("officer_id", "result", name="answers_result"),
    _index("roll_call_id", "result", name="answers_roll_call"),
)
_table(Draw, "draws", _index("plan", "day", name="draws_plan"))
_table(
    Draft,
    "drafts",
    _index("officer_id", "state", name="drafts_officer"),
    _index("channel", "address", "state", name="drafts_address"),
    _index("state", "due_at", name="drafts_due"),
)
_table(
    Incident,
    "incidents",
    _unique("number", name="incidents_number"),
    _index("state", "next_step_at", name="incidents_step"),
    _index("state", "severity", "received_at", name="incidents_severity"),
    _index("unit_id", "state", name="incidents_unit"),
    _index("reporter_id", "received_at", name="incidents_reporter"),
    _index("received_at", name="incidents_received"),
)
_table(
    Report,
    "reports",
    _unique(
        "event_key", name="reports_event", where="event_key <> ''", holds=lambda row: row["event_key"] != ""
    ),
    _index(
        "event_key", name="reports_key"
    ),  # A limited index answers no question that does not repeat its limit.
    _index("incident_id", "sequence", name="reports_incident"),
    _index("reporter_id", "received_at", name="reports_reporter"),
)
_table(
    Attachment,
    "attachments",
    _index("state", "received_at", name="attachments_state"),
    _index("incident_id", name="attachments_incident"),
    _index("draft_id", name="attachments_draft"),
    _index("digest", name="attachments_digest"),
)
duty_log = _table(
    LogLine,
    "duty_log",
    _index("subject", "sequence", name="duty_log_subject"),
    _index("kind", "sequence", name="duty_log_kind"),
    _index("at", name="duty_log_at"),
    key="sequence",
)
_table(
    Letter,
    "letters",
    _index("state", "made_at", name="letters_state"),
    _index("remote_id", "channel", name="letters_remote"),
    _index("subject", "officer_id", name="letters_subject"),
    _index("officer_id", "made_at", name="letters_officer"),
    _index("made_at", name="letters_made"),
)
_table(Mailing, "mailings")
_table(
    InboxRow,
    "inbox",
    _index("state", "received_at", name="inbox_state"),
)
jobs = _table(
    Job,
    "jobs",
    _index("parked", "lane", "due_at", "id", name="jobs_due"),
    _index("key", "lane", "due_at", "id", name="jobs_key"),
    _index("parked", "lane", "kind", "due_at", "id", name="jobs_kind"),
)
_table(Setting, "settings")
_table(Bucket, "buckets")
_table(
    Session,
    "sessions",
    _index("officer_id", "kind", name="sessions_officer"),
    _index("ends_at", name="sessions_ends"),
)
_table(
    ChatMessage,
    "chat_messages",
    _unique("address", "sequence", name="chat_messages_sequence"),
    _unique(
        "address",
        "event_id",
        name="chat_messages_event",
        where="mine AND event_id <> ''",
        holds=lambda row: bool(row["mine"]) and row["event_id"] != "",
    ),
    _index("address", "event_id", "id", name="chat_messages_key"),
    _index("address", "id", name="chat_messages_address"),
)
counters = Table(
    "counters",
    metadata,
    Column("name", Words(), primary_key=True),
    Column("value", BigInteger(), nullable=False),
)
