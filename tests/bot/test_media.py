"""Files are named by what is in them, on disk before anybody names them, and never half there."""

import asyncio
import errno
import hashlib
import resource
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.fetcher import DISK_FAULTS
from bot.media import UNFINISHED, MediaFolder
from desk.ports import FetchFailed
from tests.bot.channels.webchat_parts import open_media

PIECES = [b"abc" * 1000, b"", b"def" * 1000]
WHOLE = b"".join(PIECES)
DIGEST = hashlib.sha256(WHOLE).hexdigest()


async def given(*pieces: bytes, fault: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if fault is not None:
        raise fault


def files_in(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


async def test_bytes_are_kept_under_their_digest(tmp_path: Path) -> None:
    media = open_media(tmp_path)
    assert await media.keep(given(*PIECES), len(WHOLE)) == (DIGEST, len(WHOLE))
    assert Path(media.path(DIGEST)).read_bytes() == WHOLE
    assert files_in(tmp_path) == [f"media/{DIGEST[:2]}/{DIGEST}"]


async def test_the_same_bytes_are_kept_once_however_often_and_at_once(tmp_path: Path) -> None:
    media = open_media(tmp_path)
    kept = await asyncio.gather(*(media.keep(given(WHOLE), len(WHOLE)) for _ in range(8)))
    assert set(kept) == {(DIGEST, len(WHOLE))}
    assert files_in(tmp_path) == [f"media/{DIGEST[:2]}/{DIGEST}"]


async def test_an_empty_file_is_kept_too(tmp_path: Path) -> None:
    media = open_media(tmp_path)
    digest, count = await media.keep(given(), 0)
    assert (digest, count) == (hashlib.sha256().hexdigest(), 0)


@pytest.mark.parametrize(
    "fault", [None, FetchFailed("line broke", permanent=False), OSError(errno.EIO, "io")]
)
async def test_too_much_or_a_broken_line_leaves_nothing_behind(
    tmp_path: Path, fault: Exception | None
) -> None:
    media = open_media(tmp_path)
    pieces = given(WHOLE, b"x", fault=fault)
    with pytest.raises(type(fault) if fault else FetchFailed) as caught:
        await media.keep(pieces, len(WHOLE) + bool(fault))
    assert fault is not None or (isinstance(caught.value, FetchFailed) and caught.value.permanent)
    assert files_in(tmp_path) == []


async def test_input_60_the_last_room_on_the_disk_is_the_databases(tmp_path: Path) -> None:
    media = MediaFolder(tmp_path / "media", free_bytes_min=shutil.disk_usage(tmp_path).total)
    media.open()
    with pytest.raises(OSError, match="No space left") as caught:
        await media.keep(given(WHOLE), len(WHOLE))
    assert caught.value.errno in DISK_FAULTS
    assert files_in(tmp_path) == []


async def test_whoever_brings_too_much_is_told_to_stop(tmp_path: Path) -> None:
    media, closed = open_media(tmp_path), []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append("connection")

    with pytest.raises(FetchFailed):
        await media.keep(endless(), 5000)
    assert closed == ["connection"]


async def test_fault_23_a_disk_that_takes_no_more_is_an_os_error_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    media = open_media(tmp_path)
    with no_larger_files_than(100_000), pytest.raises(OSError, match="large") as caught:
        await media.keep(given(*[b"x" * 65_536] * 4), 10**9)
    assert caught.value.errno in DISK_FAULTS
    assert files_in(tmp_path) == []
    await media.keep(given(*[b"x" * 65_536] * 4), 10**9)  # It works again at once when there is room.


@contextmanager
def no_larger_files_than(bytes_max: int) -> Iterator[None]:
    """The system refuses every write beyond."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_cut_off_keep_leaves_nothing_behind(tmp_path: Path) -> None:
    media, gate = open_media(tmp_path), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await gate.wait()
        yield b"second"

    keeping = asyncio.create_task(media.keep(slow(), 100))
    while not files_in(tmp_path):
        await asyncio.sleep(0.005)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert files_in(tmp_path) == []


async def test_what_a_crash_left_unfinished_is_cleared_at_the_start(tmp_path: Path) -> None:
    media = open_media(tmp_path)
    await media.keep(given(WHOLE), len(WHOLE))
    (tmp_path / "media" / UNFINISHED / "left").write_bytes(b"half")
    open_media(tmp_path)
    assert files_in(tmp_path) == [f"media/{DIGEST[:2]}/{DIGEST}"]


@pytest.mark.parametrize(
    "bad", ["", "..", "../../etc/passwd", DIGEST.upper(), DIGEST[:-1], DIGEST + "/x", "zz" * 32]
)
async def test_only_a_digest_names_a_file(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        open_media(tmp_path).path(bad)
