"""A typhoon now and then: within hours the whole town reports."""

from bot.simulation.messages import Shown
from bot.simulation.players.reporter import Reporter
from bot.simulation.world import World
from roster.model import Role

CHANCE_PER_DAY = 0.015
HOURS = 4
REPORTS = (30, 60)


class Typhoon:
    """The wind, which makes people report."""

    name = "typhoon"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)
        self._reporter = Reporter(world, self._chance)
        self._people = [one for one in world.register.people if one.role in (Role.officer, Role.duty)]

    def day(self, number: int) -> None:
        """Some days it comes."""
        if self._chance.random() >= CHANCE_PER_DAY:
            return
        begins = self._chance.randrange(0, 70_000, 10)
        for _ in range(self._chance.randint(*REPORTS)):
            seconds = float(begins + self._chance.randrange(0, HOURS * 3600, 10))
            self._world.later(seconds, self._reporter.report, self._chance.choice(self._people))

    def sees(self, shown: Shown) -> None:
        """The wind reads nothing."""


def make(world: World) -> Typhoon:
    """The player."""
    return Typhoon(world)
