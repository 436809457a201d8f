"""The office's two stories, told on phones over Telegram: by polling, and by webhook."""

from desk import roll_calls
from desk.model import Letter
from incidents.model import Attachment, AttachmentState, Incident, State
from roster.model import Result
from tests.town.world import Town, closed_call, eventually


async def test_a_fire_with_a_photo_and_a_place_climbs_to_the_leader_who_signs_for_it(town: Town) -> None:
    village = town.phones["叶倩雯"]
    village.photo(caption="联丰路五金厂二楼起火，有浓烟")
    await town.hears("叶倩雯", "位置")
    village.location(22.6741, 113.2402)
    receipt = await town.hears("叶倩雯", "ZS-", "已报出")

    page = await town.hears("吴健芬", "签收", "火灾")
    number = next(word for word in page.text.split() if word.startswith("ZS-"))
    assert number in receipt.text

    await town.pass_minutes(3)
    escalated = await town.hears("李永昌", number, "无人签收")
    await town.press("李永昌", escalated, "签收")
    await town.hears("叶倩雯", number, "李永昌", "签收")
    await town.hears("吴健芬", number, "李永昌", "签收")  # The duty officer's card became the proof.
    assert not any(town.phones["吴健芬"].received[-1].markup or {})

    async with town.read() as store:
        [incident] = await store.find(Incident)
        assert incident.state is State.verifying
        assert incident.signed_by == "o-李永昌"
        assert (incident.place.lat, incident.place.lon) == (22.6741, 113.2402)  # type: ignore[union-attr]  # Told.

    async def stored() -> bool:
        async with town.read() as store:
            return await store.count(Attachment, state=AttachmentState.stored) == 1

    assert await eventually(stored)
    await town.pass_minutes(20)
    async with town.read() as store:
        pages = await store.find(Letter, kind="incident_page")
    assert {page.officer_id for page in pages} == {
        "o-吴健芬",
        "o-李永昌",
    }  # Nobody was paged after the signature.


async def test_the_silent_one_of_three_is_named_to_the_leader_and_the_counts_sum(town: Town) -> None:
    async with town.app.door.open() as desk:
        await roll_calls.call(desk, desk.policy.roll_calls[0], "manual-test")
    question = await town.hears("吴健芬", "早点名")
    await town.press("吴健芬", question, "到岗")
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
