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
    Office,
    desk,
    fake_telegram,
    fill,
    loaded,
    make_office,
    open_phones,
    start_load,
    update,
)
from bench.result import Result
from bot.clock import SystemClock
from desk.model import Letter
from desk.ports import ulid
from roster.model import Answer, RollCall
from roster.model import Result as Stands

ANSWERS = 4_000
RATIO_MIN = 0.25
SECONDS_MAX = 120.0
LOOK_SECONDS = 0.02


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
    """Seconds from the first request until the last answer is written down, and how many replies were."""
    database = office.database
    await database.start()
    gives_up_at = time.monotonic() + SECONDS_MAX
    messages = start_load(
        office.webhook, update("到"), count=ANSWERS, chat=FIRST_CHAT, chats=ANSWERS, connections=50
    )
    try:
        left = ANSWERS
        while left and time.monotonic() < gives_up_at:
            await asyncio.sleep(LOOK_SECONDS)
            async with database.read() as store:
                left = await store.count(Answer, result=Stands.waiting)
        ended_at = time.monotonic()
        async with database.read() as store:
            replies = await store.count(Letter, kind="answer_recorded")
    finally:
        came = loaded(messages)
        await database.close()
    if left or replies < ANSWERS:
        raise RuntimeError(f"{left} answers are missing, {replies} replies")
    return ended_at - came["began_at"], replies
