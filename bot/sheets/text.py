"""Text as it stands in a cell: cleaned, compared, and refused when it hides something."""

import re
import unicodedata
from datetime import date, datetime, time

from bot.sheets.sheet import Value

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")  # OWASP ASVS 5.0, 1.2.10
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_HIDDEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SPACES = re.compile(r"[^\S\n]+")
_DOTS = str.maketrans(dict.fromkeys("•・‧∙⋅．●", "·"))
# Letters of one of these groups next to letters of another are taken for a disguise.
_SCRIPTS = (
    "CJK",
    "LATIN",
    "CYRILLIC",
    "GREEK",
    "ARMENIAN",
    "CHEROKEE",
    "HANGUL",
    "HIRAGANA",
    "KATAKANA",
    "ARABIC",
)


def plain(value: Value) -> str:
    """The cell as text: whole numbers without ".0", days in ISO form, spaces at the ends gone."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    if text.startswith("'") and text[1:].lstrip(" ").startswith(FORMULA_STARTS):
        text = text[1:]  # The guard that our own exports put before such text.
    return _SPACES.sub(" ", text).strip()


def key(text: str) -> str:
    """What two spellings of one word share: width, case and spaces do not count."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def has_control(text: str) -> bool:
    """Whether the text holds control characters or half a character."""
    return bool(_CONTROL.search(text))


def without_control(text: str) -> str:
    """The text with a mark in the place of each control character."""
    return _CONTROL.sub("\ufffd", text)


def person(text: str) -> str:
    """A person's name in its one form: no padding (张　三), one kind of middle dot."""
    name = unicodedata.normalize("NFKC", text.translate(_DOTS)).translate(_DOTS).strip()
    if any(unicodedata.name(one, "").startswith("CJK") for one in name):
        return re.sub(r"\s+", "", name)
    return re.sub(r"\s+", " ", name)


def disguised(text: str, *, mixed: bool = True) -> bool:
    """Whether a name carries characters nobody sees or, with `mixed`, letters of two scripts (a homoglyph)."""
    if _HIDDEN.search(text):
        return True
    if not mixed:
        return False
    scripts = {
        next((script for script in _SCRIPTS if unicodedata.name(one, "").startswith(script)), "other")
        for one in text
        if one.isalpha()
    }
    return len(scripts) > 1


def is_name(text: str) -> bool:
    """Whether this can be a person's name: letters first, at most 40 of them, no separators."""
    return (
        bool(text)
        and len(text) <= 40
        and text[0].isalpha()
        and all(one.isalnum() or unicodedata.category(one) == "Mn" or one in " ·-'.()" for one in text)
    )
