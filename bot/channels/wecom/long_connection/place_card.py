"""Asks where: a bot gets no locations, so the township is chosen from lists, or shown on a page of one's own."""

import binascii
from collections.abc import Sequence
from typing import Any

from bot.channels.wecom.words import chat

Json = dict[str, Any]

PLACE = "place"  # The key of the card's one button; no verb of a flow.
LISTS_MAX, OPTIONS_MAX = 3, 10
NAMES_MAX = LISTS_MAX * (OPTIONS_MAX - 1)  # Each list begins with "not here".
_NOT_HERE = "none"
_QUESTION = "where"


def place_card(names: Sequence[str], task_id: str, language: str, link: str = "") -> Json | None:
    """A card with the townships in up to three lists, and a link to the phone's own place; None without names.

    An option's id is its name in hex: what was chosen can be read without looking anything up."""
    if not 0 < len(names) <= NAMES_MAX:
        return None
    count = -(-len(names) // (OPTIONS_MAX - 1))
    size = -(-len(names) // count)
    lists = [names[start : start + size] for start in range(0, len(names), size)]
    card: Json = {
        "card_type": "multiple_interaction",
        "main_title": {"title": chat(language, "place_title"), "desc": chat(language, "place_how")},
        "task_id": task_id,
        "select_list": [_list(some, number, language) for number, some in enumerate(lists)],
        "submit_button": {"text": chat(language, "place_submit"), "key": PLACE},
    }
    if link:
        card["jump_list"] = [{"type": 1, "title": chat(language, "place_page"), "url": link}]
    return card


def chosen_places(card: Json) -> list[str]:
    """The townships chosen on a pressed card; usually one."""
    items = card.get("selected_items")
    listed = items.get("selected_item") if isinstance(items, dict) else None
    found = []
    for item in listed if isinstance(listed, list) else []:
        ids = item.get("option_ids") if isinstance(item, dict) else None
        chosen = ids.get("option_id") if isinstance(ids, dict) else None
        for one in chosen if isinstance(chosen, list) else [chosen]:
            name = _name(one)
            if name and name not in found:
                found.append(name)
    return found


def _list(names: Sequence[str], number: int, language: str) -> Json:
    first, last = names[0], names[-1]
    nothing = {"id": _NOT_HERE, "text": chat(language, "place_none")}
    options = [{"id": name.encode().hex(), "text": name} for name in names]
    return {
        "question_key": f"{_QUESTION}{number}",
        "title": chat(language, "place_list", first=first, last=last),
        "selected_id": _NOT_HERE,
        "option_list": [nothing, *options],
    }


def _name(option_id: object) -> str:
    if not isinstance(option_id, str) or option_id == _NOT_HERE:
        return ""
    try:
        return binascii.unhexlify(option_id).decode()[:64]
    except (binascii.Error, ValueError):
        return ""
