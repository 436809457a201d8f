"""What one may ask the desk at any time, and how a message finds its flow."""

import pytest

from desk.audits import record
from desk.invariants import Finding
from handlers import flow as flows
from handlers.flow import Flow, find_flows, signs_of
from incidents.model import Draft
from tests.handlers.chat import Chat
from tests.handlers.roll_calls import call

ASKS = {
    "status": ("状态", "/status", "/STATUS"),
    "on_duty": ("值班", "/onduty", "今天谁值班"),
    "mine": ("我的", "/mine"),
    "help": ("帮助", "/help", "？"),
    "nothing_to_cancel": ("取消", "/cancel"),
}
CASES = [(kind, text) for kind, texts in ASKS.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), CASES)
async def test_each_question_is_answered_in_one_message_and_opens_no_report(
    chat: Chat, kind: str, text: str
) -> None:
    await chat["陈村"].say(text)
    assert await chat.told("陈村") == [kind]
    assert await chat.find(Draft) == []


@pytest.mark.parametrize(("kind", "text"), CASES)
async def test_they_are_answered_in_the_middle_of_a_report_too(chat: Chat, kind: str, text: str) -> None:
    await chat["陈村"].say("仓库起火")
    await chat["陈村"].say(text)
    expected = "draft_cancelled" if kind == "nothing_to_cancel" else kind
    assert (await chat.told("陈村"))[-1] == expected
    assert (await chat.the(Draft)).text == "仓库起火"


async def test_status_tells_what_waits_for_the_reader_and_only_the_own_unit(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await call(chat)
    await chat["邓值"].say("状态")
    assert "ZS-20261124-001" in chat["邓值"].last.text
    assert chat["邓值"].last.verbs == ["sign"]
    await chat["郭东"].say("状态")
    assert "ZS-20261124-001" not in chat["郭东"].last.text
    await chat["欧办"].say("状态")
    assert "ZS-20261124-001" in chat["欧办"].last.text


async def test_status_shows_the_office_a_broken_promise_in_one_line(chat: Chat) -> None:
    for _ in range(2):
        async with chat.desk() as desk:
            await record(desk, [Finding("letters", "incident_page"), Finding("room", "3 %")])
    await chat["欧办"].say("状态")
    [line] = [line for line in chat["欧办"].last.text.splitlines() if "自查" in line]
    assert line == "【自查不通过】有急件没发出去、磁盘快满"
    await chat["邓值"].say("状态")
    assert "自查" not in chat["邓值"].last.text


async def test_signing_from_the_status_is_signing(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat["邓值"].say("状态")
    await chat["邓值"].press(chat["邓值"].last, "sign")
    assert (await chat.incident()).signed_by == "o-邓值"


async def test_on_duty_names_the_holders_of_the_own_unit(chat: Chat) -> None:
    await chat["陈村"].say("值班")
    assert "邓值" in chat["陈村"].last.text and "郭东" not in chat["陈村"].last.text


async def test_mine_lists_my_watch_and_my_reports(chat: Chat) -> None:
    await chat["邓值"].say("地点：泰丰路，仓库起火")
    await chat["邓值"].say("我的")
    assert "值班员" in chat["邓值"].last.text and "ZS-20261124-001" in chat["邓值"].last.text


@pytest.mark.parametrize("name", ["陈村", "邓值", "李领", "欧办", "郑管"])
async def test_help_speaks_to_every_role(chat: Chat, name: str) -> None:
    await chat[name].say("帮助")
    assert "状态" in chat[name].last.text


async def test_a_command_word_inside_a_sentence_is_a_report(chat: Chat) -> None:
    await chat["陈村"].say("状态 很不好，水漫进来了")
    assert (await chat.the(Draft)).text == "状态 很不好，水漫进来了"


async def test_input_25_a_channel_or_an_anonymous_administrator_is_nobody(chat: Chat) -> None:
    group = chat.stranger("-1001234")
    await group.say("签收 ZS-20261124-001", private=False)
    await group.press_token("call:0", private=False)
    assert await chat.find(Draft) == []
    assert await chat.logged("roll_called") == []
    assert len(group.shown) == 1  # One polite sentence.


def test_every_flow_is_found_and_no_two_claim_one_sign() -> None:
    found = find_flows()
    assert {flow.name for flow in found} >= {
        "acknowledge", "cancel", "enrol", "help", "mine", "on_duty", "report", "roll_call", "status"
    }  # fmt: skip
    signs = [sign for flow in found for sign in signs_of(flow)]
    assert len(signs) == len(set(signs))
    assert [flow.rank for flow in found] == sorted(flow.rank for flow in found)


def test_two_flows_that_claim_one_sign_are_a_fault() -> None:
    first = next(flow for flow in find_flows() if flow.name == "cancel")
    second = Flow("other", first.hear, words=first.words)
    with pytest.raises(ValueError, match="cancel and other both claim"):
        flows._refuse_doubles([first, second])
