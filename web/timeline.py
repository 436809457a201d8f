"""What happened to one incident, in order: its reports with their pictures, the desk's acts, and its ladder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from desk.filing import told_as
from desk.ports import Store
from incidents.model import UNSIGNED_STATES, Attachment, Incident, LogLine, Report, ReportKind
from roster.model import Officer
from web.log import view_lines
from web.screen import Screen

REPORTS_MAX = 200
LINES_MAX = 500
ATTACHMENTS_MAX = 200
TOLD_BY_REPORT = ("report_added", "attachment_stored")  # The report itself stands in the timeline.
STEP_KINDS = ("paged", "escalated", "step_unheld")
LOOKS = {
    "signed": "signed",
    "closed": "signed",
    "clock_done": "signed",
    "clock_overdue": "overdue",
    "ladder_empty": "overdue",
    "page_undeliverable": "overdue",
    "attachment_missing": "overdue",
    "escalated": "escalated",
    "step_unheld": "escalated",
}


@dataclass(frozen=True)
class Entry:
    """One line of the timeline: a report, or what the desk did."""

    at: datetime
    key: str
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


async def read_lines(store: Store, incident: Incident) -> list[LogLine]:
    """The duty log's lines about this incident, oldest first; of a very long story its newest part."""
    subject = f"incident:{incident.id}"
    newest = await store.find(LogLine, subject=subject, order=("-sequence",), limit=LINES_MAX)
    return newest[::-1]


async def read_entries(
    store: Store, screen: Screen, incident: Incident, lines: Sequence[LogLine]
) -> list[Entry]:
    """The whole story, oldest first."""
    reports = await store.find(Report, incident_id=incident.id, order=("sequence",), limit=REPORTS_MAX)
    attachments = await store.find(Attachment, incident_id=incident.id, limit=ATTACHMENTS_MAX)
    ids = sorted({report.reporter_id for report in reports if report.reporter_id})
    people = {one.id: one.name for one in await store.find(Officer, id_in=ids)} if ids else {}
    placed = {one for report in reports for one in report.attachment_ids}
    loose = tuple(one for one in attachments if one.id not in placed)
    entries = [
        Entry(
            at=report.received_at,
            key=f"report-{report.id}",
            look="report",
            sentence=_paper(screen, report),
            report=report,
            reporter=people.get(report.reporter_id, ""),
            attachments=tuple(one for one in attachments if one.id in report.attachment_ids)
            + (loose if report.sequence == 1 else ()),
        )
        for report in reports
    ]
    subjects = told_as(reports)
    before = (
        await store.find(LogLine, subject_in=subjects, order=("sequence",), limit=LINES_MAX)
        if subjects
        else []
    )
    entries += [
        Entry(line.at, f"line-{line.sequence}", LOOKS.get(line.kind, ""), _say(screen, line))
        for line in await view_lines(store, [*before, *lines])
        if line.kind not in TOLD_BY_REPORT
    ]
    return sorted(entries, key=lambda entry: (entry.at, entry.report is None))


def ladder_rungs(screen: Screen, incident: Incident, lines: Sequence[LogLine]) -> list[Rung]:
    """The steps as they were frozen into the incident, and what was done on each."""
    if incident.ladder is None:
        return []
    is_walking = incident.state in UNSIGNED_STATES and incident.next_step_at is not None
    return [
        Rung(
            number,
            step.after_minutes,
            tuple(screen.meaning(word) for word in step.to),
            tuple(
                (line.at, _say(screen, line))
                for line in lines
                if line.kind in STEP_KINDS and line.facts.get("step") == number
            ),
            is_walking and incident.step == number,
        )
        for number, step in enumerate(incident.ladder.steps)
    ]


def _paper(screen: Screen, report: Report) -> str:
    """Which paper a report is; follow-ups are numbered as their tellers were told."""
    paper, nth = screen.words["report"][report.kind], str(report.sequence - 1)
    return paper + screen.words["nth"].get(nth, nth) if report.kind is ReportKind.follow_up else paper


def _say(screen: Screen, line: LogLine) -> str:
    """The line's sentence; its page has the number already."""
    return screen.say(line.kind, {**line.facts, "number": ""})
