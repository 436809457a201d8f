"""Intake: updates posted to the webhook over 50 connections, answered only after their row is on disk."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.office import (
    FIRST_CHAT,
    ROOT,
    Office,
    desk,
    fake_telegram,
    fill,
    free_port,
    load,
    make_office,
    peak_mib,
    stop,
    update,
)
from bench.result import Result
from desk.model import InboxRow

SECONDS = 6
WARM = 200
OFFICERS = 500
RATIO_MIN = 0.45
P99_MS_MAX = 50.0
RSS_MIB_MAX = 160.0
BODY = update("联丰路口有一棵树倒了，压住半边路")


@dataclass(frozen=True)
class Taken:
    """What one desk took in."""

    per_second: float
    p99_ms: float
    is_durable: bool  # Nothing was refused, and every 200 has its row.
    told: str
    peak_mib: float


async def measure() -> list[Result]:
    """Requests per second against a null endpoint's, the slowest of a hundred, and the memory it took."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        ceiling = null_per_second()
        taken = await take_in(make_office(Path(folder), telegram["base_url"]))
    how = f"webhook, 50 connections, {SECONDS} s, synchronous=FULL, {taken.told}"
    peak = taken.peak_mib
    return [
        *results("intake", taken, ceiling, RATIO_MIN, how),
        Result(
            "memory",
            peak,
            "MiB",
            None,
            None,
            f"<= {RSS_MIB_MAX:g} MiB",
            peak <= RSS_MIB_MAX,
            "VmHWM after intake",
        ),
    ]


async def take_in(office: Office) -> Taken:
    """Fill the office, let its desk take in as much as it can, and count the rows."""
    database = office.database
    await database.start()
    await fill(database, OFFICERS)
    await database.close()
    with desk(office) as process:
        load(office.webhook, BODY, count=WARM, chat=FIRST_CHAT, chats=OFFICERS)
        asked = load(
            office.webhook,
            BODY,
            first=1_000,
            seconds=SECONDS,
            chat=FIRST_CHAT,
            chats=OFFICERS,
            connections=50,
        )
        peak = peak_mib(process)
    await database.start()
    async with database.read() as store:
        stored = await store.count(InboxRow)
    await database.close()
    wanted = asked["count"] + WARM
    is_durable = stored >= wanted and not asked["refused"]
    told = f"{stored} rows for {wanted:.0f} 200s"
    return Taken(asked["per_second"], asked["p99_ms"], is_durable, told, peak)


def results(name: str, taken: Taken, ceiling: float, ratio_min: float, how: str) -> list[Result]:
    """The rate and the slowest of a hundred, with their bars."""
    ratio = taken.per_second / ceiling
    bar = f">= {ratio_min} of a null endpoint"
    holds = taken.is_durable and ratio >= ratio_min
    slowest, most = taken.p99_ms, f"<= {P99_MS_MAX:g} ms"
    return [
        Result(name, taken.per_second, "updates/s", ceiling, ratio, bar, holds, how),
        Result(f"{name}_p99", slowest, "ms", None, None, most, slowest <= P99_MS_MAX, how),
    ]


def null_per_second() -> float:
    """What the same server does with a route that stores nothing."""
    port = free_port()
    command = [sys.executable, "-m", "bench.null_server", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)  # Our own words.
    url = f"http://127.0.0.1:{port}/null"
    try:
        for _ in range(500):
            try:
                load(url, BODY, count=50)
                break
            except subprocess.CalledProcessError:
                time.sleep(0.02)
        return load(url, BODY, seconds=SECONDS, connections=50)["per_second"]
    finally:
        stop(process)
