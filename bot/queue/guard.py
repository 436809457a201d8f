"""Keeps a second live process off an embedded database: an operating-system lock beside it."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from desk.ports import Clock

_HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)


class AlreadyRunning(Exception):
    """Another live process works on this database; the text names it and the cure."""

    def __init__(self, lock: Path, pid: int | None, started_at: str) -> None:
        self.pid = pid
        self.started_at = started_at
        who = f"process {pid}, started {started_at}" if pid else "another process"
        cure = f"stop it first (kill {pid})" if pid else "stop it first"
        super().__init__(f"Muster is running on this database already ({who}, lock {lock}): {cure}.")


class CannotLock(Exception):
    """The lock file cannot be made or locked; the text names the cure."""

    def __init__(self, lock: Path, reason: str) -> None:
        super().__init__(
            f"The lock file {lock} cannot be locked ({reason}): "
            "make its folder writable for this user, or name a local folder in database.url."
        )


@contextlib.contextmanager
def only_process(database: Path, clock: Clock) -> Iterator[None]:
    """Holds the database for this process. Raises AlreadyRunning, CannotLock.

    The system drops the lock with the process, however it ends: a file left by kill -9 is no obstacle. The file
    itself stays, because removing it would let a third process lock a file nobody else can see."""
    lock = database.with_name(database.name + ".lock")
    descriptor = _open(lock)
    try:
        _lock(descriptor, lock)
        _write(
            descriptor, lock, {"pid": os.getpid(), "started_at": clock.now().isoformat(timespec="seconds")}
        )
        yield
    finally:
        os.close(descriptor)


def _open(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CannotLock(lock, error.strerror or str(error)) from error


def _lock(descriptor: int, lock: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise AlreadyRunning(lock, *_holder(descriptor)) from error
        raise CannotLock(lock, error.strerror or str(error)) from error


def _write(descriptor: int, lock: Path, facts: dict[str, object]) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)
    except OSError as error:
        raise CannotLock(lock, error.strerror or str(error)) from error


def _holder(descriptor: int) -> tuple[int | None, str]:
    """Who holds the lock, as far as the file tells: it may be just about to be written."""
    try:
        facts = json.loads(os.pread(descriptor, 1000, 0))
        return int(facts["pid"]), str(facts["started_at"])
    except (ValueError, TypeError, KeyError, OSError):
        return None, ""
