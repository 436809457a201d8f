"""Role × action: every cell of the table, for one's own unit, for another's, and for what one was asked to do."""

from dataclasses import replace
from itertools import product

import pytest

from desk.permissions import Action, NotAllowed, may, may_see, require
from handlers.flow import find_flows
from incidents.model import Incident, State
from roster.model import Officer, Role
from tests.handlers.chat import NIGHT, Chat
from tests.handlers.roll_calls import call, line_of

OWN, OTHER = "u-own", "u-other"
INCIDENT = Incident("i", "ZS-20261124-001", State.received, NIGHT, unit_id=OWN, reporter_id="somebody")

# For each action, by role (officer, duty, leader, office, admin): may they, in their own unit?
IN_OWN_UNIT = {
    Action.report: "yyyyy",
    Action.sign: "nyyyy",
    Action.hand_on: "nyyyy",
    Action.close: "nyyyy",
    Action.correct_level: "nyyyy",
    Action.call_roll: "nnyyy",
    Action.conclude: "nnyyy",
    Action.manage_people: "nnnyy",
    Action.see_unit: "yyyyy",
    Action.see_all: "nnnyy",
}
IN_ANOTHER_UNIT = {
    Action.report: "nnnyy",
    Action.sign: "nnnyy",
    Action.hand_on: "nnnyy",
    Action.close: "nnnyy",
    Action.correct_level: "nnnyy",
    Action.call_roll: "nnnyy",
    Action.conclude: "nnnyy",
    Action.manage_people: "nnnyy",
    Action.see_unit: "nnnyy",
    Action.see_all: "nnnyy",
}
# What whoever was paged or named may do to that incident, whatever their role and unit.
WHEN_ASKED = dict.fromkeys(Action, "nnnyy") | {
    Action.report: "yyyyy",
    Action.sign: "yyyyy",
    Action.hand_on: "yyyyy",
    Action.close: "yyyyy",
    Action.correct_level: "nyyyy",
    Action.call_roll: "nnyyy",
    Action.conclude: "nnyyy",
    Action.see_unit: "yyyyy",
}
CELLS = list(product(Role, Action))


def officer(role: Role, unit: str = OWN) -> Officer:
    return Officer("o", "某", unit, role=role)


def cell(table: dict[Action, str], role: Role, action: Action) -> bool:
    return table[action][list(Role).index(role)] == "y"


@pytest.mark.parametrize("table", [IN_OWN_UNIT, IN_ANOTHER_UNIT, WHEN_ASKED])
def test_every_action_has_a_row_with_a_cell_for_every_role(table: dict[Action, str]) -> None:
    assert set(table) == set(Action)
    assert {len(row) for row in table.values()} == {len(Role)}


@pytest.mark.parametrize(("role", "action"), CELLS)
def test_in_the_own_unit(role: Role, action: Action) -> None:
    assert may(officer(role), action, unit_id=OWN) is cell(IN_OWN_UNIT, role, action)
    assert may(officer(role), action, INCIDENT) is cell(IN_OWN_UNIT, role, action)
    assert may(officer(role), action) is cell(IN_OWN_UNIT, role, action)


@pytest.mark.parametrize(("role", "action"), CELLS)
def test_in_another_unit(role: Role, action: Action) -> None:
    assert may(officer(role, OTHER), action, unit_id=OWN) is cell(IN_ANOTHER_UNIT, role, action)
    assert may(officer(role, OTHER), action, INCIDENT) is cell(IN_ANOTHER_UNIT, role, action)


@pytest.mark.parametrize(("role", "action"), CELLS)
@pytest.mark.parametrize("asked", [{"heard_by": ("o",)}, {"assigned_to": "o"}])
def test_when_paged_or_handed_it(role: Role, action: Action, asked: dict[str, object]) -> None:
    incident = replace(INCIDENT, **asked)  # type: ignore[arg-type]  # Fields of two types.
    assert may(officer(role, OTHER), action, incident) is cell(WHEN_ASKED, role, action)


@pytest.mark.parametrize(("role", "action"), CELLS)
def test_who_has_left_may_do_nothing(role: Role, action: Action) -> None:
    left = replace(officer(role), active=False)
    asked = replace(INCIDENT, heard_by=("o",), assigned_to="o", reporter_id="o")
    assert not may(left, action, asked)
    assert not may(left, action)
    assert not may_see(left, asked)


@pytest.mark.parametrize(("role", "action"), CELLS)
def test_require_says_who_and_what(role: Role, action: Action) -> None:
    if cell(IN_OWN_UNIT, role, action):
        require(officer(role), action, unit_id=OWN)
        return
    with pytest.raises(NotAllowed) as refused:
        require(officer(role), action, unit_id=OWN)
    assert (refused.value.officer_id, refused.value.action) == ("o", action)


@pytest.mark.parametrize("role", list(Role))
def test_one_sees_one_s_own_unit_s_and_what_one_told_or_was_told_of(role: Role) -> None:
    is_office = role in (Role.office, Role.admin)
    assert may_see(officer(role), INCIDENT)
    assert may_see(officer(role, OTHER), INCIDENT) is is_office
    for told in ({"reporter_id": "o"}, {"heard_by": ("o",)}, {"assigned_to": "o"}):
        assert may_see(officer(role, OTHER), replace(INCIDENT, **told))


# The same through the buttons: who has an effect by pressing, having been asked nothing.
# 陈村 officer, 马同 duty, 李领 leader of 北镇; 郭东 duty, 何东 leader of 东镇; 简局 leader, 欧办 office, 郑管 admin.
NAMES = ("陈村", "马同", "李领", "郭东", "何东", "简局", "欧办", "郑管")
BUTTONS = {
    "sign": "nyynnnyy",
    "hand": "nyynnnyy",
    "to": "nyynnnyy",
    "close": "nyynnnyy",
    "unfounded": "nyynnnyy",
    "reopen": "nyynnnyy",
    "outcome": "nnnnnnnn",
    "incident": "yyynnnyy",
    "verified": "nnynnyyy",
    "fault": "nnynnyyy",
    "absent": "nnynnyyy",
    "call": "nnynyyyy",
    "call_again": "nnynyyyy",
    "present": "nnnnnnnn",
    "excused": "nnnnnnnn",
    "danger": "nnnnnnnn",
    "event": "nnnnnnnn",
    "separate": "nnnnnnnn",
    "trouble": "yyyyyyyy",
}
REFUSED = {"not_allowed", "incident_unknown", "not_yours", "choice_stale"}


def test_every_button_of_every_flow_has_a_row() -> None:
    assert {verb for flow in find_flows() for verb in flow.verbs} == set(BUTTONS)


@pytest.mark.parametrize("verb", BUTTONS)
@pytest.mark.parametrize("place", range(len(NAMES)))
async def test_a_button_made_by_hand_does_only_what_its_presser_may(
    chat: Chat, verb: str, place: int
) -> None:
    name = NAMES[place]
    ref = await _ref_for(chat, verb)
    before = len(await chat.told(name))
    await chat[name].press_token(f"{verb}:{ref}")
    told = (await chat.told(name))[before:]
    assert told, "every press is answered"
    assert (not REFUSED & set(told)) is (BUTTONS[verb][place] == "y"), told


async def _ref_for(chat: Chat, verb: str) -> str:
    """What the button speaks of: 陈村's incident in 北镇, a follow-up of it, or 邓值's line of a roll call."""
    if verb in ("call", "call_again"):
        return "0"
    if verb in ("present", "excused", "verified", "fault", "absent", "trouble", "danger"):
        await call(chat)
        for name in ("李领", "郭东", "何东", "简局"):
            await chat[name].say("到")
        if verb in ("verified", "fault", "absent"):
            await chat.pass_minutes(10)
        return (await line_of(chat, "邓值")).id
    if verb in ("separate", "outcome"):
        await chat["贝备"].say("地点：泰丰路，仓库起火")
        await chat["贝备"].say("火势变大")
        token = chat["贝备"].last.choices[0][1]
        return token.partition(":")[2]
    await chat["贝备"].say("地点：泰丰路，仓库起火")
    incident = await chat.incident()
    if verb in ("close", "unfounded", "reopen"):
        await chat["邓值"].say("签收")
    if verb == "reopen":
        await chat["邓值"].say("办结 已处理")
    if verb in ("close", "unfounded"):
        return f"{incident.id}:已处理"
    return f"{incident.id}:o-贝备" if verb == "to" else incident.id
