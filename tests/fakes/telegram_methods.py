"""Bot API methods other than send…: edits, taps, files, settings (core.telegram.org/bots/api)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.telegram_markup import checked_markup
from tests.fakes.telegram_model import (
    CALLBACK_LIFETIME_SECONDS,
    DELETE_WINDOW_SECONDS,
    ApiError,
    Json,
    Message,
    Room,
    bad_request,
)
from tests.fakes.telegram_params import Params
from tests.fakes.telegram_sending import SENDING, caption_of, text_of
from tests.fakes.telegram_world import World

CALLBACK_ANSWER_CHARACTERS_MAX = 200
COMMANDS_MAX = 100

Method = Callable[[World, Params], Any]


def call(world: World, method: str, params: Params) -> Any:
    """Carry out a method by its name, in any letter case, and return its result; unknown ones are 404."""
    handler = METHODS.get(method.lower())
    if handler is None:
        raise ApiError(404, "Not Found: method not found")
    with world.lock:
        return handler(world, params)


def get_me(world: World, params: Params) -> Json:
    """Return the bot itself."""
    more = {
        "can_join_groups": True,
        "can_read_all_group_messages": not world.privacy_mode,
        "supports_inline_queries": False,
    }
    return {**world.me, **more}


def edit_message_text(world: World, params: Params) -> Json:
    """Change a text message; leaving reply_markup out takes the buttons away, as the real one does."""
    room, message = _editable(world, params)
    content = text_of(params)
    markup = checked_markup(params.markup(), room, is_edit=True)
    if "text" not in message.body:
        raise bad_request("there is no text in the message to edit")
    return _apply_edit(world, message, content, markup, ("text", "entities"))


def edit_message_caption(world: World, params: Params) -> Json:
    """Change the caption of a media message."""
    room, message = _editable(world, params)
    content = caption_of(params)
    markup = checked_markup(params.markup(), room, is_edit=True)
    if not any(kind in message.body for kind in ("photo", "document", "video", "voice", "audio")):
        raise bad_request("there is no caption in the message to edit")
    return _apply_edit(world, message, content, markup, ("caption", "caption_entities"))


def edit_message_reply_markup(world: World, params: Params) -> Json:
    """Change the buttons under a message."""
    room, message = _editable(world, params)
    markup = checked_markup(params.markup(), room, is_edit=True)
    return _apply_edit(world, message, {}, markup, ())


def _editable(world: World, params: Params) -> tuple[Room, Message]:
    room = world.room_for_send(params.values.get("chat_id"))
    message = room.messages.get(params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    # bots/api#updating-messages: only the bot's own, without reply_markup or with an inline keyboard.
    if not message.from_bot or (message.markup is not None and "inline_keyboard" not in message.markup):
        raise bad_request("message can't be edited")
    return room, message


def _apply_edit(
    world: World, message: Message, content: Json, markup: Json | None, names: tuple[str, ...]
) -> Json:
    before = {name: message.body[name] for name in names if name in message.body}
    if before == content and message.markup == markup:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    message.edits.append(message.text)
    body = {k: v for k, v in message.body.items() if k not in (*names, "reply_markup")}
    body.update(content)
    if markup is not None:
        body["reply_markup"] = markup
    if names:
        body["edit_date"] = int(world.now())
    message.body = body
    message.markup = markup
    return body


def delete_message(world: World, params: Params) -> bool:
    """Delete a message younger than 48 h: any in a private chat, the bot's own in a group."""
    room = world.room_for_send(params.values.get("chat_id"))
    message = room.messages.get(params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    if world.now() - message.at > DELETE_WINDOW_SECONDS:
        raise bad_request("message can't be deleted for everyone")
    if room.is_group and not message.from_bot:
        raise bad_request("message can't be deleted")
    del room.messages[message.message_id]
    return True


def delete_messages(world: World, params: Params) -> bool:
    """Delete up to 100 messages; those not found are passed over."""
    room = world.room_for_send(params.values.get("chat_id"))
    for number in params.parsed("message_ids", "message identifiers") or []:
        room.messages.pop(int(number), None)
    return True


def answer_callback_query(world: World, params: Params) -> bool:
    """Stop the spinner of a tap not older than 150 s; the text has at most 200 characters."""
    callback = world.callbacks.get(params.text("callback_query_id"))
    if len(params.text("text")) > CALLBACK_ANSWER_CHARACTERS_MAX:
        raise bad_request("MESSAGE_TOO_LONG")
    if callback is None or world.now() - callback.at > CALLBACK_LIFETIME_SECONDS:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if callback.answered is None:
        callback.answered = {"text": params.text("text"), "show_alert": params.flag("show_alert")}
    return True


def get_file(world: World, params: Params) -> Json:
    """Return a download path for a file up to 20 MB."""
    return world.shelf.link(params.text("file_id"), world.now())


def get_chat(world: World, params: Params) -> Json:
    """Return a chat the bot knows."""
    room = world.find_room(params.values.get("chat_id"))
    if not room.is_group and not world.accounts[room.id].started:
        raise bad_request("chat not found")
    more = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}
    return {**room.as_chat(), **more}


_NO_GIFTS = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
)


def send_chat_action(world: World, params: Params) -> bool:
    """Show "typing…" and the like."""
    room = world.room_for_send(params.values.get("chat_id"))
    action = params.text("action")
    if action != "typing" and not action.startswith(("upload_", "record_", "find_", "choose_")):
        raise bad_request("wrong parameter action in request")
    world.actions.append((room.id, action))
    return True


def leave_chat(world: World, params: Params) -> bool:
    """Leave a group."""
    world.room_for_send(params.values.get("chat_id")).bot_is_in = False
    return True


def set_my_commands(world: World, params: Params) -> bool:
    """Keep the commands of one scope and language (bots/api#setmycommands, #botcommand)."""
    commands = params.parsed("commands", "commands") or []
    if len(commands) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        name = str(command.get("command", ""))
        plain = name.lstrip("/")
        if not 1 <= len(plain) <= 32 or not plain.isascii() or not plain.replace("_", "a").isalnum():
            raise bad_request("BOT_COMMAND_INVALID")
        if plain != plain.lower():
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.settings[_scoped("commands", params)] = commands
    return True


def get_my_commands(world: World, params: Params) -> object:
    """Return the commands of one scope and language."""
    return world.settings.get(_scoped("commands", params), [])


def delete_my_commands(world: World, params: Params) -> bool:
    """Forget the commands of one scope and language."""
    world.settings.pop(_scoped("commands", params), None)
    return True


def _scoped(what: str, params: Params) -> tuple[str, str, str]:
    scope = params.parsed("scope", "BotCommandScope") or {"type": "default"}
    return what, json.dumps(scope, sort_keys=True), params.text("language_code")


def _setter(name: str, characters_max: int) -> Method:
    def set_it(world: World, params: Params) -> bool:
        if len(params.text(name)) > characters_max:
            raise bad_request(f"{name} is too long")
        world.settings[(name, "", params.text("language_code"))] = params.text(name)
        return True

    return set_it


def _getter(name: str) -> Method:
    def get_it(world: World, params: Params) -> Json:
        return {name: world.settings.get((name, "", params.text("language_code")), "")}

    return get_it


METHODS: dict[str, Method] = {
    **SENDING,
    "getme": get_me,
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
    "answercallbackquery": answer_callback_query,
    "getfile": get_file,
    "getchat": get_chat,
    "sendchataction": send_chat_action,
    "leavechat": leave_chat,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setmydescription": _setter("description", 512),
    "getmydescription": _getter("description"),
    "setmyshortdescription": _setter("short_description", 120),
    "getmyshortdescription": _getter("short_description"),
    "setmyname": _setter("name", 64),
    "getmyname": _getter("name"),
}
