"""Remembers which report a message became part of, so that an edit, a reply or an album's rest finds it again."""

from desk.model import Inbound, Setting
from desk.ports import Desk
from incidents.model import Draft, Incident, Report


def event_key(channel: str, address: str, message_id: str) -> str:
    """Names one message of one chat."""
    return f"{channel}/{address}/{message_id}"


async def remember(desk: Desk, message: Inbound, draft: Draft) -> None:
    """This message is a piece of this draft."""
    if message.message_id:
        name = _said(message.channel, message.address, message.message_id)
        await desk.store.add_new(Setting(name, draft.id))


async def draft_of(desk: Desk, message: Inbound, message_id: str) -> Draft | None:
    """The draft that one of the same chat's messages became a piece of, however long ago."""
    kept = await desk.store.get(Setting, _said(message.channel, message.address, message_id))
    return await desk.store.get(Draft, kept.value) if kept else None


async def report_of(desk: Desk, message: Inbound, message_id: str) -> Report | None:
    """The follow-up or correction that one of the same chat's messages is."""
    key = event_key(message.channel, message.address, message_id)
    found = await desk.store.find(Report, event_key=key, limit=1)
    return found[0] if found else None


async def incident_of(desk: Desk, message: Inbound, message_id: str) -> Incident | None:
    """The incident that one of the same chat's messages told of."""
    report = await report_of(desk, message, message_id)
    if report is not None:
        return await desk.store.get(Incident, report.incident_id)
    draft = await draft_of(desk, message, message_id)
    return await desk.store.get(Incident, draft.incident_id) if draft and draft.incident_id else None


async def remember_album(desk: Desk, message: Inbound, report: Report) -> None:
    """The rest of this message's album belongs to this report."""
    if message.album:
        await desk.store.add_new(Setting(_album(message), report.id))


async def report_of_album(desk: Desk, message: Inbound) -> Report | None:
    """The report that the first photo of this message's album became."""
    kept = await desk.store.get(Setting, _album(message))
    return await desk.store.get(Report, kept.value) if kept else None


def _said(channel: str, address: str, message_id: str) -> str:
    return f"said/{event_key(channel, address, message_id)}"


def _album(message: Inbound) -> str:
    return f"album/{event_key(message.channel, message.address, message.album)}"
