"""WeCom as a night drives it: the office's own application, by callback."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence

from bot import gcj02
from bot.channels.wecom.envelope import event_id_of, fields_of, text_in
from bot.channels.wecom.settings import CALLBACK_PATH
from bot.channels.wecom.words import chat
from tests.chaos.platform import Card, Copy, Mobile, Said, Seen
from tests.fakes.wecom_callback import Push
from tests.fakes.wecom_model import Sent, Shown
from tests.fakes.wecom_people import Phone
from tests.fakes.wecom_server import FakeWeCom

NEWEST = 40  # Of a phone's messages, so many are looked at.
TABLE = """[wecom]
corp_id = "{corp_id}"
agent_id = {agent_id}
secret = "{secret}"
callback_token = "{callback_token}"
encoding_aes_key = "{encoding_aes_key}"
base_url = "{base_url}"
member_per_minute = 6000
member_per_hour = 360000
member_per_day = 100000
"""
LANGUAGE = "zh-CN"
REFERENCE = re.compile(r"\n〔([A-Z2-7]{4})〕$")


class WeComMobile:
    """A member's phone. There are no captions, albums, replies and edits."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def say(self, text: str, reply_to: Card | None = None) -> Said:
        """Write."""
        return _said(self._phone.say(text))

    def photos(self, pictures: Sequence[bytes], caption: str = "") -> Said:
        """Send one picture after the other, then the words."""
        pushes = [self._phone.photo(picture) for picture in pictures]
        files = tuple(text_in(_fields(push), "MediaId") for push in pushes)
        words = [self._phone.say(caption)] if caption else []
        return Said(_said(*pushes, *words).events, files)

    def place(self, lat: float, lon: float) -> Said:
        """Send a place, which WeCom tells in GCJ-02."""
        return _said(self._phone.locate(*gcj02.to_gcj02(lat, lon)))

    def correct(self, words: Sequence[str], text: str) -> Said | None:
        """Nothing can be edited."""
        return None

    def press(self, card: Card, token: str) -> Said:
        """Press a button of a card."""
        return _said(self._phone.press(token, str(card), stale=True))

    def seen(self) -> list[Seen]:
        """The newest messages of ours."""
        return [_seen(shown) for shown in self._phone.messages[-NEWEST:]]


class OnWeCom:
    """The fake WeCom and its members."""

    name = "wecom"
    has_albums = False
    has_places = True

    def __init__(self, wecom: FakeWeCom) -> None:
        self._wecom = wecom
        self.on_copy: Callable[[], None] | None = None
        wecom.on_send = self._copied
        # WeCom gives a message up after three tries. Here it goes on, so that every message said is a promise.
        wecom.limits.callback_retries, wecom.limits.callback_pause_seconds = 10_000, 0.2

    @property
    def table(self) -> str:
        return TABLE.format(**self._wecom.settings)

    def begin(self, desk_url: str) -> None:
        """Say where callbacks go."""
        self._wecom.callback_url = desk_url + CALLBACK_PATH

    def mobile(self, number: int, name: str) -> tuple[str, Mobile]:
        """A member of the corporation."""
        return f"m{number}", WeComMobile(self._wecom.phone(f"M{number}", name))

    @property
    def contacts(self) -> int:
        return sum(self._wecom.calls.values())

    @property
    def taken(self) -> int:
        return sum(push.is_answered for push in list(self._wecom.pushes))

    @property
    def fetched(self) -> int:
        return self._wecom.calls["media/get"]

    @property
    def unconfirmed(self) -> int:
        return sum(not push.is_answered for push in list(self._wecom.pushes))

    def card_of(self, remote_id: str) -> str:
        """The reference that stands in a text, which has no other id that we know."""
        return base64.b32encode(hashlib.sha256(remote_id.encode()).digest()).decode("ascii")[:4]

    def copies(self) -> list[Copy]:
        """Every accepted sending, for each who got it; a text too long for a card is one with its buttons."""
        buttons: dict[tuple[str, str], tuple[str, ...]] = {}
        found: list[Copy] = []
        for sent in list(self._wecom.sends):
            seen = _seen(Shown(sent, sent.body, sent.at))
            card = self.card_of(sent.task_id) if sent.task_id else REFERENCE.findall(seen.text)[-1]
            if seen.text.endswith(chat(LANGUAGE, "sealed")):
                buttons |= {(address, card): seen.tokens for address in sent.reached}
                continue
            text = REFERENCE.sub("", seen.text).removesuffix(f"\n{chat(LANGUAGE, 'place')}")
            found += [Copy(address.lower(), card, text, seen.tokens) for address in sent.reached]
        return [
            Copy(one.address, one.card, one.text, buttons.get((one.address, str(one.card)), one.tokens))
            for one in found
        ]

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition holds."""
        await self._wecom.wait_for(condition, seconds)

    def _copied(self, _: Sent) -> None:
        if self.on_copy is not None:
            self.on_copy()


def _fields(push: Push) -> dict[str, object]:
    return dict(fields_of(push.plain.encode()))


def _said(*pushes: Push) -> Said:
    return Said(tuple(f"wecom/{event_id_of(_fields(push))}" for push in pushes))


def _seen(shown: Shown) -> Seen:
    tokens = () if shown.replaced_by else tuple(shown.keys)
    return Seen(shown.sent.task_id or shown.msgid, shown.text, tokens)
