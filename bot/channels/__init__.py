"""The ways to people: every folder here whose `channel.py` offers `make(settings, services)` is live."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from desk.ports import Channel, Clock, Desk, Door, Media

# (kind, what is wrong in words for the operator); empty words say that this trouble is over. The kind "gap" is told
# when it is over already, and its words are its ISO 8601 interval "from/to".
Trouble = Callable[[str, str], Awaitable[None]]


class Intake(Protocol):
    """Where events are made durable before a platform is told ok; the same event twice is harmless."""

    async def take(self, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Returns once the event is on disk."""
        ...

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Store the event in the desk's own transaction, with what the channel writes about it."""
        ...

    async def take_batch(
        self, channel: str, events: Sequence[tuple[str, str, bytes]], setting: tuple[str, str]
    ) -> None:
        """Store (event id, sender, raw) in order, and the setting (name, value), in one transaction."""
        ...

    async def setting(self, name: str) -> str:
        """The value stored last with a batch; empty when there is none."""
        ...


@dataclass(frozen=True)
class Services:
    """What the desk lends to a channel."""

    intake: Intake
    trouble: Trouble
    door: Door
    media: Media
    # For the `Date` of an answer of the platform, as it came: a second clock beside the machine's own.
    told_time: Callable[[str | None], None] = lambda _date: None

    @property
    def clock(self) -> Clock:
        return self.door.clock


def open_channels(
    settings: Mapping[str, Mapping[str, Any]], services_for: Callable[[str], Services]
) -> dict[str, Channel]:
    """Every channel that is configured, by name; `settings` holds each folder's own table of config.toml.

    `services_for` lends each folder, by its name, what it needs. Raises ChannelFault when one cannot work as
    configured."""
    channels: dict[str, Channel] = {}
    for folder in sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg):
        place = f"{__name__}.{folder}.channel"
        make = getattr(importlib.import_module(place), "make", None) if _exists(place) else None
        channel = make(settings.get(folder, {}), services_for(folder)) if make else None
        if channel is not None:
            channels[channel.name] = channel
    return channels


def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
