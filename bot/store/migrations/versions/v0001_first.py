"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TYPES: dict[str, TypeEngine[Any]] = {
    "": _TEXT,
    "int": sa.BigInteger(),
    "row_number": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "bool": sa.Boolean(),
    "float": sa.Double(),
    "bytes": sa.LargeBinary(),
    "moment": _TEXT,
}

# The first column is the key; a column is text unless it says otherwise, and never NULL unless it ends in "?".
TABLES = {
    "units": (
        "id name parent_id? kind lat:float? lon:float? phone_duty:bool valid_from valid_to version:int"
    ),
    "officers": "id name unit_id phone title role active:bool wecom version:int",
    "accounts": (
        "id officer_id channel address bound_at:moment rank:int reachable:bool fault name version:int"
    ),
    "invites": "id officer_id made_at:moment expires_at:moment used_at:moment? used_by version:int",
    "shifts": "id unit_id post officer_id starts_at:moment ends_at:moment presence version:int",
    "roll_calls": (
        "id plan slot called_at:moment on_time_until:moment closes_at:moment state make_up:bool "
        "passcode place_within_metres:float called_by reminders reminded:int due_count:int counts? "
        "version:int"
    ),
    "answers": (
        "id roll_call_id officer_id unit_id post presence proof result answered_at:moment? channel "
        "text note letter_id concluded_by version:int"
    ),
    "draws": "id plan day moments version:int",
    "drafts": (
        "id officer_id channel address opened_at:moment due_at:moment text place? kind casualties? "
        "attachment_ids asked group settles_at:moment? state incident_id version:int"
    ),
    "incidents": (
        "id number state received_at:moment unit_id reporter_id title category kind severity "
        "potential? basis severity_set_by sensitive:bool place? casualties? occurred_at:moment? "
        "ladder? walk:int step:int walk_started_at:moment? next_step_at:moment? heard_by signed_by "
        "signed_at:moment? assigned_to phone_by:moment? written_by:moment? follow_up_by:moment? "
        "phone_done_at:moment? written_done_at:moment? reports_count:int closed_at:moment? outcome "
        "merged_into drill:bool version:int"
    ),
    "reports": (
        "id incident_id sequence:int kind reporter_id received_at:moment text place? attachment_ids "
        "channel corrects event_key version:int"
    ),
    "attachments": (
        "id channel remote_id kind received_at:moment officer_id incident_id draft_id file_name "
        "mime bytes_count:int? digest state fault version:int"
    ),
    "duty_log": "sequence:row_number at:moment kind subject actor facts previous hash",
    "letters": (
        "id kind facts choices lane made_at:moment subject officer_id channel address channels "
        "asks_place:bool amends interaction state attempts:int unknowns:int tried rendered? "
        "remote_id sent_at:moment? reason version:int"
    ),
    "inbox": "id channel sender received_at:moment raw:bytes state error version:int",
    "jobs": "id kind ref due_at:moment key lane attempts:int parked:bool error",
    "settings": "id value version:int",
    "buckets": "id next_at:moment version:int",
    "sessions": (
        "id officer_id kind made_at:moment seen_at:moment ends_at:moment ended:bool note version:int"
    ),
    "chat_messages": (
        "id address sequence:int mine:bool at:moment text choices asks_place:bool files place? "
        "event_id read_at:moment? version:int"
    ),
    "counters": "name value:int",
}
UNIQUE = (
    ("uq_accounts_address", "accounts", "channel address"),
    ("uq_roll_calls_slot", "roll_calls", "plan slot"),
    ("uq_answers_officer", "answers", "roll_call_id officer_id"),
    ("uq_incidents_number", "incidents", "number"),
    ("uq_reports_event", "reports", "event_key", "event_key <> ''"),
    ("uq_chat_messages_event", "chat_messages", "address event_id", "mine AND event_id <> ''"),
    ("uq_chat_messages_sequence", "chat_messages", "address sequence"),
)
INDEXES = (
    ("ix_accounts_place", "accounts", "address"),
    ("ix_chat_messages_address", "chat_messages", "address id"),
    ("ix_chat_messages_key", "chat_messages", "address event_id id"),
    ("ix_reports_key", "reports", "event_key"),
    ("ix_units_name", "units", "name"),
    ("ix_officers_name", "officers", "name"),
    ("ix_officers_phone", "officers", "phone"),
    ("ix_officers_role", "officers", "role active"),
    ("ix_officers_unit", "officers", "unit_id active"),
    ("ix_accounts_officer", "accounts", "officer_id rank"),
    ("ix_invites_officer", "invites", "officer_id"),
    ("ix_shifts_officer", "shifts", "officer_id starts_at"),
    ("ix_shifts_starts", "shifts", "starts_at"),
    ("ix_shifts_unit", "shifts", "unit_id starts_at"),
    ("ix_roll_calls_called", "roll_calls", "called_at"),
    ("ix_roll_calls_state", "roll_calls", "state called_at"),
    ("ix_answers_result", "answers", "officer_id result"),
    ("ix_answers_roll_call", "answers", "roll_call_id result"),
    ("ix_draws_plan", "draws", "plan day"),
    ("ix_drafts_address", "drafts", "channel address state"),
    ("ix_drafts_due", "drafts", "state due_at"),
    ("ix_drafts_officer", "drafts", "officer_id state"),
    ("ix_incidents_received", "incidents", "received_at"),
    ("ix_incidents_reporter", "incidents", "reporter_id received_at"),
    ("ix_incidents_severity", "incidents", "state severity received_at"),
    ("ix_incidents_step", "incidents", "state next_step_at"),
    ("ix_incidents_unit", "incidents", "unit_id state"),
    ("ix_reports_incident", "reports", "incident_id sequence"),
    ("ix_reports_reporter", "reports", "reporter_id received_at"),
    ("ix_attachments_digest", "attachments", "digest"),
    ("ix_attachments_draft", "attachments", "draft_id"),
    ("ix_attachments_incident", "attachments", "incident_id"),
    ("ix_attachments_state", "attachments", "state received_at"),
    ("ix_duty_log_at", "duty_log", "at"),
    ("ix_duty_log_kind", "duty_log", "kind sequence"),
    ("ix_duty_log_subject", "duty_log", "subject sequence"),
    ("ix_letters_made", "letters", "made_at"),
    ("ix_letters_officer", "letters", "officer_id made_at"),
    ("ix_letters_remote", "letters", "remote_id channel"),
    ("ix_letters_state", "letters", "state made_at"),
    ("ix_letters_subject", "letters", "subject officer_id"),
    ("ix_inbox_state", "inbox", "state received_at"),
    ("ix_jobs_due", "jobs", "parked lane due_at id"),
    ("ix_jobs_key", "jobs", "key lane due_at id"),
    ("ix_jobs_kind", "jobs", "parked lane kind due_at id"),
    ("ix_sessions_ends", "sessions", "ends_at"),
    ("ix_sessions_officer", "sessions", "officer_id kind"),
)


def upgrade() -> None:
    """Makes every table, its indexes, and the duty log's guards."""
    for table, columns in TABLES.items():
        op.create_table(table, *(_column(text, key=place == 0) for place, text in enumerate(columns.split())))
    for name, table, columns, *where in UNIQUE:
        limit = sa.text(where[0]) if where else None
        op.create_index(name, table, columns.split(), unique=True, sqlite_where=limit, postgresql_where=limit)
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns.split())
    if op.get_bind().dialect.name == "postgresql":
        _for_several_writers()
    else:
        _for_one_file()


def _for_one_file() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER duty_log_refuses_{change.lower()} BEFORE {change} ON duty_log "
            "BEGIN SELECT RAISE(ABORT, 'The duty log is append-only.'); END"
        )
    op.execute("PRAGMA application_id = 0x4D535452")  # In the head of every file of ours.


def _for_several_writers() -> None:
    op.execute(
        "CREATE FUNCTION duty_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'The duty log is append-only.'; END $$"
    )
    op.execute(
        "CREATE TRIGGER duty_log_refuses_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON duty_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION duty_log_is_append_only()"
    )
    # Procrastinate's own tables, as the locked version has them; a later version's changes get a revision of ours.
    from procrastinate.schema import SchemaManager

    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    for column in (
        "errand BIGINT REFERENCES procrastinate_jobs (id) ON DELETE SET NULL",  # Who runs it just now.
        "again BOOLEAN NOT NULL DEFAULT false",  # Put again while it runs.
    ):
        op.execute(f"ALTER TABLE jobs ADD COLUMN {column}")
    op.execute("CREATE INDEX ix_jobs_errand ON jobs (errand) WHERE errand IS NOT NULL")
    op.execute("CREATE INDEX ix_jobs_running ON jobs (lane, key) WHERE errand IS NOT NULL")


def _column(text: str, *, key: bool) -> sa.Column[Any]:
    named, _, kind = text.partition(":")
    return sa.Column(
        named.rstrip("?"),
        _TYPES[kind.rstrip("?")],
        primary_key=key,
        nullable=text.endswith("?"),
        autoincrement=False,
    )
