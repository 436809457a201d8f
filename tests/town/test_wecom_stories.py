"""The office's two stories, told on phones over WeCom; with cards, and by numbers where there are none."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bot import gcj02
from desk import roll_calls
from desk.enrolment import invite
from incidents.model import Attachment, AttachmentState, Incident, State
from roster.model import Answer, Officer, Result, Role
from tests.fakes.telegram_server import FakeTelegram
from tests.fakes.wecom_server import FakeWeCom
from tests.town.conftest import PEOPLE
from tests.town.wecom_town import WeComTown
from tests.town.world import UNIT, WAIT_SECONDS, closed_call, eventually

HERE = (22.6741, 113.2402)


@pytest.fixture(params=["cards", "numbers"])
async def wecom_town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WeComTown]:
    with FakeWeCom() as wecom:
        town = WeComTown(wecom, tmp_path, more="cards = false\n" if request.param == "numbers" else "")
        async with town.open_desk():
            await town.people(*PEOPLE)
        async with town.open_desk():
            await town.everybody_is_bound()
            yield town


async def test_a_fire_with_a_photo_and_a_place_climbs_to_the_leader_who_signs_for_it(
    wecom_town: WeComTown,
) -> None:
    town = wecom_town
    village = town.phones["叶倩雯"]
    village.photo()
    village.say("联丰路五金厂二楼起火，有浓烟")
    await town.hears("叶倩雯", "位置")
    village.locate(*gcj02.to_gcj02(*HERE), "联丰路五金厂")
    receipt = await town.hears("叶倩雯", "ZS-", "已报出")

    page = await town.hears("吴健芬", "火灾")
    number = next(word for word in page.text.split() if word.startswith("ZS-"))
    assert number in receipt.text

    await town.pass_minutes(3)
    await town.hears("李永昌", number, "无人签收")
    await town.answer("李永昌", "无人签收", "签收")
    await town.hears("叶倩雯", number, "李永昌", "签收")
    await town.hears("吴健芬", number, "李永昌", "签收")

    async with town.read() as store:
        [incident] = await store.find(Incident)
    assert (incident.state, incident.signed_by) == (State.verifying, "o-李永昌")
    assert incident.place is not None and (incident.place.lat, incident.place.lon) == pytest.approx(
        HERE, abs=1e-6
    )
    assert incident.place.datum == "gcj02"

    async def stored() -> bool:
        async with town.read() as store:
            return await store.count(Attachment, state=AttachmentState.stored) == 1

    assert await eventually(stored)


async def test_the_silent_one_of_three_is_named_to_the_leader_and_the_counts_sum(
    wecom_town: WeComTown,
) -> None:
    town = wecom_town
    async with town.app.door.open() as desk:
        await roll_calls.call(desk, desk.policy.roll_calls[0], "manual-test")
    await town.answer("吴健芬", "早点名", "到岗")
    await town.hears("李永昌", "早点名")
    town.phones["李永昌"].say("到")
    await town.hears("李永昌", "到岗")
    await town.hears("简俊贤", "早点名")
    town.phones["简俊贤"].say("1")
    await town.hears("简俊贤", "到岗")
    await town.hears("周国强", "早点名")

    await town.pass_minutes(2.1)
    await town.hears("周国强", "催答")
    await town.pass_minutes(8)
    await town.hears("李永昌", "周国强", "未应答")
    await town.hears("简俊贤", "应到")

    assert await closed_call(town.read(), due=4) == {
        "o-吴健芬": Result.present,
        "o-李永昌": Result.present,
        "o-简俊贤": Result.present,
        "o-周国强": Result.no_answer,
    }


async def test_an_officer_with_two_channels_gets_each_notice_on_the_first_that_works_once(
    tmp_path: Path,
) -> None:
    with FakeWeCom() as wecom, FakeTelegram() as telegram:
        table = f'[telegram]\ntoken = "{telegram.token}"\nbase_url = "{telegram.base_url}"\n'
        town = WeComTown(wecom, tmp_path, more=table)
        async with town.open_desk():
            await town.people(
                ("李永昌", Role.leader, "duty_leader", UNIT), ("吴健芬", Role.duty, "duty_officer", UNIT)
            )
        async with town.open_desk() as app:
            await town.everybody_is_bound()
            phone = telegram.phone(7001, "李永昌")
            async with app.door.open() as desk:
                officer = await desk.store.get(Officer, "o-李永昌")
                assert officer is not None
                code = await invite(desk, officer)
            phone.start(code)
            await telegram.wait_for(lambda: any("绑定" in one.text for one in phone.received), WAIT_SECONDS)
            calls = app.door.policy.roll_calls[0]
            async with app.door.open() as desk:
                await roll_calls.call(desk, calls, "manual-1")
            await town.answer("李永昌", "早点名", "到岗")
            await town.answer("吴健芬", "早点名", "到岗")
            assert await eventually(partial(_is_settled, town))
            assert not any("早点名" in one.text for one in phone.received)

            town.phones["李永昌"].disable()  # WeCom tells so only when it is written to.
            async with app.door.open() as desk:
                await roll_calls.call(desk, calls, "manual-2")
            await telegram.wait_for(lambda: any("早点名" in one.text for one in phone.received), WAIT_SECONDS)
            await town.hears("吴健芬", "早点名")
            phone.say("到")
            await telegram.wait_for(lambda: any("到岗" in one.text for one in phone.received), WAIT_SECONDS)
            assert sum("请应答" in one.text for one in phone.received) == 1
            shown = [one.text for one in town.phones["李永昌"].messages]
            assert sum("早点名" in one for one in shown) == 1, shown


async def _is_settled(town: WeComTown) -> bool:
    """Whether nobody owes an answer."""
    async with town.read() as store:
        answers = await store.find(Answer)
    return bool(answers) and all(one.result is not Result.waiting for one in answers)
