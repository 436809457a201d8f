"""Telegram as a night drives it, by polling or by webhook."""

from collections.abc import Callable, Sequence

from tests.chaos.platform import Card, Copy, Mobile, Said, Seen
from tests.fakes.telegram_model import Send
from tests.fakes.telegram_people import Phone, Tap
from tests.fakes.telegram_people import Said as Told
from tests.fakes.telegram_server import FakeTelegram

NEWEST = 40  # Of a phone's messages, so many are looked at.
TABLE = """[telegram]
token = "{token}"
base_url = "{base_url}"
mode = "{mode}"
{secret}
"""


class TelegramMobile:
    """A phone with Telegram."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def say(self, text: str, reply_to: Card | None = None) -> Said:
        """Write."""
        return _said(self._phone.say(text, reply_to=int(reply_to)) if reply_to else self._phone.say(text))

    def photos(self, pictures: Sequence[bytes], caption: str = "") -> Said:
        """Send a photo or an album."""
        if len(pictures) == 1:
            return _said(self._phone.photo(pictures[0], caption))
        return _said(*self._phone.album(list(pictures), caption))

    def place(self, lat: float, lon: float) -> Said:
        """Send a place."""
        return _said(self._phone.location(lat, lon))

    def correct(self, words: Sequence[str], text: str) -> Said | None:
        """Edit the newest own message with one of these words."""
        own = [one for one in self._phone.messages[-NEWEST:] if not one.from_bot and "text" in one.body]
        told = [one for one in own if any(word in one.text for word in words)]
        return _said(self._phone.edit(told[-1].message_id, text)) if told else None

    def press(self, card: Card, token: str) -> Said:
        """Tap a button."""
        tap = self._phone.press(token, int(card), stale=True)
        assert isinstance(tap, Tap)
        return _said(tap)

    def seen(self) -> list[Seen]:
        """The newest messages of ours."""
        shown = self._phone.received[-NEWEST:]
        return [Seen(one.message_id, one.text, tuple(one.button_data)) for one in shown]


class OnTelegram:
    """The fake Telegram and its people."""

    name = "telegram"
    has_albums = True
    has_places = True

    def __init__(self, telegram: FakeTelegram, mode: str) -> None:
        self._telegram = telegram
        self._mode = mode
        self.on_copy: Callable[[], None] | None = None
        telegram.on_send = self._copied

    @property
    def table(self) -> str:
        secret = 'webhook_secret = "a-long-Secret-7"' if self._mode == "webhook" else ""
        fake = self._telegram
        return TABLE.format(token=fake.token, base_url=fake.base_url, mode=self._mode, secret=secret)

    def begin(self, desk_url: str) -> None:
        """Telegram is told by the desk itself."""

    def mobile(self, number: int, name: str) -> tuple[str, Mobile]:
        """Somebody who has pressed start."""
        return str(number), TelegramMobile(self._telegram.phone(number, name, started=True))

    @property
    def contacts(self) -> int:
        calls = self._telegram.calls
        return calls["getupdates"] if self._mode == "polling" else calls["getwebhookinfo"]

    @property
    def taken(self) -> int:
        return self._telegram.world.updates.confirmed

    @property
    def fetched(self) -> int:
        return self._telegram.calls["file"]

    @property
    def unconfirmed(self) -> int:
        return len(self._telegram.unconfirmed)

    def card_of(self, remote_id: str) -> str:
        """The message's number."""
        return remote_id

    def copies(self) -> list[Copy]:
        """Every accepted sending."""
        return [_copy(send) for send in list(self._telegram.sends)]

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition holds."""
        await self._telegram.wait_for(condition, seconds)

    def _copied(self, _: Send) -> None:
        if self.on_copy is not None:
            self.on_copy()


def _said(*told: Told | Tap) -> Said:
    files = [
        str(one.message["photo"][-1]["file_id"])
        for one in told
        if isinstance(one, Told) and "photo" in one.message
    ]
    return Said(tuple(f"telegram/{one.update_id}" for one in told), tuple(files))


def _copy(send: Send) -> Copy:
    rows = send.body.get("reply_markup", {}).get("inline_keyboard", [])
    tokens = tuple(button["callback_data"] for row in rows for button in row if "callback_data" in button)
    return Copy(str(send.chat_id), send.message_id, send.text, tokens)
