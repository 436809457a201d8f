"""Opens a file by what it is, not by what it is called, in a process of its own with limits on everything."""

import asyncio
import json
import resource
import sys
from pathlib import Path

from bot.sheets.archive import refuse
from bot.sheets.delimited import read_delimited
from bot.sheets.faults import Fault, Faulty
from bot.sheets.sheet import LIMITS, Book, SheetLimits, from_plain, to_plain
from bot.sheets.workbook import read_workbook

_ZIP = b"PK"
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")  # .xls, and every .xlsx locked with a password.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_TEXT = (".csv", ".txt", ".tsv")
_PROJECT = Path(__file__).resolve().parents[2]


def open_book(data: bytes, name: str) -> Book:
    """The sheets of a file; Faulty when it cannot be read. Pure: bytes in, sheets out."""
    if len(data) > LIMITS.file_bytes_max:
        refuse("file_too_big", most=LIMITS.file_bytes_max // (1024 * 1024))
    if not data.strip():
        refuse("empty_file")
    if data.startswith(_OLD_OFFICE):
        refuse("encrypted" if _ENCRYPTED in data else "old_excel")
    if data.startswith(_ZIP):
        return read_workbook(data)
    if (
        data[:512]
        .lstrip(b"\xef\xbb\xbf \t\r\n")
        .lower()
        .startswith((b"<html", b"<!doctype", b"<table", b"<?xml"))
    ):
        refuse("web_page")
    if not name.lower().endswith(_TEXT):
        refuse("not_a_workbook")
    return read_delimited(data, Path(name).stem)


async def open_apart(data: bytes, name: str, limits: SheetLimits = LIMITS) -> Book:
    """As `open_book`, in a process that is ended when it takes too long or too much memory."""
    if len(data) > limits.file_bytes_max:
        refuse("file_too_big", most=limits.file_bytes_max // (1024 * 1024))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.sheets.opening", name,
        str(int(limits.read_seconds_max) + 1), str(limits.memory_bytes_max),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=_PROJECT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(limits.read_seconds_max):
            out, _ = await process.communicate(data)
    except TimeoutError:
        refuse("too_slow", seconds=int(limits.read_seconds_max))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        refuse("too_much")
    answer = json.loads(out)
    if "faults" in answer:
        raise Faulty(Fault(**one) for one in answer["faults"])
    return from_plain(answer)


def _answer(data: bytes, name: str) -> str:
    try:
        answer = to_plain(open_book(data, name))
    except Faulty as faulty:
        found = [{"kind": one.kind, "sheet": one.sheet, "facts": dict(one.facts)} for one in faulty.faults]
        answer = {"faults": found}
    return json.dumps(answer)


def main() -> None:
    """The reading process: bytes on standard input, JSON on standard output."""
    name, seconds, memory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(_answer(sys.stdin.buffer.read(), name))


if __name__ == "__main__":
    main()
