"""`run` and `migrate`: the whole desk, and its database's schema."""

import asyncio
import sys
from typing import Annotated

import typer

from bot.commands.terminal import USAGE, complain, help_text, invocation, show

ROLES = ("all", "web", "worker")
SWITCH_SECONDS = 0.0005


def run(
    context: typer.Context,
    role: Annotated[str, typer.Option(metavar="|".join(ROLES), help=help_text("role"))] = "all",
) -> None:
    """Run the desk until it is told to stop."""
    call = invocation(context)
    config = call.config
    if role not in ROLES:
        hint = call.nearest(role, ROLES)
        raise call.stop("bad_role", USAGE, role=role, roles=", ".join(ROLES), hint=hint)
    if role != "all" and not config.is_shared:
        raise call.stop("role_needs_more", USAGE, role=role)
    import uvloop  # Here, so that the other commands start without the desk's parts.

    from bot import app
    from bot.logging import set_up

    set_up(config.log.level, config.log.format, config.secrets)
    complain(*config.warnings, secrets=config.secrets)
    # The database's thread waits for the interpreter at each of its steps: 5 ms, the default, is longer than a commit.
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(app.run(config, role))
    raise typer.Exit(code)


def migrate(context: typer.Context) -> None:
    """Bring the database to the newest schema."""
    from bot.store import opening
    from bot.store.migrations import head

    call = invocation(context)
    url = call.config.database.url
    place = opening.place_of(url)
    before = asyncio.run(opening.current(url))
    if before == head():
        show(call.say("migrated_already", path=place, head=head()))
        return
    asyncio.run(opening.upgrade(url))
    kind = "migrated" if before else "migrated_new"
    show(call.say(kind, path=place, before=before, head=head()))
