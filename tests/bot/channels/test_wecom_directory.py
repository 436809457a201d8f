"""The directory proves who a member is; who leaves it is out of reach; a member signs in to the desk with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from desk import enrolment
from desk.model import Session
from desk.ports import ChannelFault
from roster.model import Account, Officer
from tests.bot.channels.contract import heard
from tests.bot.channels.wecom_line import OFFICER, WeComLine, open_line
from tests.fakes.wecom_model import Json
from web.sessions import digest

LEFT = "已离开企业或被停用"


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[WeComLine]:
    async with open_line(tmp_path) as line:
        yield line


async def accounts(line: WeComLine) -> dict[str, Account]:
    """Everybody who can be written to by WeCom, and who could be once."""
    async with line.door.read() as store:
        return {one.address: one for one in await store.find(Account, channel="wecom")}


async def bound(line: WeComLine, address: str, officer_id: str = "") -> Account:
    """The account of an address, once it is this officer's, or anybody's."""
    async with asyncio.timeout(5):
        while True:
            found = (await accounts(line)).get(address)
            if found is not None and officer_id in ("", found.officer_id):
                return found
            await asyncio.sleep(0.01)


async def add(line: WeComLine, *officers: Officer) -> None:
    async with line.door.open() as desk:
        await desk.store.add(*officers)


async def test_people_of_the_table_are_bound_by_their_user_id_in_any_case(line: WeComLine) -> None:
    account = await bound(line, "lixiaomei")
    assert (account.officer_id, account.reachable, account.rank) == (OFFICER.id, True, 10)


async def test_who_was_imported_a_moment_ago_is_known_by_the_first_word(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        await bound(line, "lixiaomei")
        phone = line.fake.phone("WangWu")
        await add(line, Officer("o2", "王五", "u1", wecom="WangWu"))
        phone.say("到")
        [said] = await heard(line, 1)
        assert said.address == "wangwu" and (await accounts(line))["wangwu"].officer_id == "o2"


async def test_a_stranger_is_bound_to_nobody(line: WeComLine) -> None:
    line.fake.phone("Stranger").say("你好")
    await heard(line, 1)
    assert "stranger" not in await accounts(line)


async def test_people_without_a_user_id_are_found_by_their_mobile_once(line: WeComLine) -> None:
    line.fake.phone("ZhaoLiu", mobile="13800000006")
    await add(
        line,
        Officer("o6", "赵六", "u1", phone="+86 138-0000-0006"),
        Officer("o7", "钱七", "u1", phone="13800000007"),
        Officer("o8", "孙八", "u1", phone="0760-88880000"),
    )
    account = await bound(line, "zhaoliu")
    assert account.officer_id == "o6"
    asked = line.fake.calls["user/getuserid"]
    tokens = line.fake.calls["menu/get"]
    line.person.say("一")
    await heard(line, 1)
    assert (line.fake.calls["user/getuserid"], line.fake.calls["menu/get"]) == (asked, tokens) and asked <= 2


async def test_who_leaves_or_is_disabled_is_out_of_reach_and_comes_back(line: WeComLine) -> None:
    await bound(line, "lixiaomei")
    changes: list[tuple[str, Json, bool]] = [
        ("delete_user", {"UserID": "LiXiaoMei"}, False),
        ("create_user", {"UserID": "LiXiaoMei", "Status": 1}, True),
        ("update_user", {"UserID": "LiXiaoMei", "Status": 2}, False),
        ("update_user", {"UserID": "LiXiaoMei", "Status": 1}, True),
        ("update_user", {"UserID": "LiXiaoMei", "Status": 5}, False),
    ]
    for change, fields, reachable in changes:
        push = line.fake.directory_event(change, fields)
        await line.until(partial(getattr, push, "is_answered"))
        account = (await accounts(line))["lixiaomei"]
        assert (account.reachable, account.fault) == (reachable, "" if reachable else LEFT), (change, fields)


async def test_an_old_word_of_the_directory_does_nothing(line: WeComLine) -> None:
    await bound(line, "lixiaomei")
    left = line.fake.directory_event("delete_user", {"UserID": "LiXiaoMei"})
    await line.until(lambda: left.is_answered)
    back = line.fake.directory_event("create_user", {"UserID": "LiXiaoMei"})
    await line.until(lambda: back.is_answered)
    line.fake.advance(-3600)
    again = line.fake.directory_event("delete_user", {"UserID": "LiXiaoMei"})
    await line.until(lambda: again.is_answered)
    assert (await accounts(line))["lixiaomei"].reachable


async def test_a_new_user_id_is_taken_over(line: WeComLine) -> None:
    before = await bound(line, "lixiaomei")
    push = line.fake.directory_event("update_user", {"UserID": "LiXiaoMei", "NewUserID": "XiaoMei.Li"})
    await line.until(lambda: push.is_answered)
    after = await accounts(line)
    assert after["xiaomei.li"].id == before.id and "lixiaomei" not in after
    async with line.door.read() as store:
        officer = await store.get(Officer, OFFICER.id)
    assert officer is not None and officer.wecom == "xiaomei.li"


async def test_a_table_that_differs_from_who_is_bound_is_told_with_names(line: WeComLine) -> None:
    await bound(line, "lixiaomei")
    async with line.door.open() as desk:
        officer = await desk.store.get(Officer, OFFICER.id)
        assert officer is not None
        await enrolment.bind(desk, officer, "wecom", "xiaomei2")
    assert "李小梅" in await line.told("directory")
    assert not (await accounts(line))["lixiaomei"].reachable  # Whoever holds the other phone stays bound.
    with pytest.raises(ChannelFault, match="李小梅"):
        await line.channel.check()


async def test_one_user_id_of_two_people_binds_neither_anew_and_is_told(line: WeComLine) -> None:
    await bound(line, "lixiaomei")
    await add(line, replace(OFFICER, id="o9", name="李小妹", wecom="lixiaomei"))
    assert "李小妹" in await line.told("directory")
    assert (await accounts(line))["lixiaomei"].officer_id == OFFICER.id


async def test_a_user_id_goes_with_the_table_when_its_person_has_left(line: WeComLine) -> None:
    await bound(line, "lixiaomei")
    async with line.door.open() as desk:
        officer = await desk.store.get(Officer, OFFICER.id)
        assert officer is not None
        await desk.store.change(officer, active=False)
        await desk.store.add(replace(OFFICER, id="o9", name="李小妹"))
    assert (await bound(line, "lixiaomei", "o9")).reachable


@pytest_asyncio.fixture
async def browser(line: WeComLine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=line.channel.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="https://duty.test") as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy())
        yield client


async def test_a_member_signs_in_with_a_one_time_link(line: WeComLine, browser: httpx.AsyncClient) -> None:
    await bound(line, "lixiaomei")
    asked = await browser.get("/channels/wecom/sign-in")
    query = parse_qs(urlsplit(asked.headers["location"]).query)
    assert asked.headers["location"].startswith("https://open.weixin.qq.com/connect/oauth2/authorize?")
    assert query["redirect_uri"] == ["https://duty.test/channels/wecom/sign-in"]
    assert (query["appid"], query["scope"]) == ([line.settings.corp_id], ["snsapi_base"])
    told = {"code": line.person.sign_in_code(), "state": query["state"][0]}
    let_in = await browser.get("/channels/wecom/sign-in", params=told)
    secret = let_in.headers["location"].removeprefix("/sign-in/")
    async with line.door.read() as store:
        session = await store.get(Session, digest(secret))
    assert session is not None and (session.officer_id, session.kind, session.ended) == ("o1", "code", False)
    again = await browser.get("/channels/wecom/sign-in", params=told)
    assert again.headers["location"] == "/sign-in"  # The state and the code are good once.


async def test_nobody_is_signed_in_without_the_state_or_from_outside(
    line: WeComLine, browser: httpx.AsyncClient
) -> None:
    await bound(line, "lixiaomei")
    code = line.person.sign_in_code()
    forged = await browser.get("/channels/wecom/sign-in", params={"code": code, "state": "x"})
    assert forged.headers["location"] == "/sign-in" and not line.fake.calls["auth/getuserinfo"]
    for code in (line.fake.phone("Stranger").sign_in_code(), "no-such-code"):
        asked = await browser.get("/channels/wecom/sign-in")
        state = parse_qs(urlsplit(asked.headers["location"]).query)["state"][0]
        answer = await browser.get("/channels/wecom/sign-in", params={"code": code, "state": state})
        assert answer.headers["location"] == "/sign-in"
