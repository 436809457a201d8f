"""Keeps what a phone uploads: bytes on disk by digest, then a slip by which a message may name them."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

from starlette.datastructures import UploadFile

from bot.channels.webchat.events import Refused
from bot.channels.webchat.sniff import HEAD_BYTES, SEALED, sniff
from desk import troubles
from desk.model import RemoteFile, Setting
from desk.ports import Desk, Door, FetchFailed, Media
from web import picture

PIECE_BYTES = 256 * 1024
SLIPS_KEPT_FOR = timedelta(days=1)
SLIPS_MAX = 200  # Uploads of one phone that no message has named yet.
COPY_SECONDS_MAX = 20
COPY_BYTES_MAX = 64 * 1024 * 1024


class Uploads:
    """The files of every phone of this process."""

    def __init__(self, door: Door, media: Media) -> None:
        self._door = door
        self._media = media
        self._disk_was_ill = True  # Perhaps, before this start.
        self._one_picture_at_a_time = asyncio.Semaphore(1)

    async def keep(self, address: str, upload: UploadFile, claimed: str, bytes_max: int) -> RemoteFile:
        """Store an upload; `remote_id` is the digest of its display copy, empty when there is none."""
        head = await upload.read(HEAD_BYTES)
        if not head:
            raise Refused(400, "empty_file")
        kind, mime = sniff(head, claimed)
        await self._need_slip(address)  # Before a byte is kept.
        try:
            digest, count = await self._media.keep(_pieces(head, upload), bytes_max)
        except FetchFailed as error:
            raise Refused(413, "file_too_large", max=bytes_max // (1024 * 1024)) from error
        except OSError as error:
            await self._tell_of_disk(error)
            raise Refused(507, "no_room") from error
        file = RemoteFile(kind, "", (upload.filename or "")[:120], mime, count, digest)
        if kind == "photo":
            file = await self._with_display_copy(file)
        async with self._door.open() as desk:
            kept = {"kept_at": desk.now.isoformat(), **asdict(file)}
            slip = Setting(_slip_id(address, digest), json.dumps(kept, ensure_ascii=False))
            await desk.store.add_new(slip)
            if self._disk_was_ill:
                await troubles.end(desk, *troubles.NO_ROOM)
        self._disk_was_ill = False
        return file

    async def _need_slip(self, address: str) -> None:
        """Room for one more upload that no message names yet; those nobody named for a day are forgotten."""
        async with self._door.read() as store:
            slips = await store.find(Setting, id_has=_slip_id(address, ""), limit=SLIPS_MAX)
        if len(slips) < SLIPS_MAX:
            return
        async with self._door.open() as desk:
            old = [slip.id for slip in slips if _kept_at(slip) < (desk.now - SLIPS_KEPT_FOR).isoformat()]
            await desk.store.remove(Setting, old)
        if not old:
            raise Refused(429, "too_many_uploads")

    async def _tell_of_disk(self, fault: OSError) -> None:
        self._disk_was_ill = True
        async with self._door.open() as desk:
            await troubles.begin(desk, *troubles.NO_ROOM, fault.strerror or type(fault).__name__)

    async def _with_display_copy(self, file: RemoteFile) -> RemoteFile:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "copy.jpg"
            code = await self._decode(self._media.path(file.digest), str(target))
            if code == picture.TOO_LARGE:
                return replace(file, kind="file", mime=SEALED)
            if code or not target.exists():
                return file
            try:
                shown, _ = await self._media.keep(_content(target.read_bytes()), COPY_BYTES_MAX)
            except OSError as error:
                await self._tell_of_disk(error)
                return file
            return replace(file, remote_id=shown)

    async def _decode(self, source: str, target: str) -> int:
        """Decoding happens outside this process: a hostile picture can only harm the child."""
        arguments = [sys.executable, "-I", str(picture.__file__), source, target]
        async with self._one_picture_at_a_time:
            child = await asyncio.create_subprocess_exec(
                *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                async with asyncio.timeout(COPY_SECONDS_MAX):
                    return await child.wait()
            except TimeoutError:
                return picture.TOO_LARGE
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()


async def claim(desk: Desk, address: str, digests: Sequence[str]) -> tuple[RemoteFile, ...]:
    """Take the slips of these uploads. Raises Refused for a file this phone did not upload."""
    if not digests:
        return ()
    ids = [_slip_id(address, digest) for digest in digests]
    slips = {slip.id: slip for slip in await desk.store.find(Setting, id_in=ids)}
    if len(slips) < len(ids):
        raise Refused(409, "upload_again")
    await desk.store.remove(Setting, ids)
    kept = [json.loads(slips[slip_id].value) for slip_id in ids]
    return tuple(RemoteFile(**{name: one[name] for name in one if name != "kept_at"}) for one in kept)


def _kept_at(slip: Setting) -> str:
    return str(json.loads(slip.value).get("kept_at", ""))


def _slip_id(address: str, digest: str) -> str:
    return f"webchat.upload/{address}/{digest}"


async def _pieces(head: bytes, upload: UploadFile) -> AsyncIterator[bytes]:
    yield head
    while piece := await upload.read(PIECE_BYTES):
        yield piece


async def _content(content: bytes) -> AsyncIterator[bytes]:
    yield content
