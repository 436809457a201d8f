"""The outside of an update: its id, and whose turn it takes; nothing more is read before it is stored."""

import json
from typing import Any

Json = dict[str, Any]

NOBODY = "-"  # An update without a sender or chat: its own line of order.


def read_update(raw: bytes) -> Json:
    """The update as JSON; of a key given twice the last one counts. Raises ValueError."""
    try:
        update = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(update, dict):
        raise ValueError("not a JSON object")
    return update


def update_number(update: Json) -> int:
    """The update_id. Raises ValueError."""
    number = update.get("update_id")
    if type(number) is not int:  # True is an int, too.
        raise ValueError("no update_id")
    return number


def sender_of(update: Json) -> str:
    """Updates of one sender are heard in order: the person's id, else the chat's."""
    for part in update.values():
        if not isinstance(part, dict):
            continue
        for who in (part.get("from"), part.get("chat")):
            if isinstance(who, dict) and type(who.get("id")) is int:
                return str(who["id"])
    return NOBODY
