"""The access token: one for the application, asked for by one caller at a time, renewed before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from desk.ports import Clock

EARLY = timedelta(minutes=5)


@dataclass(frozen=True)
class Token:
    """An access token and when it ends."""

    value: str = field(repr=False)
    ends_at: datetime


class Shelf(Protocol):
    """Where the token lies for everybody who sends for this application; several processes may share one."""

    async def get(self) -> Token | None:
        """The token put last."""
        ...

    async def put(self, token: Token) -> None:
        """Replace it."""
        ...


class OwnShelf:
    """A shelf of this process alone."""

    def __init__(self) -> None:
        self._token: Token | None = None

    async def get(self) -> Token | None:
        """The token put last."""
        return self._token

    async def put(self, token: Token) -> None:
        """Replace it."""
        self._token = token


class Tokens:
    """Gives the token, and a new one when it ends or was found bad."""

    def __init__(
        self, ask: Callable[[], Awaitable[tuple[str, float]]], clock: Clock, shelf: Shelf | None = None
    ) -> None:
        self._ask = ask  # Returns a token and its seconds.
        self._clock = clock
        self._shelf = shelf or OwnShelf()
        self._asking = asyncio.Lock()

    async def get(self, *, bad: str = "") -> str:
        """A token other than `bad`, which was refused: however many say so, one call renews it."""
        found = await self._good(bad)
        if found is not None:
            return found
        async with self._asking:
            found = await self._good(bad)
            if found is not None:
                return found
            value, seconds = await self._ask()
            await self._shelf.put(Token(value, self._clock.now() + timedelta(seconds=seconds)))
            return value

    async def _good(self, bad: str) -> str | None:
        token = await self._shelf.get()
        if token is None or token.value == bad or self._clock.now() > token.ends_at - EARLY:
            return None
        return token.value
