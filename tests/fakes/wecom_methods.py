"""The methods of the server API that take and give JSON, by their path behind /cgi-bin/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.wecom_cards import cut_bytes
from tests.fakes.wecom_limits import Limits
from tests.fakes.wecom_model import LEFT, ApiError, Json, Member, bad_parameter
from tests.fakes.wecom_world import World

Query = Mapping[str, str]
Method = Callable[[World, Query, Json], Json]

_MENU_TYPES = frozenset(
    "click view scancode_push scancode_waitmsg pic_sysphoto pic_photo_or_album pic_weixin location_select "
    "view_miniprogram".split()
)


def gettoken(world: World, query: Query, body: Json) -> Json:
    """Answer gettoken: the same token again while it is good."""
    if query.get("corpid") != world.corp_id:
        raise ApiError(40013, "invalid corpid")
    if query.get("corpsecret") != world.secret:
        raise ApiError(40001, "invalid credential")
    token, seconds = world.token()
    return {"access_token": token, "expires_in": int(seconds)}


def message_send(world: World, query: Query, body: Json) -> Json:
    """Answer message/send."""
    _check_agent(world, body.get("agentid"))
    if body.get("safe", 0) not in (0, 1):
        raise bad_parameter("safe")
    members, invalid, unlicensed = _receivers(world, str(body.get("touser") or ""))
    if not members and not unlicensed:
        raise ApiError(81013, "user & party & tag all invalid", invaliduser="|".join(invalid))
    if world.is_repeat(body):
        return {"msgid": "", **_partial(invalid, unlicensed)}
    sent = world.post(str(body.get("msgtype")), body, members)
    answer: Json = {"msgid": sent.msgid, **_partial(invalid, unlicensed)}
    if world.answers_with_code(sent):
        answer["response_code"] = world.new_code(world.cards[sent.task_id])
    return answer


def _partial(invalid: list[str], unlicensed: list[str]) -> Json:
    lists = {"invaliduser": "|".join(invalid), "unlicenseduser": "|".join(unlicensed)}
    return {name: value for name, value in lists.items() if value}


def _receivers(world: World, touser: str) -> tuple[list[Member], list[str], list[str]]:
    """Return who is written to, who is unknown or out of sight, and who has no licence."""
    ids = [one.strip() for one in touser.split("|") if one.strip()]
    if ids == ["@all"]:
        ids = [member.userid for member in world.members.values() if world.reachable(member.userid)]
    elif len(ids) > world.limits.receivers_max:
        raise ApiError(40032, "invalid userid list size")
    found: dict[str, Member] = {}
    invalid, unlicensed = [], []
    for one in ids:
        member = world.reachable(one)
        if member is None:
            invalid.append(one.lower())
        elif not member.is_licensed:
            unlicensed.append(member.userid)
        else:
            found[member.userid.lower()] = member
    return list(found.values()), invalid, unlicensed


def _check_agent(world: World, agent_id: object) -> None:
    if str(agent_id) != str(world.agent_id):
        raise ApiError(40056, "invalid agentid")


def update_template_card(world: World, query: Query, body: Json) -> Json:
    """Answer message/update_template_card; unlike message/send it lists invalid users in an array."""
    _check_agent(world, body.get("agentid"))
    userids = body.get("userids") or []
    if len(userids) > world.limits.receivers_max:
        raise ApiError(40032, "invalid userid list size")
    if not userids and not body.get("atall"):
        raise bad_parameter("userids")
    code = world.codes.get(str(body.get("response_code")))
    receivers = list(code.card.shown) if body.get("atall") and code else [str(one) for one in userids]
    card = world.use_code(body.get("response_code"))
    world.amend(card, receivers, body)
    return {"invaliduser": [one for one in receivers if world.member(one) is None]}


def recall(world: World, query: Query, body: Json) -> Json:
    """Answer message/recall."""
    world.recall(body.get("msgid"))
    return {}


def getuserid(world: World, query: Query, body: Json) -> Json:
    """Answer user/getuserid: who has this mobile."""
    mobile = str(body.get("mobile") or "")
    if not mobile:
        raise ApiError(40058, "invalid Request Parameter: mobile")
    for member in world.members.values():
        if member.mobile == mobile and member.status != LEFT:
            return {"userid": member.userid}
    raise ApiError(46004, "user not exist")


def user_get(world: World, query: Query, body: Json) -> Json:
    """Answer user/get."""
    member = world.member(query.get("userid", ""))
    if member is None or member.status == LEFT:
        raise ApiError(60111, "userid not found")
    if not member.is_visible:
        raise ApiError(60011, "no privilege to access/modify contact/party/agent")
    return member.as_json()


def _of_department(world: World, query: Query) -> list[Member]:
    if not query.get("department_id", "").isdigit():
        raise ApiError(60003, "department not found")
    wanted = int(query["department_id"])
    whole = wanted == 1 and query.get("fetch_child", "1") == "1"
    return [
        member
        for member in world.members.values()
        if member.is_visible and member.status != LEFT and (whole or wanted in member.departments)
    ]


def user_list(world: World, query: Query, body: Json) -> Json:
    """Answer user/list: whole records."""
    return {"userlist": [member.as_json() for member in _of_department(world, query)]}


def user_simplelist(world: World, query: Query, body: Json) -> Json:
    """Answer user/simplelist: ids and names."""
    names = ("userid", "name", "department")
    return {
        "userlist": [{k: member.as_json()[k] for k in names} for member in _of_department(world, query)],
    }


def agent_get(world: World, query: Query, body: Json) -> Json:
    """Answer agent/get."""
    _check_agent(world, query.get("agentid"))
    visible = [{"userid": member.userid} for member in world.members.values() if member.is_visible]
    return {
        "agentid": world.agent_id,
        "name": "点到",
        "close": 0,
        "allow_userinfos": {"user": visible},
        "allow_partys": {"partyid": []},
        "report_location_flag": 0,
        "isreportenter": 1,
    }


def menu_create(world: World, query: Query, body: Json) -> Json:
    """Answer menu/create."""
    _check_agent(world, query.get("agentid"))
    limits = world.limits
    buttons = body.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= limits.menu_buttons_max:
        raise ApiError(40016, "invalid button size")
    for button in buttons:
        _check_entry(button, limits.menu_name_bytes_max, limits)
    world.menu = {"button": buttons}
    return {}


def _check_entry(entry: Json, name_bytes_max: int, limits: Limits) -> None:
    name = str(entry.get("name") or "")
    if not name or cut_bytes(name, name_bytes_max) != name:
        raise ApiError(40018, "invalid button name size")
    below = entry.get("sub_button")
    if below:
        if len(below) > limits.menu_entries_max:
            raise ApiError(40023, "invalid sub button size")
        for one in below:
            _check_entry(one, limits.entry_name_bytes_max, limits)
        return
    kind = entry.get("type")
    if kind not in _MENU_TYPES:
        raise ApiError(40017, "invalid button type")
    if kind == "view" and not 0 < len(str(entry.get("url") or "").encode()) <= limits.menu_url_bytes_max:
        raise ApiError(40020, "invalid button url size")
    is_keyed = kind not in ("view", "view_miniprogram")
    if is_keyed and not 0 < len(str(entry.get("key") or "").encode()) <= limits.menu_key_bytes_max:
        raise ApiError(40019, "invalid button key size")


def menu_get(world: World, query: Query, body: Json) -> Json:
    """Answer menu/get."""
    _check_agent(world, query.get("agentid"))
    if not world.menu:
        raise ApiError(46003, "menu not exist")
    return dict(world.menu)


def menu_delete(world: World, query: Query, body: Json) -> Json:
    """Answer menu/delete."""
    _check_agent(world, query.get("agentid"))
    world.menu = {}
    return {}


def getuserinfo(world: World, query: Query, body: Json) -> Json:
    """Answer auth/getuserinfo: a sign-in code works once, for five minutes."""
    userid, until = world.sign_in_codes.pop(query.get("code", ""), ("", 0.0))
    if until <= world.now():
        raise ApiError(40029, "invalid code")
    if world.member(userid) is None:
        return {"openid": f"o{userid}"}  # Somebody from outside the corp.
    return {"userid": userid, "user_ticket": f"ticket-of-{userid}"}


def api_addresses(world: World, query: Query, body: Json) -> Json:
    """Answer get_api_domain_ip and getcallbackip."""
    return {"ip_list": ["127.0.0.1"]}


def robot_send(world: World, query: Query, body: Json) -> Json:
    """Answer webhook/send: a group's robot, 20 a minute, no token but its key."""
    key = query.get("key", "")
    if key not in world.robots:
        raise ApiError(93000, "invalid webhook url")
    limits, kind = world.limits, str(body.get("msgtype"))
    content: Any = body.get(kind)
    if kind not in ("text", "markdown", "news", "template_card", "image", "file"):
        raise ApiError(40008, "invalid message type")
    if kind in ("text", "markdown"):
        text = str((content or {}).get("content") or "")
        if not text:
            raise ApiError(44004, "empty content")
        if len(text.encode()) > (4096 if kind == "markdown" else limits.text_bytes_max):
            raise ApiError(45002, "content size out of limit")
    if limits.paced and not world.counts.take(f"robot:{key}", world.now(), (60, limits.robot_per_minute)):
        raise ApiError(45009, "api freq out of limit")
    world.robots[key].append(body)
    return {}


METHODS: dict[str, Method] = {
    "gettoken": gettoken,
    "message/send": message_send,
    "message/update_template_card": update_template_card,
    "message/recall": recall,
    "user/getuserid": getuserid,
    "user/get": user_get,
    "user/list": user_list,
    "user/simplelist": user_simplelist,
    "agent/get": agent_get,
    "menu/create": menu_create,
    "menu/get": menu_get,
    "menu/delete": menu_delete,
    "auth/getuserinfo": getuserinfo,
    "get_api_domain_ip": api_addresses,
    "getcallbackip": api_addresses,
    "webhook/send": robot_send,
}
POSTED = frozenset(
    "message/send message/update_template_card message/recall user/getuserid menu/create webhook/send".split()
)
WITHOUT_TOKEN = frozenset({"gettoken", "webhook/send"})
