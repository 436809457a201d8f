"""Telephone numbers as offices write them, in one form."""

import re
import unicodedata

_CHINA = re.compile(r"^(?:\+|00)?86(?=1\d{10}$|0?[1-9]\d{8,10}$)")
_MOBILE = re.compile(r"^1[3-9]\d{9}$")
_LANDLINE = re.compile(r"^(?:0\d{9,11}|[2-8]\d{6,7})$")
_ABROAD = re.compile(r"^\+[1-9]\d{6,14}$")


def read_phone(text: str) -> str | None:
    """Digits only (abroad with +), "" for nothing, None when it is no telephone number.

    +86, 0086 and 86 before a mainland number, spaces, dashes and brackets do not count."""
    digits = re.sub(r"[\s\-–—.()·/]", "", unicodedata.normalize("NFKC", text))
    if not digits:
        return ""
    home = _CHINA.sub("", digits)
    if home != digits and not _MOBILE.match(home):
        home = f"0{home.removeprefix('0')}"  # +86 760 is 0760 at home.
    digits = home
    if _MOBILE.match(digits) or _LANDLINE.match(digits):
        return digits
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    return digits if _ABROAD.match(digits) and not digits.startswith("+86") else None
