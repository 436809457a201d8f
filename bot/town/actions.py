"""What the buttons of the demonstration page do in the town; an implementation of `web.demo.DemoActions`."""

from collections.abc import Sequence
from datetime import timedelta

from bot.channels.webchat import WebChatChannel
from bot.channels.webchat.links import find_holder
from bot.channels.webchat.rehearsal import report_fire
from bot.door import NORMAL_PACE, OfficeDoor
from bot.town.fast_clock import retime
from bot.town.phones import shown_phones
from bot.town.register import read_register, read_table
from bot.town.seed import carry_on
from desk import roll_calls
from desk.calling import running
from desk.model import Job
from desk.ports import Channel
from incidents.model import Place
from web.demo import DemoPhone, Runs

POINT_WITHIN_METRES = 20.0
SLOW_DOWN = "slow_down"  # The due work that ends the fast clock.
FAST_FOR = timedelta(minutes=15)  # Of real time.


class TownActions:
    """The buttons. Only the phones on the page are asked and speak: nobody looks at the town's other phones."""

    def __init__(self, door: OfficeDoor, channel: Channel) -> None:
        if not isinstance(channel, WebChatChannel):
            raise TypeError(f"the town's phones are web chats, not {channel.name}")
        self._door = door
        self._channel = channel

    async def phones(self) -> Sequence[DemoPhone]:
        """The four phones, whose holders are on watch at any hour."""
        await carry_on(self._door, self._door.clock.now())
        return await shown_phones(self._door)

    async def pace(self) -> float:
        """How fast the town's minutes run."""
        return self._door.pace

    async def set_pace(self, pace: float) -> None:
        """Let minutes run at this pace from now on, also those of what is under way. Raises ValueError.

        Another pace than life's ends by itself, so that nobody finds a town that has run away overnight."""
        before = self._door.pace
        await self._door.set_pace(pace)
        async with self._door.open() as desk:
            if pace != before:
                await retime(desk, pace / before)
            await desk.queue.cancel(desk.store, [SLOW_DOWN])
            if pace != NORMAL_PACE:
                desk.due(SLOW_DOWN, "", desk.now + FAST_FOR, name=SLOW_DOWN)

    async def slow_down(self, jobs: Sequence[Job]) -> None:
        """The work of that: minutes run as in life again."""
        await self.set_pace(NORMAL_PACE)

    async def roll_call(self) -> None:
        """Call the roll of the phones' own unit; the sum goes to the office's phone. Raises Runs while one is open."""
        register = read_register()
        async with self._door.open() as desk:
            if (await running(desk.store, register.roll_call, desk.now)).calls:
                raise Runs
            slot = f"manual-town-{desk.new_id()}"
            await roll_calls.call(desk, register.roll_call, slot, called_by=register.office_phone.officer.id)

    async def fire(self) -> None:
        """Let the village phone report the next of the fires: a place, a photo, a sentence."""
        fires = read_table("history.toml")["fire"]
        async with self._door.open() as desk:
            turn = await desk.store.next_sequence("town.fire")
        fire = fires[(turn - 1) % len(fires)]
        name = read_register().village_phone.officer.name
        token = next(phone.token for phone in await shown_phones(self._door) if phone.name == name)
        async with self._door.read() as store:
            holder = await find_holder(store, token, self._door.clock.now())
        if holder is None:
            raise LookupError(name)
        lat, lon = fire["lat"], fire["lon"]
        place = Place(lat, lon, fire["place"], "wgs84", lat, lon, POINT_WITHIN_METRES)
        await report_fire(self._channel, holder, fire["text"], place)
