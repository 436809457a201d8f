"""Courtesies, greetings and bare numbers: nobody is woken, and everybody gets the one line they need."""

import pytest

from incidents.model import Draft, Incident, Report, State
from tests.handlers.chat import Chat

FIRE = "地点：泰丰路，五金厂二楼起火"
NUMBER = "ZS-20261124-001"


@pytest.mark.parametrize(
    "word", ["😀", "你好", "测试", "好的", "谢谢", "知道了", "好的，谢谢", "嗯嗯👌", "在吗？", "辛苦了！"]
)
async def test_chatter_right_after_a_report_is_no_follow_up_and_pages_nobody(chat: Chat, word: str) -> None:
    await chat["陈村"].say(FIRE)
    before = len(chat["邓值"].shown)
    await chat["陈村"].say(word)
    assert len(await chat.find(Report)) == 1
    assert len(chat["邓值"].shown) == before
    assert (await chat.told("陈村"))[-1] in ("courtesy", "help")


@pytest.mark.parametrize("word", ["你好", "测试", "在吗", "👋", "hello"])
async def test_a_greeting_with_nothing_open_is_answered_with_what_one_can_say(chat: Chat, word: str) -> None:
    await chat["陈村"].say(word)
    assert await chat.find(Draft) == []
    assert await chat.told("陈村") == ["help"]


@pytest.mark.parametrize("text", ["🆘🆘", "你好，着火了", "好的，又塌了一处", "测试楼起火"])
async def test_what_may_say_something_is_never_taken_for_chatter(chat: Chat, text: str) -> None:
    await chat["陈村"].say(text)
    assert (await chat.the(Draft)).text == text


@pytest.mark.parametrize("text", [NUMBER, f"查看 {NUMBER}", "zs20261124001"])
async def test_a_bare_number_shows_the_incident(chat: Chat, text: str) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].say(text)
    assert chat["邓值"].saw(NUMBER, "已收到", "泰丰路")
    assert chat["邓值"].last.verbs == ["sign"]
    assert len(await chat.find(Report)) == 1


async def test_an_unknown_number_is_said_to_be_none_and_the_words_join_nothing_else(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say("ZS-20261124-009 情况已稳定")
    assert chat["陈村"].saw("没有 ZS-20261124-009 这个编号")
    assert len(await chat.find(Report)) == 1
    assert [facts["text"] for facts in await chat.logged("number_unknown")] == ["ZS-20261124-009 情况已稳定"]


async def test_an_unknown_number_with_danger_is_a_report(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say("ZS-20261124-009 北镇一村桥塌了，两人被困")
    assert len(await chat.find(Incident)) == 2


async def test_a_leader_with_two_cases_is_asked_which_and_one_press_does_it(chat: Chat) -> None:
    for street in ("泰丰路", "联丰路"):
        await chat["陈村"].say(f"/report 地点：{street}，起火")
        await chat["邓值"].say(f"签收 {(await chat.newest()).number}")
    await chat["邓值"].say("办结 已扑灭")
    card = chat["邓值"].card("哪一件")
    assert card.verbs == ["close", "close"]
    assert {label for label, _token in card.choices} == {f"办结 ZS-20261124-{one:03d}" for one in (1, 2)}
    await chat["邓值"].press(card, "close")
    ended = await chat.find(Incident, state=State.closed)
    assert [one.outcome for one in ended] == ["已扑灭"]


async def test_a_late_signature_without_a_number_hears_who_has_it(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat.pass_minutes(3)
    await chat["李领"].say("签收")
    await chat["邓值"].say("签收")
    assert chat["邓值"].saw(NUMBER, "李领 03:03 已签收，您不用处理")


async def test_an_old_button_that_cannot_close_is_refused_before_an_outcome_is_asked_for(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["邓值"].say("签收")
    stale = [token for _label, token in chat["邓值"].card("您已签收").choices]
    await chat["邓值"].say("办结 已扑灭")
    for token in stale:
        if token.startswith("close"):
            await chat["邓值"].press_token(token)
    assert chat["邓值"].saw("已办结，不能再操作") and not chat["邓值"].saw("办结要写处置结果")


async def test_a_close_button_of_an_unsigned_or_a_foreign_incident_asks_for_no_outcome(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    incident = await chat.incident()
    await chat["邓值"].press_token(f"close:{incident.id}")
    await chat["陈村"].press_token(f"close:{incident.id}")
    assert chat["邓值"].saw("先签收才能办结") and chat["陈村"].saw("不归您办")
    assert not chat["陈村"].saw("办结要写处置结果") and not chat["邓值"].saw("办结要写处置结果")


async def test_follow_ups_are_numbered_in_the_log_as_on_the_phone(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat["陈村"].say("火势变大")
    assert chat["陈村"].saw("续报一")
    assert [facts["nth"] for facts in await chat.logged("report_added")] == [1]
