"""`restore`: puts a backup in the place of the database, which is kept aside."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from bot.clock import SystemClock
from bot.commands import digests
from bot.commands.backup import ATTACHMENTS, DATABASE, FORMAT, MANIFEST, Manifest
from bot.heads import heads_path
from bot.commands.terminal import Invocation, complain, help_text, invocation, show
from bot.config import Config
from bot.media import MediaFolder
from bot.queue.guard import AlreadyRunning, only_process
from bot.store import files, soundness
from bot.store.sql import Database

BESIDES = ("-wal", "-shm", "-journal")


def restore(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help=help_text("restore_path"))],
) -> None:
    """Check a backup whole, then put it in place."""
    call = invocation(context)
    config, clock = call.config, SystemClock()
    if config.is_shared:
        raise call.stop("backup_elsewhere")
    manifest = _read(call, path)
    config.database_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with only_process(config.database_path, clock):
            _check(call, path, manifest)
            _bring_attachments(config, path / ATTACHMENTS)
            stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
            aside = _swap(config, path / DATABASE, f"before-{stamp}")
    except AlreadyRunning as running:
        raise call.stop("restore_while_running", pid=running.pid or "?") from running
    asyncio.run(_open_once(config))
    show(call.say("restored", made_at=manifest.made_at, count=manifest.attachments_count))
    if aside is not None:
        show(call.say("kept_aside", path=aside))


def _read(call: Invocation, path: Path) -> Manifest:
    try:
        facts = json.loads((path / MANIFEST).read_text("utf-8"))
        manifest = Manifest(**facts)
    except (OSError, ValueError, TypeError) as error:
        raise call.stop("not_a_backup", path=path) from error
    if manifest.format != FORMAT or type(manifest.attachments_count) is not int:
        raise call.stop("not_a_backup", path=path)
    return manifest


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
    if (heads := heads_path(config)).exists():  # Told of a log that is kept aside now.
        heads.replace(heads.with_name(f"{heads.name}.{word}"))
    digests.flush_folder(path.parent)
    return aside


async def _open_once(config: Config) -> None:
    """Brings an older backup to the newest schema and shows that the database opens. Raises StoreRefused."""
    if config.database.auto_migrate:
        await files.upgrade(config.database.url)
    database = Database(config.database.url, auto_migrate=config.database.auto_migrate)
    await database.start()
    await database.close()
