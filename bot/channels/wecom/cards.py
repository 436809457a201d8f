"""How a message looks in WeCom: a text, a card with buttons, or numbers to reply where there can be no buttons."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any, Protocol

from bot.channels.wecom.settings import TEXT_BYTES_MAX, WeComSettings
from bot.channels.wecom.words import chat
from desk.model import Rendered

BUTTONS_MAX = 6
CHOICES_MAX = 20
TITLE_MAX, SUBTITLE_MAX, LABEL_MAX = 36, 160, 20  # Characters the vendor's page on template cards advises.
KEY_BYTES_MAX = 1024
REFERENCE_CHARACTERS = 4
# The postman counts characters and WeCom bytes: a Chinese one is three, an emoji two units and four bytes. The rest is
# for the reference and for the hint how to send a place.
TEXT_UNITS_MAX = 620
REPEATS_HIDDEN_SECONDS = 4 * 3600  # The vendor's most: the postman goes on for an hour when it cannot know.

Choices = list[tuple[str, str]]

_TASK_ID = re.compile(r"[0-9a-zA-Z_\-@]{1,128}")
Json = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What a message becomes: requests without their receivers, in order, and what has to be remembered of it."""

    task_id: str
    requests: tuple[Json, ...]
    tokens: tuple[str, ...] = ()  # What the numbers 1, 2, 3 … stand for, when they were listed.
    has_card: bool = False


def look_of(message: Rendered, key: str, settings: WeComSettings) -> Look:
    """The requests of a message. The same message and key give the same bytes, so that a repeat shows nothing."""
    task_id = task_id_of(key)
    language = settings.language
    text, choices = sound(message.text), usable(message)
    hint = f"\n{chat(language, 'place')}" if message.asks_place else ""
    if not choices:
        return Look(task_id, (_text(text + hint, task_id, settings),))
    if not settings.cards or len(choices) > BUTTONS_MAX:
        listed = numbered(choices, language)
        tokens = tuple(token for _, token in choices)
        whole = f"{text}{hint}\n\n{listed}"
        if _size(whole) + _size(_reference(task_id)) <= TEXT_BYTES_MAX:
            return Look(task_id, (_text(whole, task_id, settings),), tokens)
        parts = (_text(text + hint, task_id, settings), _text(listed, task_id, settings))
        return Look(task_id, parts, tokens)
    if (words := card_words(text + hint)) is not None:
        return Look(task_id, (_card_request(button_card(words, choices, task_id), settings),), has_card=True)
    card = _card_request(sealed_card(text, choices, task_id, language), settings)
    return Look(task_id, (_text(text + hint, task_id, settings), card), has_card=True)


class Manner(Protocol):
    """What of an office's settings decides how a changed card looks."""

    @property
    def public_url(self) -> str:
        """Where a card without buttons leads."""
        ...


def sealed_card(text: str, choices: Choices, task_id: str, language: str) -> Json:
    """The buttons of a text too long for a card, which stands above."""
    title = {"title": _cut(text.partition("\n")[0], TITLE_MAX)}
    short: Json = {"main_title": title, "sub_title_text": chat(language, "sealed")}
    return button_card(short, choices, task_id)


def changed_card(message: Rendered, task_id: str, settings: Manner) -> Json:
    """The card that takes the place of one sent before; without choices it leads to the desk's page."""
    text = sound(message.text)
    first, _, rest = text.partition("\n")
    words = card_words(text) or {
        "main_title": {"title": _cut(first, TITLE_MAX)},
        "sub_title_text": _cut(rest or text, SUBTITLE_MAX),
    }
    choices = usable(message)[:BUTTONS_MAX]
    if choices:
        return button_card(words, choices, task_id)
    action = {"type": 1, "url": settings.public_url or "https://work.weixin.qq.com"}
    return {"card_type": "text_notice", **words, "task_id": task_id, "card_action": action}


def digest_of(message: Rendered) -> str:
    """What tells one state of a card from another."""
    return hashlib.sha256(repr((message.text, message.choices)).encode("utf-8", "replace")).hexdigest()[:16]


def task_id_of(key: str) -> str:
    """The task id of a sending: its key where that is allowed as one."""
    return key if _TASK_ID.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def sound(text: str) -> str:
    """The text without half surrogate pairs, which cannot be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(text: str, task_id: str, settings: WeComSettings) -> Json:
    """A text that never is the same as another one, or WeCom would take two intended reminders for a repeat."""
    reference = _reference(task_id)
    room = TEXT_BYTES_MAX - _size(reference)
    if _size(text) > room:
        mark = chat(settings.language, "cut")
        text = text.encode()[: room - _size(mark)].decode("utf-8", "ignore") + mark
    return _request("text", {"content": text + reference}, settings)


def _reference(task_id: str) -> str:
    digest = base64.b32encode(hashlib.sha256(task_id.encode()).digest()).decode("ascii")
    return f"\n〔{digest[:REFERENCE_CHARACTERS]}〕"


def _card_request(card: Json, settings: WeComSettings) -> Json:
    return _request("template_card", card, settings)


def _request(kind: str, content: Json, settings: WeComSettings) -> Json:
    return {
        "msgtype": kind,
        "agentid": settings.agent_id,
        kind: content,
        "enable_duplicate_check": 1,
        "duplicate_check_interval": REPEATS_HIDDEN_SECONDS,
    }


def card_words(text: str) -> Json | None:
    """Title and text of a card; None when they do not fit."""
    first, _, rest = text.partition("\n")
    if first.strip() and len(first) <= TITLE_MAX and len(rest) <= SUBTITLE_MAX:
        words: Json = {"main_title": {"title": first}}
        return {**words, "sub_title_text": rest} if rest.strip() else words
    return {"sub_title_text": text} if text.strip() and len(text) <= SUBTITLE_MAX else None


def button_card(words: Json, choices: Choices, task_id: str) -> Json:
    # The first choice is the one expected: it stands out.
    buttons = [
        {"text": label, "style": 1 if place == 0 else 2, "key": token}
        for place, (label, token) in enumerate(choices)
    ]
    return {"card_type": "button_interaction", **words, "task_id": task_id, "button_list": buttons}


def numbered(choices: Choices, language: str) -> str:
    lines = [f"{number} {label}" for number, (label, _) in enumerate(choices, 1)]
    return "\n".join([chat(language, "numbered"), *lines])


def usable(message: Rendered) -> Choices:
    """The choices WeCom takes; without its button a message still arrives, and the typed answer counts."""
    found = [
        (_cut(sound(label).strip(), LABEL_MAX), token)
        for label, token in message.choices
        if label.strip() and 0 < len(token.encode("utf-8", "replace")) <= KEY_BYTES_MAX
    ]
    return found[:CHOICES_MAX]


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def _size(text: str) -> int:
    return len(text.encode())
