"""A night in the town, from the desk's own jobs and flows: what is owed to people reads whole in both languages."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.town.register import read_register
from bot.wording import Wording
from desk import bulletins, enrolment, escalations, roll_calls, troubles
from desk.model import Inbound, Letter, RemoteFile
from desk.policy import BulletinPlan
from handlers.flow import find_flows
from handlers.report import draft_fell_due
from incidents.model import Draft, Incident, Place, State
from roster.model import Account, Answer, Officer, Proof, Result, RollCall, Shift, Unit
from tests.bot.town.places import Town, open_town
from tests.bot.wording.spoken import kinds

VILLAGE, OFFICER, LEADER, OFFICE = (phone.officer.id for phone in read_register().phones)
FLOWS = {flow.name: flow for flow in find_flows()}
PLACE = Place(22.6741, 113.2402, "绩东一社区泰丰路 12 号")
PHOTO = RemoteFile("photo", "remote-1", bytes_count=1000)
NEVER_UNKNOWN_HERE = ("伤亡", "asualties", "依据", "Basis")  # Casualties are 不详 until somebody tells.


class Night:
    """What people say and what falls due, in order."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.count = 0

    async def say(self, flow: str, officer_id: str, text: str = "", **more: Any) -> None:
        """Somebody writes, sends or presses something."""
        self.count += 1
        message = Inbound(
            "webchat",
            f"e{self.count}",
            f"address-{officer_id}",
            more.pop("kind", "text"),
            text=text,
            message_id=f"m{self.count}",
            **more,
        )
        async with self.town.door.open() as desk:
            officer = await desk.store.get(Officer, officer_id)
            assert officer is not None
            await FLOWS[flow].hear(desk, message, officer)

    async def press(self, flow: str, officer_id: str, verb: str, ref: str, **more: Any) -> None:
        """Somebody presses a button."""
        await self.say(flow, officer_id, kind="choice", verb=verb, ref=ref, **more)

    async def pass_time(self, minutes: float) -> None:
        """The clock moves on, and every incident's next step is taken when it is due."""
        self.town.clock.at += timedelta(minutes=minutes)
        for incident in await self.find(Incident):
            async with self.town.door.open() as desk:
                await escalations.step(desk, incident.id)
            async with self.town.door.open() as desk:
                await escalations.clock_fell_due(desk, incident.id)

    async def find(self, kind: type[Any], **criteria: Any) -> list[Any]:
        async with self.town.door.read() as store:
            return await store.find(kind, **criteria)

    async def newest(self) -> Incident:
        [incident] = await self.find(Incident, order=("-received_at", "-id"), limit=1)
        assert isinstance(incident, Incident)
        return incident


async def reports(night: Night) -> None:
    """Reports of every kind, from the first word to the end."""
    await night.say("report", VILLAGE, "/report")
    await night.say("cancel", VILLAGE)
    await night.say("cancel", VILLAGE)
    await night.say("report", VILLAGE, files=(PHOTO,), kind="media")
    await night.say("report", VILLAGE, place=PLACE, kind="place")
    await night.say("report", VILLAGE, "五金厂二楼着火，一人受伤，两人被困")
    fire = await night.newest()
    await night.pass_time(1)
    await night.say("report", VILLAGE, "火势变大", files=(PHOTO,))
    await night.say("report", VILLAGE, "火势没有变大", edited=True)
    await night.pass_time(20)
    await night.press("acknowledge", OFFICER, "close", f"{fire.id}:")
    await night.say("acknowledge", OFFICER, f"办结 {fire.number} 扑灭")
    await night.press("acknowledge", OFFICER, "sign", fire.id)
    await night.press("acknowledge", LEADER, "sign", fire.id)
    await night.press("acknowledge", OFFICER, "incident", fire.id)
    await night.press("acknowledge", OFFICER, "hand", fire.id)
    await night.press("acknowledge", OFFICER, "to", f"{fire.id}:{LEADER}")
    await night.press("acknowledge", LEADER, "sign", fire.id)
    await night.pass_time(300)
    await night.press("acknowledge", LEADER, "close", fire.id)
    for officer_id in (OFFICER, VILLAGE, LEADER, OFFICE):
        await night.say("status", officer_id)
        await night.say("on_duty", officer_id)
        await night.say("mine", officer_id)
        await night.say("help", officer_id)
        await night.say("enrol", officer_id, "/start")
    await night.say("acknowledge", LEADER, f"办结 {fire.number} 明火已扑灭")
    await night.press("acknowledge", LEADER, "sign", fire.id)
    await night.say("acknowledge", LEADER, "签收 ZS-20200101-999")
    await night.say("report", VILLAGE, "路边围墙倒了")
    [draft] = await night.find(Draft, state="open")
    night.town.clock.at = draft.due_at
    async with night.town.door.open() as desk:
        await draft_fell_due(desk, draft.id)
    wall = await night.newest()
    await night.press("acknowledge", OFFICE, "sign", wall.id)
    await night.say("acknowledge", OFFICE, f"不属实 {wall.number} 现场无异常")
    assert (await night.newest()).state is State.unfounded


async def roll_call(night: Night, proof: Proof) -> None:
    """One roll call with every answer there is, and its end."""
    plan = replace(read_register().roll_call, proof=proof)
    async with night.town.door.open() as desk:
        called = await roll_calls.call(desk, plan, f"slot-{proof}", is_make_up=True)
    assert called is not None
    owed = {one.officer_id: one for one in await night.find(Answer, roll_call_id=called.id)}
    async with night.town.door.open() as desk:
        await roll_calls.remind(desk, called.id)
    await night.press("roll_call", OFFICER, "present", owed[OFFICER].id)
    if proof is Proof.passcode:
        wrong = f"{(int(called.passcode) + 1) % 10_000:04d}"
        await night.say("roll_call", OFFICER, f"到 {wrong}")
        await night.say("roll_call", OFFICER, f"到 {called.passcode}")
    if proof is Proof.place:
        await night.say("roll_call", OFFICER, place=PLACE, kind="place")
    await night.say("roll_call", OFFICER, "到")
    await night.press("roll_call", VILLAGE, "excused", owed[VILLAGE].id)
    await night.say("roll_call", VILLAGE, "正在抢险现场")
    await night.press("roll_call", VILLAGE, "present", owed[LEADER].id)
    await night.say("roll_call", VILLAGE, "到", forwarded=True)
    await night.say("roll_call", VILLAGE, "到", edited=True)
    night.town.clock.at = called.closes_at
    async with night.town.door.open() as desk:
        await roll_calls.close(desk, called.id)
    await night.pass_time(1)
    await night.say("roll_call", LEADER, "到")
    await night.say("roll_call", LEADER, "到")
    await night.press("roll_call", OFFICE, "verified", owed[LEADER].id)
    await night.press("roll_call", OFFICE, "absent", owed[LEADER].id)
    [closed] = await night.find(RollCall, id_in=[called.id])
    assert sum(closed.counts.values()) == closed.due_count
    [leader] = await night.find(Answer, id_in=[owed[LEADER].id])
    assert leader.result is Result.verified_present


async def the_rest(night: Night) -> None:
    """Calls by hand, gaps, missed calls, bulletins, people who move, channels that fail."""
    await night.say("roll_call", OFFICE, "点名")
    await night.press("roll_call", OFFICE, "call", "0")
    await night.say("roll_call", VILLAGE, "点名")
    [plan] = night.town.door.policy.roll_calls
    async with night.town.door.open() as desk:
        await roll_calls.slot_fell_due(desk, plan, desk.now - timedelta(hours=5))
        await roll_calls.call(desk, replace(plan, units=("没有这个单位",)), "nobody")
        for kind in ("daily", "weekly", "zero_report"):
            push = BulletinPlan(kind, "0 8 * * *", ("role:office",), kind)
            await bulletins.slot_fell_due(desk, push, desk.now)
        await troubles.begin(desk, "telegram", "conflict", "terminated by other getUpdates")
    async with night.town.door.open() as desk:
        officer = await desk.store.get(Officer, OFFICER)
        assert officer is not None
        await enrolment.bind(desk, officer, "telegram", "1001")
        await desk.flush()
        await enrolment.bind(desk, officer, "telegram", "1002")
        accounts = await desk.store.find(Account, officer_id=OFFICER, channel="telegram", reachable=True)
        await enrolment.unreachable(desk, accounts[0], "Forbidden: bot was blocked by the user")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def letters(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[list[Letter], set[str]]]:
    """Everything owed in that night, and every id that nobody should ever read."""
    folder: Path = tmp_path_factory.mktemp("night")
    async with open_town(folder) as town:
        night = Night(town)
        await reports(night)
        for proof in (Proof.tap, Proof.passcode, Proof.place):
            await roll_call(night, proof)
        await the_rest(night)
        ids = {
            one.id for kind in (Officer, Unit, Shift, RollCall, Incident) for one in await night.find(kind)
        }
        yield await night.find(Letter), ids


def said_in(letters: list[Letter], language: str) -> list[tuple[Letter, str]]:
    office = Wording("中山市应急办", language=language)
    return [(one, office.render(one, one.made_at).text) for one in letters]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_night_says_nearly_everything(letters: tuple[list[Letter], set[str]]) -> None:
    said = {one.kind for one in letters[0]}
    assert len(said) > 45
    assert {"incident_page", "clock_overdue", "silent_named", "hand_on_offer", "status", "mine"} <= said
    assert said <= {*kinds(), "bulletin_daily", "bulletin_weekly"}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("language", "missing"), [("zh-CN", "不详"), ("en", "unknown")])
async def test_no_fact_is_missing(
    letters: tuple[list[Letter], set[str]], language: str, missing: str
) -> None:
    open_ends = {
        (letter.kind, line)
        for letter, text in said_in(letters[0], language)
        for line in text.split("\n")
        if missing in line and not any(word in line for word in NEVER_UNKNOWN_HERE)
    }
    assert open_ends == set()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_people_read_names_never_ids_or_codes(
    letters: tuple[list[Letter], set[str]], language: str
) -> None:
    found = set()
    for letter, text in said_in(letters[0], language):
        found |= {(letter.kind, one) for one in letters[1] if len(one) > 3 and one in text}
        found |= {(letter.kind, code) for code in re.findall(r"\b[a-z]+_[a-z_]+\b", text)}
    assert found == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_buttons_of_one_message_all_read_differently(
    letters: tuple[list[Letter], set[str]],
) -> None:
    office = Wording("中山市应急办")
    for letter in letters[0]:
        labels = [label for label, _ in office.render(letter, letter.made_at).choices]
        assert len(set(labels)) == len(labels), (letter.kind, labels)
