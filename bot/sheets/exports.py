"""Writes what the desk knows into a file whose name says the format."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.sheets.export_rows import COLUMNS, ROWS
from bot.sheets.tabulating import Tabulator
from bot.sheets.words import say
from bot.sheets.writers import CsvWriter, IcsWriter, JsonWriter, Writer, XlsxWriter
from desk.ports import Door

WHAT = tuple(COLUMNS)  # people, units, roster, incidents, roll-calls, log
_EVERYWHERE = (".xlsx", ".csv", ".json")
_MORE: Mapping[str, tuple[str, ...]] = {"incidents": (".geojson",), "roster": (".ics",)}


@dataclass(frozen=True)
class Exported:
    """How many rows went into the file, and the line that says so."""

    rows: int
    line: str


class CannotExport(Exception):
    """This cannot be written so; `text` in the office's language is the line to print, with the cure."""

    def __init__(self, kind: str, **facts: object) -> None:
        super().__init__(kind)
        self.kind, self.facts = kind, facts

    def text(self, language: str) -> str:
        """What is wrong and the cure."""
        return say(language, "export", self.kind, self.facts)


def formats(what: str) -> tuple[str, ...]:
    """The endings that a kind of export can have."""
    return _EVERYWHERE + _MORE.get(what, ())


async def export(door: Door, what: str, path: Path) -> Exported:
    """Write one of WHAT, all of it as it is at one moment. Raises CannotExport and leaves no half file."""
    if what not in COLUMNS:
        raise CannotExport("unknown_what", what=what, of=list(WHAT))
    if path.suffix.lower() not in formats(what):
        raise CannotExport("unknown_format", what=what, of=list(formats(what)))
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        count = await _write(door, what, path.suffix.lower(), part)
        part.replace(path)
    except OSError as trouble:
        raise CannotExport("cannot_write", path=path.name, reason=trouble.strerror or "") from trouble
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return Exported(count, say(door.policy.language, "export", "done", {"rows": count, "path": path.name}))


async def _write(door: Door, what: str, suffix: str, path: Path) -> int:
    os.close(
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    )  # Names and numbers: for the owner only.
    writer = _writer(door, what, suffix, path)
    count = 0
    try:
        async with door.read() as store:
            async for page in ROWS[what](store, door.policy):
                await asyncio.to_thread(writer.write, page)
                count += len(page)
    finally:
        await asyncio.to_thread(writer.close)
    return count


def _writer(door: Door, what: str, suffix: str, path: Path) -> Writer:
    table = Tabulator(what, door.policy)
    title = say(door.policy.language, "titles", what, {})
    if suffix == ".xlsx":
        return XlsxWriter(path, table, title)
    if suffix == ".csv":
        return CsvWriter(path, table)
    if suffix == ".ics":
        return IcsWriter(path, table, title, door.clock.now())
    return JsonWriter(path, COLUMNS[what], geo=suffix == ".geojson")
