"""Brings the channels' troubles to the desk, each under its own channel's name."""

import asyncio
from datetime import datetime
from functools import partial

from bot.channels import Trouble
from desk import troubles
from desk.model import Setting
from desk.ports import Door

GAP = "gap"
SEEN_WITHIN_SECONDS = 15 * 60.0


class ChannelTroubles:
    """What channels tell of themselves; a channel that starts anew does not know what it told before."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._channels: set[str] = set()
        self._seen: set[str] = set()

    def of(self, channel: str) -> Trouble:
        """How this channel tells of its troubles."""
        self._channels.add(channel)
        return partial(self._tell, channel)

    async def run(self) -> None:
        """A trouble from before the start that nobody told of again within a while is over."""
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=SEEN_WITHIN_SECONDS)
        await self.end_unseen()
        await asyncio.Event().wait()

    async def end_unseen(self) -> None:
        """End what is on the board and was not told of since the start."""
        async with self._door.open() as desk:
            kept = await desk.store.find(Setting, id_from=troubles.PREFIX, id_to=troubles.AFTER_PREFIX)
            for setting in kept:
                channel, kind = troubles.parts_of(setting.id)
                if channel in self._channels and setting.id not in self._seen:
                    await troubles.end(desk, channel, kind)

    async def _tell(self, channel: str, kind: str, text: str) -> None:
        async with self._door.open() as desk:
            if kind == GAP:
                starts_at, _, ends_at = text.partition("/")
                await troubles.silent(
                    desk, channel, datetime.fromisoformat(starts_at), datetime.fromisoformat(ends_at)
                )
            elif text:
                self._seen.add(troubles.name_of(channel, kind))
                await troubles.begin(desk, channel, kind, text)
            else:
                await troubles.end(desk, channel, kind)
