"""Keyboards as Telegram accepts them: bots/api#inlinekeyboardmarkup and #replykeyboardmarkup."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.fakes.telegram_model import Json, Room, bad_request

BUTTONS_MAX = 100
CALLBACK_DATA_BYTES_MAX = 64
_ACTIONS = (
    "url callback_data web_app login_url copy_text pay callback_game switch_inline_query "
    "switch_inline_query_current_chat switch_inline_query_chosen_chat"
).split()


def checked_markup(markup: Json | None, room: Room, *, is_edit: bool = False) -> Json | None:
    """Return the markup when the real server would take it for this room, else refuse."""
    if not markup:
        return None
    if "inline_keyboard" in markup:
        rows = _rows(markup["inline_keyboard"], "inline keyboard")
        for button in (button for row in rows for button in row):
            _check_inline_button(button)
        rows = [row for row in rows if row]
        return {"inline_keyboard": rows} if rows else None
    if is_edit:
        raise bad_request("inline keyboard expected")
    if "keyboard" in markup:
        for button in (button for row in _rows(markup["keyboard"], "keyboard") for button in row):
            _check_key(button, room)
        return markup
    if markup.get("remove_keyboard") or markup.get("force_reply"):
        return markup
    raise bad_request("object expected as reply markup")


def _rows(rows: object, what: str) -> list[list[Json]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request(f'field "{what.replace(" ", "_")}" of the ReplyMarkup must be an Array of Arrays')
    if sum(len(row) for row in rows) > BUTTONS_MAX:
        raise bad_request("reply markup is too long")
    return rows


def _check_inline_button(button: object) -> None:
    head = "can't parse inline keyboard button: "
    if not isinstance(button, dict):
        raise bad_request(f"{head}InlineKeyboardButton must be an Object")
    if not str(button.get("text", "")).strip():
        raise bad_request(f'{head}Field "text" must not be empty')
    actions = [name for name in _ACTIONS if name in button]
    if len(actions) != 1:
        raise bad_request(f"{head}Text buttons are unallowed in the inline keyboard")
    if actions == ["callback_data"]:
        size = len(str(button["callback_data"]).encode())
        if not 1 <= size <= CALLBACK_DATA_BYTES_MAX:
            raise bad_request("BUTTON_DATA_INVALID")
    if actions == ["url"]:
        _check_url(str(button["url"]))


def _check_url(url: str) -> None:
    # Telegram refuses a link whose host has no dot, such as http://localhost:8000/.
    parts = urlsplit(url)
    web = parts.scheme in ("http", "https") and "." in (parts.hostname or "")
    if not web and parts.scheme != "tg":
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def _check_key(button: object, room: Room) -> None:
    if isinstance(button, str):
        button = {"text": button}
    if not isinstance(button, dict) or not str(button.get("text", "")):
        raise bad_request("can't parse keyboard button: Can't find field \"text\"")
    if room.is_group and button.get("request_location"):
        raise bad_request("location can be requested in private chats only")
    if room.is_group and button.get("request_contact"):
        raise bad_request("phone number can be requested in private chats only")
