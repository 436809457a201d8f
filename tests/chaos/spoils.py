"""Ways a desk could fail, done to the books of one that did not: the checker must notice every one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from desk.model import InboxState, Job, LetterState
from incidents.model import AttachmentState
from roster.model import Result
from tests.chaos.checker import PAGE, PAGED, TOKEN, rounded
from tests.chaos.ledger import Ledger
from tests.chaos.told import Told

Spoil = Callable[[Ledger, Told], Ledger]


def spoils() -> dict[str, Spoil]:
    """Each by what it does and the words the checker must say about it."""
    return {
        "an event is lost|was said and is not in the inbox": lambda books, _: _without(books, "inbox"),
        "an event waits for ever|in the inbox": _unheard,
        "a job is given up|is parked": _parked,
        "a report is lost|are kept 0 times": lambda books, _: _without(books, "reports", _has_token),
        "a report comes twice|are kept 2 times": lambda books, _: _twice(books, "reports", _has_token),
        "a photo is lost|the photo": lambda books, _: _without(books, "attachments"),
        "a photo never came|the photo": _unfetched,
        "the bytes are gone|is not on disk": lambda books, _: replace(books, files=Path("/nowhere")),
        "a place is lost|the place": _unplaced,
        "an incident is lost|have gaps or doubles": lambda books, _: replace(books, incidents=books.incidents[1:]),
        "a rung is skipped|took the steps": lambda books, _: _without(books, "lines", _is_rung),
        "a rung is taken twice|took the steps": lambda books, _: _twice(books, "lines", _is_rung),
        "a page is not made|owed the pages": lambda books, _: _without(books, "letters", _is_page),
        "somebody is paged who signed|was paged after its signature": _paged_late,
        "a signature is lost|was signed 0 times": lambda books, _: _without(books, "lines", _is_signature),
        "an answer is lost|is lost": _silenced,
        "the counts do not sum|counts": _miscounted,
        "a copy has no mark|unmarked copies": lambda books, _: replace(books, copies=[*books.copies, books.copies[-1]]),
        "what is called sent is not|is not on the phone": lambda books, _: replace(books, copies=[]),
        "a letter is given up|is failed": _undelivered,
        "the log is rewritten|the duty log is broken": lambda books, _: _without(books, "lines"),
    }  # fmt: skip


def _without(books: Ledger, name: str, chosen: Callable[[Any], bool] = lambda _: True) -> Ledger:
    rows = list(getattr(books, name))
    rows.remove(next(one for one in rows if chosen(one)))
    changed: dict[str, Any] = {name: rows}
    return replace(books, **changed)


def _twice(books: Ledger, name: str, chosen: Callable[[Any], bool]) -> Ledger:
    rows = list(getattr(books, name))
    found = next(one for one in rows if chosen(one))
    rows.insert(rows.index(found), found)
    changed: dict[str, Any] = {name: rows}
    return replace(books, **changed)


def _changed(books: Ledger, name: str, chosen: Callable[[Any], bool], **changes: Any) -> Ledger:
    rows = list(getattr(books, name))
    place = next(place for place, one in enumerate(rows) if chosen(one))
    rows[place] = replace(rows[place], **changes)
    changed: dict[str, Any] = {name: rows}
    return replace(books, **changed)


def _has_token(report: Any) -> bool:
    return TOKEN.search(report.text) is not None


def _is_rung(line: Any) -> bool:
    return line.kind in PAGED


def _is_page(letter: Any) -> bool:
    return letter.kind == PAGE and not letter.amends


def _is_signature(line: Any) -> bool:
    return bool(line.kind == "signed")


def _unheard(books: Ledger, _: Told) -> Ledger:
    return _changed(books, "inbox", lambda _: True, state=InboxState.new)


def _parked(books: Ledger, _: Told) -> Ledger:
    at = books.inbox[0].received_at
    return replace(books, jobs=[*books.jobs, Job("j", "hear", "x", at, parked=True, error="poison")])


def _unfetched(books: Ledger, _: Told) -> Ledger:
    return _changed(books, "attachments", lambda _: True, state=AttachmentState.lost)


def _unplaced(books: Ledger, told: Told) -> Ledger:
    def has_place(report: Any) -> bool:
        return report.place is not None and rounded(report.place) in told.places

    return _changed(books, "reports", has_place, place=None)


def _paged_late(books: Ledger, _: Told) -> Ledger:
    signed = {line.subject: line.at for line in books.lines if line.kind == "signed"}
    page = next(one for one in books.letters if _is_page(one) and one.subject in signed)
    late = signed[page.subject] + timedelta(seconds=1)
    return _changed(books, "letters", lambda one: one.id == page.id, made_at=late)


def _silenced(books: Ledger, told: Told) -> Ledger:
    press = told.presses[0]

    def is_theirs(answer: Any) -> bool:
        return (answer.roll_call_id, answer.officer_id) == (press.roll_call_id, press.officer_id)

    return _changed(books, "answers", is_theirs, result=Result.no_answer, answered_at=None)


def _miscounted(books: Ledger, _: Told) -> Ledger:
    counts = {"present": books.roll_calls[0].due_count + 1}
    return _changed(books, "roll_calls", lambda _: True, counts=counts)


def _undelivered(books: Ledger, _: Told) -> Ledger:
    return _changed(books, "letters", lambda _: True, state=LetterState.failed)
