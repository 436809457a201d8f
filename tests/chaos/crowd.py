"""The people: they report, send photos, answer the roll, sign, correct themselves, and never wait for the desk."""

import asyncio
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.chaos.office import UNITS, Office
from tests.chaos.platform import Card, Mobile, Said
from tests.chaos.told import Press, Told, Word
from tests.fakes.telegram_media import SMALL_JPEG

EVENTS = ("厂房起火有浓烟", "内涝积水半米", "山体滑坡堵路", "两车相撞有人受伤", "燃气泄漏", "多人食物中毒")
NUMBER = re.compile(r"ZS-\d{8}-\d{3,}")
POST_AGAIN_SECONDS = 0.2
CALL_EVERY_SECONDS = 26.0  # Longer than a window and its extension: calls do not overlap.


class Crowd:
    """Acts by chance; whatever it does is noted in `told`."""

    def __init__(self, office: Office, dice: random.Random) -> None:
        self._office = office
        self._dice = dice
        self._pressed: set[tuple[str, Card, str]] = set()
        self._pages: dict[str, asyncio.Lock] = {}  # One person's page sends one thing after the other.
        self._posting: set[asyncio.Task[None]] = set()
        self._called_at = 0.0
        self.refused: Counter[int] = Counter()  # Web messages that must come again, by status.
        self.told = Told()
        self._acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._report_words_first),
            (5, self._report_place_first),
            (6, self._photo),
            (5, self._album),
            (8, self._add_by_reply),
            (6, self._add_by_number),
            (5, self._correct),
            (2, self._cancel),
            (3, self._ask_status),
            (10, self._write_on_the_web),
            (8, self._call_the_roll),
            (60, self._answer_by_button),
            (8, self._answer_in_words),
            (3, self._excuse_by_button),
            (20, self._sign),
            (4, self._close),
        ]

    def act(self) -> None:
        """Somebody does something, if they can just now."""
        [(_, act)] = self._dice.choices(self._acts, [weight for weight, _ in self._acts])
        act()

    def finish(self) -> None:
        """Everybody signs for every page and answers every question they see, so that the night becomes quiet."""
        for who in self._office.phones:
            for card, data in self._buttons(who, "sign"):
                self._tap_sign(who, card, data)
            for card, data in self._buttons(who, "present"):
                self._tap_present(who, card, data)

    async def all_posted(self) -> None:
        """Wait until the desk has taken everything from the web pages."""
        for task in list(self._posting):
            await task

    # Reports.

    def _report_words_first(self) -> None:
        who, phone = self._reporter()
        self._note(phone.say(f"报送 {self._sentence(who)}"))
        if self._chance(0.4):
            self._send_photo(who)
        self._tell_place(who)

    def _report_place_first(self) -> None:
        who, phone = self._reporter()
        self._tell_place(who)
        self._note(phone.say(self._sentence(who)))

    def _tell_place(self, who: str) -> None:
        phone = self._office.phones[who]
        if self._office.platform.has_places:
            self._note(phone.place(*self._new_place(who)))
        else:
            self._note(phone.say(self._dice.choice(UNITS)))

    def _photo(self) -> None:
        who, _ = self._reporter()
        self._send_photo(who, self._sentence(who) if self._chance(0.5) else "")

    def _album(self) -> None:
        who, _ = self._reporter()
        pictures = [self._picture() for _ in range(self._dice.randint(2, 5))]
        files = self._send_photos(who, pictures, self._sentence(who) if self._chance(0.6) else "")
        if self._office.platform.has_albums:
            self.told.albums.append(files)

    def _add_by_reply(self) -> None:
        who, phone = self._reporter()
        receipts = [one for one in phone.seen() if NUMBER.search(one.text)]
        if receipts:
            to = self._dice.choice(receipts).card
            self._note(phone.say(f"现场补充情况 {self.told.token(who)}", reply_to=to))

    def _add_by_number(self) -> None:
        who, phone = self._reporter()
        found = [NUMBER.search(one.text) for one in phone.seen()]
        numbers = [one[0] for one in found if one]
        if numbers:
            self._note(phone.say(f"{self._dice.choice(numbers)} 又有变化 {self.told.token(who)}"))

    def _correct(self) -> None:
        who, phone = self._reporter()
        mark = self.told.next_token
        said = phone.correct(EVENTS, f"更正：{self._dice.choice(EVENTS)} {mark}")
        if said is not None:
            assert self.told.token(who) == mark
            self._note(said)

    def _cancel(self) -> None:
        _, phone = self._reporter()
        self._note(phone.say("取消"))

    def _ask_status(self) -> None:
        who = self._anybody()
        self._note(self._office.phones[who].say("状态"))
        self.told.asked_status[who] += 1

    # The roll.

    def _call_the_roll(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._called_at < CALL_EVERY_SECONDS:
            return
        who = self._dice.choice(self._office.callers)
        offers = self._buttons(who, "call", again=True)
        if not offers:
            self._note(self._office.phones[who].say("/rollcall"))
            return
        card, data = offers[-1]
        self._tap(who, card, data)
        slot = f"manual-{self._office.platform.name}-{self._office.addresses[who]}-{card}"
        self.told.calls.setdefault(slot, datetime.now(UTC))
        self._called_at = now

    def _answer_by_button(self) -> None:
        verb = self._dice.choice(("present", "present", "present", "trouble"))
        who, cards = self._somebody_with(verb)
        if not cards:
            return
        self._tap_present(who, *self._dice.choice(cards))
        if verb == "trouble":
            self._note(self._office.phones[who].say(self._sentence(who)))

    def _tap_present(self, who: str, card: Card, data: str) -> None:
        self.told.presses.append(Press(who, data.partition(":")[2], datetime.now(UTC)))
        self._tap(who, card, data)

    def _answer_in_words(self) -> None:
        who = self._anybody()
        if self._buttons(who, "present", again=True):
            self.told.words.append(Word(who, datetime.now(UTC)))
            words = self._dice.choice(("到", "1", "在岗", "到！", "请假 送医"))
            self._note(self._office.phones[who].say(words))

    def _excuse_by_button(self) -> None:
        who, cards = self._somebody_with("excused")
        if cards:
            self._tap(who, *self._dice.choice(cards))
            self._note(self._office.phones[who].say("家中老人住院"))

    # Signatures.

    def _sign(self) -> None:
        who, cards = self._somebody_with("sign")
        if cards:
            self._tap_sign(who, *self._dice.choice(cards))

    def _tap_sign(self, who: str, card: Card, data: str) -> None:
        self._tap(who, card, data)
        self.told.signatures.add((who, data.partition(":")[2]))

    def _close(self) -> None:
        who, cards = self._somebody_with("close")
        if cards:
            self._tap(who, *self._dice.choice(cards))
            self._note(self._office.phones[who].say(f"已处置完毕，无人受伤 {self.told.token(who)}"))

    # The web chat.

    def _write_on_the_web(self) -> None:
        who = self._dice.choice(list(self._office.links))
        messages: list[dict[str, Any]] = [{"kind": "text", "text": f"报送 {self._sentence(who)}"}]
        if self._chance(0.5):
            lat, lon = self._new_place(who)
            messages.append({"kind": "place", "lat": lat, "lon": lon})
        for message in messages:
            message["event_id"] = f"{self._dice.randrange(16**12):012x}"
        self._posting.add(asyncio.create_task(self._post(who, messages)))

    async def _post(self, who: str, messages: Sequence[dict[str, Any]]) -> None:
        """As the page does: one after the other, each again under its own id until the desk has it."""
        url = f"{self._office.url}/chat/{self._office.links[who]}/messages"
        page = self._pages.setdefault(who, asyncio.Lock())
        async with page, httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for message in messages:
                while not await self._was_taken(client, url, message):
                    await asyncio.sleep(POST_AGAIN_SECONDS)

    async def _was_taken(self, client: httpx.AsyncClient, url: str, message: dict[str, Any]) -> bool:
        try:
            response = await client.post(url, json=message)
        except httpx.HTTPError:
            return False
        if response.status_code >= 500:
            self.refused[response.status_code] += 1
            return False
        assert response.status_code == 200, response.text
        address = response.json()["message"]["id"].partition(".")[0]
        self.told.events.add(f"webchat/{address}:{message['event_id']}")
        return True

    # What hands do.

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _anybody(self) -> str:
        return self._dice.choice(list(self._office.phones))

    def _reporter(self) -> tuple[str, Mobile]:
        who = self._dice.choice([one for one in self._office.reporters if one in self._office.phones])
        return who, self._office.phones[who]

    def _sentence(self, who: str) -> str:
        return f"{self._dice.choice(EVENTS)} {self.told.token(who)}"

    def _picture(self) -> bytes:
        return SMALL_JPEG + self._dice.randbytes(self._dice.randint(16, 20_000))

    def _send_photo(self, who: str, caption: str = "") -> None:
        self._send_photos(who, [self._picture()], caption)

    def _send_photos(self, who: str, pictures: Sequence[bytes], caption: str) -> tuple[str, ...]:
        said = self._office.phones[who].photos(pictures, caption)
        self._note(said)
        for file_id, picture in zip(said.files, pictures, strict=True):
            self.told.photos[file_id] = hashlib.sha256(picture).hexdigest()
        return said.files

    def _new_place(self, who: str) -> tuple[float, float]:
        place = round(self._dice.uniform(22.3, 22.7), 4), round(self._dice.uniform(113.1, 113.5), 4)
        self.told.places[place] = who
        return place

    def _note(self, said: Said) -> None:
        self.told.events.update(said.events)

    def _tap(self, who: str, card: Card, data: str) -> Said:
        self._pressed.add((who, card, data))
        said = self._office.phones[who].press(card, data)
        self._note(said)
        return said

    def _somebody_with(self, verb: str) -> tuple[str, list[tuple[Card, str]]]:
        """Somebody whose phone shows a button with this verb, and those buttons; nobody in particular without any."""
        people = list(self._office.phones)
        self._dice.shuffle(people)
        found = ((who, self._buttons(who, verb)) for who in people)
        return next((one for one in found if one[1]), ("", []))

    def _buttons(self, who: str, verb: str, *, again: bool = False) -> list[tuple[Card, str]]:
        """Message and data of the buttons with this verb a phone shows: those not pressed yet, or all."""
        phone = self._office.phones.get(who)
        shown = phone.seen() if phone else []
        found = [(message.card, data) for message in shown for data in message.tokens]
        return [
            one
            for one in found
            if one[1].startswith(f"{verb}:") and (again or (who, *one) not in self._pressed)
        ]
