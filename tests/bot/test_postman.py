"""What is owed is delivered or shown: once, marked when it may be a second time, another way when one is shut."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import postman as module
from bot.receipts import LATE_AFTER, wait_no_longer
from desk import acknowledgements, escalations
from desk.board_troubles import read_troubles
from desk.letters import amend, amend_tapped, reply, tell
from desk.model import Choice, Inbound, Job, Lane, Letter, LetterState, Notice, Outcome, Receipt
from desk.ports import ChannelLimits
from desk.retries import retry
from incidents.model import Incident, Ladder, State, Step
from roster.model import Account, Officer, Role
from tests.bot.channels.webchat_parts import POLICY
from tests.bot.machine import (
    ARRIVED_UNKNOWN,
    BLOCKED,
    NOT_SENT,
    NOW,
    SENT,
    UNIT,
    UNKNOWN,
    Line,
    Machine,
    open_machine,
)

REPEAT = "【可能重复】"
LADDER = Ladder("默认", (Step(0, ("post:duty_officer",)), Step(30, ("post:duty_leader",))))


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """One channel, two people."""
    async with open_machine(tmp_path) as opened:
        await opened.people("甲", "乙")
        yield opened


@pytest.fixture
async def two_ways(tmp_path: Path) -> AsyncIterator[Machine]:
    """Two channels, the first one better; a duty officer and a leader on watch."""
    async with open_machine(tmp_path, Line(), Line("other")) as opened:
        await opened.people("甲", "乙", channels=("line", "other"))
        await opened.people("领", channels=("line",), role=Role.leader)
        await opened.watch("甲", "duty_officer")
        await opened.watch("领", "duty_leader")
        yield opened


async def add_incident(machine: Machine, **more: Any) -> Incident:
    """An open incident nobody signed for."""
    incident = Incident("i", "ZS-1", State.received, NOW, UNIT.id, title="火灾", ladder=LADDER, **more)
    async with machine.door.open() as desk:
        await desk.store.add(incident)
    return incident


async def owe_page(machine: Machine, name: str = "甲") -> str:
    """A page of an incident that is open."""
    return await machine.owe(name, "incident_page", choices=(Choice("sign", "i"),), facts={"number": "ZS-1"})


async def job_of(machine: Machine, letter_id: str) -> Job:
    [job] = await machine.find(Job, ref=letter_id)
    return job


async def cut_off(machine: Machine, letter_id: str) -> None:
    """A crash while this letter is with the platform, which shows it."""
    line = machine.lines["line"]
    gate = asyncio.Event()
    line.plan("", gate)
    sending = asyncio.create_task(machine.postman.send([await job_of(machine, letter_id)]))
    before = len(line.handed)
    while len(line.handed) == before:
        await asyncio.sleep(0.005)
    line.arrived.append(line.handed[-1])
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_the_words_are_fixed_and_marked_as_leaving_before_they_leave(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("甲", gate)
    letter = await machine.owe("甲", facts={"text": "桥面积水"})
    async with machine.running():
        [row] = await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter)
        assert row.rendered is not None and "桥面积水" in row.rendered.text
        assert (row.attempts, row.channel, row.address) == (1, "line", "甲")
        gate.set()
        [row] = await machine.settled(letter)
        assert (row.state, row.remote_id) == (LetterState.sent, f"{letter}@甲")
        await machine.idle()
    assert len(machine.lines["line"].handed) == 1


@pytest.mark.parametrize(
    ("kind", "cuts", "texts", "state"),
    [
        ("page", 1, ["", REPEAT], "sent"),
        ("page", 2, ["", REPEAT, REPEAT], "sent"),
        ("page", 3, ["", REPEAT, REPEAT], "unknown"),
        ("receipt", 1, ["", REPEAT], "sent"),
        ("receipt", 2, ["", REPEAT], "unknown"),
        ("bulletin_daily", 1, [""], "unknown"),
        ("status", 1, [""], "unknown"),
    ],
)
async def test_fault_4_a_crash_while_sending_repeats_as_its_class_bears_and_marks_every_repeat(
    machine: Machine, kind: str, cuts: int, texts: list[str], state: str
) -> None:
    await add_incident(machine)
    letter = await (
        owe_page(machine)
        if kind == "page"
        else machine.owe("甲", "reporter_signed" if kind == "receipt" else kind, facts={"number": "ZS-1"})
    )
    for _ in range(cuts):
        await cut_off(machine, letter)
    async with machine.running():
        [row] = await machine.settled(letter)
    assert row.state.value == state
    said = machine.lines["line"].texts("甲")
    assert len(said) == len(texts)
    assert [one.startswith(REPEAT) for one in said] == [bool(one) for one in texts]
    assert len({one.removeprefix(REPEAT) for one in said}) == 1  # The same words each time.
    if state == "unknown":
        assert len(await machine.log("letter_unknown")) == 1
        async with machine.door.read() as store:
            [trouble], _ = await read_troubles(store, machine.clock.now())
        assert (trouble.kind, trouble.id) == ("letter", letter)


async def test_fault_4_where_a_repeat_is_hidden_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=ChannelLimits(hides_repeats=True))) as machine:
        await machine.people("甲")
        letter = await machine.owe("甲")
        await cut_off(machine, letter)
        async with machine.running():
            await machine.settled(letter)
        first, second = machine.lines["line"].handed
        assert first == second


async def test_fault_4_beyond_the_platform_s_memory_a_repeat_is_marked(tmp_path: Path) -> None:
    limits = ChannelLimits(hides_repeats=True, hides_repeats_seconds=1800)
    async with open_machine(tmp_path, Line(limits=limits)) as machine:
        await machine.people("甲")
        letter = await machine.owe("甲")
        await cut_off(machine, letter)
        machine.move(seconds=1800)
        async with machine.running():
            await machine.settled(letter)
        assert [one.text.startswith(REPEAT) for one in machine.lines["line"].handed] == [False, True]


async def test_fault_11_what_may_have_arrived_comes_again_after_ten_seconds_and_is_marked(
    machine: Machine,
) -> None:
    await add_incident(machine)
    machine.lines["line"].plan("甲", ARRIVED_UNKNOWN, SENT)
    letter = await owe_page(machine)
    async with machine.running():
        [row] = await machine.until(lambda rows: rows[0].unknowns == 1, Letter)
        assert row.state is LetterState.queued
        job = await job_of(machine, letter)
        assert (job.due_at - machine.clock.at).total_seconds() == 10
        machine.move(seconds=10)
        await machine.settled(letter)
    first, second = machine.lines["line"].texts("甲")
    assert second == REPEAT + first


async def test_a_page_lost_twice_is_tried_another_way_and_marked_there_too(two_ways: Machine) -> None:
    await add_incident(two_ways)
    two_ways.lines["line"].plan("甲", UNKNOWN, UNKNOWN)
    letter = await owe_page(two_ways)
    async with two_ways.running():
        for unknowns in (1, 2):
            await two_ways.until(lambda rows: rows[0].unknowns == unknowns, Letter)  # noqa: B023  # Awaited here.
            two_ways.move(seconds=10)
        [row] = await two_ways.settled(letter)
    assert (row.state, row.channel) == (LetterState.sent, "other")
    [said] = two_ways.lines["other"].texts("甲")
    assert said.startswith(REPEAT)


async def test_what_a_hiding_channel_may_have_shown_is_marked_on_another(tmp_path: Path) -> None:
    lines = Line(limits=ChannelLimits(hides_repeats=True)), Line("other")
    async with open_machine(tmp_path, *lines) as machine:
        await machine.people("甲", channels=("line", "other"))
        machine.lines["line"].plan("甲", ARRIVED_UNKNOWN, NOT_SENT, NOT_SENT)
        letter = await machine.owe("甲")
        async with machine.running():
            for attempts in (1, 2, 3):
                await machine.until(lambda rows: rows[0].attempts == attempts, Letter)  # noqa: B023  # Awaited here.
                await machine.at_rest()
                machine.move(minutes=1)
            await machine.settled(letter)
        [said] = machine.lines["other"].texts("甲")
        assert said.startswith(REPEAT)
        assert not any(one.text.startswith(REPEAT) for one in machine.lines["line"].handed)


@pytest.mark.parametrize(
    ("what", "said"), [("sign", "乙 已签收"), ("mine", "您已签收"), ("close", "已办结（乙"), ("hand", "")]
)
async def test_a_page_on_its_way_while_somebody_signs_loses_its_button_when_it_arrives(
    machine: Machine, what: str, said: str
) -> None:
    await add_incident(machine)
    gate = asyncio.Event()
    machine.lines["line"].plan("甲", gate)
    letter = await owe_page(machine)
    async with machine.running():
        await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter, id=letter)
        async with machine.door.open() as desk:
            signer = await desk.store.get(Officer, "甲" if what == "mine" else "乙")
            assert signer is not None
            if what == "hand":
                await acknowledgements.hand_on(desk, "i", signer, "甲")
            else:
                await acknowledgements.sign(desk, "i", signer)
            if what == "close":
                await acknowledgements.close(desk, "i", signer, "已扑灭")
        gate.set()
        await machine.settled(letter)
        await machine.at_rest()
    shown = [one for one in machine.lines["line"].arrived if one.address == "甲"]
    changes = [one for one in shown if one.amends == f"{letter}@甲"]
    if what == "hand":  # Nobody has signed: the button must stay.
        assert changes == [] and all("sign:i" in str(one.choices) for one in shown)
    else:
        assert len(changes) == 1 and said in changes[0].text
        assert "sign:i" not in str(changes[0].choices)


async def test_whoever_was_replaced_meanwhile_writes_nothing(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("甲", gate, Receipt(Outcome.sent, remote_id="second"))
    letter = await machine.owe("甲")
    job = await job_of(machine, letter)
    first = asyncio.create_task(machine.postman.send([job]))
    await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter)
    await machine.postman.send([job])  # The work was taken over.
    gate.set()
    await first
    [row] = await machine.find(Letter)
    assert (row.state, row.remote_id, row.attempts) == (LetterState.sent, "second", 2)


async def test_fault_16_a_dead_address_is_left_at_once_and_the_leader_hears_of_it(two_ways: Machine) -> None:
    await add_incident(two_ways)
    two_ways.lines["line"].plan("甲", BLOCKED)
    letter = await owe_page(two_ways)
    async with two_ways.running():
        [row] = await two_ways.settled(letter)
        assert (row.state, row.channel) == (LetterState.sent, "other")
        assert not two_ways.lines["other"].texts("甲")[0].startswith(REPEAT)  # Refused is not perhaps.
        [told] = await two_ways.until(
            lambda rows: [one.state.value for one in rows] == ["sent"], Letter, kind="officer_unreachable"
        )
        assert told.officer_id == "领"
        [account] = await two_ways.find(Account, id="line/甲")
        assert not account.reachable
        await two_ways.settled(await two_ways.owe("甲"))
    assert len(two_ways.lines["other"].texts("甲")) == 2  # It is not tried there any more.


async def test_a_message_refused_for_itself_goes_another_way_and_condemns_no_address(
    two_ways: Machine,
) -> None:
    two_ways.lines["line"].plan("甲", Receipt(Outcome.refused, reason="BadRequest"))
    letter = await two_ways.owe("甲")
    async with two_ways.running():
        [row] = await two_ways.settled(letter)
    assert row.channel == "other"
    [account] = await two_ways.find(Account, id="line/甲")
    assert account.reachable


@pytest.mark.parametrize("is_reply", [False, True])
async def test_fault_10_a_way_that_fails_for_now_is_left_after_three_attempts_and_comes_round(
    two_ways: Machine, is_reply: bool
) -> None:
    first, second = ("other", "line") if is_reply else ("line", "other")
    two_ways.lines[first].plan("甲", *[NOT_SENT] * 3)
    two_ways.lines[second].plan("甲", *[NOT_SENT] * 3)
    if is_reply:
        async with two_ways.door.open() as desk:
            message = Inbound(first, "1", "甲", "text")
            sent = reply(desk, message, Notice("follow_up_arrived"), officer_id="甲")
            assert sent is not None
            letter = sent.id
    else:
        letter = await two_ways.owe("甲")
    async with two_ways.running():
        for attempts in range(1, 7):
            await two_ways.until(
                lambda rows: (rows[0].attempts, rows[0].state.value) == (attempts, "queued"),  # noqa: B023  # Awaited here.
                Letter,
                id=letter,
            )
            two_ways.clock.at = (await job_of(two_ways, letter)).due_at
            two_ways.queue.wake()
        [row] = await two_ways.settled(letter)
    assert (row.state, row.channel, row.attempts) == (LetterState.sent, first, 7)
    assert [len(two_ways.lines[name].handed) for name in (first, second)] == [4, 3]


async def test_fault_19_a_channel_down_for_hours_is_waited_for_and_old_digests_are_dropped_aloud(
    machine: Machine,
) -> None:
    line = machine.lines["line"]
    line.plan("", *[NOT_SENT] * 200)
    digest = await machine.owe("甲", "bulletin_daily", lane=Lane.bulk)
    letter = await machine.owe("乙")
    async with machine.running():
        for _ in range(40):
            await machine.at_rest()
            machine.move(minutes=10)
        [old] = await machine.settled(digest)
        assert (old.state, old.reason) == (LetterState.cancelled, "stale")
        assert [one["what"] for one in await machine.log("letter_stale")] == ["bulletin_daily"]
        line.script.clear()
        machine.move(minutes=11)
        [row] = await machine.settled(letter)
    assert row.state is LetterState.sent
    assert len(line.arrived) == 1


async def test_an_urgent_letter_nobody_got_in_a_day_is_shown_and_may_be_sent_anew(machine: Machine) -> None:
    await machine.people("办", role=Role.office)
    letter = await machine.owe("甲")
    machine.move(hours=24, seconds=1)
    async with machine.running():
        [row] = await machine.settled(letter)
        assert (row.state, row.reason) == (LetterState.failed, "stale")
        async with machine.door.open() as desk:
            [trouble], _ = await read_troubles(desk.store, desk.now)
            office = await desk.store.get(Officer, "办")
            assert office is not None and await retry(desk, office, trouble.kind, trouble.id)
        [row] = await machine.settled(letter)
    assert row.state is LetterState.sent


async def test_a_question_answered_meanwhile_is_not_sent_again(machine: Machine) -> None:
    incident = await add_incident(machine)
    machine.lines["line"].plan("甲", NOT_SENT)
    letter = await owe_page(machine)
    async with machine.running():
        await machine.until(lambda rows: rows[0].reason != "", Letter)
        async with machine.door.open() as desk:
            found = await desk.store.get(Incident, incident.id)
            assert found is not None
            await desk.store.change(found, state=State.verifying, signed_by="乙")
        machine.move(seconds=2)
        [row] = await machine.settled(letter)
    assert (row.state, row.reason) == (LetterState.cancelled, "settled")
    assert machine.lines["line"].arrived == []


async def test_p5_nobody_to_send_it_to_is_logged_shown_and_climbs_now(machine: Machine) -> None:
    await machine.people("领", role=Role.leader)
    await machine.people("值", channels=())
    await machine.watch("值", "duty_officer")
    await machine.watch("领", "duty_leader")
    await add_incident(machine, next_step_at=NOW, walk_started_at=NOW)
    async with machine.door.open() as desk:
        await escalations.step(desk, "i")
    async with machine.running():
        [page] = await machine.until(
            lambda rows: bool(rows) and rows[0].state is LetterState.sent,
            Letter,
            officer_id="领",
            kind="incident_page",
        )
    assert page.made_at == NOW  # Thirty minutes before the ladder's own time.
    [failed] = await machine.find(Letter, officer_id="值")
    assert (failed.state, failed.reason) == (LetterState.failed, "no_channel")
    assert [one["officer"] for one in await machine.log("letter_undelivered")] == ["值"]
    async with machine.door.read() as store:
        [trouble], _ = await read_troubles(store, machine.clock.now())
    assert (trouble.id, trouble.who) == (failed.id, "值")


async def test_an_address_that_is_somebody_else_s_by_now_gets_nothing(two_ways: Machine) -> None:
    two_ways.lines["line"].plan("甲", NOT_SENT)
    letter = await two_ways.owe("甲")
    async with two_ways.running():
        await two_ways.until(lambda rows: rows[0].reason != "", Letter)
        async with two_ways.door.open() as desk:
            account = await desk.store.get(Account, "line/甲")
            assert account is not None
            await desk.store.change(account, reachable=False, fault="replaced")
        two_ways.move(seconds=2)
        [row] = await two_ways.settled(letter)
    assert row.channel == "other"
    assert len(two_ways.lines["line"].handed) == 1


async def test_fault_16_a_chat_that_moved_is_followed_and_its_owner_with_it(machine: Machine) -> None:
    machine.lines["line"].plan("甲", Receipt(Outcome.not_sent, new_address="-100甲"))
    machine.lines["line"].plan("乙", Receipt(Outcome.not_sent, new_address="甲的"))
    async with machine.door.open() as desk:
        await desk.store.add(Account("x", "甲", "line", "甲的", desk.now, rank=99))
    letters = [await machine.owe("甲"), await machine.owe("乙")]
    async with machine.running():
        [moved, clash] = await machine.settled(letters[0], letters[1])
    assert (moved.state, moved.address) == (LetterState.sent, "-100甲")
    assert clash.state is LetterState.sent
    addresses = {one.id: one.address for one in await machine.find(Account)}
    assert addresses == {"line/甲": "-100甲", "line/乙": "乙", "x": "甲的"}  # Nobody's address is taken away.
    assert "甲的" not in [one.address for one in machine.lines["line"].arrived]


async def test_a_card_that_cannot_be_changed_is_left_unless_its_button_was_pressed(machine: Machine) -> None:
    line = machine.lines["line"]
    card = await machine.owe("甲")
    refused = Receipt(Outcome.refused, reason="message can't be edited")
    async with machine.running():
        [sent] = await machine.settled(card)
        line.plan("甲", refused)
        async with machine.door.open() as desk:
            change = amend(desk, sent, Notice("page_signed"))
            assert change is not None
        [dropped] = await machine.settled(change.id)
        assert dropped.state is LetterState.cancelled
        line.plan("甲", refused)
        async with machine.door.open() as desk:
            press = Inbound("line", "9", "甲", "choice", message_id=sent.remote_id, interaction="tap-1")
            proof = amend_tapped(desk, press, Notice("page_signed"), officer_id="甲")
        [told] = await machine.settled(proof.id)
    assert told.state is LetterState.sent and told.amends == ""
    assert [one.amends for one in line.handed] == ["", sent.remote_id, sent.remote_id, ""]
    assert line.settled == ["tap-1"]  # Once, though it was handed over twice.


async def test_a_tap_that_cannot_be_settled_harms_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TAP_SECONDS_MAX", 0.05)
    line = machine.lines["line"]
    async with machine.running():
        for fault in (RuntimeError("no"), asyncio.Event()):
            line.settle_fault = fault
            async with machine.door.open() as desk:
                press = Inbound("line", "9", "甲", "choice", interaction="tap")
                answer = reply(desk, press, Notice("page_signed"), officer_id="甲")
                other = reply(desk, Inbound("line", "8", "乙", "text"), Notice("signed"), officer_id="乙")
            assert answer is not None and other is not None
            rows = await machine.settled(answer.id, other.id)
            assert [(row.state.value, row.attempts) for row in rows] == [("sent", 1)] * 2


async def test_input_11_a_long_text_goes_in_parts_in_order_with_its_buttons_last(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=ChannelLimits(text_max=200))) as machine:
        await machine.people("甲")
        await add_incident(machine)
        text = "。".join(f"第{number}处积水" for number in range(80))
        letter = await machine.owe(
            "甲", "follow_up_arrived", facts={"text": text}, choices=(Choice("sign", "i"),)
        )
        async with machine.running():
            await machine.settled(letter)
            await machine.idle()
        said = machine.lines["line"].arrived
        count = len(said)
        assert count > 3
        assert [one.text.partition("）")[0] for one in said] == [
            f"（{number}/{count}" for number in range(1, count + 1)
        ]
        whole = "".join(one.text.partition("）")[2] for one in said)
        assert all(f"第{number}处积水" in whole for number in range(80))
        assert [bool(one.choices) for one in said] == [False] * (count - 1) + [True]


async def test_another_way_takes_the_whole_of_a_long_text_cut_for_it(tmp_path: Path) -> None:
    lines = Line(limits=ChannelLimits(text_max=400)), Line("other", limits=ChannelLimits(text_max=200))
    async with open_machine(tmp_path, *lines) as machine:
        await machine.people("甲", channels=("line", "other"))
        text = "。".join(f"第{number}处积水" for number in range(80))
        machine.lines["line"].plan("甲", *[BLOCKED] * 3)
        letter = await machine.owe("甲", "follow_up_arrived", facts={"text": text})
        async with machine.running():
            [row] = await machine.settled(letter)
            await machine.idle()
        assert row.state is LetterState.sent
        whole = "".join(machine.lines["other"].texts("甲"))
        assert all(f"第{number}处积水" in whole for number in range(80))


async def test_a_stub_only_channel_never_carries_facts_whichever_way_was_first(tmp_path: Path) -> None:
    policy = replace(POLICY, stub_only=("other",), public_url="https://desk.example")
    async with open_machine(tmp_path, Line(), Line("other"), policy=policy) as machine:
        await machine.people("甲", channels=("line", "other"))
        await machine.people("乙", channels=("other", "line"))
        machine.lines["line"].plan("甲", BLOCKED)
        machine.lines["other"].plan("乙", BLOCKED)
        for name in ("甲", "乙"):
            await machine.owe(name, "follow_up_arrived", facts={"number": "ZS-1", "text": "联丰路毒气"})
        async with machine.running():
            await machine.idle()
        assert all("毒气" not in one.text for one in machine.lines["other"].handed)
        assert len(machine.lines["other"].texts("甲")) == 1
        [full] = machine.lines["line"].texts("乙")
        assert "毒气" in full


async def test_fault_13_429_holds_the_whole_channel_and_pages_lead_at_its_end(tmp_path: Path) -> None:
    limits = ChannelLimits(per_second=30, per_chat_seconds=1)
    async with open_machine(tmp_path, Line(limits=limits), Line("other")) as machine:
        names = [f"n{number}" for number in range(12)]
        await machine.people("first", "urgent", *names)
        await machine.people("elsewhere", channels=("other",))
        line = machine.lines["line"]
        line.plan("first", Receipt(Outcome.not_sent, retry_after_seconds=37, whole_channel=True))
        flooded = await machine.owe("first", lane=Lane.bulk)
        async with machine.running():
            await machine.until(
                lambda rows: rows[0].attempts == 1 and rows[0].state.value == "queued", Letter
            )
            ids = [await machine.owe(name, lane=Lane.bulk) for name in names]
            urgent = await machine.owe("urgent")
            elsewhere = await machine.owe("elsewhere")
            await machine.settled(elsewhere)
            for seconds in (30, 6.9):
                machine.move(seconds=seconds)
                await machine.at_rest()
                assert line.arrived == []
            machine.move(seconds=0.1)
            await machine.settled(urgent)
            for _ in range(20):
                machine.move(seconds=0.2)
                await machine.at_rest()
            await machine.settled(flooded, urgent, *ids)
    assert line.arrived[0].address == "urgent"
    assert len(line.arrived) == 14


async def test_a_429_of_one_chat_holds_only_that_chat(tmp_path: Path) -> None:
    limits = ChannelLimits(per_second=30, per_chat_seconds=1)
    async with open_machine(tmp_path, Line(limits=limits)) as machine:
        await machine.people("甲", "乙")
        machine.lines["line"].plan("甲", Receipt(Outcome.not_sent, retry_after_seconds=5))
        async with machine.running():
            held = await machine.owe("甲")
            await machine.until(
                lambda rows: rows[0].attempts == 1 and rows[0].state.value == "queued", Letter
            )
            second, free = await machine.owe("甲"), await machine.owe("乙")
            await machine.settled(free)
            assert machine.lines["line"].texts("甲") == []
            machine.move(seconds=4.9)
            await machine.at_rest()
            assert machine.lines["line"].texts("甲") == []
            for _ in range(2):
                await machine.at_rest()
                machine.move(seconds=1)
            await machine.settled(held, second)


async def test_one_chat_is_written_to_no_faster_than_it_allows(tmp_path: Path) -> None:
    limits = ChannelLimits(per_chat_seconds=2)
    async with open_machine(tmp_path, Line(limits=limits)) as machine:
        await machine.people("甲")
        for _ in range(6):
            await machine.owe("甲")
        line = machine.lines["line"]
        async with machine.running():
            for count in (3, 4, 5, 6):  # A short burst, then one every two seconds.
                await machine.at_rest()
                assert len(line.arrived) == count
                machine.move(seconds=2)


async def test_fault_35_a_page_does_not_queue_behind_a_crowd_of_receipts(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=ChannelLimits(per_second=40))) as machine:
        names = [f"n{number}" for number in range(160)]
        await machine.people(*names, "甲")
        await add_incident(machine)
        receipts = [await machine.owe(name, "report_filed", facts={"number": "ZS-1"}) for name in names]
        machine.move(milliseconds=1)
        page = await owe_page(machine)
        async with machine.running():
            await machine.settled(page)
            left = [
                one for one in await machine.find(Letter, id_in=receipts) if one.state is LetterState.queued
            ]
            assert len(left) > 60


async def test_fault_35_an_urgent_letter_overtakes_a_crowd_of_bulk(tmp_path: Path) -> None:
    async with open_machine(tmp_path, Line(limits=ChannelLimits(per_second=40))) as machine:
        names = [f"n{number}" for number in range(120)]
        await machine.people("urgent", *names)
        async with machine.door.open() as desk:
            for name in names:
                tell(desk, name, Notice("follow_up_arrived"), lane=Lane.bulk)
        line = machine.lines["line"]
        async with machine.running():
            await machine.until(lambda rows: len(rows) > 3, Letter, state=LetterState.sent)
            before = len(line.handed)
            await machine.settled(await machine.owe("urgent"))
            place = [one.address for one in line.handed].index("urgent")
    assert place - before <= 20  # At most what was on its way already.


async def test_a_channel_that_raises_harms_no_other_letter(machine: Machine) -> None:
    machine.lines["line"].plan("甲", RuntimeError("a bug"))
    broken, good = await machine.owe("甲", "status"), await machine.owe("乙")
    async with machine.running():
        [lost, sent] = await machine.settled(broken, good)
    assert (lost.state, lost.reason) == (LetterState.unknown, "RuntimeError: a bug")
    assert (sent.state, sent.attempts) == (LetterState.sent, 1)


async def test_a_channel_that_hangs_holds_nobody_up_and_its_receipts_are_kept_when_they_come(
    two_ways: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    gate, line = asyncio.Event(), two_ways.lines["line"]
    names = [f"n{number}" for number in range(80)]
    await two_ways.people(*names)
    await two_ways.people("快", channels=("other",))
    line.plan("", *[gate] * 200)
    async with two_ways.running():
        stuck = [await two_ways.owe(name) for name in names]
        loop, started = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        await two_ways.settled(await two_ways.owe("快"))
        assert loop.time() - started < 5
        await two_ways.at_rest()
        await two_ways.settled(await two_ways.owe("快"))
        assert (
            module.LATE_MAX <= len(line.handed) <= 2 * module.LATE_MAX
        )  # The others wait until some are through.
        gate.set()
        await two_ways.until(lambda rows: True, Letter, state=LetterState.sent)
        two_ways.move(seconds=2)
        rows = await two_ways.settled(*stuck)
        assert {(row.state, row.attempts) for row in rows} == {(LetterState.sent, 1)}
        two_ways.move(
            seconds=LATE_AFTER.total_seconds()
        )  # The work put in case of a crash finds nothing to do.
        await two_ways.idle()
    assert len(line.arrived) == 80


async def test_a_sending_without_any_end_counts_as_unknown_and_what_stood_behind_it_as_unsent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "SEND_SECONDS_MAX", 0.2)
    machine.lines["line"].plan("甲", asyncio.Event())
    first = await machine.owe("甲", "status")
    machine.move(milliseconds=1)
    second = await machine.owe("甲")
    async with machine.running():
        [hung] = await machine.settled(first)
        assert hung.state is LetterState.unknown and "0.2 s" in hung.reason
        [row] = await machine.until(lambda rows: rows[0].state is LetterState.queued, Letter, id=second)
        assert (row.unknowns, row.reason) == (0, "the channel hangs")
        machine.move(seconds=2)
        await machine.settled(second)
    assert machine.lines["line"].texts("甲")[0][0] != REPEAT[0]


async def cut_off_in_a_slow_sending(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The desk ended while the platform had not answered; the letter's id."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "CLOSE_SECONDS_MAX", 0.05)
    machine.lines["line"].plan("甲", asyncio.Event())
    letter = await machine.owe("甲")
    async with machine.running():
        await machine.until(lambda jobs: [job.id[:5] for job in jobs] == ["late/"], Job)
    return letter


async def test_fault_4_a_crash_while_a_slow_sending_goes_on_is_unknown_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await cut_off_in_a_slow_sending(machine, monkeypatch)
    [row] = await machine.find(Letter)
    assert row.state is LetterState.sending
    async with machine.running():
        machine.move(seconds=LATE_AFTER.total_seconds())
        await machine.settled(letter)
    assert [one.text.startswith(REPEAT) for one in machine.lines["line"].handed] == [False, True]


async def test_fault_4_what_waited_for_a_slow_answer_at_a_crash_is_due_at_the_start_of_a_desk_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await cut_off_in_a_slow_sending(machine, monkeypatch)
    async with machine.door.open() as desk:
        await wait_no_longer(desk)
    async with machine.running():
        await machine.settled(letter)
    assert [one.text.startswith(REPEAT) for one in machine.lines["line"].handed] == [False, True]


async def test_a_stop_lets_what_is_on_its_way_end(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    gate = asyncio.Event()
    machine.lines["line"].plan("甲", gate)
    await machine.owe("甲")
    async with machine.running():
        await machine.until(lambda jobs: [job.id[:5] for job in jobs] == ["late/"], Job)
        asyncio.get_running_loop().call_later(0.2, gate.set)
    [row] = await machine.find(Letter)
    assert (row.state, row.unknowns) == (LetterState.sent, 0)


async def test_fault_21_what_is_known_of_a_message_outlasts_a_locked_database(machine: Machine) -> None:
    gate = asyncio.Event()
    machine.lines["line"].plan("甲", gate)
    letter = await machine.owe("甲")
    async with machine.running():
        await machine.until(lambda rows: rows[0].state is LetterState.sending, Letter)
        with closing(sqlite3.connect(machine.folder / "desk.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gate.set()
            await asyncio.sleep(2.5)  # Longer than SQLite waits for a lock: the first try fails.
            other.execute("ROLLBACK")
        [row] = await machine.settled(letter)
    assert (row.state, row.attempts, row.unknowns) == (LetterState.sent, 1, 0)
    assert len(machine.lines["line"].handed) == 1


async def test_a_receipt_that_cannot_be_written_takes_no_other_along(machine: Machine) -> None:
    odd: Any = object()
    machine.lines["line"].plan("甲", Receipt(Outcome.sent, remote_id=odd))
    bad, good = await machine.owe("甲", "status"), await machine.owe("乙")
    async with machine.running():
        [sent] = await machine.settled(good)
        assert (sent.state, sent.attempts) == (LetterState.sent, 1)
        [lost] = await machine.settled(bad)
    assert lost.state is LetterState.unknown
    assert len(machine.lines["line"].texts("乙")) == 1


async def test_fault_27_a_clock_that_steps_back_silences_nobody(tmp_path: Path) -> None:
    async with open_machine(
        tmp_path, Line(limits=ChannelLimits(per_second=30, per_chat_seconds=1))
    ) as machine:
        await machine.people("甲")
        async with machine.running():
            for _ in range(3):
                await machine.settled(await machine.owe("甲"))
            machine.move(hours=-1)
            await machine.idle()
            letter = await machine.owe("甲")
            await machine.at_rest()
            machine.move(seconds=5)
            await machine.settled(letter)


async def test_a_letter_owed_by_two_jobs_leaves_once(machine: Machine) -> None:
    letter = await machine.owe("甲")
    async with machine.door.open() as desk:
        desk.due("send", letter, desk.now, key="to:甲", lane=Lane.urgent)
    async with machine.running():
        await machine.idle()
    assert len(machine.lines["line"].handed) == 1
