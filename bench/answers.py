"""Answers: from the webhook to answer row, log line and reply row, all durable."""

import asyncio
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.office import (
    FIRST_CHAT,
    ROOT,
    SECRET,
    Office,
    desk,
    fake_telegram,
    fill,
    make_office,
    open_phones,
    update,
)
from bench.result import Result
from bot.clock import SystemClock
from desk.model import Letter
from desk.ports import ulid
from roster.model import Answer, RollCall
from roster.model import Result as Stands

ANSWERS = 4_000
RATIO_MIN = 0.08
SECONDS_MAX = 120.0


async def measure() -> list[Result]:
    """Answers per second, against a bare handler that does nothing."""
    bare = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare_bot", "20000", cwd=ROOT, stdout=subprocess.PIPE
    )
    floor = float((await bare.communicate())[0])
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        await call_roll(office)
        open_phones(telegram["url"], ANSWERS)
        with desk(office):
            seconds, replies = await _answer(office)
    rate = ANSWERS / seconds
    ratio = rate / floor
    how = f"{ANSWERS} answers 到 over 50 connections; {replies} reply rows; counted in the database"
    bar = f">= {RATIO_MIN} of a bare handler"
    return [Result("answers", rate, "answers/s", floor, ratio, bar, ratio >= RATIO_MIN, how)]


async def call_roll(office: Office) -> None:
    """An open roll call whose questions stand on the phones already."""
    database = office.database
    await database.start()
    await fill(database, ANSWERS)
    now = SystemClock().now()
    call = RollCall(
        "call",
        "全员点名",
        "bench",
        now,
        now + timedelta(hours=1),
        now + timedelta(hours=2),
        due_count=ANSWERS,
    )
    answers = [
        Answer(ulid(now), "call", f"officer-{number}", f"unit-{number % 24}", "") for number in range(ANSWERS)
    ]
    async with database.begin() as store:
        await store.add(call, *answers)
    await database.close()


async def _answer(office: Office) -> tuple[float, int]:
    command = [sys.executable, "-m", "bench.load", office.webhook, "--body", update("到")]
    command += ["--header", f"X-Telegram-Bot-Api-Secret-Token:{SECRET}", "--count", str(ANSWERS)]
    command += ["--chat", str(FIRST_CHAT), "--chats", str(ANSWERS), "--connections", "50"]
    database = office.database
    await database.start()
    began = time.perf_counter()
    load = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < SECONDS_MAX:
            async with database.read() as store:
                left = await store.count(Answer, result=Stands.waiting)
            if not left:
                break
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        async with database.read() as store:
            replies = await store.count(Letter, kind="answer_recorded")
    finally:
        await load.wait()
        await database.close()
    if left or replies < ANSWERS:
        raise RuntimeError(f"{left} answers are missing, {replies} replies")
    return seconds, replies
