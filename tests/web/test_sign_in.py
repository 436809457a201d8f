"""Signing in: a code told over the officer's own chat, a one-time link, and no patience with thieves."""

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from desk.model import Letter, Session
from incidents.model import LogLine
from roster.model import Account, Officer
from tests.web.world import World, open_world
from web.sessions import digest


async def ask(world: World, client: httpx.AsyncClient, who: str, back: str = "/log") -> str:
    """Ask for a code; the ticket of the form that came back."""
    answer = await world.press(client, "/sign-in", who=who, next=back)
    assert answer.status_code == 200
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found
    return found[1]


async def codes(world: World) -> list[Letter]:
    async with world.door.read() as store:
        return await store.find(Letter, kind="sign_in_code", order=("id",))


async def test_a_code_from_the_chat_opens_the_desk_and_goes_where_one_wanted(world: World) -> None:
    client = world.client()
    ticket = await ask(world, client, "陈志强")
    [letter] = await codes(world)
    assert (letter.officer_id, len(letter.facts["code"])) == ("o-chen", 6)
    answer = await world.press(client, "/sign-in/code", ticket=ticket, code=letter.facts["code"], next="/log")
    assert (answer.status_code, answer.headers["location"]) == (303, "/log")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert "陈志强" in (await client.get("/board")).text


async def test_over_https_the_cookie_is_bound_to_our_host(tmp_path: Path) -> None:
    async with open_world(tmp_path, public_url="https://desk.example", hosts=("127.0.0.1",)) as world:
        client = world.client()
        ticket = await ask(world, client, "陈志强")
        [letter] = await codes(world)
        answer = await world.press(
            client, "/sign-in/code", ticket=ticket, code=letter.facts["code"], next="/"
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-muster=") and "Secure" in cookie
        assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize("who", ["199-0000-2002", "19900002002", "+86 199 0000 2002", "陈志强"])
async def test_a_phone_number_is_read_however_it_is_written(world: World, who: str) -> None:
    await ask(world, world.client(), who)
    assert [letter.officer_id for letter in await codes(world)] == ["o-chen"]


async def test_input_56_known_and_unknown_people_are_answered_alike(world: World) -> None:
    async with world.door.open() as desk:
        await desk.store.add(Officer("o-twin", "陈志强", "u-sj"))
        gone = await desk.store.get(Officer, "o-he")
        assert gone is not None
        await desk.store.change(gone, active=False)
    told = []
    for who in ("梁锦棠", "没有这个人", "陈志强", "何婉婷", "'; --", "%"):
        answer = await world.press(world.client(), "/sign-in", who=who, next="/")
        told.append(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(set(told)) == 1
    assert [letter.officer_id for letter in await codes(world)] == ["o-liang"]


async def test_input_56_five_wrong_tries_end_a_code_and_the_leader_hears(world: World) -> None:
    client = world.client()
    ticket = await ask(world, client, "陈志强")
    [letter] = await codes(world)
    wrong = "000000" if letter.facts["code"] != "000000" else "111111"
    for _ in range(5):
        answer = await world.press(client, "/sign-in/code", ticket=ticket, code=wrong, next="/")
        assert answer.status_code == 401
    answer = await world.press(client, "/sign-in/code", ticket=ticket, code=letter.facts["code"], next="/")
    assert answer.status_code == 401
    async with world.door.read() as store:
        [told] = await store.find(Letter, kind="sign_in_locked")
        assert await store.count(LogLine, kind="sign_in_locked") == 1
    assert told.officer_id == "o-jian"


async def test_input_56_one_client_is_slowed_down_and_others_are_not(world: World) -> None:
    client = world.client()
    statuses = [(await world.press(client, "/sign-in", who="x", next="/")).status_code for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2
    world.clock.pass_minutes(11)
    assert (await world.press(client, "/sign-in", who="x", next="/")).status_code == 200


async def test_input_56_one_person_gets_few_codes_an_hour(world: World) -> None:
    client = world.client()
    for _ in range(8):
        await ask(world, client, "陈志强")
    assert len(await codes(world)) == 5


async def test_a_code_is_good_once_and_for_ten_minutes_to_the_very_moment(world: World) -> None:
    client = world.client()
    ticket = await ask(world, client, "陈志强")
    [letter] = await codes(world)
    fields = {"ticket": ticket, "code": letter.facts["code"], "next": "/"}
    world.clock.at += timedelta(minutes=10)
    assert (await world.press(client, "/sign-in/code", **fields)).status_code == 303
    client.cookies.clear()
    assert (await world.press(client, "/sign-in/code", **fields)).status_code == 401
    ticket = await ask(world, client, "陈志强")
    fields = {"ticket": ticket, "code": (await codes(world))[-1].facts["code"], "next": "/"}
    world.clock.at += timedelta(minutes=10, microseconds=1)
    assert (await world.press(client, "/sign-in/code", **fields)).status_code == 401


async def test_a_code_is_useless_without_the_browser_that_asked(world: World) -> None:
    await ask(world, world.client(), "陈志强")
    [letter] = await codes(world)
    thief = world.client()
    ticket = await ask(world, thief, "没有这个人")
    answer = await world.press(thief, "/sign-in/code", ticket=ticket, code=letter.facts["code"], next="/")
    assert answer.status_code == 401


async def make_link(world: World, officer_id: str) -> str:
    now, secret = world.clock.now(), "s" * 40
    async with world.door.open() as desk:
        await desk.store.add(Session(digest(secret), officer_id, "code", now, now, now + timedelta(hours=1)))
    return secret


async def test_looking_at_a_link_does_not_use_it_up_and_pressing_does(world: World) -> None:
    secret = await make_link(world, "o-liang")
    client = world.client()
    for _ in range(3):
        assert (await client.get(f"/sign-in/{secret}")).status_code == 200
    assert (await world.press(client, f"/sign-in/{secret}", next="/board")).headers["location"] == "/board"
    assert "梁锦棠" in (await client.get("/board")).text
    late = world.client()
    assert (await world.press(late, f"/sign-in/{secret}", next="/board")).status_code == 401
    assert (await late.get("/board")).status_code == 303


async def test_a_chat_link_or_session_is_no_sign_in_link(world: World) -> None:
    secret = await world.session("o-jian")
    answer = await world.press(world.client(), f"/sign-in/{secret}", next="/")
    assert answer.status_code == 401
    stranger = world.client(cookies={"muster_desk": await make_link(world, "o-jian")})
    assert (await stranger.get("/fragments/board")).status_code == 401


async def test_somebody_nobody_can_reach_gets_no_code(world: World) -> None:
    async with world.door.open() as desk:
        await desk.store.remove(Account, ["a-o-chen"])
    await ask(world, world.client(), "陈志强")
    assert await codes(world) == []


async def test_no_secret_is_kept_in_the_clear(world: World) -> None:
    client = world.client()
    ticket = await ask(world, client, "陈志强")
    [letter] = await codes(world)
    await world.press(client, "/sign-in/code", ticket=ticket, code=letter.facts["code"], next="/")
    async with world.door.read() as store:
        kept = [f"{one.id} {one.note}" for one in await store.find(Session)]
    secret = client.cookies["muster_desk"]
    assert all(word not in line for line in kept for word in (ticket, secret, letter.facts["code"] + " "))
