"""A filesystem of its own for the desk's files, small enough to be filled up: a tmpfs of limited size."""

import asyncio
import contextlib
import errno
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bot.media import FREE_BYTES_MIN

BYTES = FREE_BYTES_MIN + 96 * 1024 * 1024  # Photos are kept only while so much is free.
TOP_UP_SECONDS = 0.02  # What is given back meanwhile, by a write-ahead log or a lock, is taken again.


class SmallDisk:
    """A folder that is a disk, and the big file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "big-file-of-somebody-else"

    @property
    def free_bytes(self) -> int:
        """What anybody can still write."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, left_bytes: int) -> None:
        """The big file takes all but so much."""
        number = os.open(self._ballast, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            while (more := self.free_bytes - left_bytes) > 0:
                size = os.fstat(number).st_size
                with contextlib.suppress(OSError):  # The desk took some of it meanwhile.
                    os.posix_fallocate(number, size, more)
        finally:
            os.close(number)

    @contextlib.asynccontextmanager
    async def full(self, left_bytes: int) -> AsyncIterator[None]:
        """Inside the block the disk is full and stays so; afterwards the big file is gone."""
        keeping = asyncio.create_task(self._keep_full(left_bytes))
        try:
            self.fill(left_bytes)
            yield
        finally:
            keeping.cancel()
            self._ballast.unlink(missing_ok=True)

    async def _keep_full(self, left_bytes: int) -> None:
        while True:
            await asyncio.sleep(TOP_UP_SECONDS)
            self.fill(left_bytes)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """The folder, made, with a tmpfs on it. Raises PermissionError where nobody may mount."""
    folder.mkdir()
    words = ["-t", "tmpfs", "-o", f"size={BYTES},mode=0700,uid={os.geteuid()}", "tmpfs", str(folder)]
    _as_root("mount", *words)
    try:
        yield SmallDisk(folder)
    finally:
        _as_root("umount", "--lazy", str(folder))


def _as_root(*words: str) -> None:
    prefix = () if os.geteuid() == 0 else ("sudo", "-n")
    try:
        subprocess.run([*prefix, *words], check=True, capture_output=True, text=True)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        why = getattr(error, "stderr", "") or str(error)
        raise PermissionError(errno.EPERM, f"a small disk needs root or sudo: {why}") from error
