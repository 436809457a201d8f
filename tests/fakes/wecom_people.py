"""The people's side: phones with WeCom that write, press, send pictures and places, and show what arrived."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.wecom_callback import Push, Pusher
from tests.fakes.wecom_cards import cut_bytes
from tests.fakes.wecom_model import DISABLED, LEFT, Json, Member, Shown
from tests.fakes.wecom_world import World

# The shortest AMR-NB file: its magic and one silent frame.
SMALL_AMR = b"#!AMR\n" + bytes.fromhex("3c48f51f966601e1e001e7af04000000c0000000000000000000000000000000")


class Phone:
    """One member's phone. What it does is what the app allows; the rest raises here, in the test."""

    def __init__(self, world: World, pusher: Pusher, member: Member) -> None:
        self._world = world
        self._pusher = pusher
        self.member = member

    @property
    def id(self) -> str:
        """Return the user id."""
        return self.member.userid

    # What it shows.

    @property
    def messages(self) -> list[Shown]:
        """Return what the app sent and the phone shows now, oldest first; the plug-in shows no cards."""
        with self._world.lock:
            shown = list(self._world.inboxes[self.id.lower()])
        return [one for one in shown if not (self.member.is_in_plugin and one.kind == "template_card")]

    @property
    def last(self) -> Shown:
        """Return the newest message."""
        return self.messages[-1]

    def see(self, words: str) -> Shown:
        """Return the newest message with these words, or fail naming what is there."""
        return with_words(self.messages, words)

    # What it sends.

    def say(self, text: str) -> Push:
        """Write a text; the app cuts it at 2048 bytes."""
        if not text.strip():
            raise ValueError("the app does not send an empty text")
        return self._message("text", {"Content": cut_bytes(text, self._world.limits.text_bytes_max)})

    def photo(self, content: bytes = SMALL_JPEG) -> Push:
        """Send a photo; WeCom has no captions."""
        media_id = self._kept("image", "photo.jpg", content)
        picture = f"https://wework.qpic.cn/wwhead/{secrets.token_hex(16)}/0"
        return self._message("image", {"PicUrl": picture, "MediaId": media_id})

    def voice(self, content: bytes = SMALL_AMR) -> Push:
        """Send a voice message."""
        return self._message("voice", {"MediaId": self._kept("voice", "v.amr", content), "Format": "amr"})

    def video(self, content: bytes = b"\0\0\0\x18ftypmp42" + bytes(64)) -> Push:
        """Send a video."""
        thumb = self._kept("image", "thumb.jpg", SMALL_JPEG)
        media_id = self._kept("video", "v.mp4", content)
        return self._message("video", {"MediaId": media_id, "ThumbMediaId": thumb})

    def file(self, content: bytes, name: str = "报告.pdf") -> Push:
        """Send a file."""
        size = {"FileSize": len(content), "FileMd5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
        return self._message("file", {"MediaId": self._kept("file", name, content), "FileName": name, **size})

    def link(self, title: str, url: str, description: str = "") -> Push:
        """Share a link."""
        return self._message("link", {"Title": title, "Description": description, "Url": url, "PicUrl": ""})

    def locate(self, latitude: float, longitude: float, label: str = "", scale: int = 16) -> Push:
        """Send a place: latitude in Location_X, longitude in Location_Y, GCJ-02."""
        return self._message("location", _place(latitude, longitude, label, scale) | {"AppType": "wxwork"})

    # Events.

    def enter(self) -> Push:
        """Open the app's chat."""
        return self._event("enter_agent", {"EventKey": ""})

    def report_place(self, latitude: float, longitude: float, precision: float = 30) -> Push:
        """Let the app report the position by itself, as the console may ask it to."""
        fields = {"Latitude": latitude, "Longitude": longitude, "Precision": precision, "AppType": "wxwork"}
        return self._event("LOCATION", fields)

    def menu(self, name: str) -> Push:
        """Press a menu entry by its words: click, or view for a link."""
        entry = self._entry(name)
        key = entry["url"] if entry["type"] == "view" else entry["key"]
        return self._event("view" if entry["type"] == "view" else "click", {"EventKey": key})

    def menu_place(self, name: str, latitude: float, longitude: float, label: str = "") -> list[Push]:
        """Pick a place from a location_select entry: the event, then a location message."""
        key = self._entry(name, "location_select")["key"]
        info = _place(latitude, longitude, label, 16) | {"Poiname": label}
        event = self._event("location_select", {"EventKey": key, "SendLocationInfo": info})
        return [event, self.locate(latitude, longitude, label)]

    def menu_photo(self, name: str, content: bytes = SMALL_JPEG) -> list[Push]:
        """Take a photo from a pic_… entry: the event, then an image message."""
        entry = self._entry(name, "pic_")
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        pictures = {"Count": 1, "PicList": {"item": {"PicMd5Sum": digest}}}
        event = self._event(entry["type"], {"EventKey": entry["key"], "SendPicsInfo": pictures})
        return [event, self.photo(content)]

    def press(self, button: str, card: Shown | str | None = None, stale: bool = False) -> Push:
        """Press a card's button by its words or key, on the card (or task id) or the newest that has it.

        `stale` presses what the card no longer shows, as a phone does that has not seen the amendment yet.
        """
        shown, key = find_button(self.messages, button, card, stale=stale)
        return self._card_event(shown, key, {})

    def choose(self, answers: Mapping[str, Sequence[str]], card: Shown | None = None) -> Push:
        """Choose options by question key and press the card's submit button."""
        shown = chosen_card(self.messages, answers, card)
        return self._card_event(shown, shown.content["submit_button"]["key"], answers)

    def sign_in_code(self) -> str:
        """Open the web desk in WeCom and return the one-time code its redirect carries."""
        code = secrets.token_urlsafe(32)
        until = self._world.now() + self._world.limits.sign_in_code_seconds
        self._world.sign_in_codes[code] = (self.id, until)
        return code

    # The directory's side.

    def leave(self) -> Push:
        """Leave the corp."""
        self.member.status = LEFT
        return self._pusher.directory_event("delete_user", {"UserID": self.id})

    def disable(self) -> None:
        """Be disabled by the administrator."""
        self.member.status = DISABLED

    def spoil(self, text: str, how: str) -> Push:
        """Bring a text that no app may take: see SPOILS."""
        head = {"ToUserName": self._world.corp_id, "FromUserName": self.id, "MsgType": "text"}
        body = {**head, "CreateTime": int(self._world.now()), "Content": text, "MsgId": 77}
        return self._pusher.push(self.id, {**body, "AgentID": self._world.agent_id}, how)

    def _message(self, kind: str, fields: Json) -> Push:
        self._must_see_the_app()
        return self._pusher.message(self.id, kind, fields)

    def _event(self, event: str, fields: Json) -> Push:
        self._must_see_the_app()
        return self._pusher.event(self.id, event, fields)

    def _card_event(self, shown: Shown, key: str, answers: Mapping[str, Sequence[str]]) -> Push:
        world = self._world
        with world.lock:
            code = world.new_code(world.cards[shown.sent.task_id])
        fields: Json = {"EventKey": key, "TaskId": shown.sent.task_id}
        fields |= {"CardType": shown.content["card_type"], "ResponseCode": code}
        if answers:
            items = [{"QuestionKey": q, "OptionIds": {"OptionId": list(ids)}} for q, ids in answers.items()]
            fields["SelectedItems"] = {"SelectedItem": items}
        return self._event("template_card_event", fields)

    def _must_see_the_app(self) -> None:
        if self._world.reachable(self.id) is None:
            raise PermissionError("this member does not see the app")

    def _kept(self, kind: str, name: str, content: bytes) -> str:
        with self._world.lock:
            return self._world.keep(kind, name, content).media_id

    def _entry(self, name: str, kind: str = "") -> Json:
        buttons = self._world.menu.get("button", [])
        entries = [one for button in buttons for one in (button, *button.get("sub_button", []))]
        for entry in entries:
            if entry["name"] == name and str(entry.get("type", "")).startswith(kind):
                return dict(entry)
        raise LookupError(f"no menu entry {name!r}; there are {[entry['name'] for entry in entries]}")


def find_button(
    messages: Sequence[Shown], button: str, card: Shown | str | None, *, stale: bool
) -> tuple[Shown, str]:
    """Return the newest card with a button of these words or key, and its key."""
    for shown in reversed(messages):
        if card is not None and card not in (shown, shown.sent.task_id):
            continue
        if not stale and button not in (*shown.buttons, *shown.keys):
            continue
        for source in (shown.sent.body, shown.content) if stale else (shown.content,):
            for one in source.get("button_list", []):
                if button in (one["text"], one.get("key")):
                    return shown, str(one["key"])
    raise LookupError(f"no button {button!r}; shown: {[shown.buttons for shown in messages]}")


def chosen_card(messages: Sequence[Shown], answers: Mapping[str, Sequence[str]], card: Shown | None) -> Shown:
    """Return the card that asks, after checking that it offers what is chosen."""
    shown = card or next(one for one in reversed(messages) if one.content.get("submit_button"))
    questions = shown.content.get("select_list") or [shown.content["checkbox"]]
    offered = {q["question_key"]: {o["id"] for o in q["option_list"]} for q in questions}
    for key, chosen in answers.items():
        if not set(chosen) <= offered[key]:
            raise LookupError(f"{key!r} offers {sorted(offered[key])}")
    return shown


def with_words(messages: Sequence[Shown], words: str) -> Shown:
    """Return the newest message with these words, or fail naming what is there."""
    for shown in reversed(messages):
        if words in shown.text:
            return shown
    raise LookupError(f"nothing says {words!r}; shown: {[shown.text for shown in messages]}")


def _place(latitude: float, longitude: float, label: str, scale: int) -> Json:
    return {"Location_X": latitude, "Location_Y": longitude, "Scale": scale, "Label": label}
