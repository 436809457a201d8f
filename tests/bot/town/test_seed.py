"""The town is made once, is true to the office's own rules, and leaves nothing owed."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from bot.store.chain import hash_of
from bot.town.register import read_register, read_table
from bot.town.rules import town_policy
from bot.town.seed import seed
from bot.town.watches import watches
from desk import timetables
from desk.board import see
from desk.model import Job, Letter, Session, Setting
from desk.watch import read_shifts, read_watch
from incidents.model import OPEN_STATES, Attachment, Incident, LogLine, Report, State
from roster.model import Account, Answer, Officer, Role, RollCall, Shift, Unit
from roster.roll_call import audience
from roster.rota import gaps, holders, required, watch_span
from tests.bot.channels.webchat_parts import open_door, open_media
from tests.bot.town.places import NOON, TOWN_POLICY, Town, open_town

ZONE = ZoneInfo("Asia/Shanghai")
EVERYTHING = (Unit, Officer, Account, Session, Shift, Incident, Report, Attachment, RollCall, Answer, LogLine)
HOURS = [datetime(2026, 11, 24, hour, 29, tzinfo=UTC) for hour in range(0, 24, 3)]


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as opened:
        yield opened


async def counts(town: Town) -> dict[str, int]:
    async with town.door.read() as store:
        return {kind.__name__: await store.count(kind) for kind in EVERYTHING}


async def test_a_second_start_keeps_everything_as_it_is(town: Town) -> None:
    before = await counts(town)
    assert (before["Unit"], before["Officer"], before["Incident"], before["RollCall"]) == (26, 121, 25, 2)
    await town.start_again(NOON + timedelta(hours=3))
    assert await counts(town) == before


async def test_an_office_that_knows_its_people_is_left_alone(tmp_path: Path) -> None:
    async with open_door(tmp_path, TOWN_POLICY) as door:
        async with door.open() as desk:
            await desk.store.add(Unit("u1", "小榄镇"), Officer("o1", "李小梅", "u1"))
        await seed(door, open_media(tmp_path), NOON)
        async with door.read() as store:
            assert [one.name for one in await store.find(Officer)] == ["李小梅"]
            assert await store.count(Shift) == await store.count(Setting) == 0


async def test_nothing_is_owed_for_the_past(town: Town) -> None:
    async with town.door.read() as store:
        assert await store.count(Letter) == 0
        still_open = await store.find(Incident, state_in=list(OPEN_STATES))
        jobs = await store.find(Job)
    assert [one.state for one in still_open] == [State.verifying]
    assert {(job.kind, job.ref) for job in jobs} == {("clock", still_open[0].id)}
    assert all(job.due_at > NOON for job in jobs)


async def test_the_board_opens_calm(town: Town) -> None:
    async with town.door.read() as store:
        board = await see(store, TOWN_POLICY, NOON, None)
    assert (len(board.incidents), board.overdue, board.troubles_count) == (1, (), 0)
    assert board.incidents[0].holder
    assert [line.unit for line in board.watch.now if line.is_gap] == []
    assert len(board.closed_roll_calls) == 2


async def test_the_log_is_one_chain_in_the_order_of_time(town: Town) -> None:
    async with town.door.read() as store:
        lines = await store.find(LogLine, order=("sequence",))
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert all(line.hash == hash_of(line) for line in lines)
    assert lines[-1].at <= NOON
    assert Counter(line.kind for line in lines)["incident_opened"] == 25


async def test_every_story_ended_as_it_is_told(town: Town) -> None:
    stories = read_table("history.toml")["story"]
    async with town.door.read() as store:
        incidents = await store.find(Incident, order=("received_at",))
        reports = await store.find(Report)
    told = sorted(stories, key=lambda story: -story["hours_ago"])
    assert [one.state.value for one in incidents] == [story["ended"] for story in told]
    assert [one.severity.value for one in incidents] == [story["severity"] for story in told]
    assert [one.outcome for one in incidents] == [story.get("outcome", "") for story in told]
    by_incident = Counter(report.incident_id for report in reports)
    assert all(by_incident[one.id] == one.reports_count for one in incidents)
    for one in incidents:
        assert one.signed_at is not None and one.signed_by in one.heard_by and one.next_step_at is None
        assert one.received_at < one.signed_at < (one.closed_at or NOON) <= NOON
        assert all(done <= by for done, by in ((one.phone_done_at, one.phone_by),) if done and by)


async def test_each_story_is_told_in_the_order_of_the_office(town: Town) -> None:
    async with town.door.read() as store:
        lines = await store.find(LogLine, order=("sequence",))
    stories: dict[str, list[str]] = {one.subject: [] for one in lines if one.subject.startswith("incident:")}
    for one in lines:
        if one.subject in stories:
            stories[one.subject].append(one.kind)
    assert len(stories) == 25
    for kinds in stories.values():
        signed = kinds.index("signed")
        assert kinds[:2] == ["incident_opened", "paged"]
        assert not {"paged", "escalated"} & set(kinds[signed:]), (
            kinds
        )  # Nobody is paged once somebody has it.
        assert not {"level_set", "clock_done", "closed"} & set(kinds[:signed]), kinds
        assert "closed" not in kinds[:-1], kinds


async def test_a_merged_story_names_the_first_one(town: Town) -> None:
    async with town.door.read() as store:
        [merged] = await store.find(Incident, state=State.merged)
        first = await store.get(Incident, merged.merged_into)
    assert first is not None and first.title.startswith("绩东一社区一家五金铺")
    assert first.received_at < merged.received_at and first.reporter_id != merged.reporter_id


async def test_numbers_run_on_where_the_past_stopped(town: Town) -> None:
    async with town.door.read() as store:
        numbers = [one.number for one in await store.find(Incident)]
    assert len(set(numbers)) == 25
    today = [number for number in numbers if number.startswith("ZS-20261124-")]
    async with town.door.open() as desk:
        assert await desk.store.next_sequence("number/2026-11-24") == len(today) + 1


async def test_the_photo_of_yesterday_is_on_disk(town: Town) -> None:
    async with town.door.read() as store:
        [photo] = await store.find(Attachment)
        report = (await store.find(Report, incident_id=photo.incident_id, sequence=1))[0]
    assert report.attachment_ids == (photo.id,)
    content = Path(town.media.path(photo.digest)).read_bytes()
    assert content.startswith(b"\xff\xd8\xff") and len(content) == photo.bytes_count


async def test_each_past_roll_call_sums_to_its_due(town: Town) -> None:
    async with town.door.read() as store:
        calls = await store.find(RollCall, order=("called_at",))
        for call in calls:
            answers = await store.find(Answer, roll_call_id=call.id)
            assert call.counts == {"present": 50, "late": 1, "verified_present": 1}
            assert len(answers) == call.due_count == sum(call.counts.values())
            leaders = {one.id for one in await store.find(Officer, role=Role.leader)}
            assert {one.concluded_by for one in answers} - leaders == {""}
    assert [call.called_at.astimezone(ZONE).strftime("%d %H:%M") for call in calls] == [
        "23 23:37",
        "24 09:00",
    ]


@pytest.mark.parametrize("at", HOURS, ids=lambda at: at.strftime("%H:%M"))
async def test_the_four_phones_are_on_watch_at_any_hour(tmp_path: Path, at: datetime) -> None:
    register = read_register()
    village, officer, leader, office = (phone.officer for phone in register.phones)
    async with open_town(tmp_path, at) as town, town.door.read() as store:
        shifts = await read_shifts(store, at, None)
        held = {
            (one.unit_id, one.post): one.officer_id
            for one in reversed(shifts)
            if one.starts_at <= at < one.ends_at
        }
        assert held[officer.unit_id, "duty_officer"] == officer.id
        assert held[leader.unit_id, "duty_leader"] == leader.id
        assert held[office.unit_id, "duty_leader"] == office.id
        assert officer.unit_id == leader.unit_id == village.unit_id
        assert village.id not in held.values()


@pytest.mark.parametrize("first", [date(2026, 2, 10), date(2026, 9, 25), date(2026, 11, 1)])
def test_every_watch_has_whom_the_day_requires(first: date) -> None:
    register, last = read_register(), first + timedelta(days=20)
    shifts = watches(register, TOWN_POLICY, first, last)
    for number in range(20):
        day = first + timedelta(days=number)
        span = watch_span(day, "08:30", ZONE)
        needs = required(TOWN_POLICY.calendar.day_class(day))
        assert gaps(shifts, register.units, needs, span) == []
    posts = {one.officer_id: one.post for one in shifts}
    assert not any(one.id in posts for one in register.people if one.role is Role.officer)


def test_nobody_holds_two_posts_of_one_watch_and_most_take_turns() -> None:
    register = read_register()
    shifts = watches(register, TOWN_POLICY, date(2026, 9, 25), date(2026, 10, 15))
    assert max(Counter((one.officer_id, one.starts_at) for one in shifts).values()) == 1
    turns = {one.officer_id for one in shifts if one.post == "duty_officer"}
    assert len(turns) >= 2 * 24


@pytest.mark.parametrize("days", [1, 7, 20, 400])
async def test_a_later_day_has_a_roster_around_it(town: Town, days: int) -> None:
    later = NOON + timedelta(days=days)
    for _ in range(2):
        await town.start_again(later)
    unit = read_register().units[13]
    async with town.door.read() as store:
        shifts = await store.find(Shift, unit_id=unit.id)
        ids = [one.id for one in await store.find(Shift)]
    assert len(set(ids)) == len(ids)
    for number in range(14):
        at = later + timedelta(days=number)
        assert len(holders(unit.id, "duty_officer", shifts, at)) == 1
    people = {one.id: one for one in read_register().people}
    units = {one.id: one for one in read_register().units}
    watch = read_watch(TOWN_POLICY, shifts, people, units, later, unit.id, {})
    assert not any(line.is_gap for line in watch.now)


async def test_a_town_that_was_switched_off_has_missed_nothing(town: Town) -> None:
    async with town.door.open() as desk:
        await timetables.looked_at(desk, TOWN_POLICY.roll_calls[0])
    later = NOON + timedelta(days=5)
    await town.start_again(later)
    async with town.door.open() as desk:
        assert await timetables.looked_at(desk, TOWN_POLICY.roll_calls[0]) == later


def test_planned_roll_calls_ask_the_phones_of_the_page_only() -> None:
    register, plans = read_register(), town_policy(TOWN_POLICY).roll_calls
    shifts = watches(register, TOWN_POLICY, date(2026, 11, 20), date(2026, 11, 28))
    due = audience(plans[0], shifts, register.people, register.units, NOON)
    assert [one.officer_id for one in due] == [register.phones[2].officer.id, register.phones[1].officer.id]
