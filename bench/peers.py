"""Peers: the same reminders from the desk and from a plain bot with JobQueue, against the same fake Telegram."""

# python -m bench.peers — for docs/comparison.md: 500 people at one moment, and 100 people with a SIGKILL before it.

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.latency import make_letter
from bench.office import (
    FIRST_CHAT,
    ROOT,
    Office,
    desk,
    fake_telegram,
    fill,
    get,
    make_office,
    open_phones,
    start_desk,
    wait_ready,
)
from bot.clock import SystemClock
from desk.model import Job, Lane
from desk.ports import ulid

CROWD, KILLED = 500, 100
AFTER_SECONDS = 12.0
KILL_SECONDS_BEFORE = 3.0
DRAIN_SECONDS = 30.0


async def main() -> None:
    """Print one JSON line for each."""
    for name, measure in (("muster", _ours), ("python-telegram-bot + JobQueue", _theirs)):
        for people, is_killed in ((CROWD, False), (KILLED, True)):
            print(
                json.dumps({"who": name, "killed": is_killed, **await measure(people, is_killed)}), flush=True
            )


async def _ours(people: int, is_killed: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        open_phones(telegram["url"], people)
        due = await _owe(office, people)
        if is_killed:
            process = start_desk(office)
            wait_ready(office, process)
            await asyncio.sleep(max(due - KILL_SECONDS_BEFORE - time.time(), 0))
            process.kill()
            process.wait()
        with desk(office):
            await asyncio.sleep(due - time.time() + DRAIN_SECONDS)
        return _count(telegram["url"], due, people)


async def _theirs(people: int, is_killed: bool) -> dict[str, Any]:
    with fake_telegram() as telegram:
        open_phones(telegram["url"], people)
        lives = AFTER_SECONDS + DRAIN_SECONDS
        process = _start_bot(telegram["base_url"], people, lives)
        due = _told(process)["due"]
        if is_killed:
            await asyncio.sleep(AFTER_SECONDS - KILL_SECONDS_BEFORE)
            process.kill()
            process.wait()
            process = _start_bot(telegram["base_url"], 0, lives)
            _told(process)
        failed = _told(process)["failed"]
        process.wait()
        return {**_count(telegram["url"], due, people), "failed": failed}


def _start_bot(base_url: str, people: int, lives: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.peer_bot", base_url, str(people), str(AFTER_SECONDS), str(lives)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


async def _owe(office: Office, people: int) -> float:
    """One urgent letter to each, all due at one moment; the moment."""
    database = office.database
    await database.start()
    await fill(database, people)
    now = SystemClock().now()
    due = now + timedelta(seconds=AFTER_SECONDS)
    letters = [make_letter(number, Lane.urgent, due) for number in range(people)]
    jobs = [Job(ulid(now), "send", one.id, due, f"to:{one.officer_id}", Lane.urgent) for one in letters]
    async with database.begin() as store:
        await store.add(*letters, *jobs)
    await database.close()
    return due.timestamp()


def _count(url: str, due: float, people: int) -> dict[str, Any]:
    """Who was reached, how late, and what the platform refused."""
    sends = get(f"{url}/_control/sends?since=0")["sends"]
    reached = {one["chat_id"] for one in sends}
    late = sorted(one["at"] - due for one in sends)
    return {
        "people": people,
        "reached": len(reached & set(range(FIRST_CHAT, FIRST_CHAT + people))),
        "repeats": len(sends) - len(reached),
        "first_s": round(late[0], 2) if late else None,
        "median_s": round(late[len(late) // 2], 2) if late else None,
        "last_s": round(late[-1], 2) if late else None,
        "refused_429": get(f"{url}/_control/stats")["too_many"],
    }


if __name__ == "__main__":
    asyncio.run(main())
