"""One life of the desk's process, from its start to the moment it is killed, when nothing of it acts any more."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

CURRENT: "ContextVar[Life | None]" = ContextVar("life", default=None)


class Life:
    """What a process holds: tasks, connections to the database, and ways out. Dead, each of its acts is in vain."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_alive = True
        self.connections: list[sqlite3.Connection] = []
        self.steps_left: int | None = None  # So many acts until it is killed.
        self.on_last_step: Callable[[], None] = lambda: None
        self._context = copy_context()
        self._context.run(CURRENT.set, self)
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, work: Coroutine[Any, Any, Any], name: str = "") -> "asyncio.Task[Any]":
        """Run something inside this life; what it starts belongs to the life as well."""
        return asyncio.get_running_loop().create_task(work, name=name or None, context=self._context)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """A task that was started inside this life ends with it."""
        self._tasks[task] = None
        task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    def step(self) -> bool:
        """One act on the world is about to happen; says whether it still may."""
        if self.steps_left is not None and self.is_alive:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.steps_left = None
                self.on_last_step()
        return self.is_alive

    def kill(self) -> None:
        """As kill -9: open transactions are gone, nothing more leaves, and no work is finished."""
        self.is_alive = False
        for connection in self.connections:
            with contextlib.suppress(sqlite3.Error):
                connection.rollback()
            connection.close()
        self.connections.clear()
        self.bury()

    def bury(self) -> bool:
        """Cancel what still lingers; says whether anything did."""
        lingering = list(self._tasks)
        for task in lingering:
            task.cancel()
        return bool(lingering)
