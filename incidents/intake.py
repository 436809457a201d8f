"""Collects a report told in pieces: any order, nothing refused, and only what is missing is asked for."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from incidents.casualties import merge_casualties, read_casualties
from incidents.kinds import read_kind
from incidents.model import Casualties, Draft, Place
from incidents.numerals import fold
from incidents.occurred import Occurred, read_occurred, read_occurred_at
from incidents.places import (
    believed,
    can_be_place,
    labelled_place,
    merge_places,
    place_words,
    unit_named,
)
from incidents.telling import tells_of_event

__all__ = [
    "Occurred",
    "add",
    "complete",
    "find_number",
    "is_at_unit",
    "is_cut",
    "missing",
    "number",
    "read_casualties",
    "read_kind",
    "read_occurred",
    "read_occurred_at",
    "says_something",
]

TEXT_MAX = 20_000
CUT = "…"  # The last character of a text that did not fit: the sender's own message stays in the inbox.
FIRST_REPORT = ("place", "what")  # In asking order; time and telephone are known from the message itself.
_DASH = r"\s*[-‐‑‒–—―−_~·.]?\s*"


def add(
    draft: Draft,
    *,
    text: str = "",
    place: Place | None = None,
    attachment_ids: Iterable[str] = (),
    kind: str = "",
    casualties: Casualties | None = None,
    units: Iterable[str] = (),
    text_max: int = TEXT_MAX,
) -> Draft:
    """The draft with one more piece. Text grows by lines and is kept whole up to `text_max`, then cut.

    A point nobody can believe is kept as words. Words sent once the place was asked for that can be one are the
    place; so are words that name one of the known `units`, while no place is known."""
    said = text.replace("\x00", "").strip()
    named = labelled_place(said)
    if not named and place is None:
        known = tuple(units)
        named = _answers_place(draft, said, known) or ("" if draft.place else _names_unit(said, known))
    where = merge_places(draft.place, Place(text=named) if named else None)
    where = merge_places(where, believed(place) if place is not None else None)
    return replace(
        draft,
        text=_joined(draft.text, said, text_max),
        place=where,
        attachment_ids=tuple(dict.fromkeys((*draft.attachment_ids, *attachment_ids))),
        kind=kind or draft.kind,
        casualties=merge_casualties(draft.casualties, casualties),
    )


def missing(draft: Draft) -> tuple[str, ...]:
    """What a first report still lacks, in the order it is asked for; photos and casualties never are.

    首报 needs 时间、地点、何事、来源电话: the time defaults to 接报, the telephone is the officer's."""
    lacks = {
        "place": draft.place is None or (draft.place.lat is None and not draft.place.text.strip()),
        "what": not draft.kind and not says_something(draft.text),
    }
    return tuple(name for name in FIRST_REPORT if lacks[name])


def is_at_unit(draft: Draft, units: Iterable[str]) -> bool:
    """Whether the place is words that name a known unit, and the sender was not yet asked for a position."""
    place = draft.place
    return (
        place is not None
        and place.lat is None
        and "place" not in draft.asked
        and bool(unit_named(place.text, units))
    )


def complete(draft: Draft) -> bool:
    """Whether nothing that a first report needs is missing."""
    return not missing(draft)


def says_something(text: str) -> bool:
    """Whether there are words in a text: emoji, spaces and punctuation alone say nothing."""
    return any(unicodedata.category(one)[0] == "L" for one in text)


def is_cut(text: str, text_max: int = TEXT_MAX) -> bool:
    """Whether a draft's text reached its limit and ends in the mark of a cut."""
    return len(text) == text_max and text.endswith(CUT)


def number(prefix: str, day: date, sequence: int) -> str:
    """An incident's number: the office's prefix, the local day, the day's sequence (ZS-20261123-004)."""
    return "-".join(part for part in (prefix, f"{day:%Y%m%d}", f"{sequence:03d}") if part)


def find_number(text: str, prefix: str) -> str:
    """The incident number in a text, in its proper form, or "": case, width, dashes, spaces may differ."""
    head = re.escape(fold(prefix).upper()) + _DASH if prefix else ""
    found = re.search(
        rf"(?<![A-Z0-9]){head}(\d{{8}}){_DASH}(\d{{3,6}})(?!\d)", unicodedata.normalize("NFKC", text).upper()
    )
    if found is None:
        return ""
    return "-".join(part for part in (prefix, found.group(1), f"{int(found.group(2)):03d}") if part)


def _joined(old: str, new: str, text_max: int) -> str:
    text = f"{old}\n{new}" if old and new else old or new
    return text if len(text) <= text_max else text[: text_max - 1] + CUT


def _answers_place(draft: Draft, said: str, units: Iterable[str]) -> str:
    """The words that answer 在哪里, once that was asked and no place is known yet; what can be none is asked again."""
    if "place" not in draft.asked or draft.place is not None or not says_something(said):
        return ""
    if named := unit_named(said, units):
        return said if can_be_place(said) and not tells_of_event(said) else named
    if says_something(draft.text) and can_be_place(said) and not tells_of_event(said):
        return said
    words = place_words(said)
    return words if words and can_be_place(words) else ""


def _names_unit(said: str, units: Iterable[str]) -> str:
    """The words that name a known unit, when something else is said beside them."""
    named = unit_named(said, units)
    return named if says_something(said.replace(named, "", 1)) else ""
