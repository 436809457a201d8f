"""`check`: every part in one line each, with the cure where one is needed."""

import asyncio
import json
import tempfile
from dataclasses import replace
from typing import Annotated

import typer

from bot.commands.findings import Finding, State, fault, ok, warning
from bot.commands.terminal import DONE, FAULTS, USAGE, Invocation, help_text, invocation, show
from bot.config import Config, ConfigFaults
from bot.logging import Redaction

MARKS = {State.ok: "✓", State.warning: "!", State.fault: "✗"}


def check(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help=help_text("json"))] = False
) -> None:
    """Look at every part the desk needs."""
    call = invocation(context)
    try:
        config = call.config
    except ConfigFaults as faults:
        _tell([fault("config", sentence) for sentence in faults.sentences], as_json, Redaction())
        raise typer.Exit(USAGE) from faults
    found = asyncio.run(_look(call, config))
    _tell(found, as_json, Redaction(config.secrets))
    raise typer.Exit(FAULTS if any(one.state is State.fault for one in found) else DONE)


def _tell(found: list[Finding], as_json: bool, redaction: Redaction) -> None:
    is_good = all(one.state is not State.fault for one in found)
    if as_json:
        told = {"ok": is_good, "checks": [one.as_json() for one in found]}
        show(redaction.text(json.dumps(told, ensure_ascii=False, indent=2)))
        return
    for one in found:
        show(redaction.text(f"{MARKS[one.state]} {one.part}: {' '.join(one.text.split())}"))


async def _look(call: Invocation, config: Config) -> list[Finding]:
    from bot.commands.channel_checks import check_channels, check_clock
    from bot.commands.machine_checks import check_database, check_folders, check_port
    from bot.commands.office import is_running, open_office
    from bot.commands.roster_checks import check_calendar, check_roster
    from bot.store import opening
    from bot.store.migrations import head

    mode = "config_town" if config.demonstration else "config_ok"
    found = [ok("config", call.say(mode, path=config.path or "-"))]
    found += [warning("config", sentence) for sentence in config.warnings]
    found.append(await check_database(config, call.say))
    found += check_folders(config, call.say)
    found.append(check_port(config, call.say, is_running(config)))
    if any(one.part in ("database", "data") and one.state is State.fault for one in found):
        return found  # Everything else stands on it.
    is_there = await opening.current(config.database.url) == head()
    with tempfile.TemporaryDirectory() as folder:
        # To look must not make or migrate the database: without one at our schema, an empty one stands in.
        stand_in = replace(config.database, url=f"sqlite+aiosqlite:///{folder}/empty.db", auto_migrate=True)
        async with open_office(config if is_there else replace(config, database=stand_in)) as office:
            found += await check_clock(office, call.say)
            found += await check_channels(office, call.say)
            found.append(check_calendar(office.door.policy, office.clock.now(), call.say))
            if is_there:
                found += await check_roster(office, call.say)
    return found
