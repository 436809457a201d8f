"""Answers the roll: most at once by the button, some in words, late, twice, with a wrong code first, or never."""

from bot.simulation.messages import Phone, Said, Shown
from bot.simulation.world import World

NEVER = 0.05
LATE = 0.06
AFTER_CLOSE = 0.03
IN_WORDS = 0.1
TWICE = 0.05
EXCUSED = 0.02
WRONG_CODES = ("0000", "9999")


class Answerer:
    """Everybody who may be asked whether they are there."""

    name = "answerer"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)
        self._seen: dict[str, None] = {}  # Questions already decided upon.

    def day(self, number: int) -> None:
        """Nobody answers unasked; what was decided the day before yesterday is forgotten."""
        for ref in list(self._seen)[:-1000]:
            del self._seen[ref]

    def sees(self, shown: Shown) -> None:
        """A question or a reminder: decide once what to do about it."""
        ref = shown.ref("present")
        asked = f"{ref}/{shown.phone.address}"  # Everybody's button names the roll call.
        if not ref or asked in self._seen:
            return
        self._seen[asked] = None
        drawn = self._chance.random()
        if drawn < NEVER:
            return
        if drawn < NEVER + AFTER_CLOSE:
            seconds = self._chance.randrange(640, 1500, 10)
        elif drawn < NEVER + AFTER_CLOSE + LATE:
            seconds = self._chance.randrange(310, 580, 10)
        else:
            seconds = self._chance.randrange(10, 200, 10)
        self._world.later(float(seconds), self._answer, shown, ref)

    def _answer(self, shown: Shown, ref: str) -> None:
        world, phone = self._world, shown.phone
        code = world.duty_room_code(ref, phone)
        drawn = self._chance.random()
        if code:
            self._show_code(phone, ref, code)
        elif drawn < EXCUSED:
            world.say(phone, "请假 下乡巡查")
        elif drawn < EXCUSED + IN_WORDS:
            self._claim(world.say(phone, self._chance.choice(("到", "在岗", "1", "收到，在岗"))), ref)
        elif shown.ref("present"):
            self._claim(world.press(shown, "present"), ref)
            if drawn > 1 - TWICE:
                world.press(shown, "present")

    def _show_code(self, phone: Phone, ref: str, code: str) -> None:
        """The code from the duty room's screen, perhaps after a wrong one."""
        world = self._world
        if self._chance.random() < 0.2:
            world.say(phone, self._chance.choice(WRONG_CODES))
            world.later(20.0, lambda: self._claim(world.say(phone, f"到 {code}"), ref))
        else:
            self._claim(world.say(phone, f"到 {code}"), ref)

    def _claim(self, said: Said, ref: str) -> None:
        self._world.claims.answered.append((said, ref))


def make(world: World) -> Answerer:
    """The player."""
    return Answerer(world)
