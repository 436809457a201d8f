"""Fan-out: a roll call to 10,000 phones at Telegram's thirty a second, and no 429."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.office import ROOT, desk, fake_telegram, fill, get, make_office, open_phones
from bench.result import Result

AUDIENCE = 10_000
PER_SECOND = 30
OVER_MAX = 0.01
SECONDS_MAX = 420


async def measure() -> list[Result]:
    """Seconds from the first question to the last, against the limit's own time."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        database = office.database
        await database.start()
        await fill(database, AUDIENCE)
        await database.close()
        open_phones(telegram["url"], AUDIENCE)
        with desk(office):
            await call_roll(office.config)
            began = time.perf_counter()
            while time.perf_counter() - began < SECONDS_MAX:
                figures = get(f"{telegram['url']}/_control/stats")
                if figures["sends"] >= AUDIENCE:
                    break
                await asyncio.sleep(0.5)
        sends = get(f"{telegram['url']}/_control/sends?since=0")["sends"]
    asked = {one["chat_id"] for one in sends}
    seconds = sends[-1]["monotonic"] - sends[0]["monotonic"]
    own_time = (AUDIENCE - 1) / PER_SECOND
    ratio = seconds / own_time
    whole = len(asked) == len(sends) == AUDIENCE and not figures["too_many"]
    how = f"{len(sends)} questions to {len(asked)} phones, {figures['too_many']} refused with 429"
    holds = whole and ratio <= 1 + OVER_MAX
    return [
        Result("fanout", seconds, "s", own_time, ratio, f"within {OVER_MAX:.0%} of the limit", holds, how)
    ]


async def call_roll(config: Path) -> None:
    """立即点名 from the command line, beside the running desk."""
    command = [sys.executable, "-m", "bot", "roll-call", "start", "全员点名", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    if await process.wait():
        raise RuntimeError("the roll could not be called")
