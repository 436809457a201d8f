"""Blocks the bot for a while, by mistake or in anger, and comes back."""

from bot.simulation.messages import Phone, Shown
from bot.simulation.world import World

CHANCE_PER_DAY = 0.3


class Blocker:
    """Somebody who does not want to be disturbed."""

    name = "blocker"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)

    def day(self, number: int) -> None:
        """Now and then one person blocks the channel they mostly use."""
        if self._chance.random() < CHANCE_PER_DAY:
            officer = self._chance.choice(self._world.register.people)
            self._world.later(
                self._chance.randrange(0, 86_000, 10), self._block, self._world.phone_of(officer.id)
            )

    def sees(self, shown: Shown) -> None:
        """Nothing comes through."""

    def _block(self, phone: Phone) -> None:
        if phone.channel != "webchat":
            self._world.platforms[phone.channel].blocked.add(phone.address)
            self._world.note("blocked", phone.channel, phone.address)
            self._world.later(self._chance.randrange(600, 100_000, 10), self._unblock, phone)

    def _unblock(self, phone: Phone) -> None:
        """Whoever writes again can be reached again."""
        self._world.platforms[phone.channel].blocked.discard(phone.address)
        self._world.say(phone, "/status")


def make(world: World) -> Blocker:
    """The player."""
    return Blocker(world)
