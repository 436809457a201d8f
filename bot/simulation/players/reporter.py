"""Reports what happens in the villages: words, a place and pictures in any order, corrections and what comes later."""

import re
from random import Random

from bot.simulation.messages import Phone, Shown
from bot.simulation.world import World
from incidents.model import Place
from roster.model import Officer, Role

PER_DAY = 1.0  # As in the town's own past month.
EVENTS = (
    "村民反映山脚冒烟，疑似山火，火势不大",
    "路口两车相撞，有人受伤，已叫救护车",
    "河堤渗水，水位上涨较快",
    "连日降雨，后山有小面积滑坡，暂无人员被困",
    "厂房起火，浓烟较大，人员已疏散",
    "村小学多名学生呕吐，疑似食物中毒",
    "工地塌方，3人被困",
    "燃气泄漏，有臭味，已疏散周边群众",
    "大风刮倒大树，压断电线",
    "水库溢洪，下游道路被淹",
)
LATER_WORDS = ("火已扑灭，正在清理余火", "伤者已送医院，交通恢复", "水位开始回落", "又发现一处险情，正在处置")
NUMBER = re.compile(r"ZS-\d{8}-\d{3,}")


class Reporter:
    """The information officers, each at their own time of the day."""

    name = "reporter"

    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._people = [one for one in world.register.people if one.role is Role.officer]
        self._answered: set[str] = set()  # Numbers somebody has more to say about already.

    def day(self, number: int) -> None:
        """Something happens now and then."""
        count = min(12, int(self._chance.expovariate(1 / PER_DAY) + 0.5))
        for _ in range(count):
            seconds = float(self._chance.randrange(0, 86_000, 10))
            self._world.later(seconds, self.report, self._chance.choice(self._people))

    def report(self, officer: Officer) -> None:
        """One event, told in pieces."""
        phone = self._world.phone_of(officer.id)
        pieces = [self._words]
        if self._chance.random() < 0.7:
            pieces.append(self._place)
        if self._chance.random() < 0.4:
            pieces.append(self._picture)
        self._chance.shuffle(pieces)
        seconds = 0.0
        for piece in pieces:
            self._world.later(seconds, piece, phone, officer)
            seconds += self._chance.choice((0.0, 10.0, 20.0, 60.0))

    def sees(self, shown: Shown) -> None:
        """Who is told a number may have more to say about it."""
        found = NUMBER.search(shown.text)
        officer = shown.phone.officer
        if found is None or officer is None or officer.role is not Role.officer or shown.choices:
            return
        number = found.group()
        if number in self._answered or self._chance.random() > 0.3:
            return
        if len(self._answered) > 1000:
            self._answered.clear()
        self._answered.add(number)
        self._world.later(self._chance.randrange(60, 1800, 10), self._follow_up, shown.phone, number)

    def _words(self, phone: Phone, officer: Officer) -> None:
        token = self._world.claims.new_token()
        text = f"{officer.title[:6]}：{self._chance.choice(EVENTS)}（{token}）"
        said = self._world.say(phone, text)
        self._world.claims.words[token] = said
        if self._chance.random() < 0.05:
            self._world.later(30.0, self._edit, phone, str(said.facts["message_id"]))

    def _edit(self, phone: Phone, message_id: str) -> None:
        token = self._world.claims.new_token()
        text = f"更正：{self._chance.choice(EVENTS)}（{token}）"
        edited = self._world.say(phone, text, kind="edit", edited=True, message_id=message_id)
        self._world.claims.words[token] = edited

    def _place(self, phone: Phone, officer: Officer) -> None:
        unit = next(one for one in self._world.register.units if one.id == officer.unit_id)
        lat, lon = unit.lat or 22.5, unit.lon or 113.4
        spread = self._chance.uniform(-0.02, 0.02)
        self._world.say(phone, place=Place(round(lat + spread, 6), round(lon + spread, 6)))

    def _picture(self, phone: Phone, officer: Officer) -> None:
        photo = self._world.photo(phone)
        self._world.claims.photos[photo.remote_id] = self._world.say(phone, files=[photo])

    def _follow_up(self, phone: Phone, number: str) -> None:
        token = self._world.claims.new_token()
        text = f"{number} {self._chance.choice(LATER_WORDS)}（{token}）"
        self._world.claims.words[token] = self._world.say(phone, text)


def make(world: World) -> Reporter:
    """The player."""
    return Reporter(world, world.chance("reporter"))
