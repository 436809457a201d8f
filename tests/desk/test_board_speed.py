"""The board stays quick for years: no question it asks walks through a whole table that grows."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from desk.board import on_duty, see
from desk.ports import Store
from tests.web.world import NIGHT, World

GROWING = {
    "incidents",
    "reports",
    "attachments",
    "letters",
    "inbox",
    "duty_log",
    "answers",
    "roll_calls",
    "shifts",
}
GROWING |= {"drafts", "jobs", "settings", "sessions", "chat_messages"}


async def walked(world: World, ask: Callable[[Store], Awaitable[Any]]) -> list[str]:
    """The steps of SQLite's plans that would read a growing table from end to end."""
    asked: list[str] = []
    async with world.database.read() as store:
        driver = store.connection._driver  # type: ignore[attr-defined]  # Only the SQL store has one.
        await driver.set_trace_callback(asked.append)
        await ask(store)
        await driver.set_trace_callback(None)
    plans = sqlite3.connect(world.folder / "muster.db")
    steps = [
        (row[3], sql)
        for sql in asked
        if sql.startswith("SELECT")
        for row in plans.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    plans.close()
    assert len(steps) >= 2
    return [f"{step}: {sql}" for step, sql in steps if step.startswith("SCAN") and step.split()[1] in GROWING]


@pytest.mark.parametrize("who", ["", "o-jian", "o-chen", "o-liang", "o-mei"])
async def test_neither_board_nor_on_duty_walks_through_a_growing_table(world: World, who: str) -> None:
    call, incident = await world.call_roll(), await world.report("起火")
    await world.step(incident)
    await world.answer(call, "o-chen")
    viewer = await world.officer(who) if who else None
    policy = world.door.policy
    assert await walked(world, lambda store: see(store, policy, NIGHT, viewer)) == []
    assert await walked(world, lambda store: on_duty(store, policy, NIGHT, viewer)) == []
