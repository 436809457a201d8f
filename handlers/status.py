"""/status 状态: who is on watch, the open roll call, open incidents, and what waits for the reader, in one message."""

from typing import Any

from desk.board import Board, IncidentView, RollCallView, WatchLine, see
from desk.model import Choice, Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from roster.model import Officer

LINES_MAX = 10
CHOICES_MAX = 4


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Answer with the board as this officer may see it: the own unit, or all for the office."""
    board = await see(desk.store, desk.policy, desk.now, officer)
    to_sign = [Choice("sign", view.incident.id) for view in board.waiting.to_sign[:CHOICES_MAX]]
    say(desk, message, officer, Notice("status", facts_of(board), tuple(to_sign)))


def facts_of(board: Board) -> dict[str, Any]:
    """The board as facts for words."""
    return {
        "at": board.now.isoformat(),
        "office": board.office,
        "all": board.sees_all,
        "now": [watch_facts(line) for line in board.watch.now[:LINES_MAX]],
        "now_more": max(0, len(board.watch.now) - LINES_MAX),
        "next": [watch_facts(line) for line in board.watch.next[:LINES_MAX]],
        "next_more": max(0, len(board.watch.next) - LINES_MAX),
        "roll_calls": [_roll_call(view) for view in board.open_roll_calls],
        "counts": {severity.value: count for severity, count in board.open_counts.items()},
        "incidents": [incident_facts(view) for view in board.incidents[:LINES_MAX]],
        "incidents_more": max(0, sum(board.open_counts.values()) - LINES_MAX),
        "overdue": len(board.overdue),
        "troubles": board.troubles_count,
        "unsound": [one.what for one in board.troubles if one.kind == "audit"],
        "owed_answers": len(board.waiting.answers),
        "to_sign": [view.incident.number for view in board.waiting.to_sign],
        "mine": [view.incident.number for view in board.waiting.mine],
        "drafts": len(board.waiting.drafts),
    }


def watch_facts(line: WatchLine) -> dict[str, Any]:
    """One post as facts."""
    return {
        "unit": line.unit,
        "post": line.post,
        "post_name": line.post_name,
        "name": line.officer,
        "phone": line.phone,
        "gap": line.is_gap,
        "until": line.ends_at.isoformat() if line.ends_at else "",
        "from": line.starts_at.isoformat() if line.starts_at else "",
        "result": line.result.value if line.result else "",
    }


def incident_facts(view: IncidentView) -> dict[str, Any]:
    """One open incident as facts."""
    return {
        "number": view.incident.number,
        "severity": view.incident.severity.value,
        "title": view.incident.title,
        "unit": view.unit,
        "state": view.incident.state.value,
        "age_minutes": view.age.total_seconds() / 60,
        "holder": view.holder,
        "overdue": view.is_overdue,
    }


def _roll_call(view: RollCallView) -> dict[str, Any]:
    return {
        "plan": view.roll_call.plan,
        "due": view.due,
        "answered": view.answered,
        "unanswered": view.unanswered,
        "closes_at": view.roll_call.closes_at.isoformat(),
    }


flow = Flow("status", hear, commands=("status",), words=("状态",))
