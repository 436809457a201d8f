"""Files that come with reports: fetched, tried again, or flagged and asked for; the report never waits."""

import errno
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk.attachments import given_up
from desk.board_troubles import read_troubles
from desk.model import Job, Letter, Setting
from desk.ports import FetchFailed
from incidents.model import Attachment, AttachmentState
from roster.model import Role
from tests.bot.machine import Machine, open_machine

BYTES = b"a photo" * 1000
DIGEST = hashlib.sha256(BYTES).hexdigest()
BROKEN = FetchFailed("ReadTimeout", permanent=False)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with open_machine(tmp_path) as opened:
        await opened.people("甲")
        await opened.people("办", role=Role.office)
        yield opened


async def come(machine: Machine, *files: bytes | Exception, name: str = "f", channel: str = "line") -> None:
    """A file came with a report: its bytes, or what happens when they are asked for."""
    if files:
        machine.lines["line"].files[name] = deque(files)
    async with machine.door.open() as desk:
        await desk.store.add(
            Attachment(name, channel, name, "photo", desk.now, officer_id="甲", incident_id="i")
        )
        desk.due("fetch", name, desk.now)


async def ended(machine: Machine, name: str = "f") -> Attachment:
    """The attachment once nobody tries any more."""
    [row] = await machine.until(
        lambda rows: rows[0].state is not AttachmentState.waiting, Attachment, id=name
    )
    return row


async def test_bytes_are_on_disk_before_the_row_names_them(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    true_fsync = os.fsync

    def fsync(number: int) -> None:
        order.append("flushed")
        true_fsync(number)

    monkeypatch.setattr("bot.media.os.fsync", fsync)
    await come(machine, BYTES[:3000], BYTES[3000:])
    async with machine.running():
        row = await ended(machine)
    assert (row.state, row.digest, row.bytes_count) == (AttachmentState.stored, DIGEST, len(BYTES))
    assert Path(machine.media.path(DIGEST)).read_bytes() == BYTES
    assert order[0] == "flushed" and len(order) >= 2  # The file, then the folder that names it.
    assert [one["digest"] for one in await machine.log("attachment_stored")] == [DIGEST]


async def test_fault_36_a_line_that_breaks_is_tried_again_until_the_file_is_here(machine: Machine) -> None:
    await come(machine, BROKEN, BROKEN, BROKEN, BYTES)
    async with machine.running():
        for attempts in (1, 2, 3):
            [job] = await machine.until(lambda jobs: jobs[0].attempts == attempts, Job)  # noqa: B023  # Awaited here.
            machine.clock.at = job.due_at
            machine.queue.wake()
        row = await ended(machine)
    assert (row.state, row.digest) == (AttachmentState.stored, DIGEST)
    assert await machine.find(Letter) == []


async def test_fault_36_what_stays_out_of_reach_is_flagged_and_its_sender_is_asked_once(
    machine: Machine,
) -> None:
    await come(machine, *[BROKEN] * 20)
    began_at = machine.clock.at
    async with machine.running():
        for attempts in range(1, 6):
            [job] = await machine.until(lambda jobs: jobs[0].attempts == attempts, Job)  # noqa: B023  # Awaited here.
            machine.clock.at = job.due_at
            machine.queue.wake()
        row = await ended(machine)
        assert (row.state, row.fault) == (AttachmentState.lost, "ReadTimeout")
        assert (machine.clock.at - began_at).total_seconds() > 600  # Not before ten minutes.
        await machine.idle()
    [asked] = await machine.find(Letter)
    assert (asked.kind, asked.officer_id, asked.facts["what"]) == ("attachment_missing", "甲", "photo")
    assert len(await machine.log("attachment_missing")) == 1


@pytest.mark.parametrize(
    "fault", [FetchFailed("file is too big", permanent=True), FetchFailed("expired", permanent=True)]
)
async def test_fault_36_what_can_never_be_had_is_said_at_once(machine: Machine, fault: FetchFailed) -> None:
    await come(machine, fault)
    async with machine.running():
        row = await ended(machine)
        await machine.idle()
    assert (row.state, row.fault) == (AttachmentState.refused, str(fault))
    assert [one.kind for one in await machine.find(Letter)] == ["attachment_missing"]
    assert machine.lines["line"].fetches == 1


async def test_a_file_larger_than_allowed_is_cut_off_and_said(machine: Machine) -> None:
    piece = b"x" * 1024 * 1024
    await come(machine, *[piece] * 21)
    async with machine.running():
        row = await ended(machine)
    assert row.state is AttachmentState.refused and "20971520 bytes" in row.fault


async def test_a_file_of_a_channel_that_is_gone_is_flagged(machine: Machine) -> None:
    await come(machine, channel="pigeon")
    async with machine.running():
        row = await ended(machine)
    assert row.state is AttachmentState.lost and "pigeon" in row.fault


async def test_the_same_bytes_twice_are_one_file(machine: Machine) -> None:
    await come(machine, BYTES, name="one")
    await come(machine, BYTES, name="two")
    async with machine.running():
        rows = [await ended(machine, "one"), await ended(machine, "two")]
    assert [row.digest for row in rows] == [DIGEST, DIGEST]
    assert sum(one.is_file() for one in (machine.folder / "media").rglob("*")) == 1


async def test_fault_23_a_full_disk_is_waited_for_told_once_and_nothing_is_lost(machine: Machine) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    await come(machine, *[full] * 12, BYTES)
    async with machine.running():
        for fetches in range(1, 13):
            await machine.until(lambda _: machine.lines["line"].fetches == fetches, Attachment)  # noqa: B023  # Awaited here.
            await machine.at_rest()
            [job] = await machine.find(Job, kind="fetch")
            assert (job.attempts, job.parked) == (0, False)
            machine.move(minutes=1)
        row = await ended(machine)
        await machine.idle()
    assert row.state is AttachmentState.stored
    told = await machine.find(Letter, kind="trouble", order=("made_at",))
    assert [(one.officer_id, one.facts.get("over", False)) for one in told] == [("办", False), ("办", True)]
    async with machine.door.read() as store:
        assert await read_troubles(store, machine.clock.now()) == ((), 0)


async def test_a_fetch_that_came_twice_or_too_late_changes_nothing(machine: Machine) -> None:
    await come(machine, BYTES)
    [job] = await machine.find(Job)
    await machine.fetcher.fetch([job])
    await machine.fetcher.fetch([job])
    assert machine.lines["line"].fetches == 1
    await come(machine, BYTES, name="late")
    async with machine.door.open() as desk:
        await given_up(desk, "late", "gone", refused=False)
    [job] = await machine.find(Job, ref="late")
    await machine.fetcher.fetch([job])
    assert machine.lines["line"].fetches == 1
    assert len(await machine.log("attachment_stored")) == 1
    assert await machine.find(Setting, id="trouble/attachments/store") == []


async def test_a_fault_nobody_foresaw_is_parked_where_people_see_it(machine: Machine) -> None:
    await come(machine, *[ZeroDivisionError("a bug")] * 20)
    async with machine.running():
        for attempts in range(1, 7):
            [job] = await machine.until(lambda jobs: jobs[0].attempts == attempts, Job)  # noqa: B023  # Awaited here.
            machine.clock.at = job.due_at
            machine.queue.wake()
    assert job.parked
    async with machine.door.read() as store:
        [trouble], _ = await read_troubles(store, machine.clock.now())
    assert (trouble.kind, trouble.what) == ("job", "fetch")
