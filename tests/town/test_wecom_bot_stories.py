"""The office's two stories, told in chats with WeCom's AI bot: no public address, no location message."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk import roll_calls
from incidents.model import Attachment, AttachmentState, Incident, State
from roster.model import Result
from tests.fakes.wecom_server import FakeWeCom
from tests.town.conftest import PEOPLE
from tests.town.wecom_town import WeComTown
from tests.town.world import closed_call, eventually


@pytest.fixture(params=["cards", "numbers"])
async def bot_town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WeComTown]:
    with FakeWeCom() as wecom:
        more = "cards = false\n" if request.param == "numbers" else ""
        town = WeComTown(wecom, tmp_path, more=more, has_bot=True)
        async with town.open_desk():
            await town.people(*PEOPLE)
        async with town.open_desk():
            await town.everybody_is_bound()
            await wecom.wait_for(lambda: wecom.bot.is_connected)
            yield town


async def test_a_fire_with_a_photo_and_a_township_climbs_to_the_leader_who_signs_for_it(
    bot_town: WeComTown,
) -> None:
    town = bot_town
    village = town.phones["叶倩雯"]
    village.photo(caption="联丰路五金厂二楼起火，有浓烟")
    await town.hears("叶倩雯", "位置")
    lists = await town.hears("叶倩雯", "选好镇街点“提交”")
    option = lists.content["select_list"][0]["option_list"][1]
    assert option["text"] == "小榄镇"
    village.choose({"where0": [option["id"]]})
    receipt = await town.hears("叶倩雯", "ZS-", "已报出")

    page = await town.hears("吴健芬", "火灾")
    number = next(word for word in page.text.split() if word.startswith("ZS-"))
    assert number in receipt.text

    await town.pass_minutes(3)
    await town.hears("李永昌", number, "无人签收")
    await town.answer("李永昌", "无人签收", "签收")
    await town.hears("叶倩雯", number, "李永昌", "签收")
    # The duty officer's card cannot change, for it was not pressed: pressing it now tells who signed.
    await town.answer("吴健芬", "火灾", "签收")
    await town.hears("吴健芬", number, "李永昌", "签收")

    async with town.read() as store:
        [incident] = await store.find(Incident)
    assert (incident.state, incident.signed_by) == (State.verifying, "o-李永昌")
    assert incident.place is not None and "小榄镇" in incident.place.text

    async def stored() -> bool:
        async with town.read() as store:
            return await store.count(Attachment, state=AttachmentState.stored) == 1

    assert await eventually(stored)


async def test_the_silent_one_of_three_is_named_to_the_leader_and_the_counts_sum(
    bot_town: WeComTown,
) -> None:
    town = bot_town
    async with town.app.door.open() as desk:
        await roll_calls.call(desk, desk.policy.roll_calls[0], "manual-test")
    await town.answer("吴健芬", "早点名", "到岗")
    await town.hears("李永昌", "早点名")
    town.phones["李永昌"].voice("到")
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
