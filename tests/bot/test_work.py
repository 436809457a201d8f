"""Whatever the desk puts off has somebody to do it, once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import work
from bot.town.actions import SLOW_DOWN
from desk.model import Job
from desk.ports import Desk
from incidents.model import LogLine
from tests.bot.machine import open_machine

ROOT = Path(__file__).parents[2]
NAMED = {
    "FETCH": "fetch",
    "HEAR": "hear",
    "SEND": "send",
    "SEND_MANY": "send_many",
    "sending_kind(letter)": "send_page",
    "SLOW_DOWN": SLOW_DOWN,
    "PRUNE": "prune",
    "PUT_RIGHT": "put_right",
}
SAME_AGAIN = ("job.kind", "sending.job.kind")  # Work that falls due once more.


def kinds_put() -> Iterator[str]:
    """Every kind of work that some code puts."""
    for room in ("desk", "handlers", "bot", "web"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "due"
                ):
                    kind = node.args[0]
                    if ast.unparse(kind) in SAME_AGAIN:
                        continue
                    yield str(kind.value) if isinstance(kind, ast.Constant) else NAMED[ast.unparse(kind)]


def test_every_kind_of_work_that_is_put_has_somebody_to_do_it() -> None:
    put = set(kinds_put())
    assert {"send_page", "step", "roll_call_close", "hear", "fetch"} <= put
    assert put <= {"hear", "send", "send_page", "send_many", "fetch", SLOW_DOWN, *work.DESK_WORK}
    assert put >= set(work.DESK_WORK)


async def test_a_job_s_effect_and_its_end_are_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An act that fails half-way leaves nothing, and one that went well is never done again."""
    is_mended = False

    async def act(desk: Desk, ref: str) -> None:
        desk.log("tried_again", ref)
        if ref == "bad" and not is_mended:
            raise ZeroDivisionError

    monkeypatch.setitem(work.DESK_WORK, "step", act)
    async with open_machine(tmp_path) as machine:
        async with machine.door.open() as desk:
            for ref in ("good", "bad", "good too"):
                desk.due("step", ref, desk.now)
        async with machine.running():
            [job] = await machine.until(lambda jobs: [one.attempts for one in jobs] == [1], Job)
            assert job.ref == "bad"
            assert {line.subject for line in await machine.find(LogLine)} == {"good", "good too"}
            is_mended = True
            machine.clock.at = job.due_at
            machine.queue.wake()
            await machine.idle()
        subjects = [line.subject for line in await machine.find(LogLine)]
        assert sorted(subjects) == ["bad", "good", "good too"]
