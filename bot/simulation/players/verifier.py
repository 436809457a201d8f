"""Telephones those who stayed silent, and says what was found."""

from bot.simulation.messages import Shown
from bot.simulation.world import World

FORGETS = 0.1
LINE_WAS_BROKEN = 0.15


class Verifier:
    """A leader with the task 电话核实."""

    name = "verifier"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)

    def day(self, number: int) -> None:
        """Nothing to do unasked."""

    def sees(self, shown: Shown) -> None:
        """A task: mostly done within the hour."""
        if shown.ref("verified") and self._chance.random() > FORGETS:
            verb = "fault" if self._chance.random() < LINE_WAS_BROKEN else "verified"
            self._world.later(self._chance.randrange(60, 3000, 10), self._world.press, shown, verb)


def make(world: World) -> Verifier:
    """The player."""
    return Verifier(world)
