"""The lines that tell a person what an import changes."""

from collections.abc import Iterator
from typing import Any

from bot.sheets.words import say, words
from desk.lists import Difference, Entry, Mark

LINES_MAX = 500


def difference_lines(language: str, difference: Difference) -> Iterator[str]:
    """A line for each difference; of very many only the first, then how many more."""
    for entry in difference.entries[:LINES_MAX]:
        yield entry_line(language, entry)
    if len(difference.entries) > LINES_MAX:
        yield words(language, "sum")["more"].format(count=len(difference.entries) - LINES_MAX)


def entry_line(language: str, entry: Entry) -> str:
    """One difference."""
    facts = dict(entry.facts)
    if "changes" in facts:
        skipped = "unit_id" if entry.mark is Mark.added else ""  # Said beside the name already.
        changes = [_change(language, *one) for one in facts["changes"] if one[0] != skipped]
        facts["changes"] = changes or words(language, "join")["nothing_else"]
    if "presence" in facts:
        facts["presence"] = _word(language, facts["presence"])
    return say(language, "entry", entry.kind, facts)


def total_line(language: str, difference: Difference, *, dry_run: bool) -> str:
    """The last line: how many of each."""
    counts = {mark.value: difference.count(mark) for mark in Mark}
    kind = "dry_run" if dry_run else "done"
    return words(language, "sum")[kind].format(unchanged=difference.unchanged, **counts)


def _change(language: str, name: str, before: Any, after: Any) -> str:
    facts = {
        "field": words(language, "fields").get(name, name),
        "before": _word(language, before),
        "after": _word(language, after),
    }
    is_new = before is None or before == ""
    return say(language, "join", "set" if is_new else "change", facts)


def _word(language: str, value: Any) -> str:
    if value is None or value == "":
        return words(language, "join")["nothing"]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return words(language, "word").get(text, text)
