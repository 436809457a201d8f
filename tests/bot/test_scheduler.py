"""Every planned moment comes true once, however late, wrong or often the clock is looked at."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot import scheduler as module
from bot.clock import SystemClock
from bot.scheduler import Scheduler
from desk.board_troubles import read_troubles
from desk.model import Letter, Setting
from desk.policy import BulletinPlan, Policy
from incidents.model import LogLine
from roster.model import Draw, RandomMoments, Role, RollCall, RollCallPlan, RollCallState
from tests.bot.channels.webchat_parts import POLICY
from tests.bot.machine import Machine, SetClock, open_machine

SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = RollCallPlan("早点名", cron="0 8 * * *", posts=("duty_officer",), catch_up_minutes=30)
NIGHT = RollCallPlan("夜间抽查", random=RandomMoments("22:00-06:00", times=2), posts=("duty_officer",))
DAILY = BulletinPlan("每日要情", "0 17 * * *", ("role:office",))
PLANNED = replace(POLICY, roll_calls=(MORNING,), bulletins=(DAILY,))


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A local moment as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def office(
    folder: Path, starts_at: str, policy: Policy = PLANNED, zone: ZoneInfo = SHANGHAI
) -> AbstractAsyncContextManager[Machine]:
    return open_machine(folder, policy=policy, clock=SetClock(local(starts_at, zone)))


async def look(machine: Machine, at: str, *, times: int = 1, zone: ZoneInfo = SHANGHAI) -> None:
    """The desk looks at its timetables at a local moment, each time as after a restart."""
    machine.clock.at = local(at, zone)
    for _ in range(times):
        await Scheduler(machine.door).look()


async def calls(machine: Machine) -> Sequence[RollCall]:
    return await machine.find(RollCall, order=("called_at",))


async def test_fault_28_down_over_the_moment_it_is_called_once_and_marked_as_made_up(tmp_path: Path) -> None:
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值", "领")
        await machine.watch("值", "duty_officer")
        await look(machine, "2026-11-24T07:55")
        await look(machine, "2026-11-24T08:10", times=20)
        [call] = await calls(machine)
        assert (call.make_up, call.slot, call.state) == (
            True,
            local("2026-11-24T08:00").isoformat(),
            RollCallState.open,
        )
        asked = await machine.find(Letter, kind="roll_call_question")
        assert [one.officer_id for one in asked] == ["值"]
        assert asked[0].facts["make_up"] is True


async def test_fault_28_down_beyond_the_catch_up_window_it_is_missed_and_the_leader_told_once(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值", "领", role=Role.office)
        await machine.watch("值", "duty_officer")
        await machine.watch("领", "duty_leader")
        await look(machine, "2026-11-24T07:55")
        await look(machine, "2026-11-24T09:00", times=20)
        [call] = await calls(machine)
        assert (call.state, call.make_up) == (RollCallState.missed, False)
        letters = await machine.find(Letter)
        assert [(one.kind, one.officer_id) for one in letters] == [("roll_call_missed", "领")]
        assert len(await machine.log("roll_call_missed")) == 1


async def test_on_time_it_is_called_once_however_often_it_is_looked_at(tmp_path: Path) -> None:
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值")
        await machine.watch("值", "duty_officer")
        await look(machine, "2026-11-24T07:59:59", times=3)
        assert await calls(machine) == []
        await look(machine, "2026-11-24T08:00", times=20)
        [call] = await calls(machine)
        assert not call.make_up
        assert len(await machine.find(Letter)) == 1


async def test_a_new_timetable_owes_nothing_of_the_past(tmp_path: Path) -> None:
    async with office(tmp_path, "2026-11-24T08:01") as machine:
        await look(machine, "2026-11-24T08:01", times=2)
        assert await calls(machine) == [] and await machine.find(Letter) == []


async def test_fault_27_a_clock_that_goes_back_calls_nobody_twice(tmp_path: Path) -> None:
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值", role=Role.office)
        await machine.watch("值", "duty_officer")
        for moment in ("T07:00", "T08:00", "T07:10", "T08:00", "T08:30"):
            await look(machine, f"2026-11-24{moment}")
        for moment in ("T17:00", "T16:00", "T17:00", "T17:01"):
            await look(machine, f"2026-11-24{moment}")
        assert len(await calls(machine)) == 1
        assert len(await machine.find(Letter, kind="bulletin_daily")) == 1
        await look(machine, "2026-11-25T08:00")
        assert len(await calls(machine)) == 2


async def test_fault_27_a_clock_that_was_years_ahead_for_a_moment_stops_no_timetable(tmp_path: Path) -> None:
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值", role=Role.office)
        await machine.watch("值", "duty_officer")
        await look(machine, "2026-11-24T07:00")
        await look(machine, "2031-01-01T00:00")
        await look(machine, "2026-11-24T07:01")
        before = {one.id for one in await calls(machine)}
        await look(machine, "2026-11-24T08:00", times=3)
        assert [one.slot for one in await calls(machine) if one.id not in before] == [
            local("2026-11-24T08:00").isoformat()
        ]
        await look(machine, "2026-11-24T17:00", times=3)
        sent = [one["slot"] for one in await machine.log("bulletin_sent")]
        assert sent.count(local("2026-11-24T17:00").isoformat()) == 1


@pytest.mark.parametrize(
    ("day", "moments"),
    [
        ("2026-03-29", ["2026-03-29T01:30+00:00"]),  # 02:30 is skipped: called at 03:30.
        ("2026-10-25", ["2026-10-25T00:30+00:00"]),  # 02:30 comes twice: called the first time.
    ],
)
async def test_fault_27_a_local_time_that_is_skipped_or_comes_twice_is_called_once(
    tmp_path: Path, day: str, moments: list[str]
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    plan = replace(MORNING, cron="30 2 * * *")
    policy = replace(PLANNED, timezone="Europe/Berlin", roll_calls=(plan,), bulletins=())
    async with office(tmp_path, f"{day}T00:00", policy, berlin) as machine:
        await machine.people("值")
        scheduler = Scheduler(machine.door)
        for _ in range(5 * 60):
            await scheduler.look()
            machine.move(minutes=1)
        assert [datetime.fromisoformat(one.slot) for one in await calls(machine)] == [
            datetime.fromisoformat(moment) for moment in moments
        ]


async def test_random_moments_are_drawn_once_stored_and_shown_to_nobody(tmp_path: Path) -> None:
    policy = replace(PLANNED, roll_calls=(NIGHT,), bulletins=())
    async with office(tmp_path, "2026-11-24T12:00", policy) as machine:
        await machine.people("值")
        await machine.watch("值", "duty_officer")
        await look(machine, "2026-11-24T12:00", times=20)
        [tonight] = await machine.find(Draw, day="2026-11-24")
        assert len(tonight.moments) == 2
        shown = [line.facts for line in await machine.find(LogLine)]
        shown += [one.facts for one in await machine.find(Letter)]
        shown += [{"setting": one.value} for one in await machine.find(Setting)]
        text = json.dumps(shown, default=str)
        assert not any(moment.isoformat() in text for moment in tonight.moments)
        for moment in sorted(tonight.moments):
            machine.clock.at = moment - timedelta(seconds=1)
            await Scheduler(machine.door).look()
            count = len(await calls(machine))
            machine.clock.at = moment
            for _ in range(5):
                await Scheduler(machine.door).look()
            assert len(await calls(machine)) == count + 1
        assert {one.slot for one in await calls(machine)} == {one.isoformat() for one in tonight.moments}
        assert not any(one.make_up for one in await calls(machine))


async def test_a_random_moment_slept_through_is_made_up_or_missed_like_any_other(tmp_path: Path) -> None:
    policy = replace(PLANNED, roll_calls=(NIGHT,), bulletins=())
    async with office(tmp_path, "2026-11-24T12:00", policy) as machine:
        await machine.people("值")
        await machine.watch("值", "duty_officer")
        await look(machine, "2026-11-24T12:00")
        [tonight] = await machine.find(Draw, day="2026-11-24")
        machine.clock.at = max(tonight.moments) + timedelta(minutes=10)
        for _ in range(20):
            await Scheduler(machine.door).look()
        found = {one.slot: (one.make_up, one.state.value) for one in await calls(machine)}
        assert found[max(tonight.moments).isoformat()] == (True, "open")
        assert len(found) == 2


async def test_bulletins_go_out_once_and_late_ones_are_only_logged(tmp_path: Path) -> None:
    policy = replace(PLANNED, roll_calls=())
    async with office(tmp_path, "2026-11-24T12:00", policy) as machine:
        await machine.people("办", role=Role.office)
        await look(machine, "2026-11-24T12:00")
        await look(machine, "2026-11-24T17:00", times=20)
        assert len(await machine.find(Letter, kind="bulletin_daily")) == 1
        await look(
            machine, "2026-11-28T19:00", times=20
        )  # Four days away: only the newest says anything new.
        assert len(await machine.find(Letter, kind="bulletin_daily")) == 2
        await look(machine, "2026-11-29T21:00", times=20)  # More than three hours late.
        assert len(await machine.find(Letter, kind="bulletin_daily")) == 2
        missed = [one["slot"] for one in await machine.log("bulletin_missed")]
        assert missed == [local(f"2026-11-{day}T17:00").isoformat() for day in (25, 26, 27, 29)]


async def test_a_timetable_that_fails_stops_no_other_and_is_told_until_it_is_mended(tmp_path: Path) -> None:
    broken = BulletinPlan("坏的", "0 7 * * *", ("role:office",), kind="no such kind")
    good = replace(DAILY, cron="0 8 * * *")
    policy = replace(PLANNED, bulletins=(broken, good))
    async with office(tmp_path, "2026-11-24T06:00", policy) as machine:
        await machine.people("值", "办", role=Role.office)
        await machine.watch("值", "duty_officer")
        scheduler = Scheduler(machine.door)
        for moment in ("T06:00", "T07:00", "T07:01", "T07:02", "T08:00"):
            machine.clock.at = local(f"2026-11-24{moment}")
            await scheduler.look()
        assert len(await calls(machine)) == 1
        assert len(await machine.find(Letter, kind="bulletin_daily")) == 2  # To both of the office.
        told = await machine.find(Letter, kind="trouble")
        assert {one.officer_id for one in told} == {"值", "办"} and len(told) == 2
        async with machine.door.read() as store:
            [trouble], _ = await read_troubles(store, machine.clock.now())
        assert (trouble.kind, trouble.what) == ("channel", "坏的")
    mended = replace(policy, bulletins=(replace(broken, kind="daily"), good))
    async with office(tmp_path, "2026-11-24T08:01", mended) as machine:
        await look(machine, "2026-11-24T08:01", times=3)
        async with machine.door.read() as store:
            assert await read_troubles(store, machine.clock.now()) == ((), 0)
        over = [one for one in await machine.find(Letter, kind="trouble") if one.facts.get("over")]
        assert {one.officer_id for one in over} == {"值", "办"} and len(over) == 2


async def test_between_planned_moments_it_writes_now_and_then_only_and_a_kill_meanwhile_misses_nothing(
    tmp_path: Path,
) -> None:
    policy = replace(PLANNED, roll_calls=(MORNING, NIGHT))
    async with office(tmp_path, "2026-11-24T06:00", policy) as machine:
        await machine.people("值")
        await machine.watch("值", "duty_officer")
        scheduler = Scheduler(machine.door)
        began = machine.clock.at
        for seconds in range(0, 7_180, 20):
            machine.clock.at = began + timedelta(seconds=seconds)
            await scheduler.look()
        written = [one.version - 1 for one in await machine.find(Setting) if "timetable/" in one.id]
        assert len(written) == 3 and all(7_180 / 300 - 2 < times <= 7_180 / 300 for times in written)
        await look(machine, "2026-11-24T08:00:10", times=3)
        assert len(await calls(machine)) == 1


async def test_it_looks_at_once_and_then_by_itself_until_it_is_stopped_and_may_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_SECONDS", 0.05)
    async with office(tmp_path, "2026-11-24T07:00") as machine:
        await machine.people("值")
        scheduler = Scheduler(machine.door)
        for day in (24, 25):
            machine.clock.at = local(f"2026-11-{day}T07:00")
            running = asyncio.create_task(scheduler.run())
            machine.clock.at = local(f"2026-11-{day}T07:59:59")
            await machine.until(lambda rows: True, Setting, id="timetable/roll_call/早点名")
            machine.clock.at = local(f"2026-11-{day}T08:00")
            await machine.until(lambda rows: len(rows) == day - 23, RollCall)  # noqa: B023  # Awaited here.
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_it_wakes_at_the_moment_itself_and_not_only_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_SECONDS", 3600)
    policy = replace(PLANNED, roll_calls=(NIGHT,), bulletins=())
    clock = SystemClock()
    async with open_machine(tmp_path, policy=policy, clock=clock) as machine:
        await machine.people("值")
        await machine.watch("值", "duty_officer")
        soon = clock.now() + timedelta(seconds=1)
        day = soon.astimezone(SHANGHAI).date().isoformat()
        async with machine.door.open() as desk:
            await desk.store.add(Draw(f"{NIGHT.name}/{day}", NIGHT.name, day, (soon,)))
        running = asyncio.create_task(Scheduler(machine.door).run())
        [call] = await machine.until(lambda rows: True, RollCall)
        assert timedelta() <= call.called_at - soon < timedelta(seconds=1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
