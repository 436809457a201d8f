"""Makes what people wrote harmless to read: nothing invisible, nothing reordered, no line that is not theirs."""

import unicodedata

ELLIPSIS = "…"
# iPhones wrap a copied number in these. They cannot disguise anything once the right-to-left ones are shown.
_HARMLESS = frozenset("\u200e\u202a\u202c\u202d\u2066\u2068\u2069")
_JOINER = "\u200d"
_BREAKS = {"\r\n": "\n", "\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
_FIRST_STRONG, _POP = "\u2068", "\u2069"
_SPACES_ONLY = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # Letters and signs that show as nothing.


def one_line(text: str, characters_max: int) -> str:
    """A name or a short field: one line, at most so long, every invisible sign shown."""
    # Cutting first keeps a text of megabytes cheap; what is shown for one sign is never shorter than it.
    line = " ".join(visible(text[: 4 * characters_max]).split())
    return isolated(cut(line, characters_max))


def whole(text: str) -> str:
    """A text with its line breaks, complete, every invisible sign shown."""
    lines = [line.rstrip() for line in visible(text).split("\n")]
    return "\n".join(isolated(line) for line in lines).strip("\n")


def cut(text: str, characters_max: int) -> str:
    """The text, or its beginning and a mark that more was said."""
    return text if len(text) <= characters_max else text[: characters_max - 1].rstrip() + ELLIPSIS


def visible(text: str) -> str:
    """The text with every kind of line break as one, and each invisible or reordering sign as [U+202E]."""
    for sign, newline in _BREAKS.items():
        text = text.replace(sign, newline)
    if text.isascii() and text.isprintable():
        return text
    shown = []
    for place, sign in enumerate(text):
        if sign == _JOINER and _joins_pictures(text, place):
            shown.append(sign)
        else:
            shown.append(_shown(sign))
    return "".join(shown)


def isolated(line: str) -> str:
    """A line that holds right-to-left letters, kept from turning round what stands beside it."""
    if any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in line):
        return f"{_FIRST_STRONG}{line}{_POP}"
    return line


def _shown(sign: str) -> str:
    category = unicodedata.category(sign)
    if sign in "\n\t":
        return sign if sign == "\n" else " "
    if category == "Cs":  # Half a surrogate pair cannot be sent.
        return "\ufffd"
    if sign in _HARMLESS or sign == "\x00":
        return ""
    if category in ("Cc", "Cf") or sign in _SPACES_ONLY:
        return f"[U+{ord(sign):04X}]"
    return sign


def _joins_pictures(text: str, place: int) -> bool:
    """Whether a joiner makes one picture of two, as in a family or a profession."""
    around = text[max(0, place - 1) : place], text[place + 1 : place + 2]
    return all(sign and unicodedata.category(sign) in ("So", "Sk", "Mn") for sign in around)
