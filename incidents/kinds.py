"""Reads the kind of event out of a sentence, by a table of words."""

from incidents.model import Category
from incidents.numerals import fold
from incidents.tables.kinds import KINDS, OTHERS


def read_kind(text: str) -> tuple[Category, str]:
    """The class and kind a text tells, or (unknown, "") when no word of the table is in it."""
    line = fold(text).replace(" ", "")
    for kind in KINDS:
        if kind.words.search(line):
            return kind.category, kind.name
    return Category.unknown, ""


def kinds_of(category: Category) -> tuple[str, ...]:
    """The kinds a person may choose for a class, in the table's order, the rest of the class last."""
    named = tuple(dict.fromkeys(kind.name for kind in KINDS if kind.category is category))
    return (*named, OTHERS[category]) if category in OTHERS else named
