"""A watch as lines of an iCalendar file (RFC 5545): escaped, and folded at 75 octets."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

OCTETS_MAX = 75
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def event_lines(record: Mapping[str, Any], shown: Mapping[str, Any], now: datetime) -> list[str]:
    """The event of one watch; moments in UTC need no time zone table."""
    summary = escape(f"{shown['post']} {shown['name']}")
    return [
        "BEGIN:VEVENT",
        f"UID:{escape(record['id'])}@muster",
        f"DTSTAMP:{moment(now)}",
        f"DTSTART:{moment(record['starts_at'])}",
        f"DTEND:{moment(record['ends_at'])}",
        f"SUMMARY:{summary}",
        f"LOCATION:{escape(str(shown['unit']))}",
        f"DESCRIPTION:{escape(str(shown['presence']))}",
        "END:VEVENT",
    ]


def moment(at: datetime) -> str:
    """A moment in the form of RFC 5545 3.3.5, UTC."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def escape(text: str) -> str:
    """Text as a value (RFC 5545 3.3.11)."""
    plain = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def fold(line: str) -> str:
    """The line in pieces of at most 75 octets (RFC 5545 3.1); no character is cut in two."""
    pieces, piece, octets = [], "", 0
    for sign in line:
        width = len(sign.encode())
        if octets + width > OCTETS_MAX:
            pieces.append(piece)
            piece, octets = " ", 1
        piece += sign
        octets += width
    return "\r\n".join([*pieces, piece])
