"""Replicas: what three desks on one PostgreSQL take in and answer, beside what one does."""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench import postgresql
from bench.answers import ANSWERS, SECONDS_MAX, call_roll
from bench.intake import BODY
from bench.office import (
    FIRST_CHAT,
    Office,
    desk,
    fake_telegram,
    free_port,
    load,
    loaded,
    make_office,
    open_phones,
    start_load,
    update,
)
from bench.result import Result
from desk.model import InboxRow, Letter
from roster.model import Answer
from roster.model import Result as Stands

REPLICAS = 3
SECONDS = 6
CONNECTIONS_EACH = 17  # Of three loads, whatever they are spread over.
CORES_ENOUGH = 4
RATIO_MIN = 2.0  # Where each replica can have a core, and the database too …
NOISE = 0.1
NEVER_SLOWER = 1.0 - NOISE  # … and elsewhere at least no loss, as far as two runs of one thing differ.


async def measure() -> list[Result]:
    """Both figures for one and for three, in the same run on the same server."""
    one = await _figures(1)
    three = await _figures(REPLICAS)
    cores = os.cpu_count() or 1
    least = RATIO_MIN if cores >= CORES_ENOUGH else NEVER_SLOWER
    bar = f">= {least:g} of one" + (
        "" if cores >= CORES_ENOUGH else f" ({RATIO_MIN:g} from {CORES_ENOUGH} cores)"
    )
    how = f"{REPLICAS} desks and the server on {cores} cores; three loads of {CONNECTIONS_EACH} connections each"
    return [
        Result(name, after, unit, before, after / before, bar, after / before >= least, how)
        for name, unit, before, after in zip(
            ("replicas", "replicas_answers"), ("updates/s", "answers/s"), one, three, strict=True
        )
    ]


async def _figures(replicas: int) -> tuple[float, float]:
    """Updates taken in a second, and answers heard in a second, by so many replicas."""
    with ExitStack() as stack:
        telegram = stack.enter_context(fake_telegram())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgresql.database())
        office = make_office(folder, telegram["base_url"], url)
        await call_roll(office)
        open_phones(telegram["url"], ANSWERS)
        with _running(office, replicas) as desks:
            answers = await _answer(office, desks)
            updates = await asyncio.to_thread(_take_in, desks)
        database = office.database
        await database.start()
        async with database.read() as store:
            stored = await store.count(InboxRow)
        await database.close()
        if stored < ANSWERS + updates * SECONDS:
            raise RuntimeError(f"{stored} rows are fewer than what was answered with 200")
    return updates, answers


@contextmanager
def _running(office: Office, replicas: int) -> Iterator[list[Office]]:
    others = [replace(office, port=free_port()) for _ in range(replicas - 1)]
    with ExitStack() as stack:
        for one in (office, *others):
            stack.enter_context(desk(one))
        yield [office, *others]


def _spread(desks: Sequence[Office], body: str, **words: object) -> list[subprocess.Popen[str]]:
    """Three loads, over as many desks as there are."""
    return [
        start_load(
            desks[number % len(desks)].webhook,
            body,
            chat=FIRST_CHAT,
            chats=ANSWERS,
            connections=CONNECTIONS_EACH,
            **{name: value[number] if isinstance(value, list) else value for name, value in words.items()},
        )
        for number in range(REPLICAS)
    ]


def _take_in(desks: Sequence[Office]) -> float:
    for one in desks:
        load(one.webhook, BODY, first=9_000_000, count=100, chat=FIRST_CHAT, chats=ANSWERS)
    first = [10_000_000 * (number + 1) for number in range(REPLICAS)]
    measured = [loaded(one) for one in _spread(desks, BODY, first=first, seconds=SECONDS)]
    if any(one["refused"] for one in measured):
        raise RuntimeError("updates were refused")
    return sum(one["per_second"] for one in measured)


async def _answer(office: Office, desks: Sequence[Office]) -> float:
    each = ANSWERS // REPLICAS
    first = [1 + each * number for number in range(REPLICAS)]
    count = [each, each, ANSWERS - 2 * each]
    database = office.database
    await database.start()
    loads = _spread(desks, update("到"), first=first, count=count)
    began = time.perf_counter()
    left = ANSWERS
    try:
        while left and time.perf_counter() - began < SECONDS_MAX:
            async with database.read() as store:
                left = await store.count(Answer, result=Stands.waiting)
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        async with database.read() as store:
            replies = await store.count(Letter, kind="answer_recorded")
    finally:
        for one in loads:
            await asyncio.to_thread(loaded, one)
        await database.close()
    if left or replies < ANSWERS:
        raise RuntimeError(f"{left} answers are missing, {replies} replies")
    return ANSWERS / seconds
