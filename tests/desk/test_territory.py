"""Whose ground it is: the township that words name has it, the reporter's own hears, and a correction moves it."""

import pytest

from incidents.model import Incident, LogLine, Place
from tests.handlers.chat import SPOT, Chat

EAST_FIRE = "东镇泰丰路仓库起火"


async def test_a_town_named_in_words_has_it_and_the_reporters_own_hears_too(chat: Chat) -> None:
    await chat["陈村"].say(EAST_FIRE)
    incident = await chat.incident()
    assert (incident.unit_id, set(incident.heard_by)) == ("u-east", {"o-郭东", "o-邓值"})
    assert chat["郭东"].saw(incident.number, "东镇泰丰路", "签收")
    assert chat["邓值"].saw(incident.number, "与 北镇 有关")
    await chat.pass_minutes(3)
    assert chat["何东"].saw("升级到您") and not chat["李领"].saw(incident.number)


async def test_a_village_named_is_its_township_s(chat: Chat) -> None:
    await chat["郭东"].say("北镇一村路口有树倒了")
    assert (await chat.incident()).unit_id == "u-north"
    assert chat["邓值"].saw("北镇一村路口")


async def test_either_may_sign_and_the_other_is_told_that_nothing_is_left_to_do(chat: Chat) -> None:
    await chat["陈村"].say(EAST_FIRE)
    await chat["邓值"].press(chat["邓值"].card("签收"), "sign")
    assert (await chat.incident()).signed_by == "o-邓值"
    assert chat["郭东"].saw("邓值 已签收", "您不用处理")


async def test_handing_on_offers_both_townships(chat: Chat) -> None:
    await chat["陈村"].say(EAST_FIRE)
    await chat["邓值"].press(chat["邓值"].card("签收"), "hand")
    labels = [label for label, _token in chat["邓值"].last.choices]
    assert "转给 郭东" in labels and "转给 李领" in labels


async def test_words_that_name_no_other_town_stay_with_the_reporters_own(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    assert (await chat.incident()).unit_id == "u-north"
    assert await chat.paged() == ["邓值"]


async def test_a_place_that_names_its_town_does_not_read_twice(chat: Chat) -> None:
    await chat["陈村"].say("北镇一村路口有树倒了")
    assert chat["邓值"].saw("地点：北镇一村路口")
    await chat["马同"].say("/report 地点：泰丰路，仓库起火")
    assert chat["邓值"].saw("地点：北镇 泰丰路")


@pytest.mark.parametrize("words", ["地点：东镇翠亨路口", "更正，地点：东镇翠亨路口"])
async def test_a_corrected_place_counts_is_logged_and_calls_the_town_whose_ground_it_is(
    chat: Chat, words: str
) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat["陈村"].say(words)
    incident = await chat.incident()
    assert incident.place == Place(text="东镇翠亨路口")
    assert incident.unit_id == "u-east"
    [facts] = await chat.logged("place_corrected")
    assert (facts["was"], facts["now"], facts["by"]) == ("泰丰路", "东镇翠亨路口", "陈村")
    assert chat["郭东"].saw(incident.number, "东镇翠亨路口", "签收")
    assert chat["邓值"].saw("续报一", "东镇翠亨路口")
    assert len(await chat.find(LogLine, kind="called_in")) == 1


async def test_a_correction_within_the_town_keeps_the_point_and_one_beyond_it_drops_it(chat: Chat) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].send_place()
    await chat["陈村"].say("地点：北镇泰丰路15号")
    place = (await chat.incident()).place
    assert place is not None and (place.lat, place.text) == (SPOT.lat, "北镇泰丰路15号")
    await chat["陈村"].say("地点：东镇翠亨路口")
    assert (await chat.incident()).place == Place(text="东镇翠亨路口")
    assert (await chat.logged("place_corrected"))[-1]["lat"] == SPOT.lat


async def test_an_edited_report_that_names_another_village_moves_it(chat: Chat) -> None:
    said = await chat["陈村"].say("东镇路口有树倒了")
    await chat["陈村"].edit(said, "北镇一村路口有树倒了")
    incident = await chat.incident()
    assert incident.place == Place(text="北镇一村路口") and incident.unit_id == "u-north"


async def test_whoever_has_it_keeps_it_when_it_moves_and_the_other_town_reads_it(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat["邓值"].say("签收")
    await chat["陈村"].say("地点：东镇翠亨路口")
    assert (await chat.the(Incident)).signed_by == "o-邓值"
    assert chat["郭东"].saw("核实中", "东镇翠亨路口")
    await chat["邓值"].say("办结 已扑灭")
    assert (await chat.incident()).outcome == "已扑灭"


async def test_a_place_mentioned_in_passing_moves_nothing(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat["陈村"].say("东镇消防队正在赶来")
    assert (await chat.incident()).place == Place(text="泰丰路")


@pytest.mark.parametrize("words", ["地点：东镇联丰路，两车相撞", "位置比较偏僻", "地点：不详", "位置已发"])
async def test_another_event_or_a_remark_moves_the_place_nowhere(chat: Chat, words: str) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat["陈村"].say(words)
    assert (await chat.incident()).place == Place(text="泰丰路")
    assert await chat.logged("place_corrected") == []


async def test_a_call_for_help_without_a_figure_is_a_hint_on_the_card_until_somebody_knows(
    chat: Chat,
) -> None:
    await chat["陈村"].say("北镇一村出租屋起火，有人在楼上喊")
    assert chat["邓值"].saw("可能有人被困，请先核实")
    await chat["陈村"].say("没有人被困")
    await chat.pass_minutes(3)
    assert not chat["李领"].saw("可能有人被困")
