"""Takes a file into the desk: read apart, checked whole, then all rows or none in one transaction."""

from dataclasses import dataclass
from pathlib import Path

from bot.sheets.faults import Fault
from desk.ports import Door


@dataclass(frozen=True)
class Result:
    """What an import did, or would do: lines ready to print, or the faults that stopped it."""

    lines: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()  # When there is one, nothing was imported; `fault.text(language)` is the line.
    changed: int = 0  # Rows added, changed and removed; 0 when the file says what the desk knows.


async def import_units(door: Door, path: Path, *, dry_run: bool = False) -> Result:
    """Take units from a file; with `dry_run` only say what would change."""
    return Result()


async def import_people(door: Door, path: Path, *, dry_run: bool = False) -> Result:
    """Take people from a file; with `dry_run` only say what would change. Nobody is removed."""
    return Result()


async def import_roster(door: Door, path: Path, *, unit: str = "", dry_run: bool = False) -> Result:
    """Take a roster from a file; `unit` names whose it is when the file has no column for it."""
    return Result()
