"""Planned moments: each once, however late or often it is looked at; random ones drawn once and told to nobody."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import roll_calls, timetables
from desk.model import Letter, Setting
from roster.model import Draw, RandomMoments, RollCall, RollCallState
from tests.handlers.chat import PLAN, POLICY, Chat, open_chat

EIGHT = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)  # 08:00 in Zhongshan.
MORNING = replace(PLAN, name="早点名", cron="0 8 * * *")
RANDOM = replace(PLAN, name="抽查", cron="", random=RandomMoments("22:00-06:00", 2))


def office(*plans: Any) -> Any:
    return open_chat(replace(POLICY, roll_calls=plans or (MORNING,), bulletins=()))


async def look(chat: Chat, at: datetime) -> None:
    """The scheduler goes through the timetables at a moment, and what that makes due is done."""
    chat.clock.at = at
    await chat.scheduler.look()
    await chat.settle()


async def calls(chat: Chat) -> list[RollCall]:
    return await chat.find(RollCall, order=("called_at", "id"))


async def test_at_its_moment_the_roll_is_called_once_however_often_it_is_looked_at() -> None:
    async with office() as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        assert await calls(chat) == []
        for seconds in range(0, 100, 20):
            await look(chat, EIGHT + timedelta(seconds=seconds))
        [called] = await calls(chat)
        assert (called.slot, called.make_up) == (EIGHT.isoformat(), False)


@pytest.mark.parametrize(
    ("minutes", "state", "make_up"),
    [
        (1, RollCallState.open, False),
        (1.01, RollCallState.open, True),
        (10, RollCallState.open, True),
        (30, RollCallState.open, True),
        (30.01, RollCallState.missed, False),
        (60, RollCallState.missed, False),
    ],
)
async def test_fault_28_after_a_stop_it_is_caught_up_inside_the_window_else_recorded_as_missed(
    minutes: float, state: RollCallState, make_up: bool
) -> None:
    async with office() as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        await look(chat, EIGHT + timedelta(minutes=minutes))
        [called] = await calls(chat)
        assert (called.state, called.make_up) == (state, make_up)
        assert ("roll_call_missed" in await chat.told("简局")) is (state is RollCallState.missed)
        assert chat["邓值"].saw("补点") is make_up
        asked = len(await chat.letters("roll_call_question"))
        assert asked == (0 if state is RollCallState.missed else 5)


async def test_fault_28_twenty_restarts_change_nothing() -> None:
    async with office() as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        for _ in range(20):
            await look(chat, EIGHT + timedelta(minutes=10))
        assert len(await calls(chat)) == 1
        assert len(await chat.letters("roll_call_question")) == 5


async def test_a_slot_given_twice_is_called_once_and_missed_once() -> None:
    async with office() as chat:
        for minutes in (0, 0, 60, 60):
            chat.clock.at = EIGHT + timedelta(minutes=minutes)
            async with chat.desk() as desk:
                await roll_calls.slot_fell_due(desk, MORNING, EIGHT)
        assert len(await calls(chat)) == 1
        async with chat.desk() as desk:
            for _ in range(2):
                await roll_calls.slot_fell_due(desk, replace(MORNING, name="另一"), EIGHT)
        assert len(await calls(chat)) == 2
        assert len(await chat.logged("roll_call_missed")) == 1


async def test_fault_27_a_clock_that_steps_back_calls_nothing_again() -> None:
    async with office() as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        await look(chat, EIGHT)
        await look(chat, EIGHT - timedelta(hours=1))
        await look(chat, EIGHT + timedelta(seconds=1))
        assert len(await calls(chat)) == 1


async def test_a_new_timetable_begins_now_and_calls_nothing_of_the_past() -> None:
    async with office() as chat:
        await look(chat, EIGHT + timedelta(minutes=1))
        assert await calls(chat) == []


async def test_after_a_long_stop_every_missed_moment_of_a_week_is_recorded_and_no_more() -> None:
    async with office() as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        await look(chat, EIGHT + timedelta(days=20, hours=2))
        assert len(await calls(chat)) == 7
        assert {one.state for one in await calls(chat)} == {RollCallState.missed}


async def test_days_a_plan_does_not_mean_are_left_out() -> None:
    workdays = replace(MORNING, day_classes=("workday",))
    async with office(workdays) as chat:
        await look(chat, EIGHT - timedelta(minutes=5))
        for day in range(7):  # Tuesday 24 November to Monday 30.
            await look(chat, EIGHT + timedelta(days=day))
        days = [one.called_at.date().isoweekday() for one in await calls(chat)]
        assert days == [2, 3, 4, 5, 1]


async def draws(chat: Chat) -> dict[str, tuple[datetime, ...]]:
    return {one.day: one.moments for one in await chat.find(Draw)}


async def test_random_moments_are_drawn_once_per_day_and_stay_through_restarts() -> None:
    async with office(RANDOM) as chat:
        await look(chat, EIGHT)
        first = await draws(chat)
        assert all(len(moments) == 2 for moments in first.values())
        for hours in range(6):
            await look(chat, EIGHT + timedelta(hours=hours))
        later = await draws(chat)
        assert first.items() <= later.items()


async def test_every_drawn_moment_of_a_week_is_called_exactly_once() -> None:
    async with office(RANDOM) as chat:
        await look(chat, EIGHT)
        rng = random.Random(5)
        at = EIGHT
        while at < EIGHT + timedelta(days=7):
            at += timedelta(seconds=rng.uniform(20, 1500))
            await look(chat, at)
        drawn = [moment for moments in (await draws(chat)).values() for moment in moments]
        expected = sorted(moment.isoformat() for moment in drawn if EIGHT < moment <= at)
        assert sorted(one.slot for one in await calls(chat)) == expected
        assert len(expected) == 14


async def test_nobody_is_told_of_a_drawn_moment_beforehand() -> None:
    async with office(RANDOM) as chat:
        await look(chat, EIGHT)
        moments = [moment for drawn in (await draws(chat)).values() for moment in drawn]
        told = repr([await chat.find(Letter), await chat.find(Setting), await chat.logged("roll_called")])
        assert not any(moment.isoformat() in told for moment in moments)


async def test_the_wake_up_is_set_for_the_next_drawn_moment() -> None:
    async with office(RANDOM) as chat:
        await look(chat, EIGHT)
        coming = min(m for drawn in (await draws(chat)).values() for m in drawn if m > EIGHT)
        async with chat.door.read() as store:
            found = await timetables.drawn_next(store, EIGHT, EIGHT + timedelta(days=1))
            none = await timetables.drawn_next(store, coming, coming + timedelta(seconds=1))
        assert (found, none) == ([coming], [])


@settings(max_examples=40)
@given(st.lists(st.floats(0.1, 600), min_size=1, max_size=12))
def test_whenever_it_is_looked_at_each_slot_has_one_roll_call(pauses: list[float]) -> None:
    async def story() -> None:
        hourly = replace(PLAN, name="每小时", cron="0 * * * *", catch_up_minutes=30)
        async with office(hourly) as chat:
            at = EIGHT - timedelta(minutes=30)
            await look(chat, at)
            for minutes in pauses:
                at += timedelta(minutes=minutes)
                await look(chat, at)
            slots = [one.slot for one in await calls(chat)]
            expected, slot = [], EIGHT
            while slot <= at:
                expected.append(slot.isoformat())
                slot += timedelta(hours=1)
            assert sorted(slots) == expected

    asyncio.run(story())
