"""Asks who is on watch and how things stand, and says what means nothing."""

from bot.simulation.messages import Shown
from bot.simulation.world import World

PER_DAY = 2
WORDS = ("/status", "今天谁值班", "/mine", "/help", "好的", "谢谢", "到", "点名")


class Asker:
    """Anybody with a question."""

    name = "asker"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)

    def day(self, number: int) -> None:
        """A few questions, at any hour."""
        for _ in range(self._chance.randint(0, PER_DAY)):
            phone = self._world.phone_of(self._chance.choice(self._world.register.people).id)
            seconds = float(self._chance.randrange(0, 86_000, 10))
            self._world.later(seconds, self._world.say, phone, self._chance.choice(WORDS))

    def sees(self, shown: Shown) -> None:
        """The answer is read."""


def make(world: World) -> Asker:
    """The player."""
    return Asker(world)
