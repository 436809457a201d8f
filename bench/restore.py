"""Restore: last night's backup of an office with years behind it, onto a clean machine, by one command and verified."""

import asyncio
import hashlib
import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench import postgresql
from bench.incidents import fire
from bench.office import FIRST_CHAT, ROOT, Office, fill, make_office, update
from bench.result import Result
from bot.clock import SystemClock
from bot.media import MediaFolder
from bot.store.chain import START, link
from desk.model import InboxRow, InboxState, Lane, Letter, LetterState
from desk.ports import LogEntry, Transactions, ulid
from incidents.model import Attachment, AttachmentState, Incident, State

INCIDENTS = 100_000
KINDS = ("incident_received", "acknowledged", "closed")  # Of the log's lines for each.
PHOTOS = 2_000
PHOTO_BYTES = 100_000
SECONDS_MAX = 120.0
AT_ONCE = 5_000
NOBODY = "http://127.0.0.1:9/bot"  # No platform is called.


async def measure() -> list[Result]:
    """Seconds of one `restore` of the last backup in a folder, for a file of SQLite and for an empty server."""
    with tempfile.TemporaryDirectory() as folder, postgresql.database() as url:
        office = make_office(Path(folder), NOBODY)
        database = office.database
        await database.start()
        await fill(database, 500)
        records = await _live_for_years(office, database)
        await database.close()
        seconds = await _run(office, "backup", f"{folder}/backups", "--keep", "14")
        _lose_everything(office)
        results = [await _restore(office, "restore", records, seconds)]
        _lose_everything(office)
        there = make_office(Path(folder), NOBODY, url)
        result = await _restore(there, "restore_postgres", records, None)
        seconds = await _run(there, "backup", f"{folder}/backups", "--keep", "14")
        results.append(replace(result, how=f"{result.how}; a backup of it took {seconds:.0f} s"))
    return results


async def _restore(office: Office, name: str, records: int, backup: float | None) -> Result:
    seconds = await _run(office, "restore", f"{office.folder}/backups")
    verify = await _run(office, "verify")
    how = f"{INCIDENTS:,} incidents, {records:,} records, {PHOTOS:,} photos of {PHOTO_BYTES // 1000} kB; "
    how += f"log, records and files checked; `verify` took {verify:.0f} s"
    if backup is not None:
        how += f"; its backup took {backup:.0f} s"
    return Result(name, seconds, "s", None, None, f"<= {SECONDS_MAX:g} s", seconds <= SECONDS_MAX, how)


def _lose_everything(office: Office) -> None:
    """The disk is gone; only the backups are elsewhere."""
    shutil.rmtree(office.folder / "attachments")
    for file in office.folder.glob("muster.db*"):
        file.unlink()


async def _run(office: Office, *words: str) -> float:
    """Seconds of a command that must do what it says. Raises RuntimeError."""
    command = [sys.executable, "-m", "bot", *words, "--config", str(office.config)]
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    if process.returncode:
        raise RuntimeError(said)
    return time.perf_counter() - began


async def _live_for_years(office: Office, database: Transactions) -> int:
    """Incidents with their log lines, letters and inbox rows, and photos on disk; how many records."""
    now = SystemClock().now()
    previous, sequence, count = START, 0, 0
    for start in range(0, INCIDENTS, AT_ONCE):
        records: list[Any] = []
        for number in range(start, min(start + AT_ONCE, INCIDENTS)):
            at = now - timedelta(minutes=5 * (INCIDENTS - number))
            incident = _incident(number, at)
            records += [incident, _inbox_row(number, at), *_letters(incident, at)]
            for kind in KINDS:
                entry = LogEntry(
                    at, kind, f"incident:{incident.id}", "officer-1", {"number": incident.number}
                )
                sequence += 1
                records.append(link(previous, sequence, entry))
                previous = records[-1].hash
        count += len(records)
        async with database.begin() as store:
            await store.add(*records)
    photos = await asyncio.to_thread(_photos, office, now)
    async with database.begin() as store:
        await store.add(*photos)
    return count + len(photos)


def _incident(number: int, at: datetime) -> Incident:
    return replace(fire(number, at), state=State.closed, closed_at=at + timedelta(hours=2))


def _inbox_row(number: int, at: datetime) -> InboxRow:
    raw = update("联丰路五金厂二楼起火，有浓烟") % {"n": number, "c": FIRST_CHAT + number % 500}
    return InboxRow(f"telegram/{number}", "telegram", f"{number % 500}", at, raw.encode(), InboxState.heard)


def _letters(incident: Incident, at: datetime) -> list[Letter]:
    """The page to whoever had the watch, and the receipt."""
    facts = {"number": incident.number, "title": incident.title, "place": "联丰路", "text": incident.title}
    return [
        Letter(
            ulid(at),
            kind,
            facts,
            (),
            Lane.urgent,
            at,
            subject=f"incident:{incident.id}",
            officer_id=incident.reporter_id,
            state=LetterState.sent,
            remote_id=incident.number,
            sent_at=at,
        )
        for kind in ("incident_page", "report_filed")
    ]


def _photos(office: Office, now: datetime) -> list[Attachment]:
    media = MediaFolder(office.folder / "attachments")
    media.open()
    rows = []
    for number in range(PHOTOS):
        content = random.Random(number).randbytes(PHOTO_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        path = Path(media.path(digest))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        state = AttachmentState.stored
        rows.append(
            Attachment(
                ulid(now),
                "telegram",
                f"photo-{number}",
                "photo",
                now,
                bytes_count=PHOTO_BYTES,
                digest=digest,
                state=state,
            )
        )
    return rows
