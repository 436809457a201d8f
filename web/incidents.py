"""The incidents' pages: the list, and one incident with its timeline, photos, clocks and ladder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.permissions import Action, may
from desk.ports import Store
from incidents.model import (
    OPEN_STATES,
    UNSIGNED_STATES,
    Attachment,
    Incident,
    LogLine,
    Report,
    Severity,
    State,
)
from roster.model import Officer, Role, Unit
from web.incident_list import find_incident, list_incidents, read_filters, view_incidents
from web.log import view_lines
from web.screen import Screen
from web.sessions import Viewer, acting_officer

PAGE_INCIDENTS = 50
REPORTS_MAX = 200
LINES_MAX = 500
ATTACHMENTS_MAX = 200
PEOPLE_MAX = 300
TOLD_BY_REPORT = ("report_added", "attachment_stored")  # The report itself stands in the timeline.
STEP_KINDS = ("paged", "escalated", "step_unheld")


@dataclass(frozen=True)
class Entry:
    """One line of the timeline: a report, or what the desk did."""

    at: datetime
    look: str  # The class of its dot: report, signed, escalated, overdue or "".
    sentence: str
    report: Report | None = None
    reporter: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Rung:
    """One step of the frozen ladder and what happened on it."""

    number: int
    after_minutes: float
    to: tuple[str, ...]
    happened: tuple[tuple[datetime, str], ...]
    is_next: bool


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The incidents' addresses; what changes them is in `incident_actions`."""
    pages = IncidentPages(screen)
    return [
        Route("/incidents", screen.viewed(pages.many)),
        Route("/incidents/{number}", screen.viewed(pages.one)),
        Route("/fragments/incidents/{number}", screen.viewed(pages.part)),
    ]


class IncidentPages:
    """The answers about incidents."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def many(self, request: Request, viewer: Viewer) -> Response:
        """A page of incidents, filtered."""
        filters = read_filters(request.query_params)
        async with self._screen.door.read() as store:
            found, following = await list_incidents(store, viewer, filters, PAGE_INCIDENTS)
            views = await view_incidents(store, found, self._screen.now)
            units = await store.find(Unit, order=("id",))
        after = urlencode({**filters.query, "cursor": following}) if following else ""
        return self._screen.page(
            request,
            viewer,
            "incidents.html",
            views=views,
            filters=filters,
            after=after,
            units=[unit for unit in units if viewer.unit_id in (None, unit.id)],
            severities=list(Severity),
            states=list(State),
        )

    async def one(self, request: Request, viewer: Viewer) -> Response:
        """One incident."""
        facts = await self._facts(viewer, request.path_params["number"])
        return self._screen.page(request, viewer, "incident.html", **facts)

    async def part(self, request: Request, viewer: Viewer) -> Response:
        """What changes on one incident's page; its forms stay as they are."""
        facts = await self._facts(viewer, request.path_params["number"])
        return self._screen.fragment("parts/incident.html", viewer=viewer, **facts)

    async def _facts(self, viewer: Viewer, number: str) -> dict[str, Any]:
        screen = self._screen
        async with screen.door.read() as store:
            incident = await find_incident(store, viewer, number)
            [view] = await view_incidents(store, [incident], screen.now)
            lines = await _lines(store, incident)
            entries = await self._timeline(store, incident, lines)
            officer = await acting_officer(store, viewer)
            people = await _successors(store, incident) if incident.state in OPEN_STATES else []
        may_act = {
            action.value: officer is not None
            and incident.state in OPEN_STATES
            and may(officer, action, incident)
            for action in (Action.sign, Action.hand_on, Action.close, Action.correct_level)
        }
        may_act["sign"] = may_act["sign"] and incident.state in UNSIGNED_STATES
        return {
            "view": view,
            "incident": incident,
            "now": screen.now,
            "entries": entries,
            "rungs": self._ladder(incident, lines),
            "casualties": _casualties(incident),
            "may_act": may_act,
            "people": people,
            "severities": list(Severity),
            "is_stopped": incident.state in UNSIGNED_STATES and incident.next_step_at is None,
        }

    async def _timeline(self, store: Store, incident: Incident, lines: Sequence[LogLine]) -> list[Entry]:
        reports = await store.find(Report, incident_id=incident.id, order=("sequence",), limit=REPORTS_MAX)
        attachments = await store.find(Attachment, incident_id=incident.id, limit=ATTACHMENTS_MAX)
        ids = sorted({report.reporter_id for report in reports if report.reporter_id})
        people = {one.id: one.name for one in await store.find(Officer, id_in=ids)} if ids else {}
        placed = {one for report in reports for one in report.attachment_ids}
        loose = tuple(one for one in attachments if one.id not in placed)
        entries = [
            Entry(
                report.received_at,
                "report",
                self._screen.words["report"][report.kind],
                report,
                people.get(report.reporter_id, ""),
                tuple(one for one in attachments if one.id in report.attachment_ids)
                + (loose if report.sequence == 1 else ()),
            )
            for report in reports
        ]
        entries += [
            Entry(line.at, _look(line.kind), self._screen.say(line.kind, line.facts))
            for line in await view_lines(store, lines)
            if line.kind not in TOLD_BY_REPORT
        ]
        return sorted(entries, key=lambda entry: (entry.at, entry.report is None))

    def _ladder(self, incident: Incident, lines: Sequence[LogLine]) -> list[Rung]:
        if incident.ladder is None:
            return []
        is_walking = incident.state in UNSIGNED_STATES and incident.next_step_at is not None
        return [
            Rung(
                number,
                step.after_minutes,
                tuple(self._word(word) for word in step.to),
                tuple(
                    (line.at, self._screen.say(line.kind, line.facts))
                    for line in lines
                    if line.kind in STEP_KINDS and line.facts.get("step") == number
                ),
                is_walking and incident.step == number,
            )
            for number, step in enumerate(incident.ladder.steps)
        ]

    def _word(self, word: str) -> str:
        """A ladder's word as people say it."""
        kind, _, name = word.partition(":")
        name, _, where = name.partition("@")
        if kind == "post":
            name = next((rule.name for rule in self._screen.door.policy.posts if rule.key == name), name)
        elif kind == "role":
            name = self._screen.words["role"].get(name, name)
        return f"{where}{name}"


def _look(kind: str) -> str:
    if kind in ("signed", "closed"):
        return "signed"
    if kind in ("clock_overdue", "ladder_empty", "page_undeliverable", "attachment_missing"):
        return "overdue"
    return "escalated" if kind in ("escalated", "step_unheld") else ""


def _casualties(incident: Incident) -> dict[str, int | float | None]:
    """What is known of people harmed; None is 不详, which is not zero."""
    known = incident.casualties
    if known is None:
        return {}
    names = ("deaths", "missing", "trapped", "serious_injuries", "injuries", "loss_yuan")
    return {name: 0 if known.nobody else getattr(known, name) for name in names}


async def _lines(store: Store, incident: Incident) -> list[LogLine]:
    return await store.find(LogLine, subject=f"incident:{incident.id}", order=("sequence",), limit=LINES_MAX)


async def _successors(store: Store, incident: Incident) -> list[Officer]:
    """Whom the incident may be handed to: the unit's own duty people and the office."""
    own = await store.find(Officer, unit_id=incident.unit_id, active=True, order=("name",), limit=PEOPLE_MAX)
    office = await store.find(
        Officer,
        role_in=[Role.office, Role.admin, Role.leader],
        active=True,
        order=("name",),
        limit=PEOPLE_MAX,
    )
    return list({one.id: one for one in (*own, *office)}.values())
