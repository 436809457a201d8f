"""Watches what lies on the disk: room enough, every attachment in its place, last night's backup made."""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bot.intake import put_setting
from desk.model import Setting
from desk.ports import Door, Media
from incidents.model import Attachment, AttachmentState

BACKED_UP = "backup/at"  # The Setting that `backup` leaves in the database it copied.
PAGE = 200  # Attachments looked at each minute, round and round …
NEWEST = 20  # … the newest of them every time …
READ_BYTES_MAX = 4 * 1024 * 1024  # … and this much of their content.
LOST = "audit/lost"  # The Setting that keeps which were lost: they are looked at until they are back.
LOST_MAX = 100


class DiskWatch:
    """What of the desk is a file."""

    def __init__(
        self, door: Door, media: Media, folders: Sequence[Path], free_percent_min: float, backup_hours: float
    ) -> None:
        self._door = door
        self._media = media
        self._folders = folders
        self._free_percent_min = free_percent_min
        self._backup_for = timedelta(hours=backup_hours)
        self._after = ""  # The attachment looked at last.

    async def room(self) -> str:
        """The fullest of the folders' disks, when it is too full."""
        usages = [await asyncio.to_thread(shutil.disk_usage, folder) for folder in self._folders]
        free = min(100 * usage.free / usage.total for usage in usages)
        return f"{free:.1f} %" if free < self._free_percent_min else ""

    async def attachments(self) -> str:
        """How many stored attachments are not there, not whole or not the same: the newest, and a page of all."""
        stored = AttachmentState.stored
        async with self._door.read() as store:
            kept = await store.get(Setting, LOST)
            known = kept.value.split() if kept else []
            again = await store.find(Attachment, id_in=known, state=stored) if known else []
            newest = await store.find(Attachment, order=("-received_at",), limit=NEWEST, state=stored)
            page = await store.find(
                Attachment, order=("id",), limit=PAGE, id_from=f"{self._after}\x01", state=stored
            )
        self._after = page[-1].id if len(page) == PAGE else ""
        looked_at = {one.id: one for one in (*again, *newest, *page)}
        lost = await asyncio.to_thread(self._lost_of, list(looked_at.values()))
        if {one.id for one in lost[:LOST_MAX]} != set(known):
            async with self._door.open() as desk:
                await put_setting(desk.store, LOST, " ".join(one.id for one in lost[:LOST_MAX]))
        return f"{len(lost)}: {lost[0].id}" if lost else ""

    async def backup(self) -> str:
        """How old the last backup is, when it is too old; "" where backups are not watched."""
        if not self._backup_for:
            return ""
        async with self._door.read() as store:
            kept = await store.get(Setting, BACKED_UP)
        if kept is None:
            return "0"
        age = self._door.clock.now() - datetime.fromisoformat(kept.value)
        return f"{age.total_seconds() / 3600:.0f} h" if age > self._backup_for else ""

    def _lost_of(self, rows: Sequence[Attachment]) -> list[Attachment]:
        left = READ_BYTES_MAX
        lost = []
        for row in rows:
            path = Path(self._media.path(row.digest))
            try:
                size = path.stat().st_size
                is_same = row.bytes_count in (None, size)
                if is_same and size <= left:
                    left -= size
                    is_same = hashlib.sha256(path.read_bytes()).hexdigest() == row.digest
            except OSError:
                is_same = False
            if not is_same:
                lost.append(row)
        return lost
