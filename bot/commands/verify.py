"""`verify`: the log's hash chain, the digest of every attachment, and the database file itself."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.commands import digests
from bot.commands.office import Office, open_office
from bot.commands.terminal import FAULTS, Invocation, callers_path, complain, help_text, invocation, show
from bot.heads import head_of_backup, heads_path, read_heads, tell_head
from bot.store.chain import Verification
from bot.store.sql import Database
from desk.ports import Media
from incidents.model import Incident, LogLine

PAGE = 2_000
SHOWN_MAX = 20


def verify(
    context: typer.Context,
    backups: Annotated[
        list[Path] | None,
        typer.Option("--backup", metavar="PATH", parser=callers_path, help=help_text("verify_backup")),
    ] = None,
) -> None:
    """Check that nothing was lost or changed."""
    call = invocation(context)
    if not call.config.is_shared and not call.config.database_path.exists():
        raise call.stop("no_database", path=call.config.database_path)
    told = read_heads(heads_path(call.config))
    for folder in backups or ():
        try:
            told |= head_of_backup(folder)
        except (OSError, ValueError) as error:
            raise call.stop("not_a_backup", path=folder) from error
    faults = asyncio.run(_verify(call, told))
    if faults:
        complain(*faults[:SHOWN_MAX])
        complain(call.say("not_verified", count=len(faults)))
        raise typer.Exit(FAULTS)
    show(call.say("verified"))


async def _verify(call: Invocation, told: dict[int, str]) -> list[str]:
    async with open_office(call.config) as office:
        sick = await office.database.integrity() if isinstance(office.database, Database) else []
        faults = [call.say("file_fault", fault=fault) for fault in sick]
        faults += await _verify_log(call, office, told)
        faults += await check_attachments(call, office.door.read, office.media)
    return faults


async def _verify_log(call: Invocation, office: Office, told: dict[int, str]) -> list[str]:
    """The chain from its very first line, the heads told before, and a line for every incident there is."""
    chain, subjects = Verification(told), set[str]()
    after: int | None = None
    while True:
        more: dict[str, int] = {} if after is None else {"sequence_from": after + 1}
        async with office.door.read() as store:
            page = await store.find(LogLine, order=("sequence",), limit=PAGE, **more)
        for line in page:
            chain.read(line)
            subjects.add(line.subject)
        if len(page) < PAGE:
            break
        after = page[-1].sequence
    faults = [call.say(f"log_{one.fault.value}", sequence=one.sequence) for one in chain.end()]
    async with office.door.read() as store:
        incidents = await store.find(Incident)
    untold = [one.number for one in incidents if f"incident:{one.id}" not in subjects]
    faults += [call.say("log_without", number=number) for number in untold]
    if not faults:
        show(call.say("log_sound", count=chain.sequence, hash=chain.hash))
        tell_head(heads_path(call.config), chain.sequence, chain.hash, office.clock.now())
    return faults


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
