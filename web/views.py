"""Turns records into the JSON of the API; the field names are promises kept in `openapi.py`."""

from datetime import datetime
from typing import Any

from desk.board import Board, IncidentView, RollCallView, WatchLine
from incidents.model import Attachment, LogLine, Place, Report
from roster.model import Account, Officer


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def place_json(place: Place | None) -> dict[str, Any] | None:
    """A place in WGS-84, with its words."""
    if place is None:
        return None
    return {"lat": place.lat, "lon": place.lon, "text": place.text, "datum": place.datum}


def incident_json(view: IncidentView) -> dict[str, Any]:
    """An incident as lists show it."""
    one = view.incident
    return {
        "number": one.number,
        "state": one.state.value,
        "severity": one.severity.value,
        "severity_is_suggested": not one.severity_set_by,
        "potential_severity": one.potential.value if one.potential else None,
        "category": one.category.value,
        "kind": one.kind,
        "title": one.title,
        "sensitive": one.sensitive,
        "drill": one.drill,
        "unit_id": one.unit_id,
        "unit": view.unit,
        "place": place_json(one.place),
        "occurred_at": moment(one.occurred_at),
        "received_at": moment(one.received_at),
        "signed_at": moment(one.signed_at),
        "closed_at": moment(one.closed_at),
        "holder": view.holder or None,
        "is_overdue": view.is_overdue,
        "clocks": [
            {
                "name": clock.name,
                "due_at": moment(clock.due_at),
                "done": clock.is_done,
                "overdue": clock.is_overdue,
            }
            for clock in view.clocks
        ],
        "outcome": one.outcome,
    }


def report_json(report: Report, reporter: str) -> dict[str, Any]:
    """One paper of an incident."""
    return {
        "sequence": report.sequence,
        "kind": report.kind.value,
        "reporter": reporter,
        "received_at": moment(report.received_at),
        "text": report.text,
        "place": place_json(report.place),
    }


def attachment_json(row: Attachment) -> dict[str, Any]:
    """What came with a report."""
    return {
        "kind": row.kind,
        "state": row.state.value,
        "digest": row.digest or None,
        "file_name": row.file_name,
        "bytes": row.bytes_count,
        "received_at": moment(row.received_at),
    }


def feature_json(view: IncidentView) -> dict[str, Any]:
    """An incident as a GeoJSON feature; without a point its geometry is null (RFC 7946 3.2)."""
    place = view.incident.place
    has_point = place is not None and place.lat is not None and place.lon is not None
    geometry = {"type": "Point", "coordinates": [place.lon, place.lat]} if has_point and place else None
    return {
        "type": "Feature",
        "id": view.incident.number,
        "geometry": geometry,
        "properties": incident_json(view),
    }


def roll_call_json(view: RollCallView, *, with_answers: bool) -> dict[str, Any]:
    """A roll call; its counts sum to `due`."""
    call = view.roll_call
    found: dict[str, Any] = {
        "id": call.id,
        "plan": call.plan,
        "state": call.state.value,
        "make_up": call.make_up,
        "called_at": moment(call.called_at),
        "closes_at": moment(call.closes_at),
        "due": view.due,
        "answered": view.answered,
        "unanswered": view.unanswered,
        "counts": {result.value: count for result, count in view.counts.items()},
    }
    if with_answers:
        found["answers"] = [
            {
                "officer_id": dot.officer_id,
                "officer": dot.officer,
                "unit": dot.unit,
                "post": dot.post,
                "result": dot.result.value,
                "answered_at": moment(dot.answered_at),
            }
            for dot in view.dots
        ]
    return found


def watch_json(line: WatchLine) -> dict[str, Any]:
    """One post of one unit; `officer` is null for a gap."""
    return {
        "unit_id": line.unit_id,
        "unit": line.unit,
        "post": line.post,
        "post_name": line.post_name,
        "officer_id": line.officer_id or None,
        "officer": line.officer or None,
        "presence": line.presence.value,
        "starts_at": moment(line.starts_at),
        "ends_at": moment(line.ends_at),
        "gap": line.is_gap,
    }


def officer_json(officer: Officer, unit: str, accounts: list[Account]) -> dict[str, Any]:
    """A person of the office."""
    return {
        "id": officer.id,
        "name": officer.name,
        "unit_id": officer.unit_id,
        "unit": unit,
        "title": officer.title,
        "role": officer.role.value,
        "phone": officer.phone,
        "channels": [{"channel": one.channel, "reachable": one.reachable} for one in accounts],
        "reachable": any(one.reachable for one in accounts),
    }


def log_json(line: LogLine) -> dict[str, Any]:
    """One line of the duty log with its place in the chain."""
    return {
        "sequence": line.sequence,
        "at": moment(line.at),
        "kind": line.kind,
        "subject": line.subject,
        "actor": line.actor,
        "facts": line.facts,
        "previous": line.previous,
        "hash": line.hash,
    }


def status_json(board: Board) -> dict[str, Any]:
    """The board in short."""
    return {
        "at": moment(board.now),
        "office": board.office,
        "open_incidents": {severity.value: count for severity, count in board.open_counts.items()},
        "overdue": [view.incident.number for view in board.overdue],
        "roll_calls": [roll_call_json(view, with_answers=False) for view in board.open_roll_calls],
        "on_watch": [watch_json(line) for line in board.watch.now],
        "troubles": board.troubles_count,
        "attachments_waiting": board.attachments_waiting,
    }
