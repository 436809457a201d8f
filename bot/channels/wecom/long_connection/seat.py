"""Who of several desks on one database has the bot's only line: a note in the store, believed for a short while."""

import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.model import Setting
from desk.ports import Clock, Door, Stale

log = logging.getLogger(__name__)

NOTE = "wecom.line"


@dataclass(frozen=True)
class Held:
    """Who has the line, and until when that is believed."""

    who: str
    until: datetime
    reached_at: datetime  # When a line of ours was well for the last time.


class Seat:
    """The note of one process. When the store cannot say, nobody is waited for: the vendor allows one line anyway."""

    def __init__(self, door: Door, clock: Clock, seconds: float) -> None:
        self._door = door
        self._clock = clock
        self._lasts = timedelta(seconds=seconds)
        self.me = secrets.token_hex(8)

    async def held(self) -> Held | None:
        """The note, whoever wrote it."""
        try:
            async with self._door.read() as store:
                found = await store.get(Setting, NOTE)
            facts = json.loads(found.value) if found else None
            return facts and Held(
                facts["who"],
                datetime.fromisoformat(facts["until"]),
                datetime.fromisoformat(facts["reached_at"]),
            )
        except Exception:  # Whatever the store suffers from, the line matters more.
            log.warning("wecom: it is not known who has the line", exc_info=True)
            return None

    async def is_others(self) -> bool:
        """Whether another desk of ours has the line now."""
        held = await self.held()
        return held is not None and held.who != self.me and held.until > self._clock.now()

    async def take(self) -> None:
        """Note that the line is ours from now on, whoever had it; it is not open yet."""
        held = await self.held()
        now = self._clock.now()
        await self._write(now + self._lasts, held.reached_at if held else now)

    async def renew(self) -> None:
        """Note that the line is ours and well, unless another desk took it meanwhile."""
        now = self._clock.now()  # Before the store is asked, which may take its time.
        held = await self.held()
        if held is None or held.who == self.me or held.until <= now:
            await self._write(now + self._lasts, now)

    async def leave(self) -> None:
        """Note that the line is free, if it was ours."""
        held = await self.held()
        if held is not None and held.who == self.me:
            await self._write(self._clock.now(), held.reached_at)

    async def _write(self, until: datetime, reached_at: datetime) -> None:
        moments = {"until": until.isoformat(), "reached_at": reached_at.isoformat()}
        value = json.dumps({"who": self.me, **moments})
        try:
            async with self._door.open() as desk:
                found = await desk.store.get(Setting, NOTE)
                if found is None:
                    await desk.store.add(Setting(NOTE, value))
                else:
                    await desk.store.change(found, value=value)
        except Stale:  # Another desk wrote at this very moment: theirs is as good as ours.
            log.info("wecom: another desk noted the line first")
        except Exception:
            log.warning("wecom: who has the line could not be noted", exc_info=True)
