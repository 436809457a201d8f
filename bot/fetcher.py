"""Fetches what came with reports: outside any transaction, and a report never waits for it."""

import errno
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from desk import attachments, troubles
from desk.letters import tell
from desk.model import Job, Notice, RemoteFile
from desk.ports import Channel, Door, FetchFailed, Media, Postpone
from incidents.model import Attachment, AttachmentState

log = logging.getLogger(__name__)

FETCH = "fetch"
ATTEMPTS_MAX = 6  # With the queue's pauses about a quarter of an hour.
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EACCES)
DISK_AGAIN_MINUTES = 1


class Fetcher:
    """The handler of `fetch` jobs."""

    def __init__(self, door: Door, channels: Mapping[str, Channel], media: Media) -> None:
        self._door = door
        self._channels = channels
        self._media = media
        self._disk_was_ill = True  # Perhaps, before this start.

    async def fetch(self, jobs: Sequence[Job]) -> None:
        """Bring the bytes here; what cannot be had is flagged on the report and its sender is asked again."""
        for job in jobs:
            await self._fetch_one(job)

    async def _fetch_one(self, job: Job) -> None:
        async with self._door.read() as store:
            row = await store.get(Attachment, job.ref)
        if row is None or row.state is not AttachmentState.waiting:
            return
        channel = self._channels.get(row.channel)
        if channel is None:
            await self._give_up(row.id, f"the channel {row.channel} is not configured", refused=False)
            return
        file = RemoteFile(row.kind, row.remote_id, row.file_name, row.mime, row.bytes_count, row.digest)
        bytes_max = min(channel.limits.file_bytes_max, self._door.policy.limits.attachment_bytes_max)
        try:
            digest, count = await self._media.keep(channel.fetch(file), bytes_max)
        except FetchFailed as fault:
            if not fault.permanent and job.attempts + 1 < ATTEMPTS_MAX:
                raise  # The queue comes back with growing pauses.
            await self._give_up(row.id, str(fault), refused=fault.permanent)
            return
        except OSError as fault:
            if fault.errno not in DISK_FAULTS:
                raise
            raise Postpone(await self._tell_of_disk(fault)) from fault
        async with self._door.open() as desk:
            await attachments.stored(desk, row.id, digest, count)
            if self._disk_was_ill:
                await troubles.end(desk, *troubles.NO_ROOM)
        self._disk_was_ill = False

    async def _tell_of_disk(self, fault: OSError) -> datetime:
        """When to try again: the platform keeps the files meanwhile, so however long it lasts nothing is given up."""
        log.warning("attachments cannot be kept: %s", fault)
        self._disk_was_ill = True
        async with self._door.open() as desk:
            await troubles.begin(desk, *troubles.NO_ROOM, fault.strerror or str(fault))
            return desk.now + desk.minutes(DISK_AGAIN_MINUTES)

    async def _give_up(self, attachment_id: str, fault: str, *, refused: bool) -> None:
        async with self._door.open() as desk:
            row = await attachments.given_up(desk, attachment_id, fault, refused=refused)
            if row is not None and row.officer_id:
                facts = {
                    "what": row.kind,
                    "number": await attachments.number_of(desk, row),
                    "fault": fault[:200],
                }
                subject = f"incident:{row.incident_id}" if row.incident_id else ""
                tell(desk, row.officer_id, Notice("attachment_missing", facts), subject=subject)
