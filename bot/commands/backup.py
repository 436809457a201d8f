"""`backup`: a consistent copy of the database and its attachments, made while the desk works, of either database."""

import asyncio
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.clock import SystemClock
from bot.commands import digests
from bot.commands.backup_folder import (
    ATTACHMENTS,
    DATABASE,
    FORMAT,
    MANIFEST,
    Manifest,
    name_at,
    thin_out,
)
from bot.commands.office import Office, open_office
from bot.commands.terminal import Invocation, callers_path, complain, help_text, invocation, show
from bot.disk_watch import BACKED_UP
from bot.heads import head_of, heads_path, tell_head
from bot.intake import put_setting
from bot.store.copying import Differs, compare_all, copy_all, counts_of
from bot.store.migrations import head
from bot.store.sql import Database


def backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", parser=callers_path, help=help_text("backup_path"))],
    keep: Annotated[int | None, typer.Option(metavar="N", min=1, help=help_text("backup_keep"))] = None,
) -> None:
    """Copy the database and the attachments into a new folder."""
    call = invocation(context)
    folder = path
    if keep is not None:
        path = folder / name_at(SystemClock().now())
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise call.stop("backup_exists", path=path)
    if not call.config.is_shared and not call.config.database_path.exists():
        raise call.stop("no_database", path=call.config.database_path)
    faults = asyncio.run(_backup(call, path))
    if faults:
        complain(*faults)
        raise call.stop("backup_with_faults", path=path, count=len(faults))
    if keep is not None:
        thin_out(folder, keep)


async def _backup(call: Invocation, path: Path) -> list[str]:
    """Make the backup; the sentences about attachments that are lost or changed."""
    draft = path.with_name(f"{path.name}.part")
    if draft.exists():
        shutil.rmtree(draft)  # What an interrupted backup left.
    (draft / ATTACHMENTS).mkdir(parents=True)
    draft.chmod(0o700)
    try:
        async with open_office(call.config) as office:
            _need_space(call, draft)
            told = await _copy_database(call, office, draft / DATABASE)
            count, size, faults = await _copy_attachments(call, office, draft / ATTACHMENTS)
            manifest = Manifest(
                FORMAT,
                office.clock.now().isoformat(timespec="seconds"),
                call.config.office.name,
                head(),
                await asyncio.to_thread(digests.digest_of, draft / DATABASE),
                count,
                size,
                *told,
                records=await asyncio.to_thread(counts_of, draft / DATABASE),
            )
        written = draft / MANIFEST
        written.write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=2) + "\n", "utf-8")
        await asyncio.to_thread(_put_in_place, draft, path)
        async with open_office(call.config) as office, office.door.open() as desk:
            await put_setting(desk.store, BACKED_UP, desk.now.isoformat())
            tell_head(heads_path(call.config), *told, desk.now)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    megabytes = f"{size / 1e6:.1f}"
    show(call.say("backed_up", path=path, count=count, megabytes=megabytes))
    return faults


async def _copy_database(call: Invocation, office: Office, target: Path) -> tuple[int, str]:
    """The committed records as a file of SQLite; the sequence and hash of the last line their log is sure to have.

    Those of PostgreSQL are read in one snapshot, written record by record and compared: nothing but the desk's own
    drivers is needed, and the copy can be restored on either database."""
    if isinstance(office.database, Database):
        async with office.door.read() as store:
            told = await head_of(store)
        await office.database.backup(target)
        return told
    copied = Database(f"sqlite+aiosqlite:///{target}")
    await copied.start()
    try:
        async with office.database.read() as old:
            told = await head_of(old)
            async with copied.begin() as new:
                await copy_all(old, new)
                await compare_all(old, new)
    except Differs as found:
        raise call.stop("backup_differs", table=found) from found
    finally:
        await copied.close()
    return told


def _need_space(call: Invocation, draft: Path) -> None:
    """Refuses before it begins what the disk cannot hold; how large the copy of a server's records is shows later."""
    needed = 0 if call.config.is_shared else call.config.database_path.stat().st_size
    if call.config.attachments_path.is_dir():
        needed += sum(file.stat().st_size for file in call.config.attachments_path.glob("??/*"))
    free = shutil.disk_usage(draft).free
    if free < needed:
        needed_mb, free_mb = f"{needed / 1e6:.0f}", f"{free / 1e6:.0f}"
        raise call.stop("backup_no_space", path=draft.parent, needed=needed_mb, free=free_mb)


async def _copy_attachments(call: Invocation, office: Office, folder: Path) -> tuple[int, int, list[str]]:
    """Copy what the rows name; how many files, bytes, and the sentences about those that are lost or changed."""
    count, size, faults = 0, 0, list[str]()
    seen: set[str] = set()
    async for page in digests.stored(office.door.read):
        for one in page:
            if one.digest in seen:
                continue
            seen.add(one.digest)
            target = folder / one.digest[:2] / one.digest
            try:
                source = Path(office.media.path(one.digest))
                found = await asyncio.to_thread(digests.copy, source, target)
            except (FileNotFoundError, ValueError):  # ValueError: the row names no digest any more.
                faults.append(call.say("attachment_lost", id=one.id, digest=one.digest))
                continue
            if found != one.digest:
                faults.append(call.say("attachment_changed", id=one.id, digest=one.digest))
            count, size = count + 1, size + target.stat().st_size
    return count, size, faults


def _put_in_place(draft: Path, path: Path) -> None:
    for folder in (*draft.rglob("*/"), draft):
        digests.flush_folder(folder)
    if path.exists():
        path.rmdir()
    draft.rename(path)
    digests.flush_folder(path.parent)
