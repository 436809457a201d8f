"""Equal words to many in one call: who goes along, what a failure means for each, and what a crash leaves."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import mailings as module
from bot.receipts import LATE_AFTER
from desk.letters import tell_all, withdraw
from desk.model import Job, Lane, Letter, LetterState, Mailing, Notice, Outcome, Receipt, Rendered
from desk.policy import Policy
from desk.ports import ChannelLimits, Rate
from roster.model import Account, Officer
from tests.bot.channels.webchat_parts import POLICY
from tests.bot.machine import BLOCKED, NOT_SENT, NOW, UNIT, UNKNOWN, Called, Line, Machine, open_machine

REPEAT = "【可能重复】"
WIDE = ChannelLimits(batch_max=1000, hides_repeats=True, hides_repeats_seconds=1800)
KIND = "follow_up_arrived"
DIGEST = Notice("bulletin_daily", {"plan": "每日要情", "is_zero": True})


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A channel that takes many, and one that does not, which is everybody's second way; three people."""
    async with open_machine(tmp_path, Line(limits=WIDE), Line("other")) as opened:
        await opened.people("甲", "乙", "丙", channels=("line", "other"))
        yield opened


async def owe_all(
    machine: Machine, names: Sequence[str], notice: Notice | None = None, subject: str = "s"
) -> list[str]:
    """Owe them all the same; the letters' ids in the order of the names."""
    async with machine.door.open() as desk:
        tell_all(desk, names, notice or Notice(KIND, {"number": "ZS-1"}), subject=subject)
        by_officer = {letter.officer_id: letter.id for letter in desk.collected(Letter)}
        machine.move(milliseconds=1)  # So that what is owed next is younger.
        return [by_officer[name] for name in names]


def calls(machine: Machine) -> list[Called]:
    return machine.lines["line"].calls


async def in_flight(machine: Machine) -> "asyncio.Task[None]":
    """Let everybody's letter go out and never come back, as a crash finds it."""
    task = machine.crash()
    await machine.until(lambda rows: {one.state for one in rows} == {LetterState.sending}, Letter)
    await asyncio.sleep(0.05)
    return task


async def cut(machine: Machine, task: "asyncio.Task[None]") -> None:
    """Kill the queue in mid-flight: the second transaction never runs."""
    task.cancel()
    machine.queue._bounds = replace(machine.queue._bounds, finish_seconds=0.01)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_thousand_people_are_one_call_with_one_receipt_each(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=WIDE)) as machine:
        names = [f"n{number:04}" for number in range(1000)]
        async with machine.door.open() as desk:
            await desk.store.add(UNIT, *(Officer(name, name, UNIT.id) for name in names))
            await desk.store.add(*(Account(f"a/{name}", name, "line", name, NOW) for name in names))
        ids = await owe_all(machine, names)
        async with machine.running():
            rows = await machine.settled(*ids)
        [call] = calls(machine)
        assert call.to == tuple(names)
        assert {(row.state, row.attempts, row.channel) for row in rows} == {(LetterState.sent, 1, "line")}
        assert [row.remote_id for row in rows] == [f"{call.key}@{name}" for name in names]
        assert all(row.rendered == call.message and row.sent_at for row in rows)
        assert not await machine.find(Mailing) and not await machine.find(Job)


async def test_more_than_a_channel_takes_at_once_are_several_calls(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=replace(WIDE, batch_max=2))) as machine:
        await machine.people("甲", "乙", "丙", "丁", "戊")
        ids = await owe_all(machine, "甲乙丙丁戊")
        async with machine.running():
            await machine.settled(*ids)
        assert sorted(len(one.to) for one in calls(machine)) == [1, 2, 2]
        assert sorted(name for one in calls(machine) for name in one.to) == sorted("甲乙丙丁戊")
        assert len({one.key for one in calls(machine)}) == 3


async def test_each_goes_the_own_way_and_only_those_of_the_wide_channel_together(machine: Machine) -> None:
    await machine.people("丁", "戊", channels=("other",))
    await machine.people("己", channels=())
    ids = await owe_all(machine, "甲丁乙戊丙己")
    async with machine.running():
        rows = await machine.settled(*ids)
    assert [one.to for one in calls(machine)] == [("甲", "乙", "丙")]
    assert [one.to for one in machine.lines["other"].calls] == [("丁",), ("戊",)]
    assert [row.state.value for row in rows] == ["sent"] * 5 + ["failed"]


async def test_fault_16_only_those_refused_go_to_their_next_channel(machine: Machine) -> None:
    machine.lines["line"].plan("乙", BLOCKED)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        rows = await machine.settled(*ids)
    assert [one.to for one in calls(machine)] == [("甲", "乙", "丙")]
    assert [one.to for one in machine.lines["other"].calls] == [("乙",)]
    assert [(row.state.value, row.channel) for row in rows] == [
        ("sent", "line"),
        ("sent", "other"),
        ("sent", "line"),
    ]
    [account] = await machine.find(Account, reachable=False)
    assert (account.officer_id, account.channel) == ("乙", "line")


async def test_fault_4_a_crash_in_between_makes_the_very_same_call_again(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("乙", gate)
    ids = await owe_all(machine, "甲乙丙")
    await cut(machine, await in_flight(machine))
    async with machine.door.open() as desk:  # One has answered meanwhile: the call must stay what it was.
        await withdraw(desk, "s", [KIND], officer_ids=["甲"])
    async with open_machine(machine.folder, *machine.lines.values(), clock=machine.clock) as again:
        again.move(seconds=30)
        async with again.running():
            rows = await again.settled(*ids)
    first, second = calls(machine)
    assert first == second and first.to == ("甲", "乙", "丙")
    assert {(row.state, row.attempts) for row in rows} == {(LetterState.sent, 2)}
    assert all(not one.text.startswith(REPEAT) for one in machine.lines["line"].handed)


async def test_fault_4_beyond_the_platform_s_memory_each_copy_is_marked_and_goes_alone(
    machine: Machine,
) -> None:
    machine.lines["line"].plan("乙", asyncio.Event())
    ids = await owe_all(machine, "甲乙丙")
    await cut(machine, await in_flight(machine))
    async with open_machine(machine.folder, *machine.lines.values(), clock=machine.clock) as again:
        again.move(seconds=WIDE.hides_repeats_seconds)
        async with again.running():
            await again.settled(*ids)
    _, *alone = calls(machine)
    assert sorted(one.to for one in alone) == sorted([("甲",), ("乙",), ("丙",)])
    assert all(one.message.text.startswith(REPEAT) for one in alone)


async def test_fault_4_a_digest_that_may_have_arrived_is_not_sent_twice(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=replace(WIDE, hides_repeats=False))) as machine:
        await machine.people("甲", "乙")
        machine.lines["line"].plan("", UNKNOWN, UNKNOWN)
        ids = await owe_all(machine, "甲乙", DIGEST)
        async with machine.running():
            rows = await machine.settled(*ids)
        assert {row.state for row in rows} == {LetterState.unknown}
        assert len(calls(machine)) == 1


async def test_fault_11_a_call_that_may_have_arrived_is_made_again_the_same(machine: Machine) -> None:
    machine.lines["line"].plan("", UNKNOWN, UNKNOWN, UNKNOWN)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda rows: {one.unknowns for one in rows} == {1}, Letter, state_not="sending")
        async with machine.door.open() as desk:  # Answered, in another way: the call keeps its shape.
            await withdraw(desk, "s", [KIND], officer_ids=["乙"])
        machine.move(seconds=2)
        rows = await machine.settled(*ids)
    first, second = calls(machine)
    assert first == second
    assert [row.state.value for row in rows] == ["sent", "cancelled", "sent"]


async def test_fault_10_a_call_that_never_left_is_made_anew_for_those_still_owed(machine: Machine) -> None:
    machine.lines["line"].plan("", NOT_SENT, NOT_SENT, NOT_SENT)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda rows: {one.reason for one in rows} == {"ConnectError"}, Letter)
        async with machine.door.open() as desk:
            await withdraw(desk, "s", [KIND], officer_ids=["乙"])
        machine.move(seconds=2)
        rows = await machine.settled(*ids)
    assert [one.to for one in calls(machine)] == [("甲", "乙", "丙"), ("甲", "丙")]
    assert [(row.state.value, row.unknowns) for row in rows] == [("sent", 0), ("cancelled", 0), ("sent", 0)]


async def test_fault_13_too_many_calls_hold_the_whole_channel_and_the_mailing_finishes(
    machine: Machine,
) -> None:
    flooded = Receipt(Outcome.not_sent, reason="45009", retry_after_seconds=60, whole_channel=True)
    machine.lines["line"].plan("", flooded, flooded, flooded)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda rows: {one.reason for one in rows} == {"45009"}, Letter)
        machine.move(seconds=59)
        urgent = await machine.owe("甲")
        await machine.at_rest()
        assert len(calls(machine)) == 1
        for _ in range(3):
            machine.move(seconds=2)
            await machine.at_rest()
        await machine.settled(urgent, *ids)


async def test_a_channel_that_stays_away_is_left_for_the_next_way_after_some_attempts(
    machine: Machine,
) -> None:
    machine.lines["line"].plan("", *[UNKNOWN] * 9)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        for attempts in (1, 2, 3):
            await machine.until(lambda rows: {one.attempts for one in rows} == {attempts}, Letter)  # noqa: B023  # Awaited here.
            await machine.until(lambda rows: all(one.state.value != "sending" for one in rows), Letter)
            machine.move(seconds=40)
        rows = await machine.settled(*ids)
    assert {row.channel for row in rows} == {"other"}
    assert all(one.text.startswith(REPEAT) for one in machine.lines["other"].handed)


async def test_nobody_s_letter_overtakes_an_older_one_of_the_same_person(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("乙", gate)
    older = await owe_all(machine, "甲乙", Notice(KIND, {"number": "ZS-1"}))
    async with machine.running():
        await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter)
        younger = await owe_all(machine, "乙丙", Notice(KIND, {"number": "ZS-2"}))
        alone = await machine.owe("乙", facts={"number": "ZS-3"}, lane=Lane.bulk)
        await machine.settled(younger[1])
        assert [row.state.value for row in await machine.find(Letter, officer_id="乙")] == [
            "sending",
            "queued",
            "queued",
        ]
        gate.set()
        await machine.settled(*older)
        for _ in range(4):
            machine.move(seconds=2)
            await machine.at_rest()
        await machine.settled(*younger, alone)
    said = machine.lines["line"].texts("乙")
    assert [text[text.index("ZS-") :][:4] for text in said] == ["ZS-1", "ZS-2", "ZS-3"]


async def test_an_urgent_letter_overtakes_while_a_mailing_is_out(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("乙", gate)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter)
        await machine.settled(await machine.owe("丙"))
        gate.set()
        await machine.settled(*ids)


async def test_a_member_s_rate_is_never_exceeded_and_nothing_is_lost(tmp_path: Path) -> None:
    limits = replace(WIDE, per_chat=(Rate(30, 60), Rate(1000, 3600)))
    async with open_machine(tmp_path, Line(limits=limits)) as machine:
        await machine.people("甲", "乙")
        ids = [one for _ in range(40) for one in await owe_all(machine, "甲乙")]
        line, seen = machine.lines["line"], [0]
        async with machine.running():
            for second in range(0, 400, 5):
                await machine.at_rest()
                seen.append(len(line.texts("甲")))
                assert seen[-1] - seen[max(0, len(seen) - 13)] <= 30, f"after {second} s"
                machine.move(seconds=5)
            await machine.settled(*ids)
        assert len(line.texts("甲")) == len(line.texts("乙")) == 40


async def test_a_digest_leaves_beside_the_full_hour_and_a_roll_call_at_it(tmp_path: Path) -> None:
    limits = replace(WIDE, busy_minutes=(0, 30))
    async with open_machine(tmp_path, Line(limits=limits)) as machine:
        await machine.people("甲", "乙")
        digest = await owe_all(machine, "甲乙", DIGEST)
        question = await owe_all(machine, "甲乙", Notice("roll_call_question", {"plan": "早"}))
        async with machine.running():
            await machine.settled(*question)
            await machine.at_rest()
            assert len(calls(machine)) == 1
            [job] = await machine.find(Job)
            assert timedelta(minutes=1) <= job.due_at - NOW < timedelta(minutes=5)
            machine.move(minutes=5)
            await machine.settled(*digest)
        assert [one.to for one in calls(machine)] == [("甲", "乙")] * 2


async def test_words_too_long_for_one_message_are_cut_for_each_alone(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=replace(WIDE, text_max=100))) as machine:
        await machine.people("甲", "乙")
        notice = Notice("help", {"office": "应急办", "role": "admin"})
        await owe_all(machine, "甲乙", notice)
        async with machine.running():
            await machine.idle()
        assert {one.to for one in calls(machine)} == {("甲",), ("乙",)} and len(calls(machine)) > 2


async def test_where_a_channel_may_carry_no_facts_a_mailing_is_a_stub(tmp_path: Path) -> None:
    policy: Policy = replace(POLICY, stub_only=("line",))
    async with open_machine(tmp_path, Line(limits=WIDE), policy=policy) as machine:
        await machine.people("甲", "乙")
        ids = await owe_all(machine, "甲乙", Notice(KIND, {"number": "ZS-1"}))
        async with machine.running():
            await machine.settled(*ids)
        [call] = calls(machine)
        assert "ZS-1" not in call.message.text


async def test_a_call_that_hangs_holds_nobody_up_and_its_receipts_are_kept_when_they_come(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    gate = asyncio.Event()
    machine.lines["line"].plan("乙", gate)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda jobs: [job.id[:5] for job in jobs] == ["late/"], Job)
        gate.set()
        rows = await machine.settled(*ids)
        machine.move(
            seconds=LATE_AFTER.total_seconds()
        )  # The work put in case of a crash finds nothing to do.
        await machine.idle()
    assert len(calls(machine)) == 1 and {row.attempts for row in rows} == {1}


async def test_fault_4_a_crash_while_a_slow_call_goes_on_makes_it_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "CLOSE_SECONDS_MAX", 0.05)
    machine.lines["line"].plan("乙", asyncio.Event())
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda jobs: [job.id[:5] for job in jobs] == ["late/"], Job)
    async with machine.running():
        machine.move(seconds=LATE_AFTER.total_seconds())
        await machine.settled(*ids)
    first, second = calls(machine)
    assert first == second


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), "one receipt for three"])
async def test_a_channel_that_raises_or_counts_wrongly_harms_nobody(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, fault: Exception | str
) -> None:
    line = machine.lines["line"]
    if isinstance(fault, Exception):
        line.plan("甲", fault)
    else:
        send, left = line.send, [1]

        async def send_short(message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
            receipts = await send(message, to, key=key)
            left[0] -= 1
            return receipts[:1] if left[0] >= 0 else receipts

        monkeypatch.setattr(line, "send", send_short)
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        await machine.until(lambda rows: {one.unknowns for one in rows} == {1}, Letter)
        machine.move(seconds=2)
        await machine.settled(*ids)
    first, second = calls(machine)
    assert first == second


async def test_a_receipt_that_cannot_be_written_takes_no_other_along(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    odd: Any = object()
    machine.lines["line"].plan("乙", Receipt(Outcome.sent, remote_id=odd))
    ids = await owe_all(machine, "甲乙丙")
    async with machine.running():
        rows = await machine.until(
            lambda found: [one.state.value for one in found].count("sent") == 2, Letter, id_in=ids
        )
        assert {row.attempts for row in rows if row.state is LetterState.sent} == {1}
        await machine.until(lambda jobs: jobs[0].attempts == 1, Job)
        machine.move(seconds=2)
        await machine.settled(*ids)
    assert calls(machine)[0] == calls(machine)[1]
