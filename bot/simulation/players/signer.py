"""Signs for incidents, hands them on or stays silent, and ends them once they are dealt with."""

import re

from bot.simulation.messages import Shown
from bot.simulation.world import World

AT_ONCE = 0.72
LATER = 0.15
HANDS_ON = 0.05
TWICE = 0.06
NUMBER = re.compile(r"ZS-\d{8}-\d{3,}")
OUTCOMES = ("现场已处置完毕，无人员伤亡", "险情排除，道路恢复通行", "伤员已送医，后续移交派出所")


class Signer:
    """Whoever is paged."""

    name = "signer"

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance(self.name)
        self._seen: dict[tuple[str, str], None] = {}
        self._closing: dict[str, None] = {}

    def day(self, number: int) -> None:
        """What is long over is forgotten."""
        for key in list(self._seen)[:-2000]:
            del self._seen[key]
        for incident in list(self._closing)[:-2000]:
            del self._closing[incident]

    def sees(self, shown: Shown) -> None:
        """A page, an offer of colleagues, or the proof that one has signed."""
        if incident := shown.ref("sign"):
            self._paged(shown, incident)
        elif shown.ref("to"):
            self._world.later(20.0, self._hand_on, shown)
        elif incident := shown.ref("close"):
            self._signed(shown, incident)

    def _paged(self, shown: Shown, incident: str) -> None:
        key = (incident, shown.phone.address)
        again = key in self._seen
        self._seen[key] = None
        drawn = self._chance.random()
        if drawn < AT_ONCE or (again and drawn < 0.9):
            self._world.later(self._chance.randrange(10, 180, 10), self._sign, shown, incident)
        elif drawn < AT_ONCE + LATER:
            self._world.later(self._chance.randrange(300, 900, 10), self._sign, shown, incident)
        elif drawn < AT_ONCE + LATER + HANDS_ON:
            self._world.later(60.0, self._press_if_there, shown, "hand")

    def _sign(self, shown: Shown, incident: str) -> None:
        if not shown.ref("sign"):
            return  # The card says by now that somebody else has it.
        number = NUMBER.search(shown.text)
        if number is not None and self._chance.random() < 0.2:
            said = self._world.say(shown.phone, f"签收 {number.group()}")
        else:
            said = self._world.press(shown, "sign")
            if self._chance.random() < TWICE:
                self._world.press(shown, "sign")
        self._world.claims.signed.append((said, incident))

    def _press_if_there(self, shown: Shown, verb: str) -> None:
        if shown.ref(verb):
            self._world.press(shown, verb)

    def _hand_on(self, shown: Shown) -> None:
        offered = [token.partition(":")[2] for _, token in shown.choices if token.startswith("to:")]
        if offered:
            self._world.press(shown, "to", self._chance.choice(offered))

    def _signed(self, shown: Shown, incident: str) -> None:
        if incident not in self._closing:
            self._closing[incident] = None
            self._world.later(self._chance.randrange(600, 5400, 10), self._close, shown)

    def _close(self, shown: Shown) -> None:
        number = NUMBER.search(shown.text)
        outcome = self._chance.choice(OUTCOMES)
        if number is not None and self._chance.random() < 0.5:
            verb = "不属实" if self._chance.random() < 0.1 else "办结"
            self._world.say(shown.phone, f"{verb} {number.group()} {outcome}")
        else:
            self._press_if_there(shown, "close")
            self._world.later(30.0, self._world.say, shown.phone, outcome)


def make(world: World) -> Signer:
    """The player."""
    return Signer(world)
