"""What the buttons do: only the phones on the page are asked, fires are true reports, the clock may turn."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.channels.webchat import WebChatChannel
from bot.channels.webchat.links import find_holder
from bot.town.actions import TownActions
from bot.town.register import read_register, read_table
from desk import roll_calls
from desk.departures import revoke_links
from desk.escalations import step
from desk.model import Inbound, InboxRow, Job, Letter
from desk.reports import take
from incidents.model import Incident, Place
from roster.model import Answer, Officer, RollCall, RollCallState
from tests.bot.channels.webchat_world import StoringIntake
from tests.bot.town.places import NOON, Town, open_town
from web.demo import Runs

VILLAGE, OFFICER, LEADER, OFFICE = (phone.officer.id for phone in read_register().phones)


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as opened:
        yield opened


@pytest.fixture
def channel(town: Town) -> WebChatChannel:
    return WebChatChannel(town.door, town.media, StoringIntake())


@pytest.fixture
def actions(town: Town, channel: WebChatChannel) -> TownActions:
    return TownActions(town.door, channel)


async def test_the_phones_keep_their_links_over_restarts(town: Town, actions: TownActions) -> None:
    before = await actions.phones()
    assert [(one.role, one.name) for one in before] == [
        ("村信息员", "叶倩雯"),
        ("值班员", "吴健芬"),
        ("带班领导", "李永昌"),
        ("应急办", "简俊贤"),
    ]
    await town.start_again(NOON + timedelta(days=3))
    assert await actions.phones() == before


async def test_a_link_that_was_revoked_is_made_anew(town: Town, actions: TownActions) -> None:
    before = await actions.phones()
    async with town.door.open() as desk:
        await revoke_links(desk, OFFICER, None)
    after = await actions.phones()
    assert [one.token for one in after][1] != [one.token for one in before][1]
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]
    async with town.door.read() as store:
        for phone, officer_id in zip(after, (VILLAGE, OFFICER, LEADER, OFFICE), strict=True):
            holder = await find_holder(store, phone.token, NOON)
            assert holder is not None and holder.officer.id == officer_id


async def test_the_roll_is_called_on_the_phones_of_one_unit_only(town: Town, actions: TownActions) -> None:
    await actions.roll_call()
    async with town.door.read() as store:
        [call] = await store.find(RollCall, state=RollCallState.open)
        answers = await store.find(Answer, roll_call_id=call.id)
        letters = await store.find(Letter)
    assert {one.officer_id for one in answers} == {VILLAGE, OFFICER, LEADER}
    assert {one.officer_id for one in letters} == {VILLAGE, OFFICER, LEADER}
    assert (call.due_count, call.called_by) == (3, OFFICE)


async def test_a_second_press_while_a_roll_call_runs_calls_no_other(town: Town, actions: TownActions) -> None:
    await actions.roll_call()
    with pytest.raises(Runs):
        await actions.roll_call()
    async with town.door.read() as store:
        assert await store.count(RollCall, state=RollCallState.open) == 1


@pytest.mark.parametrize(
    ("silent", "told"),
    [(VILLAGE, LEADER), (OFFICER, LEADER), (LEADER, OFFICE)],
    ids=["village", "duty", "leader"],
)
async def test_whoever_stays_silent_is_named_on_a_phone_of_the_page(
    town: Town, actions: TownActions, silent: str, told: str
) -> None:
    await actions.roll_call()
    async with town.door.open() as desk:
        [call] = await desk.store.find(RollCall, state=RollCallState.open)
        for answer in await desk.store.find(Answer, roll_call_id=call.id):
            if answer.officer_id != silent:
                await desk.store.change(answer, result="present", answered_at=desk.now)
    town.clock.at = call.closes_at
    async with town.door.open() as desk:
        await roll_calls.close(desk, call.id)
    async with town.door.read() as store:
        named = await store.find(Letter, kind="silent_named")
        summed = await store.find(Letter, kind="roll_call_summary")
    assert [one.officer_id for one in named] == [told]
    assert [one.officer_id for one in summed] == [OFFICE]


async def test_fires_break_out_one_after_the_other_in_the_phones_own_unit(
    town: Town, actions: TownActions, channel: WebChatChannel
) -> None:
    fires = read_table("history.toml")["fire"]
    unit = next(
        one for one in read_register().units if one.id == read_register().village_phone.officer.unit_id
    )
    assert {fire["unit"] for fire in fires} == {unit.name}
    for _ in range(2):
        await actions.fire()
    async with town.door.read() as store:
        rows = await store.find(InboxRow, order=("received_at", "id"))
    heard = [event for row in rows if (event := channel.parse(row.raw)) is not None]
    assert sorted(event.kind for event in heard) == ["media", "media", "place", "place", "text", "text"]
    assert {event.text for event in heard if event.kind == "text"} == {fire["text"] for fire in fires[:2]}
    places = {(event.place.lat, event.place.text) for event in heard if event.place}
    assert places == {(fire["lat"], fire["place"]) for fire in fires[:2]}


async def test_a_roll_call_under_way_follows_the_fast_clock(town: Town, actions: TownActions) -> None:
    await actions.roll_call()
    town.clock.at = NOON + timedelta(minutes=2)
    await actions.set_pace(60)
    assert await actions.pace() == 60
    async with town.door.read() as store:
        [call] = await store.find(RollCall, state=RollCallState.open)
        jobs = await store.find(Job, kind="roll_call_close", order=("due_at",))
    assert call.closes_at == town.clock.at + timedelta(seconds=18)
    assert call.reminders == (town.clock.at + timedelta(seconds=8),)
    assert jobs[0].due_at == call.closes_at
    await actions.set_pace(1)
    async with town.door.read() as store:
        [call] = await store.find(RollCall, state=RollCallState.open)
    assert call.closes_at == town.clock.at + timedelta(minutes=18)


async def test_a_ladder_under_way_follows_the_fast_clock(town: Town, actions: TownActions) -> None:
    fire = read_table("history.toml")["fire"][0]
    place = Place(fire["lat"], fire["lon"], fire["place"])
    async with town.door.open() as desk:
        village = await desk.store.get(Officer, VILLAGE)
        assert village is not None
        message = Inbound("webchat", "e1", "a1", "place", text=fire["text"], place=place)
        incident = (await take(desk, message, village)).incident
        assert incident is not None
        await step(desk, incident.id)
    town.clock.at = NOON + timedelta(minutes=2)
    await actions.set_pace(60)
    assert await next_step(town, incident.id) == (1, town.clock.at + timedelta(seconds=3))
    town.clock.at += timedelta(seconds=3)
    async with town.door.open() as desk:
        await step(desk, incident.id)
    assert await next_step(town, incident.id) == (2, town.clock.at + timedelta(seconds=5))
    async with town.door.read() as store:
        pages = await store.find(Letter, kind="incident_page", order=("made_at",))
    assert [one.officer_id for one in pages] == [OFFICER, LEADER]


async def next_step(town: Town, incident_id: str) -> tuple[int, datetime]:
    """The step an incident waits for, and the moment its job is due."""
    async with town.door.read() as store:
        incident = await store.get(Incident, incident_id)
        assert incident is not None
        jobs = await store.find(Job, kind="step", ref=incident_id, order=("due_at",))
    assert incident.next_step_at in [job.due_at for job in jobs]
    assert incident.next_step_at is not None
    return incident.step, incident.next_step_at
