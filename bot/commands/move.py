"""`move`: an office goes from its SQLite file to PostgreSQL, whole and compared record by record, or not at all."""

import asyncio
from typing import Annotated

import typer

from bot.clock import SystemClock
from bot.commands.terminal import USAGE, Invocation, complain, help_text, invocation, show
from bot.commands.verify import check_attachments
from bot.config.faults import Wrong
from bot.config.rules import a_database
from bot.media import MediaFolder
from bot.queue.guard import AlreadyRunning, only_process
from bot.store.chain import verify_log
from bot.store.copying import Differs, NotEmpty, compare_all, copy_all
from bot.store.opening import is_shared, open_database, place_of
from bot.store.sql import Database

SHOWN_MAX = 20


def move(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="URL", help=help_text("move_to"))],
) -> None:
    """Copy every record into an empty PostgreSQL database; the file stays as it is."""
    call = invocation(context)
    config = call.config
    if config.is_shared or not _is_good(to):
        raise call.stop("move_wrong_way", USAGE)
    if not config.database_path.exists():
        raise call.stop("no_database", path=config.database_path)
    try:
        with only_process(config.database_path, SystemClock()):
            faults = asyncio.run(_move(call, to))
    except AlreadyRunning as running:
        raise call.stop("move_while_running", pid=running.pid or "?") from running
    if faults:
        complain(*faults[:SHOWN_MAX])
        raise call.stop("moved_with_faults", count=len(faults))


def _is_good(url: str) -> bool:
    """Whether it is an address of PostgreSQL as config.toml takes it."""
    try:
        a_database(url)
    except Wrong:
        return False
    return is_shared(url)


async def _move(call: Invocation, to: str) -> list[str]:
    """Copy and compare in one transaction; the sentences about attachments that are not in the folder as promised."""
    source, target = Database(call.config.database.url), open_database(to)
    await source.start()
    try:
        await target.start()
        async with source.read() as old, target.begin() as new:
            count = await copy_all(old, new)
            await compare_all(old, new)
            chain = await verify_log(new)
            if chain.faults:
                raise Differs("duty_log")
        faults = await check_attachments(call, source.read, MediaFolder(call.config.attachments_path))
    except NotEmpty as there:
        raise call.stop("move_not_empty", place=place_of(to)) from there
    except Differs as found:
        raise call.stop("move_differs", table=found) from found
    finally:
        await target.close()
        await source.close()
    show(call.say("moved", count=count, place=place_of(to), sequence=chain.sequence, hash=chain.hash))
    return faults
