"""The people's side of the AI bot: chats that write, press, send files, and show what arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.wecom_bot import Bot, Event
from tests.fakes.wecom_model import LEFT, Json, Member, Shown
from tests.fakes.wecom_people import chosen_card, find_button, with_words
from tests.fakes.wecom_world import World


class BotPhone:
    """One member's single chat with the AI bot. There is no place to send, and no menu."""

    def __init__(self, world: World, bot: Bot, member: Member) -> None:
        self._world = world
        self._bot = bot
        self.member = member

    @property
    def id(self) -> str:
        """Return the user id, which is also the chat."""
        return self.member.userid

    @property
    def messages(self) -> list[Shown]:
        """Return what the bot wrote and the chat shows now, oldest first."""
        with self._world.lock:
            return list(self._bot.inboxes[self.id.lower()])

    @property
    def last(self) -> Shown:
        """Return the newest message."""
        return self.messages[-1]

    def see(self, words: str) -> Shown:
        """Return the newest message with these words, or fail naming what is there."""
        return with_words(self.messages, words)

    def say(self, text: str, group: str = "") -> Event:
        """Write a text; in a group the bot hears only what names it."""
        content = f"@点到 {text}" if group else text
        return self._message("text", {"text": {"content": content}}, group)

    def photo(self, content: bytes = SMALL_JPEG, caption: str = "") -> Event:
        """Send a photo; with words it is one mixed message."""
        image = self._bot.keep_file(content, "photo.jpg")
        if not caption:
            return self._message("image", {"image": image})
        items: list[Json] = [{"msgtype": "text", "text": {"content": caption}}]
        items.append({"msgtype": "image", "image": image})
        return self._message("mixed", {"mixed": {"msg_item": items}})

    def voice(self, words: str) -> Event:
        """Speak; the bot gets WeCom's transcript and no sound."""
        return self._message("voice", {"voice": {"content": words}})

    def video(self, content: bytes = b"\0\0\0\x18ftypmp42" + bytes(64)) -> Event:
        """Send a video."""
        return self._message("video", {"video": self._bot.keep_file(content, "v.mp4")})

    def file(self, content: bytes, name: str = "报告.pdf") -> Event:
        """Send a file; its name comes with the download."""
        return self._message("file", {"file": self._bot.keep_file(content, name)})

    def enter(self) -> Event:
        """Open the chat, the first time today."""
        return self._bot.event(self.member, "enter_chat", {})

    def press(self, button: str, card: Shown | str | None = None, stale: bool = False) -> Event:
        """Press a card's button by its words or key; `stale` as for an app's phone."""
        shown, key = find_button(self.messages, button, card, stale=stale)
        return self._card_event(shown, key, {})

    def choose(self, answers: Mapping[str, Sequence[str]], card: Shown | None = None) -> Event:
        """Choose options by question key and press the card's submit button."""
        shown = chosen_card(self.messages, answers, card)
        return self._card_event(shown, shown.content["submit_button"]["key"], answers)

    def leave(self) -> None:
        """Leave the corp; the bot hears nothing of it."""
        self.member.status = LEFT

    def _message(self, kind: str, fields: Json, group: str = "") -> Event:
        if self._world.reachable(self.id) is None:
            raise PermissionError("this member does not see the bot")
        return self._bot.message(self.member, kind, fields, group)

    def _card_event(self, shown: Shown, key: str, answers: Mapping[str, Sequence[str]]) -> Event:
        pressed: Json = {"card_type": shown.content["card_type"], "event_key": key}
        pressed["task_id"] = shown.sent.task_id
        if answers:
            items = [
                {"question_key": q, "option_ids": {"option_id": list(ids)}} for q, ids in answers.items()
            ]
            pressed["selected_items"] = {"selected_item": items}
        event = {"template_card_event": pressed}
        return self._bot.event(self.member, "template_card_event", event, shown.sent)
