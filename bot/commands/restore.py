"""`restore`: puts a backup in the place of the database, which is kept aside, or into an empty one of PostgreSQL."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bot.clock import SystemClock
from bot.commands import digests
from bot.commands.backup_folder import (
    ATTACHMENTS,
    DATABASE,
    MANIFEST,
    Manifest,
    name_at,
    nights,
    read_manifest,
)
from bot.commands.terminal import Invocation, callers_path, complain, help_text, invocation, show
from bot.config import Config
from bot.heads import heads_path
from bot.media import MediaFolder
from bot.queue.guard import AlreadyRunning, only_process
from bot.store import files, soundness
from bot.store.chain import verify_log
from bot.store.copying import Differs, NotEmpty, compare_all, copy_all, counts_of, refuse_records
from bot.store.opening import OpenDatabase, open_database, place_of
from bot.store.sql import Database

BESIDES = ("-wal", "-shm", "-journal")
SHOWN_MAX = 20


def restore(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", parser=callers_path, help=help_text("restore_path"))
    ],
) -> None:
    """Check a backup whole, then put it in place."""
    call = invocation(context)
    config = call.config
    path, manifest = _read(call, path)
    aside = None
    if config.is_shared:
        faults = asyncio.run(_fill_server(call, path, manifest))
    else:
        config.database_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with only_process(config.database_path, SystemClock()):
                _check(call, path, manifest)
                _bring_attachments(config, path / ATTACHMENTS)
                aside = _swap(config, path / DATABASE, _aside_word())
                faults = asyncio.run(_open_once(call, manifest))
        except AlreadyRunning as running:
            raise call.stop("restore_while_running", pid=running.pid or "?") from running
    facts = {"made_at": manifest.made_at, "count": manifest.attachments_count, "path": path}
    show(call.say("restored", records=sum(manifest.records.values()), **facts))
    if aside is not None:
        show(call.say("kept_aside", path=aside))
    if faults:
        complain(*faults[:SHOWN_MAX])
        raise call.stop("restored_with_faults", count=len(faults))


def _read(call: Invocation, path: Path) -> tuple[Path, Manifest]:
    """The backup, and what it says of itself; of a folder of nightly backups the last one."""
    if not (path / MANIFEST).exists() and (whole := nights(path)):
        path = whole[-1]
    try:
        return path, read_manifest(path)
    except ValueError as error:
        raise call.stop("not_a_backup", path=path) from error


def _aside_word() -> str:
    return f"before-{name_at(SystemClock().now())}"


def _check(call: Invocation, path: Path, manifest: Manifest) -> None:
    """Refuses a backup that is not whole, naming everything that is wrong with it."""
    faults: list[str] = []
    try:
        if digests.digest_of(path / DATABASE) != manifest.database_sha256:
            faults.append(call.say("backup_database_changed", path=path / DATABASE))
    except FileNotFoundError:
        faults.append(call.say("backup_database_changed", path=path / DATABASE))
    found = sorted((path / ATTACHMENTS).glob("??/*"))
    changed = [file for file in found if digests.digest_of(file) != file.name]
    faults += [call.say("backup_attachment_changed", path=file) for file in changed]
    if len(found) < manifest.attachments_count:
        facts = {"found": len(found), "count": manifest.attachments_count}
        faults.append(call.say("backup_attachments_missing", **facts))
    if not faults and manifest.records and counts_of(path / DATABASE) != manifest.records:
        faults.append(call.say("backup_database_changed", path=path / DATABASE))
    if faults:
        complain(*faults)
        raise call.stop("backup_not_whole", path=path)


def _bring_attachments(config: Config, folder: Path) -> None:
    """Adds the files that are not here; those that are stay, because a name says its content."""
    media = MediaFolder(config.attachments_path)
    media.open()
    for file in sorted(folder.glob("??/*")):
        target = Path(media.path(file.name))
        if not target.is_file() or digests.digest_of(target) != file.name:
            digests.copy(file, target)
            digests.flush_folder(target.parent)


def _swap(config: Config, source: Path, word: str) -> Path | None:
    """Puts the database in place in one step; the one before, with its log, is returned under another name.

    Raises StoreRefused, nothing touched, when this program cannot use the backup's database."""
    path = config.database_path
    draft = path.with_name(f"{path.name}.restoring")
    digests.copy(source, draft)
    try:
        soundness.inspect(draft)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        for suffix in BESIDES:
            draft.with_name(f"{draft.name}{suffix}").unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.{word}") if path.exists() else None
    if aside is not None:
        os.link(path, aside)
    for suffix in BESIDES:
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists() and aside is not None:
            shutil.move(beside, aside.with_name(f"{aside.name}{suffix}"))
        beside.unlink(missing_ok=True)
    draft.replace(path)
    _put_heads_aside(config, word)
    digests.flush_folder(path.parent)
    return aside


def _put_heads_aside(config: Config, word: str) -> None:
    """They were told of a log that is kept aside, or gone."""
    if (heads := heads_path(config)).exists():
        heads.replace(heads.with_name(f"{heads.name}.{word}"))


async def _open_once(call: Invocation, manifest: Manifest) -> list[str]:
    """Brings an older backup to the newest schema and looks at what is there now. Raises StoreRefused."""
    config = call.config
    if config.database.auto_migrate:
        await files.upgrade(config.database.url)
    database = Database(config.database.url, auto_migrate=config.database.auto_migrate)
    await database.start()
    try:
        return await _look(call, database, manifest)
    finally:
        await database.close()


async def _fill_server(call: Invocation, path: Path, manifest: Manifest) -> list[str]:
    """Copies the records into an empty database, compared one by one, all or nothing; what is wrong with them."""
    config = call.config
    await asyncio.to_thread(_check, call, path, manifest)
    target = open_database(config.database.url, auto_migrate=config.database.auto_migrate)
    await target.start()
    try:
        with tempfile.TemporaryDirectory(prefix="muster-restore-") as folder:
            # A copy, because opening it writes, and that of an older program is brought to our schema.
            draft = Path(folder) / DATABASE
            await asyncio.to_thread(digests.copy, path / DATABASE, draft)
            source = Database(f"sqlite+aiosqlite:///{draft}")
            await source.start()
            try:
                async with target.read() as store:
                    await refuse_records(store)
                # First: no row ever names bytes that are not there.
                await asyncio.to_thread(_bring_attachments, config, path / ATTACHMENTS)
                async with source.read() as old, target.begin() as new:
                    await copy_all(old, new)
                    await compare_all(old, new)
                _put_heads_aside(config, _aside_word())
            finally:
                await source.close()
        return await _look(call, target, manifest)
    except NotEmpty as there:
        raise call.stop("restore_not_empty", place=place_of(config.database.url)) from there
    except Differs as found:
        raise call.stop("move_differs", table=found) from found
    finally:
        await target.close()


async def _look(call: Invocation, database: OpenDatabase, manifest: Manifest) -> list[str]:
    """The sentences about a log that is broken, or is not the one the backup told of, and about lost attachments."""
    published = {manifest.log_sequence: manifest.log_hash} if manifest.log_sequence else {}
    async with database.read() as store:
        chain = await verify_log(store, published)
    faults = [call.say(f"log_{one.fault.value}", sequence=one.sequence) for one in chain.faults]
    media = MediaFolder(call.config.attachments_path)
    async for page in digests.stored(database.read):
        for one in page:
            if not await asyncio.to_thread(_is_there, media, one.digest):
                faults.append(call.say("attachment_lost", id=one.id, digest=one.digest))
    if not faults:
        show(call.say("log_sound", count=chain.sequence, hash=chain.hash))
    return faults


def _is_there(media: MediaFolder, digest: str) -> bool:
    try:
        return Path(media.path(digest)).is_file()
    except ValueError:  # The row names no digest any more.
        return False
