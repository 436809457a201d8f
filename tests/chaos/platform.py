"""What a night needs of a platform: phones that act, what the desk took and fetched, and what phones were shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Card = int | str  # A message of ours, by the platform's id.


@dataclass(frozen=True)
class Said:
    """What somebody did: the inbox ids it must get, and the platform's names of the files in it."""

    events: tuple[str, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """One message of ours as it reached one phone."""

    address: str
    card: Card
    text: str
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One message of ours as a phone shows it now."""

    card: Card
    text: str
    tokens: tuple[str, ...]  # Of its buttons.


class Mobile(Protocol):
    """One person's phone."""

    def say(self, text: str, reply_to: Card | None = None) -> Said:
        """Write; a platform without replies just writes."""
        ...

    def photos(self, pictures: Sequence[bytes], caption: str = "") -> Said:
        """Send pictures, as one album where there are albums."""
        ...

    def place(self, lat: float, lon: float) -> Said:
        """Send a place, given in WGS-84."""
        ...

    def correct(self, words: Sequence[str], text: str) -> Said | None:
        """Edit an own message that has one of these words; None where nothing can be edited."""
        ...

    def press(self, card: Card, token: str) -> Said:
        """Press a button, even one that the desk takes off the card at this very moment."""
        ...

    def seen(self) -> list[Seen]:
        """The newest messages of ours, oldest first."""
        ...


class Platform(Protocol):
    """A fake platform as the night drives it."""

    name: str  # Of the channel.
    has_albums: bool
    has_places: bool  # Otherwise people tell theirs in words.
    on_copy: Callable[[], None] | None  # Called in the platform's own thread when a message is on a phone.

    @property
    def table(self) -> str:
        """Its part of config.toml."""
        ...

    def begin(self, desk_url: str) -> None:
        """Learn where the desk is."""
        ...

    def mobile(self, number: int, name: str) -> tuple[str, Mobile]:
        """Somebody's address and phone."""
        ...

    @property
    def contacts(self) -> int:
        """How often a desk that just started has spoken to the platform."""
        ...

    @property
    def taken(self) -> int:
        """How many events the desk has confirmed."""
        ...

    @property
    def fetched(self) -> int:
        """How many files the desk asked for."""
        ...

    @property
    def unconfirmed(self) -> int:
        """How many events the desk still has to take."""
        ...

    def copies(self) -> list[Copy]:
        """Everything that phones were shown."""
        ...

    def card_of(self, remote_id: str) -> str:
        """What stands in `Copy.card` for a letter with this remote id."""
        ...

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition that changes with the platform. Raises TimeoutError."""
        ...
