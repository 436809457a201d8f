"""The duty log page: newest first, in sentences, with the links of its hash chain looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.permissions import may_see
from desk.ports import Store
from incidents.model import Incident, LogLine
from roster.model import Answer, Officer, Unit
from web.screen import Screen
from web.sessions import Viewer

PAGE_LINES = 100
LOOK_BACK_LINES = 1000  # How far one page of a unit's viewer looks for lines they may see.
ALARMING = (
    "account_unreachable",
    "attachment_missing",
    "clock_overdue",
    "invariant_broken",
    "ladder_empty",
    "page_undeliverable",
    "posts_unheld",
    "roll_call_missed",
    "silent_named",
    "step_unheld",
)  # What a tired reader must not read over.
NAMED_FACTS = ("officer", "holder", "silent", "by", "to", "told")
_ID = re.compile(r"[\w-]{1,64}")


@dataclass(frozen=True)
class LogEntryView:
    """One line and its sentence."""

    sentence: str
    line: LogLine
    link: str = ""  # The page of what the line speaks of.


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The log's address."""
    page = LogPage(screen)
    return [Route("/log", screen.viewed(page.page)), Route("/fragments/log", screen.viewed(page.part))]


class LogPage:
    """The answers of the log."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def page(self, request: Request, viewer: Viewer) -> Response:
        """A page of lines before a sequence number."""
        return self._screen.page(request, viewer, "log.html", **await self._facts(request, viewer))

    async def part(self, request: Request, viewer: Viewer) -> Response:
        """The lines alone, fetched again when something happens."""
        return self._screen.fragment("parts/log.html", viewer=viewer, **await self._facts(request, viewer))

    async def _facts(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        screen = self._screen
        criteria = sequence_before(request.query_params.get("before", ""))
        async with screen.door.read() as store:
            limit = PAGE_LINES + 1 if viewer.everything else LOOK_BACK_LINES
            lines = await store.find(LogLine, order=("-sequence",), limit=limit, **criteria)
            seen = await visible_lines(store, viewer, lines)
            shown = await view_lines(store, seen[:PAGE_LINES])
            head = await store.find(LogLine, order=("-sequence",), limit=1)
        older = None
        if len(seen) > PAGE_LINES:
            older = shown[-1].sequence
        elif len(lines) == limit:
            older = lines[-1].sequence
        return {
            "entries": [LogEntryView(screen.say(one.kind, one.facts), one, _link(one)) for one in shown],
            "head": head[0] if head else None,
            "broken": broken_links(lines),
            "older": older,
            "before": criteria["sequence_to"] + 1 if criteria else None,
            "alarming": ALARMING,
        }


def _link(line: LogLine) -> str:
    kind, _, ref = line.subject.partition(":")
    if kind == "incident" and line.facts.get("number"):
        return f"/incidents/{quote(str(line.facts['number']), safe='')}"
    return f"/roll-calls/{quote(ref, safe='')}" if kind == "roll_call" else ""


def sequence_before(text: str) -> dict[str, Any]:
    """The criteria for lines older than a sequence number given as text."""
    if text.isascii() and text.isdigit() and 0 < len(text) < 16:
        return {"sequence_to": int(text) - 1}
    return {}


def broken_links(lines: Sequence[LogLine]) -> list[int]:
    """The sequence numbers whose `previous` is not the hash of the line before (lines newest first)."""
    return [
        newer.sequence
        for newer, older in pairwise(lines)
        if newer.sequence - 1 != older.sequence or newer.previous != older.hash
    ]


async def visible_lines(store: Store, viewer: Viewer, lines: Sequence[LogLine]) -> list[LogLine]:
    """The lines that concern the viewer; the office sees all."""
    officer = viewer.officer
    if viewer.everything or officer is None:
        return list(lines)
    subjects = {line.subject.partition(":")[::2] for line in lines}
    incident_ids = [ref for kind, ref in subjects if kind == "incident"]
    call_ids = [ref for kind, ref in subjects if kind == "roll_call"]
    seen = {
        f"incident:{one.id}"
        for one in (await store.find(Incident, id_in=incident_ids) if incident_ids else [])
        if may_see(officer, one)
    }
    own_answers = (
        await store.find(Answer, roll_call_id_in=call_ids, unit_id=officer.unit_id) if call_ids else []
    )
    seen |= {f"roll_call:{answer.roll_call_id}" for answer in own_answers} | {f"officer:{officer.id}"}
    hidden = {
        "silent_named",
        "standby_called",
        "roll_call_closed",
        "answer_concluded",
    }  # They name other units.
    return [line for line in lines if line.subject in seen and line.kind not in hidden]


async def view_lines(store: Store, lines: Sequence[LogLine]) -> list[LogLine]:
    """The same lines with officers' and units' ids replaced by their names, for reading only."""
    wanted = {line.actor for line in lines} | {
        line.subject.partition(":")[2] for line in lines if line.subject.startswith("officer:")
    }
    for line in lines:
        for key in NAMED_FACTS:
            wanted |= {one for one in _texts(line.facts.get(key)) if _ID.fullmatch(one)}
    wanted -= {"", "system"}
    people = {one.id: one.name for one in await store.find(Officer, id_in=sorted(wanted))} if wanted else {}
    units = [line.subject.partition(":")[2] for line in lines if line.subject.startswith("unit:")]
    people |= {one.id: one.name for one in await store.find(Unit, id_in=units)} if units else {}
    numbers = await _numbers(store, lines)
    return [replace(line, facts=_read(line, people, numbers)) for line in lines]


async def _numbers(store: Store, lines: Sequence[LogLine]) -> dict[str, str]:
    ids = {
        line.subject.partition(":")[2]
        for line in lines
        if line.subject.startswith("incident:") and not line.facts.get("number")
    }
    found = await store.find(Incident, id_in=sorted(ids)) if ids else []
    return {f"incident:{one.id}": one.number for one in found}


def _read(line: LogLine, people: dict[str, str], numbers: dict[str, str]) -> dict[str, Any]:
    facts = dict(line.facts)
    for key in NAMED_FACTS:
        if isinstance(facts.get(key), list):
            facts[key] = [people.get(one, one) if isinstance(one, str) else one for one in facts[key]]
        elif isinstance(facts.get(key), str):
            facts[key] = people.get(facts[key], facts[key])
    facts.setdefault("number", numbers.get(line.subject, ""))
    facts["actor"] = people.get(line.actor, line.actor)
    facts["about"] = people.get(line.subject.partition(":")[2], "")
    return facts


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list | tuple) else [value]
    return [one for one in found if isinstance(one, str)]
