"""SQLite without its thread: each call of the driver is done at once, for the life it belongs to, with faults."""

# It stands on private names of aiosqlite 0.22 (`core.SimpleQueue`, `core.Thread`, `_tx`), which a test watches.

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

from bot.simulation.life import CURRENT, Life

Item = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class Disk:
    """What is wrong with the disk just now, and how long its calls take."""

    def __init__(self) -> None:
        self.fillings = 0  # As often somebody filled it and has not made room yet.
        self.calls = 0
        self.delay: Callable[[], float] = lambda: 0.0
        self.touched: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written."""
        return self.fillings > 0


class Dead(Exception):
    """The process ended in the middle of this."""


class InlineQueue:
    """Stands where aiosqlite hands work to its thread."""

    disk = Disk()  # Of the simulation that runs; `stand_in` puts it here.

    def __init__(self) -> None:
        life = CURRENT.get()
        if life is None:
            raise RuntimeError("a database is opened outside any life of the desk")
        self._life: Life = life

    def put_nowait(self, item: Item) -> None:
        """Do it, and tell whoever waits: at once, or when the disk says."""
        future, act = item
        self.disk.calls += 1
        self.disk.touched()
        try:
            if not self._life.step():
                raise Dead
            if self.disk.is_full and _writes(act):
                raise _full()
            result = act()
            if not self._life.step():  # Done, and nobody lives to hear of it.
                raise Dead
        except Dead:
            if future is not None:
                future.cancel()
            return
        except Exception as error:  # As from the thread, it is raised where it is awaited.
            if future is not None and not future.done():
                future.set_exception(error)
            return
        if isinstance(result, sqlite3.Connection):
            self._life.connections.append(result)
        if future is None:
            return
        delay = self.disk.delay()
        if delay and self._life.is_alive:
            asyncio.get_running_loop().call_later(delay, _tell, future, result)
        else:
            _tell(future, result)


class NoThread:
    """Stands where aiosqlite starts its thread."""

    daemon = True

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        """There is nothing to start."""


def _tell(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _writes(act: Callable[[], Any]) -> bool:
    """Whether the call needs room: a transaction may always be undone, and a reading one begins plainly."""
    words: tuple[Any, ...] = getattr(act, "args", ())
    if len(words) != 4 or words[2] is sqlite3.Connection.rollback:
        return False
    connection, before = words[0], words[1]
    return any(sql == "BEGIN IMMEDIATE" for sql, _ in before) or _is_writer(connection)


def _is_writer(connection: sqlite3.Connection) -> bool:
    return bool(connection.in_transaction and not connection.execute("PRAGMA query_only").fetchone()[0])


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
