"""What goes wrong, and when: drawn for each day from the seed, as much as the level says."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from bot.simulation.inline import Disk
from bot.simulation.ledger import Ledger
from bot.simulation.office import Office
from bot.simulation.platforms import Weather
from bot.simulation.world import World

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Level:
    """How much goes wrong on a day. Figures of `weather` are chances per message."""

    name: str
    crashes: int = 0
    outages: int = 0
    clock_jumps: int = 0
    disk_full: int = 0
    weather: Weather | None = None
    slow_disk: float = 0.0  # The chance that a call of the database takes its time.


LEVELS = {
    "none": Level("none"),
    "light": Level(
        "light", 1, 1, 0, 0, Weather(unknown=0.005, slow=0.005, held=0.001, twice=0.02, lasting=0.2), 0.01
    ),
    "hard": Level(
        "hard",
        5,
        3,
        2,
        2,
        Weather(unknown=0.03, slow=0.02, held=0.004, twice=0.06, late=0.03, lasting=0.3),
        0.05,
    ),
}


class Faults:
    """Plans each day's faults and ends them."""

    def __init__(self, world: World, office: Office, disk: Disk, ledger: Ledger, level: Level) -> None:
        self._world = world
        self._office = office
        self._disk = disk
        self._ledger = ledger
        self._level = level
        self._chance = world.chance("faults")
        self._disk_chance = world.chance("disk")
        self.is_over = False

    def begin(self) -> None:
        """The weather of this level from now on."""
        if self._level.weather is not None:
            for platform in self._world.platforms.values():
                platform.weather = Weather(**vars(self._level.weather))
        if self._level.slow_disk:
            self._disk.delay = self._delay

    def day(self, number: int) -> None:
        """Draw what goes wrong today."""
        level = self._level
        for count, act in (
            (level.crashes, self._arm),
            (level.outages, self._platform_away),
            (level.clock_jumps, self._clock_jumps),
            (level.disk_full, self._disk_fills),
        ):
            for _ in range(self._chance.randint(0, 2 * count)):
                self._world.later(self._when(self._chance), act)

    def end(self) -> None:
        """All is well from now on."""
        self.is_over = True
        for platform in self._world.platforms.values():
            platform.weather = Weather()
        self._disk.fillings = 0
        self._disk.delay = lambda: 0.0
        if self._office.life is not None:
            self._office.life.steps_left = None
        if self._office.clock.skew:
            self._set_clock(timedelta(0))

    def _when(self, chance: Random) -> float:
        """Any second of the day, often one around the morning's roll call, when much is under way."""
        if chance.random() < 0.4:
            return 8 * 3600 + chance.uniform(-600, 900)
        return chance.uniform(0, DAY_SECONDS)

    def _delay(self) -> float:
        if self._disk_chance.random() < self._level.slow_disk:
            return self._disk_chance.uniform(0.001, 0.2)
        return 0.0

    # A crash at any await: the process ends at one of its next acts on the world, wherever that is.

    def _arm(self) -> None:
        life = self._office.life
        if life is not None and life.is_alive:
            life.on_last_step = self._crash
            life.steps_left = self._chance.randint(0, 300)

    def _crash(self) -> None:
        self._happens("crash")
        self._office.kill()
        away = self._chance.choice((1.0, 2.0, 5.0, 20.0, 60.0, 300.0, 900.0, 3000.0))
        self._world.loop.call_later(away, self._start_again)

    def _start_again(self) -> None:
        if not self._office.is_alive:
            self._office.start_soon()

    def _platform_away(self) -> None:
        platform = self._chance.choice(list(self._world.platforms.values()))
        if platform.weather.away:
            return
        self._happens("outage", platform.name)
        platform.weather.away = True
        self._world.later(
            self._chance.choice((60.0, 300.0, 1800.0, 7200.0)), self._platform_back, platform.name
        )

    def _platform_back(self, name: str) -> None:
        self._world.platforms[name].weather.away = False
        self._world.note("back", name)

    def _clock_jumps(self) -> None:
        """Wrong for a while, and then set right; both are jumps."""
        seconds = self._chance.choice((-3600, -300, -30, -3, 3, 30, 90, 300, 3600))
        self._set_clock(timedelta(seconds=seconds))
        self._world.later(self._chance.choice((30.0, 300.0, 1800.0)), self._set_clock, timedelta(0))

    def _set_clock(self, skew: timedelta) -> None:
        if skew == self._office.clock.skew:
            return
        self._happens("clock", skew.total_seconds())
        self._office.clock.set_wrong(skew)
        self._office.look_soon()
        self._trouble()

    def _disk_fills(self) -> None:
        self._happens("disk_full")
        self._disk.fillings += 1
        self._world.later(self._chance.choice((5.0, 60.0, 600.0)), self._disk_has_room)

    def _disk_has_room(self) -> None:
        self._disk.fillings -= 1
        self._office.look_soon()
        self._trouble()

    def _trouble(self) -> None:
        if self._office.is_alive:
            self._office.troubled_at = self._world.clock.monotonic()

    def _happens(self, what: str, *facts: object) -> None:
        self._ledger.count(what)
        self._world.note(what, *facts)
