"""Choices as buttons under a message, and the key that sends one's place."""

from unicodedata import east_asian_width

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, KeyboardButton, ReplyKeyboardMarkup

from desk.model import Rendered

TOKEN_BYTES_MAX = 64
CHOICES_MAX = 100
SHORT_COLUMNS_MAX = 16  # Half the width of a narrow phone: eight Chinese characters.
TEXT_UNITS_MAX = 4096


def inline_keyboard(choices: tuple[tuple[str, str], ...]) -> InlineKeyboardMarkup | None:
    """Short labels two to a row, long ones alone; a choice Telegram would refuse is left out.

    Without its button the message still arrives, and the typed answer counts."""
    usable = [
        (label, token) for label, token in choices if label.strip() and 0 < _size(token) <= TOKEN_BYTES_MAX
    ]
    rows: list[list[InlineKeyboardButton]] = []
    is_open = False
    for label, token in usable[:CHOICES_MAX]:
        button = InlineKeyboardButton(sound(label), callback_data=token)
        is_short = columns(label) <= SHORT_COLUMNS_MAX
        if is_short and is_open:
            rows[-1].append(button)
            is_open = False
        else:
            rows.append([button])
            is_open = is_short
    return InlineKeyboardMarkup(rows) if rows else None


def keyboard(message: Rendered, chat_id: int) -> InlineKeyboardMarkup | ReplyKeyboardMarkup | None:
    """What stands under a message. A message carries one keyboard: the choices come first.

    Telegram takes a request for a place in private chats only, whose ids are positive."""
    buttons = inline_keyboard(message.choices)
    if buttons or not message.asks_place or chat_id <= 0 or not message.place_label:
        return buttons
    key = KeyboardButton(message.place_label, request_location=True)
    return ReplyKeyboardMarkup([[key]], resize_keyboard=True, one_time_keyboard=True)


def columns(label: str) -> int:
    """The width of a label; a Chinese character is two columns wide."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in label)


def units(text: str) -> int:
    """The length as Telegram counts it: UTF-16 code units, so an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def fitted(text: str) -> str:
    """The text as Telegram takes it; long texts come as several letters, so cutting is the last defence."""
    text = sound(text)
    if units(text) <= TEXT_UNITS_MAX:
        return text
    return text.encode("utf-16-le")[: 2 * (TEXT_UNITS_MAX - 1)].decode("utf-16-le", "ignore") + "…"


def sound(text: str) -> str:
    """The text without half surrogate pairs, which cannot be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _size(token: str) -> int:
    return len(token.encode())
