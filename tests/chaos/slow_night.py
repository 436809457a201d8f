"""A night in which the platform is ill: it answers late, after everybody gave it up, with 502 or 429, or not at all."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from bot.channels.telegram.settings import Pace
from tests.chaos.long_night import LongNight
from tests.chaos.office import Office, Starter
from tests.fakes.telegram_faults import Spell
from tests.fakes.telegram_server import FakeTelegram

SPAN_SECONDS = 3.0
KILLED = 0.2  # Of the spans so many, and each in which the platform says nothing.
ANSWER_SECONDS_MAX = Pace().answer_seconds
SENDING = ("sendmessage", "editmessagetext", "answercallbackquery")
FETCHING = ("getfile",)
RECEIVING = ("getupdates", "getwebhookinfo", "setwebhook")
TOO_LATE, MUTE = "too late", "gives no answer in time"
Weather = Callable[[str], Spell | None]


class SlowNight(LongNight):
    """One desk before a platform whose health is drawn for each call."""

    def __init__(self, office: Office, starter: Starter, dice: random.Random, telegram: FakeTelegram) -> None:
        super().__init__(office, starter, dice)
        self.telegram = telegram
        self.spans: Counter[str] = Counter()
        self.spoiled: Counter[str] = Counter()  # Calls of sending that met something, by what.
        self.unknown = 0  # … those that the desk cannot know the outcome of.
        self._sky = random.Random(dice.random())  # Drawn in the platform's own thread.
        self._weathers: dict[str, Weather] = {
            "says 502": self._bad_gateway,
            "says 429": self._too_many,
            "is slow": self._slow,
            MUTE: self._mute,
        }

    async def fall_ill(self, number: int) -> None:
        """One span of illness; each in turn."""
        name = list(self._weathers)[number % len(self._weathers)]
        async with self.people_act():
            if self.life is None:
                await self._begin()
            self.telegram.weather = self._weathers[name]
            await asyncio.sleep(self.dice.uniform(SPAN_SECONDS / 2, SPAN_SECONDS))
            if name == MUTE or self.dice.random() < KILLED:
                await self._kill(f"while it {name}")
                await self._begin()
            await asyncio.sleep(self.dice.uniform(0, SPAN_SECONDS / 2))
            self.telegram.weather = None
        self.spans[name] += 1

    # How one call is met.

    def _mute(self, method: str) -> Spell | None:
        """Nothing comes back; what is carried out all the same reaches the phone at once, or after the desk gave up."""
        if method not in SENDING or self._sky.random() < 0.3:
            return None
        what = self._sky.choice(("timeout_before_delivery", "timeout_after_delivery", TOO_LATE))
        if what != TOO_LATE:
            return self._met(what)
        return self._met(what, before_seconds=ANSWER_SECONDS_MAX + self._sky.uniform(0.5, 3))

    def _slow(self, method: str) -> Spell | None:
        seconds = self._sky.uniform(0.5, 6)
        if method in SENDING:
            is_late = self._sky.random() < 0.5  # Carried out late, or only answered late.
            before, after = (seconds, 0.0) if is_late else (0.0, seconds)
            return self._met("slow", before_seconds=before, after_seconds=after)
        return Spell(before_seconds=seconds) if method in (*FETCHING, *RECEIVING) else None

    def _bad_gateway(self, method: str) -> Spell | None:
        if self._sky.random() < 0.6:
            return None
        if method in SENDING:
            return self._met(self._sky.choice(("502", "502_after_delivery")))
        return Spell(kind="502") if method in (*FETCHING, *RECEIVING) else None

    def _too_many(self, method: str) -> Spell | None:
        if method not in SENDING or self._sky.random() < 0.5:
            return None
        return self._met("429", retry_after=self._sky.randint(1, 3))

    def _met(
        self, what: str, *, before_seconds: float = 0.0, after_seconds: float = 0.0, retry_after: int = 1
    ) -> Spell:
        self.spoiled[what] += 1
        self.unknown += what not in ("slow", "429")
        kind = "" if what in ("slow", TOO_LATE) else what
        return Spell(before_seconds, after_seconds, kind, retry_after)
