"""Intake: updates posted to the webhook over 50 connections, answered only after their row is on disk."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.office import (
    FIRST_CHAT,
    ROOT,
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
OFFICERS = 500
RATIO_MIN = 0.30
P99_MS_MAX = 60.0
RSS_MIB_MAX = 160.0
BODY = update("联丰路口有一棵树倒了，压住半边路")


async def measure() -> list[Result]:
    """Requests per second against a null endpoint's, the slowest of a hundred, and the memory it took."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        ceiling = _null()
        office = make_office(Path(folder), telegram["base_url"])
        database = office.database
        await database.start()
        await fill(database, OFFICERS)
        await database.close()
        with desk(office) as process:
            load(office.webhook, BODY, count=200, chat=FIRST_CHAT, chats=OFFICERS)
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
    durable = stored >= asked["count"] + 200 and not asked["refused"]
    ratio = asked["per_second"] / ceiling
    how = f"webhook, 50 connections, {SECONDS} s, synchronous=FULL, {stored} rows for {asked['count'] + 200:.0f} 200s"
    return [
        Result(
            "intake",
            asked["per_second"],
            "updates/s",
            ceiling,
            ratio,
            f">= {RATIO_MIN} of a null endpoint",
            durable and ratio >= RATIO_MIN,
            how,
        ),
        Result(
            "intake_p99",
            asked["p99_ms"],
            "ms",
            None,
            None,
            f"<= {P99_MS_MAX:g} ms",
            asked["p99_ms"] <= P99_MS_MAX,
            how,
        ),
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


def _null() -> float:
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
