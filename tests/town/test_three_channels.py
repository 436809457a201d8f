"""One office on three channels at once: Telegram, WeCom by callback, and the web page; both stories cross them all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.channels.webchat import make_link
from desk import roll_calls
from desk.enrolment import invite
from desk.model import Letter
from incidents.model import Attachment, AttachmentState, Incident, State
from roster.model import Account, Answer, Officer, Result, Role, Shift
from tests.bot.channels.contract import Shown
from tests.bot.channels.webchat_line import WebPhone
from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.telegram_model import Message
from tests.fakes.telegram_people import Phone
from tests.fakes.telegram_server import FakeTelegram
from tests.fakes.wecom_server import FakeWeCom
from tests.town.wecom_town import WeComTown
from tests.town.world import OFFICE, UNIT, WAIT_SECONDS, closed_call, eventually

HERE = (22.6741, 113.2402)
REPORTER, DUTY, LEADER, GUARD, OFFICER = "叶倩雯", "吴健芬", "李永昌", "周国强", "简俊贤"
ON_WECOM = ((LEADER, Role.leader, "duty_leader", UNIT),)
ELSEWHERE = (
    (REPORTER, Role.officer, "", UNIT),
    (DUTY, Role.duty, "duty_officer", UNIT),
    (GUARD, Role.duty, "guard", UNIT),
    (OFFICER, Role.office, "duty_leader", OFFICE),
)


@dataclass
class Office:
    """The running office: the leader on WeCom, the duty officer on Telegram, everybody else on the web page."""

    town: WeComTown
    telegram: FakeTelegram
    client: httpx.AsyncClient
    web: dict[str, WebPhone] = field(default_factory=dict)
    duty: Phone = field(init=False)

    async def enrol(self) -> None:
        """Each by the way of their channel: user id, deep link, personal page."""
        codes = {}
        async with self.town.app.door.open() as desk:
            await desk.store.add_missing(OFFICE)
            for name, role, post, unit in ELSEWHERE:
                officer = Officer(f"o-{name}", name, unit.id, role=role)
                await desk.store.add(officer)
                if post:
                    week = timedelta(days=7)
                    shift = Shift(f"s-{name}", unit.id, post, officer.id, desk.now - week, desk.now + week)
                    await desk.store.add(shift)
                codes[name] = await (invite if name == DUTY else make_link)(desk, officer)
        for name in (REPORTER, GUARD, OFFICER):
            page = f"http://127.0.0.1:{self.town.port}/chat/{codes[name]}"
            self.web[name] = WebPhone(self.client, page)
        self.duty = self.telegram.phone(7001, DUTY)
        self.duty.start(codes[DUTY])
        await self.duty_hears("绑定")

    async def web_hears(self, name: str, *words: str) -> Shown:
        """Wait until somebody's page shows a message with all these words."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + WAIT_SECONDS
        while True:
            shown = await self.web[name].shown()
            found = [one for one in shown if all(word in one.text for word in words)]
            if found:
                return found[-1]
            assert loop.time() < ends_at, f"{name} never saw {words}; the page shows {shown}"
            await asyncio.sleep(0.05)

    async def duty_hears(self, *words: str) -> Message:
        """Wait until the duty officer's Telegram shows a message with all these words."""

        def found() -> Message | None:
            shown = [one for one in self.duty.received if all(word in one.text for word in words)]
            return shown[-1] if shown else None

        message = await self.telegram.wait_for(found, WAIT_SECONDS)
        assert message is not None
        return message

    async def everybody_was_written_to_on_one_channel(self) -> None:
        """What the desk sent went each person's own way, and none of it twice."""
        async with self.town.read() as store:
            letters = await store.find(Letter)
            accounts = await store.find(Account)
        ways = {one.officer_id: one.channel for one in accounts}
        assert {one.channel for one in letters if one.channel} == {"telegram", "wecom", "webchat"}
        assert all(one.channel in ("", ways[one.officer_id]) for one in letters if one.officer_id)
        assert all(one.unknowns == 0 for one in letters)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    with FakeWeCom() as wecom, FakeTelegram() as telegram:
        table = f'[telegram]\ntoken = "{telegram.token}"\nbase_url = "{telegram.base_url}"\n'
        town = WeComTown(wecom, tmp_path, more=table)
        async with town.open_desk():
            await town.people(*ON_WECOM)
        async with town.open_desk(), httpx.AsyncClient(timeout=30) as client:
            await town.everybody_is_bound()
            office = Office(town, telegram, client)
            await office.enrol()
            yield office


async def test_a_fire_told_on_the_page_climbs_from_telegram_to_wecom_and_every_card_changes(
    office: Office,
) -> None:
    town, village = office.town, office.web[REPORTER]
    await village.photo(SMALL_JPEG, "联丰路五金厂二楼起火，有浓烟")
    await office.web_hears(REPORTER, "位置")
    await village.place(*HERE)
    receipt = await office.web_hears(REPORTER, "ZS-", "已报出")

    page = await office.duty_hears("签收", "火灾")
    number = next(word for word in page.text.split() if word.startswith("ZS-"))
    assert number in receipt.text and page.markup

    await town.pass_minutes(3)
    await town.hears(LEADER, number, "无人签收")
    card = await eventually(lambda: [one for one in town.phones[LEADER].messages if "签收" in one.buttons])
    town.phones[LEADER].press("签收", card[-1])

    await office.web_hears(REPORTER, number, LEADER, "签收")
    proof = await office.duty_hears(number, LEADER, "签收")
    assert proof.message_id == page.message_id and not proof.markup  # The very card, without its buttons.
    assert await eventually(lambda: card[-1].edits and "签收" not in card[-1].buttons)
    assert number in card[-1].text and "您已签收" in card[-1].text

    async with town.read() as store:
        [incident] = await store.find(Incident)
    assert (incident.state, incident.signed_by) == (State.verifying, f"o-{LEADER}")
    assert incident.place is not None and (incident.place.lat, incident.place.lon) == HERE

    async def stored() -> bool:
        async with town.read() as store:
            return await store.count(Attachment, state=AttachmentState.stored) == 1

    assert await eventually(stored)
    await office.everybody_was_written_to_on_one_channel()


async def test_a_roll_call_over_three_channels_names_its_silent_one_to_the_leader(office: Office) -> None:
    town = office.town
    async with town.app.door.open() as desk:
        await roll_calls.call(desk, desk.policy.roll_calls[0], "manual-test")
    question = await office.duty_hears("早点名")
    office.duty.press("到岗", question.message_id)
    await town.answer(LEADER, "早点名", "到岗")
    await office.web_hears(OFFICER, "早点名")
    await office.web[OFFICER].press("到岗")
    await office.web_hears(GUARD, "早点名")

    async def waiting() -> set[str]:
        async with town.read() as store:
            answers = await store.find(Answer, result=Result.waiting)
        return {one.officer_id for one in answers}

    async def is_one_left() -> bool:
        return await waiting() == {f"o-{GUARD}"}

    assert await eventually(is_one_left)
    await town.pass_minutes(2.1)
    await office.web_hears(GUARD, "催答")
    await town.pass_minutes(8)
    await town.hears(LEADER, GUARD, "未应答")
    await office.web_hears(OFFICER, "应到")
    assert not any("催答" in one.text for one in office.duty.received)

    assert await closed_call(town.read(), due=4) == {
        f"o-{DUTY}": Result.present,
        f"o-{LEADER}": Result.present,
        f"o-{OFFICER}": Result.present,
        f"o-{GUARD}": Result.no_answer,
    }
    await office.everybody_was_written_to_on_one_channel()
