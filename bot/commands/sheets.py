"""`import` and `export`: people, units and rosters from files, and what the desk knows into files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.office import Office, open_office
from bot.commands.terminal import FAULTS, USAGE, Invocation, Stop, callers_path, help_text, invocation, show
from bot.sheets.exports import WHAT, CannotExport, export
from bot.sheets.imports import Result, import_people, import_roster, import_units

import_app = typer.Typer(help=help_text("import"))

File = Annotated[Path, typer.Argument(metavar="FILE", parser=callers_path, help=help_text("import_file"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=help_text("dry_run"))]


@import_app.command("people", help=help_text("import_people"))
def people(context: typer.Context, file: File, dry_run: DryRun = False) -> None:
    """Take people from a file."""
    _import(invocation(context), lambda office: import_people(office.door, file, dry_run=dry_run))


@import_app.command("units", help=help_text("import_units"))
def units(context: typer.Context, file: File, dry_run: DryRun = False) -> None:
    """Take units from a file."""
    _import(invocation(context), lambda office: import_units(office.door, file, dry_run=dry_run))


@import_app.command("roster", help=help_text("import_roster"))
def roster(
    context: typer.Context,
    file: File,
    dry_run: DryRun = False,
    unit: Annotated[str, typer.Option(help=help_text("import_unit"))] = "",
) -> None:
    """Take a roster from a file."""
    _import(
        invocation(context),
        lambda office: import_roster(office.door, file, unit=unit, dry_run=dry_run),
    )


def export_file(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="|".join(WHAT), help=help_text("export_what"))],
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=callers_path, help=help_text("export_file"))],
) -> None:
    """Write what the desk knows into a file."""
    call = invocation(context)
    if what not in WHAT:
        raise call.stop("bad_export", USAGE, what=what, known=", ".join(WHAT), hint=call.nearest(what, WHAT))

    async def act() -> None:
        async with open_office(call.config) as office:
            try:
                written = await export(office.door, what, file)
            except CannotExport as fault:
                raise Stop(fault.text(call.config.office.language)) from fault
        show(written.line)

    asyncio.run(act())


def _import(call: Invocation, take: Callable[[Office], Awaitable[Result]]) -> None:
    async def act() -> Result:
        async with open_office(call.config) as office:
            return await take(office)

    result = asyncio.run(act())
    # The file is the operator's own: its telephone numbers are shown where they are wrong.
    show(*result.lines, to=sys.stderr if result.faults else None)
    if result.faults:
        raise typer.Exit(FAULTS)
