"""Walks an incident up its frozen ladder until somebody signs: each step once, nobody paged after the signature."""

from dataclasses import asdict
from datetime import timedelta

from desk.clocks import schedule_clocks
from desk.letters import tell
from desk.model import Choice, Letter, LetterState, Notice, Setting
from desk.ports import Desk
from desk.recipients import leaders_of, names, resolve
from desk.territory import is_named_in
from incidents import deadlines, escalation
from incidents.casualties import maybe_trapped
from incidents.model import OPEN_STATES, UNSIGNED_STATES, Incident, Report, Step
from roster.model import Officer, Unit

PAGE = "incident_page"
FALLBACK_STEP = -1  # The `step` of a page that no rung of the ladder sent …
CALLED_IN_STEP = -2  # … and of one to another unit, whose ground it is or whose people reported it.
REPORTS_READ_MAX = 50
DOUBT_AGAIN = timedelta(seconds=30)


async def step(desk: Desk, incident_id: str) -> None:
    """Take the step that is due; a step that means nobody is passed over at once and said so in the log."""
    incident = await desk.store.get(Incident, incident_id)
    if incident is None or incident.state not in UNSIGNED_STATES:
        return
    while (due := escalation.due_step(incident, desk.now)) is not None:
        people = await _people(desk, incident, due)
        walk, number = incident.walk, incident.step
        incident = await _advance(desk, incident, people)
        if people:
            facts = {**await page_facts(desk, incident), "walk": walk, "step": number}
            await _page(desk, incident, people, facts, due.channels)
            break
        desk.log(
            "step_unheld",
            f"incident:{incident.id}",
            number=incident.number,
            walk=walk,
            step=number,
            to=list(due.to),
        )
        if incident.walk != walk and not await _heard_in_walk(desk, incident, walk):
            incident = await _fall_back(desk, incident, walk, 0)
    if incident.next_step_at is not None:
        name = f"step/{incident.id}/{incident.walk}/{incident.step}"
        desk.due("step", incident.id, incident.next_step_at, key=f"incident:{incident.id}", name=name)


async def call_in(desk: Desk, incident: Incident, unit_id: str) -> Incident:
    """Whom the first rung means in another unit hears of it too: it is their ground, or their people reported it."""
    words = [word for word in escalation.first_rung(incident) if word.startswith("post:") and "@" not in word]
    found = [one for word in words for one in await resolve(desk, word, unit_id)]
    known = (incident.reporter_id, incident.signed_by, *incident.heard_by)
    people = [one for one in dict.fromkeys(found) if one.id not in known]
    unit = await desk.store.get(Unit, unit_id)
    if not people or unit is None:
        return incident
    incident = await desk.store.change(incident, heard_by=_with(incident.heard_by, people))
    subject = f"incident:{incident.id}"
    facts = {**await page_facts(desk, incident), "walk": incident.walk, "step": CALLED_IN_STEP}
    if incident.state in UNSIGNED_STATES:
        await _page(desk, incident, people, {**facts, "called": unit.name})
    else:
        for officer in people:
            shown = Notice("incident_shown", {**facts, "state": incident.state.value})
            tell(desk, officer.id, shown, subject=subject)
    to = [one.name for one in people]
    desk.log("called_in", subject, number=incident.number, unit=unit.name, to=to)
    return incident


async def unheard(desk: Desk, letter: Letter) -> None:
    """A page could not be delivered on any channel: when it was the last hope of its rung, the ladder climbs now.

    When nobody of a whole walk can be reached, the fallback people are paged, one group after the other."""
    incident = await desk.store.get(Incident, letter.subject.partition(":")[2])
    if incident is None or incident.state not in UNSIGNED_STATES or letter.kind != PAGE:
        return
    officer = await desk.store.get(Officer, letter.officer_id)
    desk.log(
        "page_undeliverable",
        letter.subject,
        number=incident.number,
        officer=officer.name if officer else letter.officer_id,
        reason=letter.reason,
    )
    walk, number = letter.facts.get("walk", 0), letter.facts.get("step", 0)
    if letter.facts.get("by"):  # Handed on to somebody who cannot be reached.
        if incident.assigned_to == letter.officer_id:
            await _climb_now(desk, incident, letter)
        return
    if any(_is_of(one, walk, number) for one in await _pages_out(desk, incident)):
        return
    if number == FALLBACK_STEP:
        await _fall_back(desk, incident, walk, letter.facts.get("fallback", 0) + 1)
    elif (incident.walk, incident.step) == (walk, number + 1):
        await _climb_now(desk, incident, letter)
    elif incident.walk > walk and not await _heard_in_walk(desk, incident, walk):
        await _fall_back(desk, incident, walk, 0)


async def clock_fell_due(desk: Desk, incident_id: str) -> None:
    """A reporting clock reached half or its end: the holder is warned, at the end the leader hears 超时."""
    incident = await desk.store.get(Incident, incident_id)
    if incident is None or incident.state not in OPEN_STATES:
        return
    subject = f"incident:{incident.id}"
    if desk.doubts_clock:  # Nobody is told 超时 by a clock that may be wrong; a second clock soon tells.
        desk.due("clock", incident.id, desk.now + DOUBT_AGAIN, key=subject, name=f"clock/{incident.id}/doubt")
        return
    for reading in deadlines.clocks(incident, desk.now):
        if reading.state not in ("warn", "overdue") or reading.due_at is None:
            continue
        mark = f"{reading.name}/{reading.from_what}/{reading.state}/{reading.due_at.isoformat()}"
        if not await _first_time(desk, incident, mark):
            continue
        facts = {
            "number": incident.number,
            "title": incident.title,
            "clock": reading.name,
            "from": reading.from_what,
            "due_at": reading.due_at.isoformat(),
            "severity": incident.severity.value,
        }
        desk.log(f"clock_{reading.state}", subject, **facts)
        kind = "clock_overdue" if reading.state == "overdue" else "clock_warning"
        for officer_id in await _watchers(desk, incident, overdue=reading.state == "overdue"):
            choices = (Choice("incident", incident.id),)
            tell(desk, officer_id, Notice(kind, facts, choices), subject=subject)
    schedule_clocks(desk, incident)


async def _first_time(desk: Desk, incident: Incident, mark: str) -> bool:
    [is_new] = await desk.store.add_new(Setting(f"clock/{incident.id}/{mark}", desk.now.isoformat()))
    return is_new


async def _watchers(desk: Desk, incident: Incident, *, overdue: bool) -> list[str]:
    holder = incident.signed_by or incident.assigned_to
    people = [holder] if holder else list(incident.heard_by)
    if overdue or not people:
        people += [leader.id for leader in await leaders_of(desk, incident.unit_id)]
    return list(dict.fromkeys(people))


async def _people(desk: Desk, incident: Incident, due: Step) -> list[Officer]:
    """Whom a rung means, but for whoever reported it: they know, and are nobody who heard."""
    people: list[Officer] = []
    for word in due.to:
        people += [
            officer
            for officer in await resolve(desk, word, incident.unit_id)
            if officer not in people and officer.id != incident.reporter_id
        ]
    return people


async def _advance(desk: Desk, incident: Incident, people: list[Officer]) -> Incident:
    """Compare-and-set the step, so that late, doubled or replayed work does nothing."""
    after_step = escalation.after_step if people else escalation.skip_unheld
    after = after_step(incident, desk.now, desk.minutes(1))
    return await desk.store.change(
        incident,
        walk=after.walk,
        step=after.step,
        walk_started_at=after.walk_started_at,
        next_step_at=after.next_step_at,
        heard_by=_with(incident.heard_by, people),
    )


def _with(heard_by: tuple[str, ...], people: list[Officer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*heard_by, *(officer.id for officer in people))))


async def _page(
    desk: Desk,
    incident: Incident,
    people: list[Officer],
    facts: dict[str, object],
    channels: tuple[str, ...] = (),
) -> None:
    subject = f"incident:{incident.id}"
    choices = (Choice("sign", incident.id), Choice("hand", incident.id))
    heard = await names(desk, list(incident.heard_by))
    for officer in people:
        others = [name for name in heard if name != officer.name]
        told = Notice(PAGE, {**facts, "heard": others}, choices)
        tell(desk, officer.id, told, subject=subject, channels=channels)
    walk, number = facts["walk"], facts["step"]
    if number == CALLED_IN_STEP:
        return
    kind = "escalated" if walk or number else "paged"
    desk.log(
        kind, subject, number=incident.number, walk=walk, step=number, to=[officer.name for officer in people]
    )


async def _climb_now(desk: Desk, incident: Incident, letter: Letter) -> None:
    if incident.next_step_at is not None and incident.next_step_at <= desk.now:
        return
    await desk.store.change(incident, next_step_at=desk.now)
    name = f"step/{incident.id}/{incident.walk}/{incident.step}/unheard/{letter.id}"
    desk.due("step", incident.id, desk.now, key=letter.subject, name=name)


async def _pages_out(desk: Desk, incident: Incident) -> list[Letter]:
    """The pages of an incident that are on their way or have arrived."""
    await desk.write_records()
    pages = await desk.store.find(Letter, subject=f"incident:{incident.id}", kind=PAGE, amends="")
    return [one for one in pages if one.state is not LetterState.failed]


def _is_of(page: Letter, walk: int, number: int) -> bool:
    return (page.facts.get("walk"), page.facts.get("step")) == (walk, number) and not page.facts.get("by")


async def _heard_in_walk(desk: Desk, incident: Incident, walk: int) -> bool:
    """Whether any page of a walk reached, or may still reach, somebody."""
    out = await _pages_out(desk, incident)
    return any(page.facts.get("walk") == walk and not page.facts.get("by") for page in out)


async def _fall_back(desk: Desk, incident: Incident, walk: int, first: int) -> Incident:
    """The whole ladder reaches nobody: the next fallback people are paged and the board turns red."""
    subject, words = f"incident:{incident.id}", desk.policy.fallback
    for number in range(first, len(words)):
        found = await resolve(desk, words[number], incident.unit_id)
        people = [one for one in found if one.id != incident.reporter_id] or found
        if not people:
            continue
        desk.log("ladder_empty", subject, number=incident.number, told=[one.name for one in people])
        incident = await desk.store.change(incident, heard_by=_with(incident.heard_by, people))
        facts = {**await page_facts(desk, incident), "walk": walk, "step": FALLBACK_STEP, "fallback": number}
        await _page(desk, incident, people, facts)
        return incident
    desk.log("ladder_empty", subject, number=incident.number, told=[])
    return incident


async def page_facts(desk: Desk, incident: Incident) -> dict[str, object]:
    """What a page says: one line a leader can act on."""
    unit = await desk.store.get(Unit, incident.unit_id)
    reporter = await desk.store.get(Officer, incident.reporter_id)
    place = incident.place
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "severity_set": bool(incident.severity_set_by),
        "potential": incident.potential.value if incident.potential else "",
        "basis": incident.basis,
        "sensitive": incident.sensitive,
        "category": incident.category.value,
        "what": incident.kind,
        # Words that name their unit need none before them.
        "unit": unit.name if unit and not await is_named_in(desk, place) else "",
        "place": place.text if place else "",
        "lat": place.lat if place else None,
        "lon": place.lon if place else None,
        "received_at": incident.received_at.isoformat(),
        "occurred_at": incident.occurred_at.isoformat() if incident.occurred_at else "",
        "reporter": reporter.name if reporter else "",
        "phone": reporter.phone if reporter else "",
        "heard": await names(desk, list(incident.heard_by)),
        "casualties": asdict(incident.casualties) if incident.casualties else None,
        "maybe_trapped": await _maybe_trapped(desk, incident),
        "drill": incident.drill,
    }


async def _maybe_trapped(desk: Desk, incident: Incident) -> bool:
    """Whether a report hints at people shut in while no figure of them is known."""
    harm = incident.casualties
    if harm is not None and (harm.trapped is not None or harm.missing is not None or harm.nobody):
        return False
    told = await desk.store.find(Report, incident_id=incident.id, order=("sequence",), limit=REPORTS_READ_MAX)
    return any(maybe_trapped(report.text) for report in told)
