"""The simulation: a year of the whole town against the real desk on SQLite, in seconds of one core."""

import asyncio
import re
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from bench.office import ROOT
from bench.result import Result

DAYS = 365
SECONDS_MAX = 60.0
FLOOR_CALLS = 20_000


async def measure() -> list[Result]:
    """CPU seconds of a year, against the bare driver making as many calls of the database."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        "-m",
        "bot",
        "simulate",
        "--days",
        str(DAYS),
        "--seed",
        "1",
        "--faults",
        "none",
    ]
    year = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said = (await year.communicate())[0].decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    found = re.search(r"读写数据库 ([\d,]+) 次", said)
    calls = int(found.group(1).replace(",", "")) if found else 0
    floor = calls * _floor()
    kept = year.returncode == 0
    how = f"{DAYS} days, 121 people, no faults; {calls:,} calls of the database; "
    how += "every promise kept" if kept else "NOT every promise kept"
    ratio = seconds / floor if floor else None
    bar = f"<= {SECONDS_MAX:.0f} CPU s"
    return [Result("simulate", seconds, "CPU s", floor, ratio, bar, kept and seconds <= SECONDS_MAX, how)]


def _floor() -> float:
    """CPU seconds of one call: half of them read a row, a quarter begin and write, a quarter commit."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
        began = time.process_time()
        for number in range(FLOOR_CALLS // 4):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 200))
            connection.execute("COMMIT")
            for back in (0, number // 2):
                connection.execute("SELECT * FROM rows WHERE id = ?", (back,)).fetchall()
        seconds = time.process_time() - began
        connection.close()
    return seconds / FLOOR_CALLS
