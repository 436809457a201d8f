"""Every stored event is heard once, in order per sender; a poison one is put aside where people see it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot import switchboard
from desk.board_troubles import read_troubles
from desk.enrolment import invite, unreachable
from desk.model import Inbound, InboxRow, InboxState, Job, Letter
from desk.policy import Limits
from desk.ports import Desk
from desk.retries import retry
from handlers.flow import Flow, find_flows
from roster.model import Account, Officer, Role
from tests.bot.channels.webchat_parts import POLICY
from tests.bot.machine import UNIT, Line, Machine, open_machine


@dataclass
class Ear:
    """Flows that write down what they hear, in the log and so in the transaction."""

    poison: str = "毒"
    is_mended: bool = False
    last_heard: dict[str, Inbound] = field(default_factory=dict)  # By event, as the last run heard it.
    strangers: list[Inbound] = field(default_factory=list)
    block: asyncio.Event | None = None

    async def hear(self, desk: Desk, message: Inbound, officer: Officer) -> None:
        desk.log("tried_again", "desk", officer.id, what=message.text)
        if self.block is not None:
            await self.block.wait()
        if message.text == self.poison and not self.is_mended:
            raise ZeroDivisionError("poison")
        self.last_heard.pop(message.event_id, None)
        self.last_heard[message.event_id] = message

    async def hear_stranger(self, desk: Desk, message: Inbound) -> None:
        self.strangers.append(message)

    async def wants(self, desk: Desk, message: Inbound, officer: Officer) -> bool:
        return True

    @property
    def heard(self) -> list[Inbound]:
        return list(self.last_heard.values())

    @property
    def flows(self) -> Sequence[Flow]:
        return (
            Flow("any", self.hear, wants=self.wants),
            Flow("help", self.hear, commands=("help",), hear_stranger=self.hear_stranger),
        )

    def texts(self, address: str = "") -> list[str]:
        return [one.text for one in self.heard if one.address == address or not address]


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture(params=[True, False], ids=["sweeps", "a job each"])
async def machine(request: pytest.FixtureRequest, tmp_path: Path, ear: Ear) -> AsyncIterator[Machine]:
    async with open_machine(tmp_path, flows=ear.flows, sweeps=request.param) as opened:
        await opened.people("甲", "乙", "丙")
        yield opened


def hearing(machine: Machine, job: Job) -> Callable[[Sequence[Job]], Awaitable[None]]:
    """The handler of the job that hears what was taken."""
    return machine.switchboard.sweep if job.kind == "sweep" else machine.switchboard.hear


async def all_heard(machine: Machine, count: int) -> None:
    await machine.until(lambda rows: Counter(row.state for row in rows)[InboxState.heard] == count, InboxRow)


async def test_a_press_without_a_moment_of_its_own_counts_from_when_it_came_in(
    machine: Machine, ear: Ear
) -> None:
    came_in_at = machine.clock.at
    await machine.hears("甲", "1", text="按下")
    machine.move(minutes=15)  # The desk is away, and hears it late.
    async with machine.running():
        await all_heard(machine, 1)
    assert [one.sent_at for one in ear.heard] == [came_in_at]


async def test_messages_of_one_sender_are_heard_in_their_order(machine: Machine, ear: Ear) -> None:
    for number in range(20):
        machine.move(milliseconds=1)
        await asyncio.gather(
            *(machine.hears(name, f"{name}{number}", text=str(number)) for name in ("甲", "乙", "丙"))
        )
    async with machine.running():
        await all_heard(machine, 60)
    for name in ("甲", "乙", "丙"):
        assert ear.texts(name) == [str(number) for number in range(20)]
    assert await machine.find(Job) == []


async def test_slow_messages_are_heard_in_several_transactions_each_once_and_in_order(
    machine: Machine, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "WRITING_SECONDS_MAX", 0.0)  # After the first message it is always over.
    for number in range(10):
        machine.move(milliseconds=1)
        for name in ("甲", "乙"):
            await machine.hears(name, f"{name}{number}", text=str(number))
    async with machine.running():
        await all_heard(machine, 20)
    for name in ("甲", "乙"):
        assert ear.texts(name) == [str(number) for number in range(10)]
    assert await machine.find(Job) == []


async def test_fault_9_poison_is_put_aside_and_shown_others_flow_and_it_is_heard_after_the_fix(
    machine: Machine, ear: Ear
) -> None:
    await machine.people("办", role=Role.office)
    for number, text in enumerate(["一", "毒", "二"]):
        await machine.hears("甲", f"a{number}", text=text)
        await machine.hears("乙", f"b{number}", text=str(number))
    async with machine.running():
        await all_heard(machine, 5)
        assert ear.texts("甲") == ["一", "二"] and ear.texts("乙") == ["0", "1", "2"]
        for attempt in range(1, 7):
            [job] = await machine.until(lambda jobs: jobs[0].attempts == attempt, Job)  # noqa: B023  # Awaited here.
            machine.clock.at = job.due_at
            machine.queue.wake()
        assert job.parked and "ZeroDivisionError" in job.error
        async with machine.door.read() as store:
            [trouble], count = await read_troubles(store, machine.clock.now())
        assert (trouble.kind, trouble.id, count) == ("job", job.id, 1)
        assert "poison" in trouble.reason
        ear.is_mended = True
        async with machine.door.open() as desk:
            office = await desk.store.get(Officer, "办")
            assert office is not None and await retry(desk, office, "job", job.id)
        await all_heard(machine, 6)
    assert ear.texts("甲") == ["一", "二", "毒"]
    assert [one["what"] for one in await machine.log("tried_again")].count(
        "毒"
    ) == 1  # Failed runs left nothing.


async def test_an_unreadable_event_is_kept_whole_with_its_reason_and_read_after_the_fix(
    machine: Machine, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.people("办", role=Role.office)
    await machine.inbox.take("line", "bad", "甲", b"\xff no JSON")
    await machine.hears("甲", "good", text="好")
    async with machine.running():
        await all_heard(machine, 1)
        [row] = await machine.until(lambda rows: rows[0].state is InboxState.dead, InboxRow, id="line/bad")
        assert row.raw == b"\xff no JSON" and row.error.startswith("unreadable")
        [line] = await machine.log("event_put_aside")
        assert (line["channel"], line["event"]) == ("line", "line/bad")
        async with machine.door.read() as store:
            [trouble], _ = await read_troubles(store, machine.clock.now())
        assert (trouble.kind, trouble.id, trouble.who) == ("inbox", "line/bad", "甲")
        monkeypatch.setattr(
            Line, "parse", lambda self, raw: Inbound("line", "bad", "甲", "text", text="读出来了")
        )
        async with machine.door.open() as desk:
            office = await desk.store.get(Officer, "办")
            assert office is not None and await retry(desk, office, "inbox", "line/bad")
        await all_heard(machine, 2)
    assert ear.texts() == ["好", "读出来了"]


async def test_an_event_of_a_channel_that_is_gone_is_put_aside_with_its_reason(machine: Machine) -> None:
    await machine.inbox.take("pigeon", "1", "甲", b"{}")
    async with machine.running():
        [row] = await machine.until(lambda rows: rows[0].state is InboxState.dead, InboxRow)
    assert "pigeon" in row.error


async def test_an_event_that_means_nothing_is_done_with(machine: Machine, ear: Ear) -> None:
    await machine.inbox.take("line", "1", "甲", b"{}")
    async with machine.running():
        await all_heard(machine, 1)
    assert ear.heard == [] and await machine.find(Job) == []


async def test_fault_7_the_same_job_twice_or_at_once_has_one_effect(machine: Machine, ear: Ear) -> None:
    await machine.hears("甲", "1", text="到")
    [job] = await machine.find(Job)
    await asyncio.gather(*(hearing(machine, job)([job, job]) for _ in range(3)))
    await machine.hears("甲", "1", text="到")
    async with machine.running():
        await machine.idle()
    assert ear.texts() == ["到"]
    assert len(await machine.log("tried_again")) == 1


async def test_fault_2_a_crash_in_the_middle_of_hearing_leaves_no_half_effect(
    machine: Machine, ear: Ear
) -> None:
    ear.block = asyncio.Event()
    await machine.hears("甲", "1", text="火灾")
    [job] = await machine.find(Job)
    heard = asyncio.create_task(_run(hearing(machine, job), job))
    await asyncio.sleep(0.05)
    heard.cancel()
    await asyncio.gather(heard, return_exceptions=True)
    assert await machine.log("tried_again") == []
    [row] = await machine.find(InboxRow)
    assert row.state is InboxState.new
    ear.block = None
    async with machine.running():
        await all_heard(machine, 1)
    assert ear.texts() == ["火灾"] and len(await machine.log("tried_again")) == 1


async def _run(handler: Callable[[Sequence[Job]], Awaitable[None]], job: Job) -> None:
    await handler([job])


async def test_what_comes_while_a_sweep_runs_is_heard_by_it_or_by_the_next(tmp_path: Path, ear: Ear) -> None:
    """At whatever moment of the sweep an event is stored, somebody hears it."""
    async with open_machine(tmp_path, flows=ear.flows) as machine:
        await machine.people("甲")
        async with machine.running():
            for round_ in range(60):
                await machine.hears("甲", f"a{round_}", text="一")
                for _ in range(round_):
                    await asyncio.sleep(0)
                await machine.hears("甲", f"b{round_}", text="二")
                if round_ % 3 == 0:
                    machine.move(minutes=1)
                    await machine.idle()
            await all_heard(machine, 120)
            await machine.idle()


async def test_a_sweep_is_never_given_up_whatever_fails(
    tmp_path: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_machine(tmp_path, flows=ear.flows) as machine:
        await machine.people("甲")
        tries = 0

        async def broken(row: InboxRow) -> None:
            nonlocal tries
            tries += 1
            raise ZeroDivisionError

        monkeypatch.setattr(machine.switchboard, "_hear_alone", broken)
        await machine.hears("甲", "1", text="毒")
        async with machine.running():
            for expected in range(1, 9):  # More often than any other job is tried.
                async with asyncio.timeout(10):
                    while tries < expected:
                        machine.move(seconds=2)
                        await asyncio.sleep(0.01)
            monkeypatch.undo()
            ear.is_mended = True
            machine.move(seconds=2)
            await all_heard(machine, 1)


async def test_what_comes_too_fast_is_folded_and_a_second_hearing_counts_once(tmp_path: Path) -> None:
    ear = Ear()
    policy = replace(POLICY, limits=Limits(messages_per_minute=5))
    async with open_machine(tmp_path, flows=ear.flows, policy=policy) as machine:
        await machine.people("甲", "乙")
        for number in range(4):
            await machine.hears("甲", f"a{number}", text=str(number))
        machine.move(milliseconds=1)
        await machine.hears("甲", "poison", text="毒")  # The batch fails once and is heard one by one.
        machine.move(milliseconds=1)
        for number in range(4, 8):
            await machine.hears("甲", f"a{number}", text=str(number))
        machine.move(milliseconds=1)
        await machine.hears("乙", "b", text="b")
        async with machine.running():
            await all_heard(machine, 9)
            assert [one.folded for one in ear.heard if one.address == "甲"] == [False] * 4 + [True] * 4
            assert [one.folded for one in ear.heard if one.address == "乙"] == [False]
            machine.move(seconds=61)
            await machine.hears("甲", "later", text="later")
            await machine.until(lambda rows: rows[0].state is InboxState.heard, InboxRow, id="line/later")
        assert not ear.heard[-1].folded


@pytest.mark.parametrize(
    ("inbound", "flow"),
    [
        ({"text": "/status"}, "status"),
        ({"text": "/STATUS@muster_bot"}, "status"),
        ({"text": "/status@muster_bot 2"}, "status"),
        ({"text": "/status@muster_bot 小榄"}, "status report"),  # The words are asked about.
        ({"text": "状态"}, "status"),
        ({"text": "　状态 "}, "status"),
        ({"text": "状态怎么样"}, "any"),
        ({"text": "状态 怎么样"}, "any"),
        ({"text": "报送　联丰路起火"}, "report"),
        ({"text": "报送\n联丰路起火"}, "report"),
        ({"text": "报送"}, "report"),
        ({"text": "报送联丰路起火"}, "any"),
        ({"text": "/nonsense"}, "any"),
        ({"text": ""}, "any"),
        ({"text": "  "}, "any"),
        ({"text": "/status", "edited": True}, "any"),
        ({"text": "状态", "forwarded": True}, "any"),
        ({"kind": "choice", "verb": "press", "ref": "1"}, "press"),
        ({"kind": "choice", "verb": "unheard of", "ref": "1"}, "any"),
        ({"kind": "choice", "verb": "press", "text": "/status"}, "press"),
        ({"kind": "start", "text": "CODE"}, "enrol"),
    ],
)
async def test_a_message_goes_to_the_flow_it_names(
    tmp_path: Path, inbound: dict[str, object], flow: str
) -> None:
    heard: list[str] = []

    def named(name: str, **more: object) -> Flow:
        async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
            heard.append(name)

        return Flow(name, hear, **more)  # type: ignore[arg-type]  # A flow's own fields.

    ear = Ear()
    flows = [
        named("status", commands=("status",), words=("状态",)),
        named("report", commands=("report",), leads=("报送",)),
        named("press", verbs=("press",)),
        named("enrol", commands=("start",)),
        named("any", wants=ear.wants),
        named("help", commands=("help",)),
    ]
    async with open_machine(tmp_path, flows=flows) as machine:
        await machine.people("甲")
        await machine.hears("甲", "1", **inbound)
        async with machine.running():
            await all_heard(machine, 1)
    assert heard == flow.split()


async def test_strangers_removed_officers_and_handed_over_phones_are_nobody(
    machine: Machine, ear: Ear
) -> None:
    async with machine.door.open() as desk:
        removed = await desk.store.get(Officer, "甲")
        assert removed is not None
        await desk.store.change(removed, active=False)
        replaced = await desk.store.get(Account, "line/乙")
        assert replaced is not None
        await unreachable(desk, replaced, "replaced")
    for name in ("路人", "甲", "乙", "丙"):
        machine.move(seconds=1)
        await machine.hears(name, name, text="着火了")
    async with machine.running():
        await all_heard(machine, 4)
    assert [one.address for one in ear.strangers] == ["路人", "甲", "乙"]
    assert [one.address for one in ear.heard] == ["丙"]
    [account] = await machine.find(Account, id="line/乙")
    assert not account.reachable


async def test_an_officer_who_had_blocked_the_desk_is_known_when_they_write_and_reached_again(
    machine: Machine, ear: Ear
) -> None:
    async with machine.door.open() as desk:
        account = await desk.store.get(Account, "line/甲")
        assert account is not None
        await unreachable(desk, account, "Forbidden: bot was blocked by the user")
    await machine.hears("甲", "1", text="河堤漏水")
    async with machine.running():
        await all_heard(machine, 1)
    assert ear.texts("甲") == ["河堤漏水"]
    [account] = await machine.find(Account, id="line/甲")
    assert account.reachable and account.fault == ""
    assert len(await machine.log("account_reachable")) == 1


async def test_an_address_is_only_its_own_channel_s(machine: Machine, ear: Ear) -> None:
    async with machine.door.open() as desk:
        await desk.store.add(Officer("丁", "丁", UNIT.id), Account("other/丁", "丁", "other", "丁", desk.now))
    await machine.hears("丁", "1", text="我是丁")
    async with machine.running():
        await all_heard(machine, 1)
    assert [one.address for one in ear.strangers] == ["丁"] and ear.heard == []


async def test_whoever_just_used_a_code_is_known_in_the_same_breath(tmp_path: Path) -> None:
    async with open_machine(tmp_path, flows=find_flows()) as machine:
        async with machine.door.open() as desk:
            officer = Officer("甲", "甲", UNIT.id)
            await desk.store.add(UNIT, officer)
            code = await invite(desk, officer)
        await machine.hears("7001", "1", kind="start", text=code)
        await machine.hears("7001", "2", text="/mine")
        async with machine.running():
            await all_heard(machine, 2)
        kinds = [one.kind for one in await machine.find(Letter)]
        assert "enrolled" in kinds and "mine" in kinds and "stranger" not in kinds
