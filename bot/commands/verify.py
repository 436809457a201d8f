"""`verify`: the log's hash chain, the digest of every attachment, and the database file itself."""

import asyncio
from pathlib import Path

import typer

from bot.commands import digests
from bot.commands.office import Office, open_office
from bot.commands.terminal import FAULTS, Invocation, complain, invocation, show
from bot.store.chain import Verification
from bot.store.sql import Database
from desk.ports import Media
from incidents.model import LogLine

PAGE = 2_000
SHOWN_MAX = 20


def verify(context: typer.Context) -> None:
    """Check that nothing was lost or changed."""
    call = invocation(context)
    if not call.config.is_shared and not call.config.database_path.exists():
        raise call.stop("no_database", path=call.config.database_path)
    faults = asyncio.run(_verify(call))
    if faults:
        complain(*faults[:SHOWN_MAX])
        complain(call.say("not_verified", count=len(faults)))
        raise typer.Exit(FAULTS)
    show(call.say("verified"))


async def _verify(call: Invocation) -> list[str]:
    async with open_office(call.config) as office:
        sick = await office.database.integrity() if isinstance(office.database, Database) else []
        faults = [call.say("file_fault", fault=fault) for fault in sick]
        faults += await _verify_log(call, office)
        faults += await check_attachments(call, office.door.read, office.media)
    return faults


async def _verify_log(call: Invocation, office: Office) -> list[str]:
    chain = Verification()
    while True:
        async with office.door.read() as store:
            page = await store.find(
                LogLine, sequence_from=chain.sequence + 1, order=("sequence",), limit=PAGE
            )
        if not page:
            break
        for line in page:
            chain.read(line)
    faults = chain.end()
    if not faults:
        show(call.say("log_sound", count=chain.sequence, hash=chain.hash))
    return [call.say(f"log_{one.fault.value}", sequence=one.sequence) for one in faults]


async def check_attachments(call: Invocation, read: digests.Read, media: Media) -> list[str]:
    """The sentences about files that are lost or changed."""
    count, faults = 0, list[str]()
    async for page in digests.stored(read):
        for one in page:
            count += 1
            try:
                found = await asyncio.to_thread(digests.digest_of, Path(media.path(one.digest)))
            except (OSError, ValueError):  # ValueError: the row names no digest any more.
                faults.append(call.say("attachment_lost", id=one.id, digest=one.digest))
                continue
            if found != one.digest:
                faults.append(call.say("attachment_changed", id=one.id, digest=one.digest))
    if not faults:
        show(call.say("attachments_sound", count=count))
    return faults
