"""Reads the figures people write: 3, ３, 三, 十几, 三十多, 四五十, 一百二十, 1.2亿."""

import unicodedata

DIGITS = {one: value for value, one in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "俩": 2,
    "仨": 3,
}
TENS = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10_000, "亿": 100_000_000}

READ_MAX = 4000  # Characters of a text that are searched: what matters is told first.

# One figure in a folded line, whole and at most so long: a line of nothing but digits is read in one pass.
_WORDS = "零〇一二两三四五六七八九十百千万亿俩仨"
FIGURE = (
    r"(?>(?<!\d)\d{1,12}(?!\d)(?:,\d{3}){0,4}(?:\.\d{1,6})?[十百千万亿]{0,3}"
    rf"|(?<![{_WORDS}])[{_WORDS}]{{1,12}}(?![{_WORDS}]))"
)


def fold(text: str) -> str:
    """The first READ_MAX characters of a text, with full-width letters and digits as plain ones."""
    return unicodedata.normalize("NFKC", text[:READ_MAX])


def read_figure(word: str) -> float | None:
    """What a figure means, or None; of "四五十" and "七八" the lower, which is certain."""
    word = word.replace(",", "").strip()
    plain = word.rstrip("十百千万亿")
    if plain and plain.replace(".", "", 1).isdigit():
        return float(plain) * _scale(word[len(plain) :])
    return _read_words(word)


def read_count(word: str) -> int | None:
    """A figure as a whole number, or None."""
    value = read_figure(word)
    return int(value) if value is not None else None


def _scale(units: str) -> int:
    scale = 1
    for unit in units:
        scale *= TENS.get(unit) or MYRIADS[unit]
    return scale


def _read_words(word: str) -> float | None:
    if not word or any(one not in DIGITS and one not in TENS and one not in MYRIADS for one in word):
        return None
    total, part, digit = 0, 0, None
    for before, one in zip(" " + word, word, strict=False):
        if one in DIGITS:
            # The second of two digits side by side ("四五十") only says "about".
            digit = digit if digit is not None and before in DIGITS and digit else DIGITS[one]
        elif one in TENS:
            part += (1 if digit is None else digit) * TENS[one]
            digit = None
        else:
            # 万 counts what stands right before it, 亿 everything so far.
            below = part + (digit or 0)
            whole = total + below if one == "亿" else below
            total = (whole or 1) * MYRIADS[one] + (total if one == "万" else 0)
            part, digit = 0, None
    return float(total + part + (digit or 0))
