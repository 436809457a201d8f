"""The officers' page lets the office take people out, let them back in and end their links: asked first, at once."""

from datetime import timedelta

import pytest

from desk.model import Session
from incidents.model import LogLine
from roster.model import Account, Officer
from tests.web.test_pages import words_of
from tests.web.world import World


async def test_the_office_takes_somebody_out_and_their_browser_is_out_with_the_next_request(
    world: World,
) -> None:
    theirs = await world.signed_in("o-chen")
    assert (await theirs.get("/board")).status_code == 200
    office = await world.signed_in("o-jian")
    told = words_of((await office.get("/officers/o-chen")).text)
    assert "排着的班" in told and "停用" in told
    answer = await world.press(office, "/officers/o-chen/deactivate", confirm="yes")
    assert answer.headers["location"].endswith("said=deactivated")
    assert (await theirs.get("/board")).status_code == 303
    assert not (await world.officer("o-chen")).active
    assert "陈志强" not in words_of((await office.get("/officers")).text)
    assert "陈志强" in words_of((await office.get("/officers?state=inactive")).text)
    async with world.door.read() as store:
        assert not [one for one in await store.find(Account, officer_id="o-chen") if one.reachable]
        [line] = await store.find(LogLine, kind="officer_deactivated")
    assert line.actor == "o-jian"
    assert "停用了 陈志强" in words_of((await office.get("/log")).text)
    answer = await world.press(office, "/officers/o-chen/reactivate", confirm="yes")
    assert answer.headers["location"].endswith("said=reactivated")
    assert (await world.officer("o-chen")).active


async def test_links_are_revoked_from_the_page(world: World) -> None:
    async with world.door.open() as desk:
        ends = desk.now + timedelta(days=9)
        await desk.store.add(Session("x" * 64, "o-mei", "chat", desk.now, desk.now, ends, note="a-o-mei"))
    office = await world.signed_in("o-pan")
    assert "有效的个人链接：1" in words_of((await office.get("/officers/o-mei")).text)
    answer = await world.press(office, "/officers/o-mei/revoke-links", confirm="yes")
    assert answer.headers["location"].endswith("said=links_ended")
    async with world.door.read() as store:
        assert await store.count(Session, officer_id="o-mei", ended=False) == 0
    answer = await world.press(office, "/officers/o-mei/revoke-links", confirm="yes")
    assert answer.headers["location"].endswith("said=no_links")


async def test_without_the_tick_nothing_happens(world: World) -> None:
    office = await world.signed_in("o-jian")
    answer = await world.press(office, "/officers/o-chen/deactivate")
    assert answer.headers["location"].endswith("said=confirm_first")
    assert (await world.officer("o-chen")).active


@pytest.mark.parametrize("who", ["o-liang", "o-chen", "o-mei"])
async def test_nobody_else_sees_the_page_or_does_it(world: World, who: str) -> None:
    client = await world.signed_in(who)
    assert (await client.get("/officers/o-wu")).status_code == 404
    assert "/officers/o-" not in (await client.get("/officers")).text
    for act in ("deactivate", "reactivate", "revoke-links"):
        assert (await world.press(client, f"/officers/o-wu/{act}", confirm="yes")).status_code == 403
    assert (await world.officer("o-wu")).active


async def test_input_51_and_52_it_takes_our_own_form(world: World) -> None:
    office = await world.signed_in("o-jian")
    assert (await office.get("/officers/o-chen/deactivate")).status_code in (404, 405)
    assert (await office.post("/officers/o-chen/deactivate", data={"confirm": "yes"})).status_code == 403
    answer = await world.press(office, "/officers/o-jian/deactivate", confirm="yes")
    assert answer.headers["location"].endswith("said=not_out_own")
    assert (await world.press(office, "/officers/nobody/deactivate", confirm="yes")).status_code == 404
    async with world.door.read() as store:
        assert await store.count(Officer, active=False) == 0
