"""The fake WeCom keeps WeCom's rules: what it takes, refuses, drops, brings and retries."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import pytest_asyncio
import uvicorn
from defusedxml.ElementTree import fromstring
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wechatpy.enterprise import parse_message  # type: ignore[import-untyped]  # It ships no types.
from wechatpy.enterprise.crypto import WeChatCrypto  # type: ignore[import-untyped]  # The same.

from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.wecom_limits import MIB
from tests.fakes.wecom_model import Json
from tests.fakes.wecom_people import SMALL_AMR
from tests.fakes.wecom_server import FakeWeCom, Limits, Phone

CARD: Json = {
    "card_type": "button_interaction",
    "main_title": {"title": "全员点名", "desc": "请在 08:45 前应答"},
    "task_id": "roll@01A",
    "button_list": [
        {"text": "到岗", "key": "present:01A", "style": 1},
        {"text": "有情况", "key": "trouble:01A", "style": 2},
    ],
}


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeWeCom]:
    limits = Limits(callback_pause_seconds=0.01, callback_seconds=0.3)
    async with FakeWeCom(limits=limits) as server:
        yield server


class App:
    """What the product does with the server API, reduced to HTTP."""

    def __init__(self, fake: FakeWeCom) -> None:
        self.fake = fake
        self.client = httpx.AsyncClient(base_url=f"{fake.base_url}/cgi-bin/", timeout=2, trust_env=False)
        self.token = ""

    async def get(self, method: str, **query: str) -> Json:
        found: Json = (await self.client.get(method, params={"access_token": self.token, **query})).json()
        return found

    async def post(self, method: str, body: Any, **query: str) -> Json:
        params = {"access_token": self.token, **query}
        found: Json = (await self.client.post(method, params=params, json=body)).json()
        return found

    async def sign_in(self) -> Json:
        world = self.fake.world
        found = await self.get("gettoken", corpid=world.corp_id, corpsecret=world.secret)
        self.token = found["access_token"]
        return found

    async def send(self, to: str, kind: str = "text", content: Json | None = None, **more: Any) -> Json:
        content = content or {"content": "点名"}
        body = {"touser": to, "agentid": self.fake.world.agent_id, "msgtype": kind, kind: content, **more}
        return await self.post("message/send", body)

    async def card(self, to: str, **changes: Any) -> Json:
        return await self.send(to, "template_card", {**CARD, **changes})

    async def amend(self, code: str, **body: Any) -> Json:
        full = {"agentid": self.fake.world.agent_id, "response_code": code, **body}
        return await self.post("message/update_template_card", full)


@pytest_asyncio.fixture
async def app(fake: FakeWeCom) -> AsyncIterator[App]:
    app = App(fake)
    await app.sign_in()
    yield app
    await app.client.aclose()


@pytest.fixture
def mei(fake: FakeWeCom) -> Phone:
    return fake.phone("LiXiaoMei", "李小梅", mobile="13800000001")


class Desk:
    """A callback URL as a product has it, reading with wechatpy."""

    def __init__(self, fake: FakeWeCom) -> None:
        world = fake.world
        self.crypto = WeChatCrypto(world.seal.token, world.seal.aes_key, world.corp_id)
        self.heard: list[str] = []
        self.requests: list[tuple[str, bytes]] = []
        self.answer: Callable[[int], int] = lambda attempt: 200
        self.hangs_for = 0.0

    async def callback(self, request: Request) -> Response:
        query = {name: values[0] for name, values in parse_qs(request.url.query).items()}
        signed = query["msg_signature"], query["timestamp"], query["nonce"]
        if request.method == "GET":
            return Response(self.crypto.check_signature(*signed, query["echostr"]))
        body = await request.body()
        self.requests.append((request.url.query, body))
        status = self.answer(len(self.requests))
        if status != 200:
            return Response(status_code=status)
        if self.hangs_for:
            wait, self.hangs_for = self.hangs_for, 0.0
            await asyncio.sleep(wait)
        try:
            self.heard.append(self.crypto.decrypt_message(body, *signed))
        except Exception:
            return Response(status_code=400)
        return Response()


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        routes = [Route("/channels/wecom/callback", desk.callback, methods=["GET", "POST"])]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/channels/wecom/callback"
        finally:
            server.should_exit = server.force_exit = True
            await task


@pytest_asyncio.fixture
async def desk(fake: FakeWeCom) -> AsyncIterator[Desk]:
    desk = Desk(fake)
    async with served(desk) as url:
        fake.callback_url = url
        yield desk


# The token.


async def test_a_token_is_the_same_until_it_ends(fake: FakeWeCom, app: App) -> None:
    first = app.token
    again = await app.sign_in()
    assert again["access_token"] == first and 7190 < again["expires_in"] <= 7200
    fake.advance(7201)
    assert (await app.get("user/get", userid="x"))["errcode"] == 42001
    assert (await app.sign_in())["access_token"] != first
    assert fake.calls["gettoken"] == 3


async def test_a_revoked_or_unknown_token_is_refused(fake: FakeWeCom, app: App) -> None:
    fake.revoke_tokens()
    assert (await app.get("user/get", userid="x"))["errcode"] == 40014
    await app.sign_in()
    fake.expire_tokens()
    assert (await app.get("user/get", userid="x"))["errcode"] == 42001
    app.token = ""
    assert (await app.get("user/get", userid="x"))["errcode"] == 41001


async def test_wrong_credentials_are_named(fake: FakeWeCom, app: App) -> None:
    assert (await app.get("gettoken", corpid="ww1", corpsecret=fake.world.secret))["errcode"] == 40013
    wrong = await app.get("gettoken", corpid=fake.world.corp_id, corpsecret="x")
    assert wrong["errcode"] == 40001 and "from ip" in wrong["errmsg"]


# Sending.


async def test_one_call_reaches_a_thousand_members_in_any_case(fake: FakeWeCom, app: App) -> None:
    for number in range(1000):
        fake.phone(f"Officer{number}")
    ids = [f"OFFICER{number}" for number in range(1000)]
    told = await app.send("|".join(ids))
    assert told["errcode"] == 0 and told["msgid"] and "invaliduser" not in told
    assert len(fake.sends[0].reached) == 1000 and fake.phone("officer999").last.text == "点名"
    assert (await app.send("|".join([*ids, "one-more"])))["errcode"] == 40032
    await app.send("officer1|Officer1|OFFICER1")
    assert len(fake.phone("Officer1").messages) == 2


async def test_who_cannot_be_reached_is_named_and_the_others_are_served(
    fake: FakeWeCom, app: App, mei: Phone
) -> None:
    fake.phone("nobadge", is_licensed=False)
    fake.phone("hidden", is_visible=False)
    told = await app.send("LiXiaoMei|nobadge|hidden|Ghost")
    assert (told["errcode"], told["invaliduser"], told["unlicenseduser"]) == (0, "hidden|ghost", "nobadge")
    assert len(mei.messages) == 1
    assert (await app.send("ghost|hidden"))["errcode"] == 81013
    mei.leave()
    assert (await app.send("LiXiaoMei"))["errcode"] == 81013


async def test_texts_are_cut_at_2048_bytes_and_markdown_is_refused_over_it(app: App, mei: Phone) -> None:
    await app.send(mei.id, content={"content": "急" * 700})
    assert mei.last.text == "急" * 682
    assert (await app.send(mei.id, "markdown", {"content": "急" * 683}))["errcode"] == 45002
    assert (await app.send(mei.id, "markdown", {"content": "急" * 682}))["errcode"] == 0
    assert (await app.send(mei.id, content={"content": "  "}))["errcode"] == 44004
    assert (await app.send(mei.id, "song", {"content": "x"}))["errcode"] == 40008


async def test_text_cards_and_news_keep_their_bounds(app: App, mei: Phone) -> None:
    card = {"title": "题" * 60, "description": "述" * 200, "url": "https://desk.example/1"}
    assert (await app.send(mei.id, "textcard", card))["errcode"] == 0
    assert mei.last.text == "题" * 42 + "\n" + "述" * 170
    assert (await app.send(mei.id, "textcard", {**card, "url": ""}))["errcode"] == 44004
    article = {"title": "快报", "url": "https://desk.example/2"}
    assert (await app.send(mei.id, "news", {"articles": [article] * 8}))["errcode"] == 0
    assert (await app.send(mei.id, "news", {"articles": [article] * 9}))["errcode"] == 45008


async def test_an_app_that_is_not_ours_and_a_body_that_is_no_object_are_refused(app: App, mei: Phone) -> None:
    assert (await app.post("message/send", {"touser": mei.id, "agentid": 7}))["errcode"] == 40056
    assert (await app.post("message/send", [1]))["errcode"] == 47001
    assert (await app.get("message/send"))["errcode"] == 43002


async def test_the_excess_over_a_members_pace_is_dropped_without_an_error(
    fake: FakeWeCom, app: App, mei: Phone
) -> None:
    told = [await app.send(mei.id, content={"content": f"第{n}条"}) for n in range(31)]
    assert {one["errcode"] for one in told} == {0} and all(one["msgid"] for one in told)
    assert len(mei.messages) == 30 and fake.sends[-1].dropped == ("LiXiaoMei",)
    fake.advance(61)
    await app.send(mei.id)
    assert len(mei.messages) == 31 and fake.stats()["dropped"] == 1


async def test_an_hours_pace_is_kept_too(fake: FakeWeCom, app: App, mei: Phone) -> None:
    fake.limits.member_per_hour = 40
    for _ in range(2):
        for _ in range(25):
            await app.send(mei.id)
        fake.advance(61)
    assert len(mei.messages) == 40
    fake.advance(3600)
    await app.send(mei.id)
    assert len(mei.messages) == 41


async def test_an_identical_request_is_dropped_silently_within_its_interval(
    fake: FakeWeCom, app: App, mei: Phone
) -> None:
    check: dict[str, Any] = {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    for _ in range(2):
        assert (await app.send(mei.id, **check))["errcode"] == 0
    await app.send(mei.id, content={"content": "点名。"}, **check)
    assert [shown.text for shown in mei.messages] == ["点名", "点名。"]
    fake.advance(601)
    await app.send(mei.id, **check)
    assert len(mei.messages) == 3 and fake.stats()["repeats_dropped"] == 1
    for _ in range(2):
        await app.send(mei.id)
    assert len(mei.messages) == 5
    check["duplicate_check_interval"] = 4 * 3600 + 1
    assert (await app.send(mei.id, **check))["errcode"] == 40058


async def test_a_repeated_card_is_dropped_before_its_task_id_is_looked_at(app: App, mei: Phone) -> None:
    for _ in range(2):
        told = await app.send(mei.id, "template_card", CARD, enable_duplicate_check=1)
        assert told["errcode"] == 0
    assert "response_code" not in told and len(mei.messages) == 1


async def test_a_days_receivers_are_bounded_by_the_licences(fake: FakeWeCom, app: App, mei: Phone) -> None:
    fake.limits.day_per_licensed_member = 3
    for _ in range(5):
        assert (await app.send(mei.id))["errcode"] == 0
    assert len(mei.messages) == 3
    fake.advance(86400)
    await app.sign_in()
    await app.send(mei.id)
    assert len(mei.messages) == 4


# Cards.


async def test_a_card_shows_its_words_and_buttons(app: App, mei: Phone) -> None:
    told = await app.card(mei.id, horizontal_content_list=[{"keyname": "应到", "value": "24"}])
    assert told["errcode"] == 0 and told["response_code"]
    assert mei.last.text == "全员点名\n请在 08:45 前应答\n应到：24"
    assert (mei.last.buttons, mei.last.keys) == (["到岗", "有情况"], ["present:01A", "trouble:01A"])


@pytest.mark.parametrize(
    "changes",
    [
        {"task_id": None},
        {"task_id": "a b"},
        {"task_id": "x" * 129},
        {"task_id": "点名"},
        {"card_type": "song"},
        {"main_title": {}},
        {"button_list": []},
        {"button_list": [{"text": str(n), "key": str(n)} for n in range(7)]},
        {"button_list": [{"text": "到岗", "key": "k" * 1025}]},
        {"button_list": [{"text": "", "key": "k"}]},
        {"button_list": [{"text": "到岗", "key": "k", "style": 5}]},
        {"horizontal_content_list": [{"keyname": "键", "value": "值"}] * 7},
        {"jump_list": [{"title": "看"}] * 4},
        {"card_type": "text_notice", "card_action": {}},
        {"card_type": "vote_interaction"},
        {"card_type": "multiple_interaction", "select_list": []},
        {"button_selection": {"question_key": "q", "option_list": [{"id": "1", "text": "镇"}] * 2}},
        {
            "button_selection": {
                "question_key": "q",
                "option_list": [{"id": str(n), "text": "镇"} for n in range(11)],
            }
        },
    ],
    ids=lambda changes: json.dumps(changes, ensure_ascii=False)[:40],
)
async def test_a_card_out_of_the_rules_is_refused(app: App, mei: Phone, changes: Json) -> None:
    assert (await app.card(mei.id, **changes))["errcode"] in (40058, 44004)
    assert mei.messages == []


async def test_a_task_id_is_used_once(app: App, mei: Phone) -> None:
    assert (await app.card(mei.id))["errcode"] == 0
    assert (await app.card(mei.id))["errcode"] == 40058
    assert (await app.card(mei.id, task_id="x" * 128))["errcode"] == 0


async def test_a_response_code_amends_once_within_72_hours(fake: FakeWeCom, app: App, mei: Phone) -> None:
    wei = fake.phone("wei")
    code = (await app.card("LiXiaoMei|wei"))["response_code"]
    told = await app.amend(code, userids=["wei"], button={"replace_name": "已记录 08:03"})
    assert told["errcode"] == 0 and told["invaliduser"] == []
    assert (wei.last.buttons, wei.last.replaced_by, mei.last.buttons) == (
        [],
        "已记录 08:03",
        ["到岗", "有情况"],
    )
    assert (await app.amend(code, atall=1, button={"replace_name": "x"}))["errcode"] == 40058
    late = (await app.card(mei.id, task_id="t2"))["response_code"]
    fake.advance(72 * 3600 + 1)
    await app.sign_in()
    assert (await app.amend(late, atall=1, button={"replace_name": "x"}))["errcode"] == 40058


async def test_a_whole_new_card_replaces_the_old_one_for_all(fake: FakeWeCom, app: App, mei: Phone) -> None:
    code = (await app.card("LiXiaoMei|" + fake.phone("wei").id))["response_code"]
    new = {
        "card_type": "text_notice",
        "main_title": {"title": "点名已结束"},
        "card_action": {"type": 1, "url": "https://d.example"},
    }
    assert (await app.amend(code, atall=1, template_card=new))["errcode"] == 0
    for phone in (mei, fake.phone("wei")):
        assert (phone.last.text, phone.last.buttons) == ("点名已结束", [])
    assert (await app.amend("no-such-code", atall=1, template_card=new))["errcode"] == 40058


async def test_a_press_brings_a_code_of_its_own(fake: FakeWeCom, app: App, mei: Phone, desk: Desk) -> None:
    await app.card(mei.id)
    push = mei.press("到岗")
    await fake.wait_for(lambda: push.is_answered)
    event = fromstring(desk.heard[0])
    said = {child.tag: child.text for child in event}
    assert (said["MsgType"], said["Event"], said["FromUserName"]) == (
        "event",
        "template_card_event",
        "LiXiaoMei",
    )
    assert (said["EventKey"], said["TaskId"], said["CardType"]) == (
        "present:01A",
        "roll@01A",
        "button_interaction",
    )
    assert "MsgId" not in said
    told = await app.amend(str(said["ResponseCode"]), userids=[mei.id], button={"replace_name": "已记录"})
    assert told["errcode"] == 0
    with pytest.raises(LookupError, match="no button"):
        mei.press("到岗")
    mei.press("到岗", stale=True)


async def test_chosen_options_come_with_the_event(fake: FakeWeCom, app: App, mei: Phone, desk: Desk) -> None:
    select = {"question_key": "town", "title": "镇街", "option_list": [{"id": "1", "text": "小榄镇"}]}
    submit = {"text": "提交", "key": "place"}
    card = {"card_type": "multiple_interaction", "main_title": {"title": "在哪里？"}, "task_id": "p1"}
    await app.send(mei.id, "template_card", {**card, "select_list": [select], "submit_button": submit})
    assert mei.last.buttons == ["提交"]
    push = mei.choose({"town": ["1"]})
    await fake.wait_for(lambda: push.is_answered)
    item = fromstring(desk.heard[0]).find("SelectedItems/SelectedItem")
    assert item is not None
    assert (item.findtext("QuestionKey"), item.findtext("OptionIds/OptionId")) == ("town", "1")
    with pytest.raises(LookupError):
        mei.choose({"town": ["9"]})


async def test_plain_wechat_shows_no_cards(fake: FakeWeCom, app: App) -> None:
    plugin = fake.phone("plugin", is_in_plugin=True)
    await app.card("plugin")
    await app.send("plugin", content={"content": "回复 1 到岗"})
    assert [shown.text for shown in plugin.messages] == ["回复 1 到岗"]


async def test_a_message_of_the_last_day_can_be_recalled(fake: FakeWeCom, app: App, mei: Phone) -> None:
    told = await app.send(mei.id)
    await app.send(mei.id, content={"content": "二"})
    assert (await app.post("message/recall", {"msgid": told["msgid"]}))["errcode"] == 0
    assert [shown.text for shown in mei.messages] == ["二"]
    assert (await app.post("message/recall", {"msgid": "unknown"}))["errcode"] == 40058


# Files.


async def test_files_go_up_and_down_and_end_after_three_days(fake: FakeWeCom, app: App, mei: Phone) -> None:
    sent = await app.client.post(
        "media/upload",
        params={"access_token": app.token, "type": "image"},
        files={"media": ("map.jpg", SMALL_JPEG)},
    )
    media_id = sent.json()["media_id"]
    assert (await app.send(mei.id, "image", {"media_id": media_id}))["errcode"] == 0
    found = await app.client.get("media/get", params={"access_token": app.token, "media_id": media_id})
    assert (found.content, found.headers["content-type"]) == (SMALL_JPEG, "image/jpeg")
    assert 'filename="map.jpg"' in found.headers["content-disposition"]
    fake.advance(3 * 86400 + 1)
    await app.sign_in()
    assert (await app.get("media/get", media_id=media_id))["errcode"] == 40007
    assert (await app.send(mei.id, "image", {"media_id": media_id}))["errcode"] == 40007


@pytest.mark.parametrize(
    ("kind", "size", "errcode"),
    [
        ("image", 10 * MIB, 0),
        ("image", 10 * MIB + 1, 40009),
        ("voice", 2 * MIB + 1, 40009),
        ("file", 20 * MIB + 1, 40009),
        ("file", 5, 40006),
        ("song", 9, 40004),
    ],
)
async def test_a_file_out_of_bounds_is_refused(app: App, kind: str, size: int, errcode: int) -> None:
    sent = await app.client.post(
        "media/upload",
        params={"access_token": app.token, "type": kind},
        files={"media": ("x", bytes(size))},
    )
    assert sent.json()["errcode"] == errcode


# The directory, the menu, sign-in, the robot.


async def test_a_member_is_found_by_mobile_and_by_id(fake: FakeWeCom, app: App, mei: Phone) -> None:
    assert (await app.post("user/getuserid", {"mobile": "13800000001"}))["userid"] == "LiXiaoMei"
    assert (await app.post("user/getuserid", {"mobile": "13899999999"}))["errcode"] == 46004
    assert (await app.get("user/get", userid="lixiaomei"))["name"] == "李小梅"
    assert (await app.get("user/get", userid="ghost"))["errcode"] == 60111
    fake.phone("other", departments=(7,))
    listed = await app.get("user/list", department_id="1", fetch_child="1")
    assert {one["userid"] for one in listed["userlist"]} == {"LiXiaoMei", "other"}
    one = await app.get("user/simplelist", department_id="7")
    assert one["userlist"] == [{"userid": "other", "name": "成员other", "department": [7]}]
    mei.leave()
    assert (await app.get("user/get", userid="LiXiaoMei"))["errcode"] == 60111


async def test_the_menu_is_kept_within_its_bounds(fake: FakeWeCom, app: App, mei: Phone) -> None:
    agent = str(fake.world.agent_id)
    assert (await app.get("menu/get", agentid=agent))["errcode"] == 46003
    entry = {"type": "click", "name": "状态", "key": "status"}
    menu = {"button": [entry, {"name": "报送", "sub_button": [{**entry, "type": "location_select"}]}]}
    assert (await app.post("menu/create", menu, agentid=agent))["errcode"] == 0
    assert (await app.get("menu/get", agentid=agent))["button"] == menu["button"]
    refused = {
        40016: {"button": [entry] * 4},
        40018: {"button": [{**entry, "name": "名" * 6}]},
        40019: {"button": [{**entry, "key": "k" * 129}]},
        40023: {"button": [{"name": "多", "sub_button": [entry] * 6}]},
        40017: {"button": [{**entry, "type": "song"}]},
        40020: {"button": [{"type": "view", "name": "看"}]},
    }
    for errcode, body in refused.items():
        assert (await app.post("menu/create", body, agentid=agent))["errcode"] == errcode
    assert (await app.get("menu/delete", agentid=agent))["errcode"] == 0


async def test_a_sign_in_code_works_once_for_five_minutes(fake: FakeWeCom, app: App, mei: Phone) -> None:
    code = mei.sign_in_code()
    assert (await app.get("auth/getuserinfo", code=code))["userid"] == "LiXiaoMei"
    assert (await app.get("auth/getuserinfo", code=code))["errcode"] == 40029
    code = mei.sign_in_code()
    fake.advance(301)
    assert (await app.get("auth/getuserinfo", code=code))["errcode"] == 40029


async def test_a_groups_robot_speaks_twenty_times_a_minute(fake: FakeWeCom, app: App) -> None:
    said = fake.robot("key-1")
    body = {"msgtype": "text", "text": {"content": "汇总"}}
    told = [(await app.post("webhook/send", body, key="key-1"))["errcode"] for _ in range(21)]
    assert told == [0] * 20 + [45009] and len(said) == 20
    assert (await app.post("webhook/send", body, key="no-key"))["errcode"] == 93000
    fake.advance(61)
    assert (await app.post("webhook/send", {"msgtype": "text", "text": {}}, key="key-1"))["errcode"] == 44004


# Faults on order.


@pytest.mark.parametrize("errcode", [-1, 40014, 42001, 45009, 45033, 60020, 81013])
async def test_an_error_on_order_comes_once_and_nothing_is_sent(
    fake: FakeWeCom, app: App, mei: Phone, errcode: int
) -> None:
    fake.refuse_next("message/send", errcode)
    assert (await app.send(mei.id))["errcode"] == errcode and mei.messages == []
    assert (await app.send(mei.id))["errcode"] == 0


@pytest.mark.parametrize(
    ("kind", "arrived"),
    [
        ("drop", 0),
        ("timeout_before", 0),
        ("timeout_after", 1),
        ("drop_after", 1),
        ("truncated_body", 1),
    ],
)
async def test_a_broken_answer_leaves_what_happened_as_it_was(
    fake: FakeWeCom, app: App, mei: Phone, kind: str, arrived: int
) -> None:
    fake.fail_next("message/send", kind)
    app.client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.TransportError):
        await app.send(mei.id)
    assert len(mei.messages) == arrived


async def test_gateway_pages_and_half_a_json_come_on_order(fake: FakeWeCom, app: App, mei: Phone) -> None:
    for kind in ("502", "502_after", "half_json"):
        fake.fail_next("message/send", kind)
        with pytest.raises(ValueError, match=r"."):
            await app.send(mei.id)
    assert len(mei.messages) == 2


async def test_too_many_calls_a_minute_or_at_once_are_refused(fake: FakeWeCom, app: App, mei: Phone) -> None:
    fake.limits.calls_per_minute = 3
    told = [(await app.send(mei.id))["errcode"] for _ in range(4)]
    assert told[-1] == 45009 and told[0] == 0
    fake.limits.calls_per_minute, fake.limits.calls_at_once = None, 1
    fake.latency_seconds = 0.1
    both = await asyncio.gather(app.send(mei.id), app.send(mei.id))
    assert sorted(one["errcode"] for one in both) == [0, 45033]


# Callbacks.


async def test_the_console_verifies_a_url_that_answers_the_echo_as_it_is(fake: FakeWeCom, desk: Desk) -> None:
    assert await fake.verify_callback() == ""
    fake.callback_url = fake.url + "/nowhere"
    assert "404" in await fake.verify_callback()


async def test_what_members_send_is_decrypted_and_parsed_by_wechatpy(
    fake: FakeWeCom, mei: Phone, desk: Desk
) -> None:
    mei.say("河边 <起火> ]]> 了")
    mei.photo()
    mei.voice()
    mei.video()
    mei.locate(22.5171, 113.3927, "小榄镇 河边")
    mei.link("通告", "https://d.example/9")
    last = mei.enter()
    await fake.wait_for(lambda: last.is_answered)
    text, image, voice, video, place, link, enter = [parse_message(heard) for heard in desk.heard]
    assert (text.type, text.content, text.source, text.target, text.agent) == (
        "text",
        "河边 <起火> ]]> 了",
        "LiXiaoMei",
        fake.world.corp_id,
        fake.world.agent_id,
    )
    assert fake.world.medium(image.media_id).content == SMALL_JPEG and image.type == "image"
    assert fake.world.medium(voice.media_id).content == SMALL_AMR and voice.format == "amr"
    assert video.type == "video" and fake.world.medium(video.thumb_media_id)
    assert (place.location_x, place.location_y) == ("22.5171", "113.3927")
    assert (place.label, link.url) == ("小榄镇 河边", "https://d.example/9")
    assert enter.event == "enter_agent"
    assert len({text.id, image.id, voice.id, video.id, place.id, link.id}) == 6


async def test_menu_entries_bring_their_events_and_messages(
    fake: FakeWeCom, app: App, mei: Phone, desk: Desk
) -> None:
    entries = [
        {"type": "click", "name": "状态", "key": "status"},
        {"type": "location_select", "name": "地点", "key": "place"},
        {"type": "pic_sysphoto", "name": "拍照", "key": "photo"},
    ]
    await app.post("menu/create", {"button": entries}, agentid=str(fake.world.agent_id))
    pushes = [mei.menu("状态"), *mei.menu_place("地点", 22.5, 113.4, "桥头"), *mei.menu_photo("拍照")]
    pushes.append(mei.report_place(22.51, 113.39))
    await fake.wait_for(lambda: all(push.is_answered for push in pushes))
    click, picked, place, photo, image, here = [parse_message(heard) for heard in desk.heard]
    assert (click.event, click.key) == ("click", "status")
    assert (picked.event, picked.key, place.type) == ("location_select", "place", "location")
    assert (photo.event, photo.key, image.type) == ("pic_sysphoto", "photo", "image")
    assert (here.event, here.latitude, here.longitude) == ("location", 22.51, 113.39)


async def test_changes_of_the_directory_are_told(fake: FakeWeCom, mei: Phone, desk: Desk) -> None:
    push = mei.leave()
    await fake.wait_for(lambda: push.is_answered)
    said = {child.tag: child.text for child in fromstring(desk.heard[0])}
    assert (said["FromUserName"], said["ChangeType"], said["UserID"]) == ("sys", "delete_user", "LiXiaoMei")
    with pytest.raises(PermissionError):
        mei.say("我还在")


async def test_a_callback_is_retried_three_times_and_then_lost(
    fake: FakeWeCom, mei: Phone, desk: Desk
) -> None:
    desk.answer = lambda attempt: 200 if attempt == 4 else 500
    push = mei.say("起火")
    await fake.wait_for(lambda: push.is_answered)
    assert push.outcomes == [500, 500, 500, 200] and len(set(desk.requests)) == 1
    desk.answer = lambda attempt: 503
    push = mei.say("又起火")
    await fake.wait_for(lambda: push.is_lost)
    assert push.outcomes == [503] * 4 and fake.stats()["lost"] == 1


async def test_an_answer_after_the_time_limit_counts_as_none(fake: FakeWeCom, mei: Phone, desk: Desk) -> None:
    desk.hangs_for = 0.6
    push = mei.say("起火")
    await fake.wait_for(lambda: push.is_answered)
    assert push.outcomes == ["timeout", 200]


async def test_nobody_listening_counts_as_no_answer(fake: FakeWeCom, mei: Phone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fake.callback_url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        push = mei.say("起火")
        await fake.wait_for(lambda: push.is_lost)
    assert push.outcomes == ["refused"] * 4


async def test_a_members_callbacks_keep_their_order_unless_told_otherwise(
    fake: FakeWeCom, mei: Phone, desk: Desk
) -> None:
    for number in range(20):
        last = mei.say(f"第{number}句")
    await fake.wait_for(lambda: last.is_answered)
    assert [parse_message(heard).content for heard in desk.heard] == [f"第{n}句" for n in range(20)]
    desk.heard.clear()
    fake.hold_callbacks()
    first, second = mei.say("一"), mei.say("二")
    fake.reorder_callbacks()
    fake.release_callbacks()
    await fake.wait_for(lambda: first.is_answered and second.is_answered)
    assert [parse_message(heard).content for heard in desk.heard] == ["二", "一"]


async def test_a_replay_is_the_same_request_to_the_byte(fake: FakeWeCom, mei: Phone, desk: Desk) -> None:
    push = mei.say("起火")
    await fake.wait_for(lambda: push.is_answered)
    again = fake.replay(push)
    await fake.wait_for(lambda: again.is_answered)
    assert desk.requests[0] == desk.requests[1] and len(desk.heard) == 2


@pytest.mark.parametrize("how", ["bit", "corp", "padding", "signature"])
async def test_what_was_tampered_with_does_not_decrypt(
    fake: FakeWeCom, mei: Phone, desk: Desk, how: str
) -> None:
    push = mei.spoil("起火", how)
    await fake.wait_for(lambda: push.is_lost)
    assert desk.heard == [] and push.outcomes == [400] * 4


async def test_an_entity_bomb_and_a_huge_body_are_truly_sent(fake: FakeWeCom, mei: Phone, desk: Desk) -> None:
    push = mei.spoil("起火", "entity")
    await fake.wait_for(lambda: push.is_answered)
    assert "<!DOCTYPE" in desk.heard[0] and "&c;" in desk.heard[0]
    huge = mei.spoil("起火", "body")
    await fake.wait_for(lambda: huge.outcomes)
    assert len(desk.requests[1][1]) > 10 * MIB
    with pytest.raises(ValueError, match="unknown spoil"):
        mei.spoil("起火", "gently")


async def test_callbacks_wait_while_the_platform_is_away(fake: FakeWeCom, mei: Phone, desk: Desk) -> None:
    await asyncio.to_thread(fake.stop)
    push = mei.say("起火")
    await asyncio.to_thread(fake.start)
    await fake.wait_for(lambda: push.is_answered)
    assert len(desk.heard) == 1


# Its own process.


async def test_it_runs_as_a_process_driven_over_http() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.wecom_server", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        async with httpx.AsyncClient(base_url=line["url"], trust_env=False) as client:
            made = await client.post("/_control/phones", json={"prefix": "w", "count": 3})
            assert made.status_code == 200
            said = await client.post("/_control/phone/w00001/say", json={"text": "起火"})
            assert said.json()["number"] == 1
            failed = await client.post("/_control/everybody/press", json={"ids": ["w00001"], "button": "到"})
            assert "no button" in failed.json()["failed"]["w00001"]
            knobs = await client.post(
                "/_control/knobs",
                json={"fail_next": {"method": "*", "kind": "errcode", "errcode": 60020}, "advance": 5},
            )
            assert knobs.json() == {"turned": ["advance", "fail_next"]}
            assert (await client.post("/_control/knobs", json={"limits": {"song": 1}})).status_code == 400
            assert (await client.post("/_control/phone/w00001/sing", json={})).status_code == 400
            asked = {"corpid": line["settings"]["corp_id"], "corpsecret": line["settings"]["secret"]}
            assert (await client.get("/cgi-bin/gettoken", params=asked)).json()["errcode"] == 60020
            stats = (await client.get("/_control/stats")).json()
            assert (stats["pushes"], stats["calls"]) == (1, {"gettoken": 1})
            assert (await client.get("/_control/phone/w00001/messages")).json() == {"messages": []}
            assert (await client.get("/_control/pushes?since=1")).json() == {"next": 1, "pushes": []}
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
