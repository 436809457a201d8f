"""Strangers and the nosy: wrong codes, small talk, and buttons that belong to somebody else."""

from bot.simulation.messages import Phone, Shown
from bot.simulation.world import World

PER_DAY = 0.5
WORDS = ("你好", "/start ABCDEFGHJKMNPQRSTVWXYZ", "绑定 12345678", "这里着火了！", "/status", "在吗")


class Stranger:
    """Whoever the office does not know; and an officer who taps a colleague's button."""

    name = "stranger"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)
        self._last: Shown | None = None  # A card with a question, on somebody's phone.
        self._count = 0

    def day(self, number: int) -> None:
        """Somebody wanders in."""
        if self._chance.random() < PER_DAY:
            self._count += 1
            channel = self._chance.choice(("telegram", "wecom"))
            phone = self._world.give_phone(None, channel, f"stranger-{self._count}")
            self._world.later(self._chance.randrange(0, 80_000, 10), self._talk, phone)
        if self._chance.random() < PER_DAY:
            self._world.later(self._chance.randrange(0, 80_000, 10), self._meddle)

    def sees(self, shown: Shown) -> None:
        """Remember a card that asks somebody."""
        if shown.ref("present"):
            self._last = shown

    def _talk(self, phone: Phone) -> None:
        self._world.say(phone, self._chance.choice(WORDS))
        if self._last is not None and self._chance.random() < 0.3:
            self._world.say(phone, kind="choice", verb="present", ref=self._last.ref("present"))

    def _meddle(self) -> None:
        officer = self._chance.choice(self._world.register.people)
        if self._last is not None and self._last.phone.officer != officer:
            phone = self._world.phone_of(officer.id)
            self._world.say(phone, kind="choice", verb="present", ref=self._last.ref("present"))


def make(world: World) -> Stranger:
    """The player."""
    return Stranger(world)
