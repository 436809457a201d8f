"""What the desk finds in place of chance, threads and a slow disk while it is simulated; afterwards all is as was."""

import logging
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import aiosqlite.core

from bot import scheduler
from bot.simulation.inline import Disk, InlineQueue, NoThread
from bot.store import sqlite

LOOK_AHEAD = timedelta(days=1)  # Between planned moments a desk that looks every 20 s finds nothing.


@contextmanager
def standing_in(seed: int, disk: Disk, surprises: logging.Handler) -> Iterator[None]:
    """Seeded chance, a database without thread and flush, and ears for what the desk calls an error."""
    chance = random.Random(f"{seed}/desk")
    places: list[tuple[Any, str, Any]] = [
        (aiosqlite.core, "SimpleQueue", InlineQueue),
        (aiosqlite.core, "Thread", NoThread),
        (InlineQueue, "disk", disk),
        (sqlite, "WRITING", tuple(_quick(pragma) for pragma in sqlite.WRITING)),
        (scheduler, "AHEAD", LOOK_AHEAD),
        (random, "SystemRandom", lambda: chance),
        (secrets, "randbits", chance.getrandbits),
        (secrets, "randbelow", chance.randrange),
        (secrets, "token_bytes", _bytes_of(chance)),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    state, handlers = random.getstate(), logging.root.handlers
    logging.root.handlers = [surprises]
    for place, name, instead in places:
        setattr(place, name, instead)
    random.seed(f"{seed}/jitter")
    try:
        yield
    finally:
        for place, name, was in before:
            setattr(place, name, was)
        random.setstate(state)
        logging.root.handlers = handlers


def _quick(pragma: str) -> str:
    """Nothing here survives the simulation, so nothing need be flushed."""
    return "PRAGMA synchronous = OFF" if "synchronous" in pragma else pragma


def _bytes_of(chance: random.Random) -> Callable[..., bytes]:
    def draw(count: int | None = None) -> bytes:
        return chance.randbytes(32 if count is None else count)

    return draw
