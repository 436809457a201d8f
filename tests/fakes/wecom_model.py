"""The fake WeCom's records: members, messages as phones show them, media, refusals."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ACTIVE, DISABLED, NOT_ACTIVATED, LEFT = 1, 2, 4, 5


class ApiError(Exception):
    """A refusal as WeCom words it: HTTP 200 with errcode and errmsg."""

    def __init__(self, errcode: int, errmsg: str, **more: Any) -> None:
        super().__init__(f"{errcode} {errmsg}")
        self.errcode = errcode
        self.errmsg = errmsg
        self.more = more

    def as_json(self) -> Json:
        """Return the body a client reads; the hint is what the vendor asks to quote in questions."""
        hint = f"hint: [{secrets.randbelow(10**18)}], from ip: 127.0.0.1"
        return {"errcode": self.errcode, "errmsg": f"{self.errmsg}, {hint}", **self.more}


def bad_parameter(what: str) -> ApiError:
    """Return 40058, WeCom's word for a parameter out of its rules."""
    return ApiError(40058, f"invalid Request Parameter: {what}")


@dataclass(slots=True)
class Member:
    """One member of the corp, and how things stand between the member and the app."""

    userid: str
    name: str
    mobile: str = ""
    departments: tuple[int, ...] = (1,)
    status: int = ACTIVE
    is_visible: bool = True
    is_licensed: bool = True
    is_in_plugin: bool = False  # Reads in plain WeChat, which shows no cards.

    def as_json(self) -> Json:
        """Return the member as user/get does for an app that may see mobiles."""
        return {
            "userid": self.userid,
            "name": self.name,
            "mobile": self.mobile,
            "department": list(self.departments),
            "status": self.status,
            "enable": int(self.status != DISABLED),
        }


@dataclass(slots=True)
class Sent:
    """One accepted call of message/send (or one push of the AI bot) and whom it reached."""

    msgid: str
    kind: str
    body: Json
    at: float
    monotonic: float
    reached: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    task_id: str = ""

    def as_json(self) -> Json:
        """Return this for the control API."""
        names = ("msgid", "kind", "at", "monotonic", "reached", "dropped", "task_id", "body")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Shown:
    """One message of ours as one member's phone shows it now."""

    sent: Sent
    content: Json
    at: float
    replaced_by: str = ""  # What stands where the buttons were: button.replace_name.
    edits: int = 0

    @property
    def msgid(self) -> str:
        """Return the msgid of the sending."""
        return self.sent.msgid

    @property
    def kind(self) -> str:
        """Return the msgtype."""
        return self.sent.kind

    @property
    def text(self) -> str:
        """Return the words shown, a card's parts line by line."""
        content = self.content
        match self.kind:
            case "text" | "markdown":
                return str(content["content"])
            case "textcard":
                return f"{content['title']}\n{content['description']}"
            case "news":
                return "\n".join(article["title"] for article in content["articles"])
            case "template_card":
                return card_text(content)
        return ""

    @property
    def buttons(self) -> list[str]:
        """Return the words on what can be pressed now."""
        if self.kind != "template_card" or self.replaced_by:
            return []
        shown = [str(button["text"]) for button in self.content.get("button_list", [])]
        submit = self.content.get("submit_button")
        if submit and not self.content.get("checkbox", {}).get("disable"):
            shown.append(str(submit["text"]))
        return shown

    @property
    def keys(self) -> list[str]:
        """Return the keys of the buttons, in reading order."""
        return [str(button.get("key", "")) for button in self.content.get("button_list", [])]

    def as_json(self) -> Json:
        """Return this for the control API."""
        names = ("msgid", "kind", "text", "buttons", "keys", "replaced_by", "edits", "at", "content")
        return {name: getattr(self, name) for name in names} | {"task_id": self.sent.task_id}


def card_text(card: Json) -> str:
    """Return the words of a template card, line by line."""
    main = card.get("main_title", {})
    emphasis = card.get("emphasis_content", {})
    quote = card.get("quote_area", {})
    lines = [main.get("title"), main.get("desc"), emphasis.get("title"), emphasis.get("desc")]
    lines += [quote.get("title"), quote.get("quote_text"), card.get("sub_title_text")]
    lines += [
        f"{fact['keyname']}：{fact.get('value', '')}" for fact in card.get("horizontal_content_list", [])
    ]
    return "\n".join(str(line) for line in lines if line)


@dataclass(slots=True)
class Card:
    """One task_id: who may be shown an update of it."""

    sent: Sent
    card_type: str
    shown: dict[str, Shown] = field(default_factory=dict)


@dataclass(slots=True)
class ResponseCode:
    """What lets a card be amended, once, within 72 h."""

    card: Card
    expires_at: float
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Medium:
    """One temporary file."""

    media_id: str
    kind: str
    name: str
    content: bytes
    expires_at: float
