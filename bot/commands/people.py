"""`people`: take somebody out of the office, let them back in, end the links that open their phone page."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from bot.commands.invite import find_people
from bot.commands.office import open_office
from bot.commands.terminal import Invocation, help_text, invocation, show
from desk import departures
from desk.ports import Desk
from roster.model import Officer, Unit

Act = Callable[[Desk, Officer], Awaitable[tuple[str, dict[str, object]]]]  # The sentence, and its facts.
Names = Annotated[list[str], typer.Argument(metavar="NAME", help=help_text("people_names"))]

app = typer.Typer(help=help_text("people"))


@app.command(help=help_text("people_deactivate"))
def deactivate(context: typer.Context, names: Names) -> None:
    """Take people out of the office at once."""
    asyncio.run(_each(invocation(context), names, _deactivate))


@app.command(help=help_text("people_reactivate"))
def reactivate(context: typer.Context, names: Names) -> None:
    """Let people back into the office."""
    asyncio.run(_each(invocation(context), names, _reactivate, active=False))


@app.command("revoke-links", help=help_text("people_revoke"))
def revoke_links(context: typer.Context, names: Names) -> None:
    """End the personal web links of people."""
    asyncio.run(_each(invocation(context), names, _revoke))


async def _each(call: Invocation, names: list[str], act: Act, *, active: bool = True) -> None:
    """All of them or, with one sentence, nobody."""
    said = []
    async with open_office(call.config) as office:
        try:
            async with office.door.open() as desk:
                units = {unit.id: unit.name for unit in await desk.store.find(Unit)}
                language = call.config.office.language
                for one in await find_people(desk.store, names, language, units, active=active):
                    word, facts = await act(desk, one)
                    said.append(call.say(word, name=one.name, **facts))
        except departures.Refused as refusal:  # Of its reasons only this one is left here.
            raise call.stop("not_out_last") from refusal
    show(*said)


async def _deactivate(desk: Desk, one: Officer) -> tuple[str, dict[str, object]]:
    held = await departures.held_by(desk.store, one.id, desk.now)
    await departures.deactivate(desk, one.id, None)
    return "person_out", {"incidents": " ".join(held.incidents) or "-", "watches": held.watches}


async def _reactivate(desk: Desk, one: Officer) -> tuple[str, dict[str, object]]:
    await departures.reactivate(desk, one.id, None)
    return "person_back", {}


async def _revoke(desk: Desk, one: Officer) -> tuple[str, dict[str, object]]:
    return "links_ended", {"count": await departures.revoke_links(desk, one.id, None)}
