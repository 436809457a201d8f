"""Copies and checks attachment files, whose names are the SHA-256 of their bytes."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from desk.ports import Store
from incidents.model import Attachment, AttachmentState

PIECE_BYTES = 1024 * 1024
PAGE = 2_000

Read = Callable[[], AbstractAsyncContextManager[Store]]  # Opens a reading view.


async def stored(read: Read) -> AsyncIterator[list[Attachment]]:
    """Every attachment whose bytes the desk promises to have, page by page."""
    last = ""
    while True:
        async with read() as store:
            page = await store.find(
                Attachment, state=AttachmentState.stored, id_from=last, order=("id",), limit=PAGE + 1
            )
        page = [one for one in page if one.id != last]
        if not page:
            return
        yield page
        last = page[-1].id


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, hex. Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def copy(source: Path, target: Path) -> str:
    """A flushed copy of a file, only there when it is whole; the SHA-256 of what was copied. Raises OSError."""
    found = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.part")
    with source.open("rb") as file, draft.open("wb") as written:
        while piece := file.read(PIECE_BYTES):
            found.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    draft.chmod(0o600)
    draft.replace(target)
    return found.hexdigest()


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
