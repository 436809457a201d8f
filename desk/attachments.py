"""Keeps what came with a message: a row and a fetching job each; a report never waits for its pictures."""

from collections.abc import Sequence

from desk.letters import tell
from desk.model import Inbound, Lane, Notice
from desk.ports import Desk
from incidents.model import Attachment, AttachmentState, Incident
from roster.model import Officer

TOO_BIG = "too_big"


async def keep_files(
    desk: Desk,
    message: Inbound,
    officer: Officer,
    *,
    draft_id: str = "",
    incident_id: str = "",
    already: int = 0,
) -> list[Attachment]:
    """One row per file; one too big, or beyond the limit per report, is refused by state and named in the log."""
    rows = []
    for position, file in enumerate(message.files):
        over = already + position >= desk.policy.limits.attachments_per_report_max
        too_big = (file.bytes_count or 0) > desk.policy.limits.attachment_bytes_max
        fault = "over_count" if over else TOO_BIG if too_big and not file.digest else ""
        had = AttachmentState.stored if file.digest else AttachmentState.waiting
        row = Attachment(
            id=desk.new_id(),
            channel=message.channel,
            remote_id=file.remote_id,
            kind=file.kind,
            received_at=desk.now,
            officer_id=officer.id,
            incident_id=incident_id,
            draft_id=draft_id,
            file_name=file.file_name[:200],
            mime=file.mime[:100],
            bytes_count=file.bytes_count,
            digest=file.digest,
            state=AttachmentState.refused if fault else had,
            fault=fault,
        )
        rows.append(row)
        if fault:
            subject = f"incident:{incident_id}" if incident_id else f"draft:{draft_id}"
            desk.log(
                "attachment_refused", subject, officer.id, fault=fault, what=file.kind, name=row.file_name
            )
        if row.state is AttachmentState.waiting:
            desk.due("fetch", row.id, desk.now, lane=Lane.bulk)
    if rows:
        await desk.store.add(*rows)
    await _tell_too_big(desk, officer, [row for row in rows if row.fault == TOO_BIG])
    return rows


async def _tell_too_big(desk: Desk, officer: Officer, rows: Sequence[Attachment]) -> None:
    """What will never be fetched is said at once: a smaller one helps, waiting does not."""
    if not rows:
        return
    facts = {"what": rows[0].kind, "number": await number_of(desk, rows[0]), "fault": TOO_BIG}
    subject = f"incident:{rows[0].incident_id}" if rows[0].incident_id else ""
    tell(desk, officer.id, Notice("attachment_missing", facts), subject=subject)


async def move_to_incident(desk: Desk, attachment_ids: Sequence[str], incident_id: str) -> None:
    """What hung on the draft hangs on its incident."""
    if not attachment_ids:
        return
    for row in await desk.store.find(Attachment, id_in=list(attachment_ids)):
        await desk.store.change(row, incident_id=incident_id)


async def stored(desk: Desk, attachment_id: str, digest: str, bytes_count: int) -> None:
    """The bytes are on disk under their digest."""
    row = await desk.store.get(Attachment, attachment_id)
    if row is None or row.state is AttachmentState.stored:
        return
    await desk.store.change(
        row, state=AttachmentState.stored, digest=digest, bytes_count=bytes_count, fault=""
    )
    if row.incident_id:
        desk.log(
            "attachment_stored",
            f"incident:{row.incident_id}",
            attachment=row.id,
            digest=digest,
            what=row.kind,
        )


async def number_of(desk: Desk, row: Attachment) -> str:
    """The number of the incident the attachment belongs to, or "" while it has none."""
    incident = await desk.store.get(Incident, row.incident_id) if row.incident_id else None
    return incident.number if incident else ""


async def given_up(desk: Desk, attachment_id: str, fault: str, *, refused: bool) -> Attachment | None:
    """The bytes cannot be had: the report stands, flagged 照片缺失. Returns the row when this was news."""
    row = await desk.store.get(Attachment, attachment_id)
    if row is None or row.state is not AttachmentState.waiting:
        return None
    state = AttachmentState.refused if refused else AttachmentState.lost
    row = await desk.store.change(row, state=state, fault=fault[:200])
    subject = f"incident:{row.incident_id}" if row.incident_id else "desk"
    desk.log("attachment_missing", subject, attachment=row.id, fault=fault[:200])
    return row
