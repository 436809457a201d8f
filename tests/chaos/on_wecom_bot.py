"""WeCom's AI bot as a night drives it, on its long connection."""

from collections.abc import Callable, Sequence

from bot.channels.wecom.words import chat
from tests.chaos.platform import Card, Copy, Mobile, Said, Seen
from tests.fakes.wecom_bot import Event
from tests.fakes.wecom_bot_people import BotPhone
from tests.fakes.wecom_model import Sent, card_text
from tests.fakes.wecom_server import FakeWeCom
from tests.town.wecom_town import BOT_TABLE

NEWEST = 40
SEALED = chat("zh-CN", "sealed")
BROUGHT_AGAIN_SECONDS = (
    2.0  # The vendor brings each event once; a night asks what becomes of those that come.
)


class BotMobile:
    """A chat with the bot: no places, no replies, nothing edited."""

    def __init__(self, phone: BotPhone) -> None:
        self._phone = phone

    def say(self, text: str, reply_to: Card | None = None) -> Said:
        """Write."""
        return _said(self._phone.say(text))

    def photos(self, pictures: Sequence[bytes], caption: str = "") -> Said:
        """Send pictures one by one, the words with the first."""
        events = [self._phone.photo(one, caption if at == 0 else "") for at, one in enumerate(pictures)]
        return _said(*events)

    def place(self, lat: float, lon: float) -> Said:
        """Nothing of the kind exists."""
        raise PermissionError("the AI bot has no location message")

    def correct(self, words: Sequence[str], text: str) -> Said | None:
        """Nothing can be edited."""
        return None

    def press(self, card: Card, token: str) -> Said:
        """Press a button."""
        return _said(self._phone.press(token, str(card), stale=True))

    def seen(self) -> list[Seen]:
        """The newest messages of the bot; a card that was changed has no buttons."""
        return [
            Seen(one.sent.task_id, one.text, tuple(one.keys) if one.buttons else ())
            for one in self._phone.messages[-NEWEST:]
        ]


class OnWeComBot:
    """The fake bot and its people."""

    name = "wecom"
    has_albums = False
    has_places = False

    def __init__(self, wecom: FakeWeCom) -> None:
        self._wecom = wecom
        self.on_copy: Callable[[], None] | None = None
        wecom.bot.brings_again_seconds = BROUGHT_AGAIN_SECONDS
        wecom.on_send = self._copied

    @property
    def table(self) -> str:
        # A night of minutes says what others say in hours.
        pace = "member_per_minute = 6000\nmember_per_hour = 360000\n"
        return BOT_TABLE.format(**self._wecom.bot_settings) + pace

    def begin(self, desk_url: str) -> None:
        """The desk dials out."""

    def mobile(self, number: int, name: str) -> tuple[str, Mobile]:
        """Somebody who wrote to the bot before."""
        phone = self._wecom.bot_phone(f"m{number}", name, met=True)
        return phone.id, BotMobile(phone)

    @property
    def contacts(self) -> int:
        return self._wecom.bot.subscribed

    @property
    def taken(self) -> int:
        return sum(bool(event.lines) for event in list(self._wecom.bot.events))

    @property
    def fetched(self) -> int:
        return self._wecom.calls["media"]

    @property
    def unconfirmed(self) -> int:
        return len(self._wecom.bot.waiting)

    def card_of(self, remote_id: str) -> str:
        """A card's task id; words have no id that stands on a phone."""
        return remote_id

    def copies(self) -> list[Copy]:
        """Every letter as phones were shown it: a long text and the card with its buttons are one."""
        found: list[Copy] = []
        for sent in list(self._wecom.bot.sends):
            [address] = sent.reached
            if (
                "select_list" in sent.body
            ):  # The townships to choose from: part of a question that has its own copy.
                continue
            tokens = tuple(str(button["key"]) for button in sent.body.get("button_list", ()))
            if sent.body.get("sub_title_text") == SEALED:
                before = next(at for at in reversed(range(len(found))) if found[at].address == address)
                found[before] = Copy(address, sent.task_id, found[before].text, tokens)
            else:
                found.append(Copy(address, sent.task_id, _words(sent), tokens))
        return found

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition holds."""
        await self._wecom.wait_for(condition, seconds)

    def _copied(self, _: Sent) -> None:
        if self.on_copy is not None:
            self.on_copy()


def _words(sent: Sent) -> str:
    return card_text(sent.body) if sent.kind == "template_card" else str(sent.body["content"])


def _said(*events: Event) -> Said:
    files = []
    for event in events:
        body = event.frame["body"]
        items = body.get("mixed", {}).get("msg_item", [body])
        files += [f"{one['image']['url']} {one['image']['aeskey']}" for one in items if "image" in one]
    return Said(tuple(f"wecom/{event.frame['body']['msgid']}" for event in events), tuple(files))
