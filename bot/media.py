"""Attachments on disk by digest: written and flushed before the row that names them."""

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import BinaryIO

from desk.ports import FetchFailed

_DIGEST = re.compile(r"[0-9a-f]{64}")
UNFINISHED = "unfinished"
OTHERS_WRITE_SECONDS_MAX = 3600
FREE_BYTES_MIN = (
    256 * 1024 * 1024
)  # Left to the database: without a photo a report stands, without a row it is lost.


class MediaFolder:
    """Implements `desk.ports.Media`: files named by their SHA-256, in folders named by its first two characters."""

    def __init__(self, folder: Path, free_bytes_min: int = FREE_BYTES_MIN) -> None:
        self._folder = folder
        self._free_bytes_min = free_bytes_min

    def open(self, *, is_shared: bool = False) -> None:
        """Make the folder and clear away what a crash left half written. Raises OSError.

        In a folder that other replicas use just now, only what is older than any writing takes."""
        unfinished = self._folder / UNFINISHED
        unfinished.mkdir(parents=True, exist_ok=True)
        mark = unfinished / secrets.token_hex(16)
        mark.touch()  # The folder's own clock may be another machine's.
        oldest = mark.stat().st_mtime - OTHERS_WRITE_SECONDS_MAX
        for left in unfinished.iterdir():
            with contextlib.suppress(FileNotFoundError):  # Whoever writes it has just finished.
                if left == mark or not is_shared or left.stat().st_mtime < oldest:
                    left.unlink()

    async def keep(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[str, int]:
        """Store bytes; returns (SHA-256 hex, count). Raises FetchFailed (too many), OSError (no room)."""
        await asyncio.to_thread(self._check_room)
        unfinished = self._folder / UNFINISHED / secrets.token_hex(16)
        digest, count = hashlib.sha256(), 0
        file = await asyncio.to_thread(unfinished.open, "xb")
        try:
            with file:
                async for piece in pieces:
                    count += len(piece)
                    if count > bytes_max:
                        raise FetchFailed(f"more than {bytes_max} bytes", permanent=True)
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(_flush, file)
            await asyncio.to_thread(_settle, unfinished, Path(self.path(digest.hexdigest())))
        finally:
            await asyncio.to_thread(unfinished.unlink, True)
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()  # Whoever fetches may close its connection now.
        return digest.hexdigest(), count

    def _check_room(self) -> None:
        found = os.statvfs(self._folder)
        if found.f_bavail * found.f_frsize < self._free_bytes_min:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    def path(self, digest: str) -> str:
        """Where the bytes are. Raises ValueError when it is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError("not a SHA-256 in hex")
        return str(self._folder / digest[:2] / digest)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(unfinished: Path, final: Path) -> None:
    """Give the finished file its name, and make the name durable as well."""
    is_new = not final.parent.is_dir()
    final.parent.mkdir(exist_ok=True)
    unfinished.replace(final)
    for folder in (final.parent, *((final.parent.parent,) if is_new else ())):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
