"""The live board: who is on watch, what is open, what is over its time, and for whose eyes."""

from datetime import timedelta

import pytest

from desk import acknowledgements, roll_calls, troubles
from desk.board import Board, on_duty, see
from desk.model import InboxRow, InboxState, Job, Lane, Letter, LetterState
from desk.permissions import NotAllowed
from desk.retries import retry
from incidents.model import Incident, Severity
from roster.model import Officer, Result, Role, RollCallState
from tests.web.world import CODE_PLAN, World


async def board(world: World, who: str = "") -> Board:
    """The board as somebody sees it now; nobody named is the desk itself."""
    viewer = await world.officer(who) if who else None
    async with world.door.read() as store:
        return await see(store, world.door.policy, world.clock.now(), viewer)


async def test_the_watch_names_who_holds_each_post_and_shows_a_missing_leader_as_a_gap(world: World) -> None:
    shown = await board(world)
    held = {(line.unit, line.post_name): line.officer for line in shown.watch.now}
    assert held["小榄镇", "值班员"] == "陈志强"
    assert held["市应急办", "带班领导"] == "简俊贤"
    gaps = [(line.unit, line.post_name) for line in shown.watch.now if line.is_gap]
    assert gaps == [("三角镇", "带班领导")]
    assert shown.watch.now[0].unit == "市应急办", "the office first"
    assert {line.starts_at for line in shown.watch.next} == {
        world.clock.now() + timedelta(hours=5, minutes=30)
    }


async def test_a_watch_ends_at_the_very_moment_the_next_begins(world: World) -> None:
    world.clock.pass_minutes(5.5 * 60)
    async with world.door.read() as store:
        watch = await on_duty(store, world.door.policy, world.clock.now(), None)
    assert len({line.starts_at for line in watch.now if not line.is_gap}) == 1
    assert all(line.starts_at == world.clock.now() for line in watch.now if not line.is_gap)
    assert watch.next == ()


async def test_a_unit_sees_its_own_watch_and_the_office_all(world: World) -> None:
    assert {line.unit for line in (await board(world, "o-chen")).watch.now} == {"小榄镇"}
    assert {line.unit for line in (await board(world, "o-jian")).watch.now} == {
        "市应急办",
        "小榄镇",
        "三角镇",
    }
    assert not (await board(world, "o-liang")).sees_all, "a township's leader leads the township"


async def test_the_leader_of_the_offices_unit_sees_all_until_removed(world: World) -> None:
    async with world.door.open() as desk:
        await desk.store.add(Officer("o-zhu", "朱主任", "u-office", role=Role.leader))
    assert (await board(world, "o-zhu")).sees_all
    async with world.door.open() as desk:
        await desk.store.change(await world.officer("o-zhu"), active=False)
    assert not (await board(world, "o-zhu")).sees_all


async def test_incidents_stand_worst_first_then_oldest(world: World) -> None:
    for text in ("路面塌陷", "爆炸，4人死亡", "水管爆裂", "爆炸，40人死亡"):
        await world.report(text)
        world.clock.pass_minutes(1)
    shown = await board(world)
    assert [view.incident.title for view in shown.incidents] == [
        "爆炸，40人死亡",
        "爆炸，4人死亡",
        "路面塌陷",
        "水管爆裂",
    ]
    assert shown.open_counts == {
        Severity.extremely_serious: 1,
        Severity.serious: 0,
        Severity.major: 1,
        Severity.general: 2,
    }


async def test_what_ended_leaves_the_board(world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    await world.sign(incident)
    async with world.door.open() as desk:
        await acknowledgements.close(desk, incident.id, await world.officer("o-chen"), "已扑灭")
    assert (await board(world)).incidents == ()


async def test_a_clock_is_over_at_its_very_moment_and_not_before(world: World) -> None:
    incident = await world.report("起火")
    assert incident.phone_by is not None
    world.clock.at = incident.phone_by - timedelta(microseconds=1)
    assert (await board(world)).overdue == ()
    world.clock.at = incident.phone_by
    [view] = (await board(world)).overdue
    assert [clock.name for clock in view.clocks if clock.is_overdue] == ["phone"]


async def test_an_incident_nobody_signs_turns_red_after_one_walk(world: World) -> None:
    incident = await world.report("起火")
    for minutes in (0, 5, 5):
        world.clock.pass_minutes(minutes)
        assert not (await board(world)).incidents[0].is_unheld
        await world.step(incident)
    assert (await board(world)).incidents[0].is_unheld


async def test_one_just_handed_on_is_not_red_while_its_new_holder_may_still_sign(world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    await world.sign(incident)
    async with world.door.open() as desk:
        await acknowledgements.hand_on(desk, incident.id, await world.officer("o-chen"), "o-liang")
    [view] = (await board(world)).incidents
    assert (view.holder, view.is_unheld) == ("梁锦棠", False)
    world.clock.pass_minutes(5)
    assert (await board(world)).incidents[0].is_unheld


async def test_the_counts_of_a_roll_call_always_sum_to_due(world: World) -> None:
    call = await world.call_roll()
    await world.answer(call, "o-chen")
    world.clock.pass_minutes(6)
    await world.answer(call, "o-liang")
    [view] = (await board(world)).open_roll_calls
    assert (view.due, view.answered, view.unanswered) == (3, 2, 1)
    assert view.counts == {Result.present: 1, Result.late: 1, Result.waiting: 1}
    await world.close_roll(call)
    shown = await board(world)
    assert shown.open_roll_calls == ()
    [closed] = shown.closed_roll_calls
    assert (closed.due, closed.answered, closed.unanswered) == (3, 2, 1)
    assert sum(closed.counts.values()) == closed.due == call.due_count


async def test_a_unit_counts_its_own_people_only_open_and_closed(world: World) -> None:
    call = await world.call_roll()
    await world.answer(call, "o-zhou")
    [view] = (await board(world, "o-zhou")).open_roll_calls
    assert (view.due, view.counts) == (1, {Result.present: 1})
    await world.close_roll(call)
    [view] = (await board(world, "o-chen")).closed_roll_calls
    assert (view.due, view.counts) == (2, {Result.no_answer: 2})


async def test_the_watch_shows_how_each_stands_in_the_newest_call_that_asked_them(world: World) -> None:
    first = await world.call_roll()
    await world.close_roll(first)
    second = await world.call_roll(CODE_PLAN, "manual-2")
    await world.answer(second, "o-chen", second.passcode)
    stands = {line.officer: line.result for line in (await board(world)).watch.now if line.officer}
    assert (stands["陈志强"], stands["梁锦棠"], stands["简俊贤"]) == (Result.present, Result.no_answer, None)


async def test_a_persons_conclusion_changes_the_closed_sum(world: World) -> None:
    call = await world.call_roll()
    await world.close_roll(call)
    line = (await world.lines_of(call))["o-zhou"]
    async with world.door.open() as desk:
        await roll_calls.conclude(
            desk, line.id, await world.officer("o-jian"), Result.verified_present, "电话核实"
        )
    [closed] = (await board(world)).closed_roll_calls
    assert closed.roll_call.state is RollCallState.closed
    assert closed.counts == {Result.no_answer: 2, Result.verified_present: 1}


async def test_what_waits_for_me_is_mine_alone(world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    call = await world.call_roll()
    chen = (await board(world, "o-chen")).waiting
    assert [view.incident.number for view in chen.to_sign] == [incident.number]
    assert [answer.roll_call_id for answer in chen.answers] == [call.id]
    assert (await board(world, "o-zhou")).waiting.to_sign == ()
    await world.sign(incident)
    chen = (await board(world, "o-chen")).waiting
    assert ([view.incident.number for view in chen.mine], chen.to_sign) == ([incident.number], ())
    await world.close_roll(call)
    assert (await board(world, "o-chen")).waiting.answers == ()


async def give_up_some(world: World) -> None:
    """One of everything the desk may give up."""
    now = world.clock.now()
    letter = Letter(
        "L1", "incident_page", {}, (), Lane.urgent, now, officer_id="o-chen", state=LetterState.failed
    )
    row = InboxRow("telegram/7", "telegram", "7", now, b"?", InboxState.dead, "unreadable")
    async with world.door.open() as desk:
        await desk.store.add(letter, row, Job("J1", "fetch", "x", now, parked=True, error="boom"))
        await troubles.begin(desk, "telegram", "conflict", "另一个实例在收消息")


async def test_nothing_is_dropped_in_silence(world: World) -> None:
    await give_up_some(world)
    shown = await board(world)
    assert {trouble.kind for trouble in shown.troubles} == {"letter", "job", "inbox", "channel"}
    assert shown.troubles_count == 4
    assert {trouble.reason for trouble in shown.troubles} >= {"boom", "unreadable", "另一个实例在收消息"}
    assert (await board(world, "o-chen")).troubles == ()


async def test_the_office_may_try_again_and_it_is_owed_once_more(world: World) -> None:
    await give_up_some(world)
    office = await world.officer("o-jian")
    async with world.door.open() as desk:
        assert await retry(desk, office, "letter", "L1")
        assert await retry(desk, office, "job", "J1")
        assert await retry(desk, office, "inbox", "telegram/7")
    async with world.door.open() as desk:
        for kind, ref in (
            ("letter", "L1"),
            ("job", "J1"),
            ("inbox", "telegram/7"),
            ("desk", "L1"),
            ("job", "?"),
        ):
            assert not await retry(desk, office, kind, ref), "a second press does nothing"
    async with world.door.read() as store:
        letter = await store.get(Letter, "L1")
        jobs = {(job.kind, job.ref) for job in await store.find(Job, parked=False)}
    assert letter is not None
    assert letter.state is LetterState.queued
    assert {("send", "L1"), ("hear", "telegram/7"), ("fetch", "x")} <= jobs
    assert [trouble.kind for trouble in (await board(world)).troubles] == ["channel"]


async def test_only_the_office_may_try_again(world: World) -> None:
    await give_up_some(world)
    async with world.door.open() as desk:
        with pytest.raises(NotAllowed):
            await retry(desk, await world.officer("o-liang"), "letter", "L1")


async def test_more_incidents_than_the_board_shows_are_still_counted(world: World) -> None:
    incident = await world.report("起火")
    copies = [
        Incident(f"x{number}", f"ZS-20261120-{number:03d}", incident.state, world.clock.now())
        for number in range(250)
    ]
    async with world.door.open() as desk:
        await desk.store.add(*copies)
    shown = await board(world)
    assert (len(shown.incidents), sum(shown.open_counts.values())) == (200, 251)
