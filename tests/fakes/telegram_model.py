"""The fake Telegram's records: accounts, rooms, messages, files, updates, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

DAY_SECONDS = 86_400
MESSAGE_LIFETIME_SECONDS = DAY_SECONDS
CALLBACK_LIFETIME_SECONDS = 150
DELETE_WINDOW_SECONDS = 48 * 3600
FILE_LINK_SECONDS = 3600


class ApiError(Exception):
    """A refusal as the Bot API words it: core.telegram.org/bots/api#making-requests."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> Json:
        """Return the body a client reads."""
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = dict(self.parameters)
        return body


def bad_request(reason: str, **parameters: int) -> ApiError:
    """Return a 400 with Telegram's prefix."""
    return ApiError(400, f"Bad Request: {reason}", **parameters)


def forbidden(reason: str) -> ApiError:
    """Return a 403 with Telegram's prefix."""
    return ApiError(403, f"Forbidden: {reason}")


@dataclass(slots=True)
class Account:
    """One Telegram user, and how things stand between this user and the bot."""

    id: int
    name: str
    username: str | None = None
    language: str = "zh-hans"
    started: bool = False
    blocked: bool = False
    deactivated: bool = False

    def as_user(self) -> Json:
        """Return the Bot API User object."""
        user: Json = {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}
        if self.username:
            user["username"] = self.username
        return user


@dataclass(slots=True)
class Message:
    """One message as the chat shows it now, with what it showed before."""

    chat_id: int
    message_id: int
    body: Json
    from_bot: bool
    at: float
    markup: Json | None = None
    edits: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the text or the caption shown, or nothing."""
        return str(self.body.get("text") or self.body.get("caption") or "")

    @property
    def buttons(self) -> list[list[str]]:
        """Return the texts of the inline buttons shown, row by row."""
        return [[button["text"] for button in row] for row in self.inline_rows]

    @property
    def button_data(self) -> list[str]:
        """Return the callback_data of every inline button shown, in reading order."""
        return [b["callback_data"] for row in self.inline_rows for b in row if "callback_data" in b]

    @property
    def keyboard(self) -> list[list[Json]]:
        """Return the reply keyboard that came with this message, as button objects."""
        rows = (self.markup or {}).get("keyboard", [])
        return [[{"text": b} if isinstance(b, str) else b for b in row] for row in rows]

    @property
    def inline_rows(self) -> list[list[Json]]:
        """Return the inline buttons as API objects, row by row."""
        rows: list[list[Json]] = (self.markup or {}).get("inline_keyboard", [])
        return rows

    @property
    def kind(self) -> str:
        """Return text, photo, document, location, venue and so on."""
        for kind in ("venue", "text", "photo", "document", "video", "voice", "audio", "location", "contact"):
            if kind in self.body:
                return kind
        return next((k for k in ("sticker", "poll", "dice") if k in self.body), "service")

    def shown(self) -> Json:
        """Return this message for the control API."""
        return {
            "message_id": self.message_id,
            "chat_id": self.chat_id,
            "from_bot": self.from_bot,
            "kind": self.kind,
            "text": self.text,
            "buttons": self.inline_rows,
            "keyboard": self.keyboard,
            "edits": list(self.edits),
            "at": self.at,
            "body": self.body,
        }


@dataclass(slots=True)
class Room:
    """One chat, private or group, with all it holds."""

    id: int
    kind: str
    title: str
    username: str | None = None
    members: set[int] = field(default_factory=set)
    bot_is_in: bool = True
    migrated_to: int | None = None
    own_ids: Iterator[int] | None = None
    messages: dict[int, Message] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        """Tell a group or supergroup from a private chat."""
        return self.kind != "private"

    def as_chat(self) -> Json:
        """Return the Bot API Chat object."""
        chat: Json = {"id": self.id, "type": self.kind}
        chat["title" if self.is_group else "first_name"] = self.title
        if self.username:
            chat["username"] = self.username
        return chat


@dataclass(slots=True)
class StoredFile:
    """One file the platform keeps; `content` is None for a file of which only the size matters."""

    file_id: str
    unique_id: str
    size: int
    path: str
    content: bytes | None
    link_until: float = 0.0

    def read(self) -> bytes:
        """Return the bytes; a file made by size alone is zeros."""
        return self.content if self.content is not None else bytes(self.size)


@dataclass(slots=True)
class Callback:
    """One tap on an inline button, waiting for answerCallbackQuery."""

    id: str
    user_id: int
    at: float
    answered: Json | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """One message the bot really put in front of somebody, with the moment it happened."""

    method: str
    chat_id: int
    message_id: int
    text: str
    at: float
    monotonic: float
    body: Json

    def as_json(self) -> Json:
        """Return this send for the control API."""
        names = ("method", "chat_id", "message_id", "text", "at", "monotonic")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Update:
    """One thing the bot has to hear about; `queue` is what webhook order is kept within."""

    update_id: int
    kind: str
    payload: Json
    expires_at: float
    queue: str
    is_duplicate: bool = False

    def as_json(self) -> Json:
        """Return the Bot API Update object."""
        return {"update_id": self.update_id, self.kind: self.payload}
