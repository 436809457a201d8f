"""The town's past: the stories of `history.toml` as the desk would have taken them, each at its own moment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.town.register import Register, read_table
from desk.policy import Policy
from desk.ports import LogEntry, Store, ulid
from incidents import deadlines, escalation, intake, lifecycle, triage
from incidents.model import (
    Attachment,
    AttachmentState,
    Casualties,
    Category,
    Incident,
    Place,
    Report,
    ReportKind,
    Severity,
    State,
)
from roster.model import Officer, Role, Shift, Unit
from roster.rota import holders

MINUTE = timedelta(minutes=1)  # The past ran at life's own pace.
PAGED_AFTER = timedelta(seconds=2)
PHOTO_AFTER = timedelta(seconds=4)
_HARM = ("deaths", "missing", "trapped", "serious_injuries", "injuries")


@dataclass
class Past:
    """What happened, ready to be stored."""

    records: list[Any] = field(default_factory=list)
    lines: list[LogEntry] = field(default_factory=list)
    open: list[Incident] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """Where and when the stories are told."""

    register: Register
    policy: Policy
    shifts: Sequence[Shift]
    photos: Mapping[str, tuple[str, int]]  # File name: digest and bytes on disk.
    now: datetime


async def tell_stories(store: Store, scene: Scene, past: Past) -> None:
    """Add every story, oldest first, numbered as the days' own sequence goes on."""
    zone = ZoneInfo(scene.policy.timezone)
    told: dict[str, Incident] = {}
    for story in sorted(read_table("history.toml")["story"], key=lambda story: -story["hours_ago"]):
        day = (scene.now - timedelta(hours=story["hours_ago"])).astimezone(zone).date()
        sequence = await store.next_sequence(f"number/{day.isoformat()}")
        number = intake.number(scene.policy.number_prefix, day, sequence)
        _Telling(scene, past, story).tell(number, told)


class _Telling:
    """One story, step by step; each step changes the incident by rule and writes its line of the log."""

    def __init__(self, scene: Scene, past: Past, story: Mapping[str, Any]) -> None:
        self._scene = scene
        self._past = past
        self._story = story
        self._at = scene.now - timedelta(hours=story["hours_ago"])
        self._unit = next(unit for unit in scene.register.units if unit.name == story["unit"])
        self._reporter = _reporter(scene.register, self._unit, story)
        self._id = ulid(self._at)

    def tell(self, number: str, told: dict[str, Incident]) -> None:
        """Write the whole story; `told` knows the earlier ones by their first words."""
        story = self._story
        incident = self._open(number)
        incident, signer = self._climb(incident)
        incident = self._sign(incident, signer)
        told[story["text"]] = incident
        incident = self._stop_clocks(incident, signer)
        incident = self._follow_up(incident)
        if story["ended"] == "verifying":
            self._past.open.append(incident)
        else:
            incident = self._end(incident, signer, told)
        self._past.records.append(incident)

    def _open(self, number: str) -> Incident:
        story, policy, at = self._story, self._scene.policy, self._at
        category, text = Category(story["category"]), story["text"]
        found = triage.assess(category, story["kind"], intake.read_casualties(text), text, at)
        incident = Incident(
            id=self._id,
            number=number,
            state=State.received,
            received_at=at,
            unit_id=self._unit.id,
            reporter_id=self._reporter.id,
            title=text[:40],
            category=category,
            kind=story["kind"],
            severity=found.severity,
            potential=found.potential,
            basis=found.basis,
            sensitive=found.sensitive,
            place=self._place(),
            casualties=Casualties(**{name: story[name] for name in _HARM if name in story}),
            occurred_at=intake.read_occurred_at(text, at, ZoneInfo(policy.timezone)),
            walk_started_at=at,
            next_step_at=at,
            reports_count=1,
        )
        incident = replace(incident, ladder=escalation.ladder_for(incident, policy.ladders, self._unit.name))
        self._log(at, "incident_opened", self._reporter.id, severity=found.severity.value, basis=found.basis,
                  number=number, similar=[], incomplete=[])  # fmt: skip
        self._report(1, ReportKind.first, self._reporter, at, text, self._photo())
        return deadlines.set_clocks(incident, at, MINUTE)

    def _climb(self, incident: Incident) -> tuple[Incident, Officer]:
        """Page the ladder until somebody signs; the last one paged is who does."""
        signed_at = self._at + timedelta(minutes=self._story["signed_minutes"])
        signer = self._reporter
        while (step := escalation.due_step(incident, signed_at)) is not None and incident.walk == 0:
            number, at = incident.step, (incident.next_step_at or self._at) + PAGED_AFTER
            if at >= signed_at:  # Signed just before that step went out.
                break
            people = [one for word in step.to for one in self._meant(word, at)]
            heard = tuple(dict.fromkeys((*incident.heard_by, *(one.id for one in people))))
            incident = replace(escalation.after_step(incident, at, MINUTE), heard_by=heard)
            if people:
                names = [one.name for one in people]
                kind = "escalated" if number else "paged"
                self._log(at, kind, number=incident.number, walk=0, step=number, to=names)
                signer = people[0]
        return incident, signer

    def _sign(self, incident: Incident, signer: Officer) -> Incident:
        at = self._at + timedelta(minutes=self._story["signed_minutes"])
        signed = lifecycle.sign(incident, signer.id, at)
        self._log(at, "signed", signer.id, number=signed.number, by=signer.name, step=signed.step)
        level = Severity(self._story["severity"])
        if level is not signed.severity:
            set_at = at + MINUTE
            self._log(
                set_at, "level_set", signer.id, was=signed.severity.value, now=level.value, basis=signed.basis
            )
            signed = lifecycle.set_severity(signed, signer.id, level, set_at)
            signed = deadlines.set_clocks(signed, set_at, MINUTE)
        return signed

    def _stop_clocks(self, incident: Incident, signer: Officer) -> Incident:
        """The phone report and the written one went up in time."""
        for clock, due_at in (("phone", incident.phone_by), ("written", incident.written_by)):
            if due_at is None or self._story["ended"] == "merged":
                continue
            at = self._at + (due_at - self._at) * 0.6
            done: dict[str, Any] = {deadlines.DONE_FIELDS[clock]: at}
            incident = replace(incident, **done)
            self._log(at, "clock_done", signer.id, number=incident.number, clock=clock)
        return incident

    def _follow_up(self, incident: Incident) -> Incident:
        for sequence, told in enumerate(self._story.get("follow_ups", ()), start=2):
            at = self._at + timedelta(hours=told["hours"])
            self._report(sequence, ReportKind.follow_up, self._reporter, at, told["text"])
            facts = {"number": incident.number, "report": ReportKind.follow_up.value, "sequence": sequence}
            self._log(at, "report_added", self._reporter.id, **facts)
            incident = deadlines.after_follow_up(incident, at, MINUTE, stable=True)
            incident = replace(incident, reports_count=sequence)
        return incident

    def _end(self, incident: Incident, signer: Officer, told: Mapping[str, Incident]) -> Incident:
        story = self._story
        at, outcome = self._at + timedelta(hours=story["closed_hours"]), story["outcome"]
        if story["ended"] == "merged":
            first = next(one for text, one in told.items() if text.startswith(story["same_as"]))
            ended = replace(lifecycle.merge(incident, signer.id, first, at), outcome=outcome)
        elif story["ended"] == "unfounded":
            ended = lifecycle.unfounded(incident, signer.id, outcome, at)
        else:
            ended = lifecycle.close(incident, signer.id, outcome, at)
        sequence = incident.reports_count + 1
        self._report(sequence, ReportKind.final, signer, at, outcome)
        facts = {"number": incident.number, "by": signer.name, "outcome": outcome, "state": ended.state.value}
        self._log(at, "closed", signer.id, **facts)
        return replace(ended, reports_count=sequence)

    def _report(
        self,
        sequence: int,
        kind: ReportKind,
        by: Officer,
        at: datetime,
        text: str,
        photos: Iterable[str] = (),
    ) -> None:
        report = Report(
            id=ulid(at),
            incident_id=self._id,
            sequence=sequence,
            kind=kind,
            reporter_id=by.id,
            received_at=at,
            text=text,
            place=self._place() if sequence == 1 else None,
            attachment_ids=tuple(photos),
            event_key=f"town/{self._id}/{sequence}",
        )
        self._past.records.append(report)

    def _photo(self) -> list[str]:
        name = self._story.get("photo")
        if name is None:
            return []
        digest, count = self._scene.photos[name]
        at = self._at + PHOTO_AFTER
        photo = Attachment(
            id=ulid(at),
            channel="webchat",
            remote_id=digest,
            kind="photo",
            received_at=at,
            officer_id=self._reporter.id,
            incident_id=self._id,
            file_name=name,
            mime="image/jpeg",
            bytes_count=count,
            digest=digest,
            state=AttachmentState.stored,
        )
        self._past.records.append(photo)
        self._log(at, "attachment_stored", attachment=photo.id, digest=digest, what=photo.kind)
        return [photo.id]

    def _place(self) -> Place:
        story = self._story
        lat, lon = story["lat"], story["lon"]
        return Place(lat, lon, f"{story['unit']}{story['village']}", "wgs84", lat, lon, 20)

    def _meant(self, word: str, at: datetime) -> Iterator[Officer]:
        """Whom a ladder's word meant then, in this unit."""
        kind, _, name = word.partition(":")
        people = self._scene.register.people
        if kind == "post":
            held = [shift.officer_id for shift in holders(self._unit.id, name, self._scene.shifts, at)]
            yield from (one for officer_id in held for one in people if one.id == officer_id)
        elif kind == "role" and name in (Role.office, Role.admin):
            yield from (one for one in people if one.role == name)

    def _log(self, at: datetime, kind: str, actor: str = "system", /, **facts: Any) -> None:
        self._past.lines.append(LogEntry(at, kind, f"incident:{self._id}", actor, facts))


def _reporter(register: Register, unit: Unit, story: Mapping[str, Any]) -> Officer:
    """Who the story names, else the village's own information officer, else one of the unit's."""
    own = [one for one in register.people if one.unit_id == unit.id]
    named = [one for one in own if one.name == story.get("reporter")]
    village = [one for one in own if one.role is Role.officer and one.title.startswith(story["village"])]
    others = [one for one in own if one.role is Role.officer]
    return (named or village or others)[0]
