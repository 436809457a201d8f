"""Holds the ledger against what people really said: every sentence this returns is a broken promise."""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bot.delivery import unknowns_max
from bot.store import chain
from desk.escalations import CALLED_IN_STEP
from desk.model import InboxState, Letter, LetterState
from incidents.model import AttachmentState, Draft, LogLine, Place, Report
from roster.model import Answer, Result, Role, RollCall, RollCallState
from tests.chaos.ledger import Ledger, is_under_way
from tests.chaos.told import Told

REPEAT = "【可能重复】"
PAGE, QUESTION = "incident_page", "roll_call_question"
PAGED = ("paged", "escalated")
PASSED_OVER = "step_unheld"  # Every post is held: only a rung of the reporter alone is passed over.
RUNS_FOR = timedelta(minutes=1)  # Longer than a roll call of a night.
STOPS_FOR = timedelta(seconds=40)  # So long before this check a stopping desk may have made its last letter.
TOKEN = re.compile(r"T\d{5}号")


def broken_promises(ledger: Ledger, told: Told, now: datetime) -> list[str]:
    """Everything that is not as it must be; empty for a desk that works."""
    return [
        *_intake(ledger, told),
        *_words(ledger, told),
        *_pictures(ledger, told),
        *_places(ledger, told),
        *_numbers(ledger),
        *_ladders(ledger, now),
        *_signatures(ledger, told),
        *_roll_calls(ledger, told),
        *_answers(ledger, told),
        *_copies(ledger),
        *_deliveries(ledger, told, now),
        *(
            f"the duty log is broken at {fault.sequence}: {fault.fault}"
            for fault in chain.verify(ledger.lines)
        ),
    ]


def marked_copies(ledger: Ledger) -> int:
    """How many copies on phones say that they may be there twice."""
    return sum(copy.text.startswith(REPEAT) for copy in ledger.copies)


def _intake(ledger: Ledger, told: Told) -> Iterator[str]:
    kept = {row.id: row for row in ledger.inbox}
    for event in sorted(told.events - kept.keys()):
        yield f"{event} was said and is not in the inbox"
    for event in sorted(kept.keys() - told.events):
        yield f"{event} is in the inbox and nobody said it"
    for line in ledger.web:
        if line.mine and f"webchat/{line.address}:{line.event_id}" not in kept:
            yield f"{line.id} stands on a web phone and is not in the inbox"
    for row in ledger.inbox:
        if row.state is not InboxState.heard:
            yield f"{row.id} is {row.state} in the inbox: {row.error}"
    for job in ledger.jobs:
        if job.parked:
            yield f"job {job.kind} {job.ref} is parked: {job.error}"


def _words(ledger: Ledger, told: Told) -> Iterator[str]:
    """Each marked text stands once in one report, one draft that did not go out, or one answer."""
    texts = [one.text for one in (*_told(ledger), *ledger.answers)]
    found = Counter(token for text in texts for token in TOKEN.findall(text))
    for token, who in told.tokens.items():
        if found[token] != 1:
            yield f"the words {token} of {who} are kept {found[token]} times"
    for token in found.keys() - told.tokens.keys():
        yield f"the words {token} were never said"


def _told(ledger: Ledger) -> list[Report | Draft]:
    """Reports, and the drafts that did not become one."""
    return [*ledger.reports, *(one for one in ledger.drafts if one.state != "sent")]


def _pictures(ledger: Ledger, told: Told) -> Iterator[str]:
    by_file = defaultdict(list)
    for row in ledger.attachments:
        by_file[row.remote_id].append(row)
    holders = Counter(attachment_id for one in _told(ledger) for attachment_id in one.attachment_ids)
    for file_id, digest in told.photos.items():
        rows = by_file[file_id]
        if len(rows) != 1:
            yield f"the photo {file_id} is kept {len(rows)} times"
        for row in rows:
            if holders[row.id] != 1:
                yield f"the photo {file_id} hangs on {holders[row.id]} reports"
            if row.state is not AttachmentState.stored or row.digest != digest:
                yield f"the photo {file_id} is {row.state} {row.fault}"
            elif not _is_on_disk(ledger.files, digest):
                yield f"the photo {file_id} is not on disk"
    for album in told.albums:
        whole = {row.incident_id or row.draft_id for file_id in album for row in by_file[file_id]}
        if len(whole) != 1:
            yield f"the album of {album[0]} is torn: {sorted(whole)}"


def _is_on_disk(files: Path, digest: str) -> bool:
    path = files / digest[:2] / digest
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _places(ledger: Ledger, told: Told) -> Iterator[str]:
    # Four digits are ten metres: a place may have gone through another datum and back.
    found = Counter(rounded(one.place) for one in _told(ledger) if one.place is not None)
    for place, who in told.places.items():
        if found[place] != 1:
            yield f"the place {place} of {who} is kept {found[place]} times"


def rounded(place: Place) -> tuple[float, float] | None:
    """The point of a place as people's phones tell it; None for one in words."""
    return None if place.lat is None or place.lon is None else (round(place.lat, 4), round(place.lon, 4))


def _numbers(ledger: Ledger) -> Iterator[str]:
    """Incident numbers without a gap or a double; reports counted one by one; each told once to the log."""
    by_day = defaultdict(list)
    for incident in ledger.incidents:
        day, _, number = incident.number.rpartition("-")
        by_day[day].append(int(number))
    for day, numbers in by_day.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"the numbers of {day} have gaps or doubles: {sorted(numbers)}"
    opened = Counter(line.subject for line in ledger.lines if line.kind == "incident_opened")
    for incident in ledger.incidents:
        if opened[f"incident:{incident.id}"] != 1:
            yield f"{incident.number} was opened {opened[f'incident:{incident.id}']} times in the log"
        told = sorted(one.sequence for one in ledger.reports if one.incident_id == incident.id)
        if told != list(range(1, incident.reports_count + 1)):
            yield f"{incident.number} has the reports {told} of {incident.reports_count}"
    if len(opened) != len(ledger.incidents):
        yield f"the log opened {len(opened)} incidents and there are {len(ledger.incidents)}"


def _lines_of(ledger: Ledger, kinds: Iterable[str]) -> dict[str, list[LogLine]]:
    found = defaultdict(list)
    for line in ledger.lines:
        if line.kind in kinds:
            found[line.subject].append(line)
    return found


def _ladders(ledger: Ledger, now: datetime) -> Iterator[str]:
    """Each rung was taken once, in order, none skipped, none owed; each paged person has that rung's page once."""
    taken = _lines_of(ledger, (*PAGED, PASSED_OVER))
    called_in, signed = _lines_of(ledger, ("called_in",)), _lines_of(ledger, ("signed",))
    may_hold = {one.id for one in ledger.officers if one.role is not Role.officer}
    pages = defaultdict(list)
    for letter in ledger.letters:
        if letter.kind == PAGE and not letter.amends:
            pages[letter.subject].append(letter)
    names = {one.id: one.name for one in ledger.officers}
    for incident in ledger.incidents:
        subject = f"incident:{incident.id}"
        steps = [(line.facts["walk"], line.facts["step"]) for line in taken[subject]]
        length = len(incident.ladder.steps) if incident.ladder else 0
        count = incident.walk * length + incident.step
        if steps != [divmod(number, length) for number in range(count)]:
            yield f"{incident.number} took the steps {steps} and stands at {incident.walk}, {incident.step}"
        is_waiting = incident.state in ("received", "handed_on")
        if is_waiting and (
            incident.next_step_at is None or incident.next_step_at < now - timedelta(seconds=10)
        ):
            yield f"{incident.number} waits for a signature; its step at {incident.next_step_at} was not taken"
        over = [line for line in taken[subject] if line.kind == PASSED_OVER]
        if over and incident.reporter_id not in may_hold:
            yield f"{incident.number} passed over {len(over)} steps that somebody holds"
        paged = [line for line in taken[subject] if line.kind != PASSED_OVER]
        owed = [(walk, step, name) for line in paged for walk, step, name in _paged(line)]
        made = [(one.facts["walk"], one.facts["step"], names[one.officer_id]) for one in pages[subject]]
        # Another township that is called in beside the ladder has its own line in the log; later it is only shown.
        ends = min((line.sequence for line in signed[subject]), default=math.inf)
        called = [line for line in called_in[subject] if line.sequence < ends]
        owed += [(0, CALLED_IN_STEP, name) for line in called for name in line.facts["to"]]
        made = [(0 if step == CALLED_IN_STEP else walk, step, name) for walk, step, name in made]
        if sorted(owed) != sorted(made):
            yield f"{incident.number} owed the pages {sorted(owed)} and made {sorted(made)}"


def _paged(line: LogLine) -> list[tuple[int, int, str]]:
    return [(line.facts["walk"], line.facts["step"], name) for name in line.facts["to"]]


def _signatures(ledger: Ledger, told: Told) -> Iterator[str]:
    """Whoever signed is known, once; no page is created afterwards."""
    by_id = {incident.id: incident for incident in ledger.incidents}
    pressed = defaultdict(set)
    for who, incident_id in told.signatures:
        pressed[incident_id].add(who)
    signed = _lines_of(ledger, ("signed",))
    later = _lines_of(ledger, (*PAGED, "called_in", "handed_on"))
    for incident_id, incident in by_id.items():
        subject = f"incident:{incident_id}"
        lines = signed[subject]
        if len(lines) != bool(pressed[incident_id]):
            yield f"{incident.number} was signed {len(lines)} times by {sorted(pressed[incident_id])}"
        if not lines:
            continue
        if lines[0].actor not in pressed[incident_id]:
            yield f"{incident.number} was signed by {lines[0].actor}, who never pressed"
        if any(line.sequence > lines[0].sequence for line in later[subject] if line.kind in PAGED):
            yield f"{incident.number} was escalated after its signature"
        # Of two transactions at once the one that commits first may have begun later: the log has the order.
        before = {line.at for line in later[subject] if line.sequence < lines[0].sequence}
        for letter in ledger.letters:
            is_late = letter.made_at > lines[0].at and letter.made_at not in before
            if letter.kind == PAGE and letter.subject == subject and is_late:
                yield f"{incident.number} was paged after its signature"


def _roll_calls(ledger: Ledger, told: Told) -> Iterator[str]:
    """Each call pressed exists once, is closed, asked everybody once, and its counts sum to 应到."""
    slots = Counter(one.slot for one in ledger.roll_calls)
    closed = {line.subject: line.at for line in ledger.lines if line.kind == "roll_call_closed"}
    # Pressed while another ran; what a dead replica held of that one was done up to half a minute late.
    running = [
        (
            one.called_at - RUNS_FOR,
            max(one.called_at + RUNS_FOR, closed.get(f"roll_call:{one.id}", one.called_at)),
        )
        for one in ledger.roll_calls
    ]
    for slot, at in told.calls.items():
        is_beside_another = any(first < at < last for first, last in running)
        if slots[slot] > 1 or (not slots[slot] and not is_beside_another):
            yield f"the roll call {slot} exists {slots[slot]} times"
    for slot in slots.keys() - told.calls.keys():
        yield f"the roll call {slot} was never called"
    everybody = sorted(one.id for one in ledger.officers)
    for call in ledger.roll_calls:
        lines = [one for one in ledger.answers if one.roll_call_id == call.id]
        if call.state is not RollCallState.closed or call.counts is None:
            yield f"the roll call {call.slot} is {call.state}"
        elif not sum(call.counts.values()) == call.due_count == len(lines):
            yield f"the roll call {call.slot} counts {call.counts} of {call.due_count}, {len(lines)} lines"
        elif Counter(one.result.value for one in lines) != Counter(call.counts):
            yield f"the roll call {call.slot} counts {call.counts}, its lines say otherwise"
        subject = f"roll_call:{call.id}"
        asked = [one.officer_id for one in ledger.letters if one.kind == QUESTION and one.subject == subject]
        if sorted(asked) != everybody or sorted(one.officer_id for one in lines) != everybody:
            yield f"the roll call {call.slot} asked {len(asked)} of {len(everybody)}"


def _answers(ledger: Ledger, told: Told) -> Iterator[str]:
    """Whoever answered is recorded, once; whoever is recorded answered."""
    by_person = {(one.roll_call_id, one.officer_id): one for one in ledger.answers}
    calls = {one.id: one for one in ledger.roll_calls}
    recorded = Counter(
        (line.subject, line.actor) for line in ledger.lines if line.kind == "roll_call_answered"
    )
    for (subject, who), count in recorded.items():
        if count != 1:
            yield f"{who} was recorded {count} times in {subject}"
    for press in told.presses:
        answer = by_person[press.roll_call_id, press.officer_id]
        if not _is_kept(answer):
            yield f"the tap of {press.officer_id} at {press.at} is lost: {answer}"
    for word in told.words:
        running = [call for call in ledger.roll_calls if call.called_at < word.at < call.closes_at]
        mine = [
            one
            for one in ledger.answers
            if one.officer_id == word.officer_id and one.roll_call_id in {call.id for call in running}
        ]
        if not all(_is_kept(one) for one in mine):
            yield f"the answer of {word.officer_id} at {word.at} is lost: {mine}"
    yield from _unfounded(ledger, told, calls)


def _is_kept(answer: Answer) -> bool:
    """Recorded, or after the window kept beside 未应答 for a person to judge."""
    return answer.result in (Result.present, Result.late, Result.excused) or answer.answered_at is not None


def _unfounded(ledger: Ledger, told: Told, calls: dict[str, RollCall]) -> Iterator[str]:
    pressed = {(press.roll_call_id, press.officer_id) for press in told.presses}
    spoke = {word.officer_id for word in told.words}
    for answer in ledger.answers:
        is_present = answer.result in (Result.present, Result.late)
        has_pressed = (answer.roll_call_id, answer.officer_id) in pressed
        if is_present and not has_pressed and answer.officer_id not in spoke:
            yield f"{answer.officer_id} is {answer.result} in {calls[answer.roll_call_id].slot} and never answered"


def _copies(ledger: Ledger) -> Iterator[str]:
    """A phone shows each letter once without a mark; every further copy says 可能重复."""
    allowed: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    repeats: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for letter in ledger.letters:
        if letter.rendered is not None and letter.channel != "webchat" and not letter.amends:
            key = (letter.address, letter.rendered.text, tuple(token for _, token in letter.rendered.choices))
            allowed[key] += 1
            repeats[key] += letter.unknowns
    shown: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    marked: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    whole = {key[:2]: key for key in allowed}
    for copy in ledger.copies:
        text = copy.text.removeprefix(REPEAT)
        key = copy.address, text, copy.tokens
        if (
            key not in allowed and not copy.tokens
        ):  # Its buttons, a message of their own, had not left at the kill.
            key = whole.get(key[:2], key)
        (shown if text == copy.text else marked)[key] += 1
    for key, count in shown.items():
        if count > allowed[key]:
            yield f"{count} unmarked copies of {allowed[key]} letters to {key[0]}: {key[1][:60]!r}"
    for key, count in marked.items():
        if count > repeats[key]:
            yield f"{count} marked copies after {repeats[key]} unknown outcomes to {key[0]}: {key[1][:60]!r}"
    for line in ledger.web:
        if not line.mine and line.text.startswith(REPEAT):
            yield f"the web chat, which hides repeats, shows one: {line.text[:60]!r}"


def _deliveries(ledger: Ledger, told: Told, now: datetime) -> Iterator[str]:
    """What is called sent really stands on that phone; nothing is given up; every 状态 has its answer."""
    on_phones: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for copy in ledger.copies:  # Two texts on one phone may have the same reference: it has four letters.
        on_phones[copy.address, str(copy.card)].append(copy.text.removeprefix(REPEAT))
    # Some platforms give a message no id that stands on the phone.
    nameless = {(copy.address, copy.text.removeprefix(REPEAT)) for copy in ledger.copies if not copy.card}
    for letter in ledger.letters:
        is_done = letter.state in (LetterState.sent, LetterState.unknown, LetterState.cancelled)
        if not is_done and not is_under_way(letter, now - STOPS_FOR):
            yield f"{letter.kind} to {letter.officer_id} is {letter.state}: {letter.reason}"
        if letter.state is LetterState.unknown and letter.unknowns <= unknowns_max(letter):
            yield f"{letter.kind} to {letter.officer_id} was given up after {letter.unknowns} unknown outcomes"
        words = letter.rendered.text if letter.rendered else ""
        if (letter.address, words) in nameless:
            continue
        if letter.state is LetterState.sent and letter.channel != "webchat" and not letter.amends:
            yield from _is_shown(letter, on_phones[letter.address, ledger.card_of(letter.remote_id)])
    for who, count in told.asked_status.items():
        # One too long for the platform is several letters of one moment, and two heard together are of one moment too.
        letters = [one for one in ledger.letters if one.kind == "status" and one.officer_id == who]
        moments = len({one.made_at for one in letters})
        if not moments <= count <= len(letters):
            yield f"{who} asked for the state {count} times and got {len(letters)} answers at {moments} moments"


def _is_shown(letter: Letter, shown: Sequence[str]) -> Iterator[str]:
    words = letter.rendered.text if letter.rendered else ""
    if words not in shown:
        yield f"{letter.kind} to {letter.officer_id} is called sent and is not on the phone"
