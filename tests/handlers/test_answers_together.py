"""Answers that come in one breath are heard together, and mean what they would mean one after the other."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from desk.model import Inbound
from handlers.flow import Flow, find_flows
from handlers.roll_call import is_alike
from incidents.model import LogLine
from roster.model import Answer, Result
from tests.handlers import chat as chat_module
from tests.handlers.chat import PEOPLE, open_chat
from tests.handlers.roll_calls import DUE, call

WORDS = ("到", "到岗", "1", "收到", "到1234", "请假 家里有事", "北镇泰丰路起火了", "谢谢")
NAMES = [name for name, *_ in PEOPLE]


@dataclass(frozen=True)
class Told:
    """What the office and its people know at the end."""

    ledger: dict[str, tuple[Any, ...]]
    phones: dict[str, list[tuple[str, int]]]
    log: list[tuple[str, str]]


def script(seed: int) -> list[tuple[str, str]]:
    """Who says what, in order: mostly answers, also twice, for others, and what is none."""
    chance = Random(seed)
    said = [(name, "press" if chance.random() < 0.4 else "到") for name in DUE]
    said += [(chance.choice(NAMES), chance.choice((*WORDS, "press"))) for _ in range(12)]
    chance.shuffle(said)
    return said


async def play(said: list[tuple[str, str]]) -> Told:
    """The same office and the same words, which all wait for the desk and are heard in one transaction."""
    async with open_chat() as chat:
        roll_call = await call(chat)
        for name, word in said:
            phone = chat[name]
            facts: dict[str, Any] = {"text": word}
            kind = "text"
            if word == "press":
                kind, facts = "choice", {"verb": "present", "ref": roll_call.id, "sent_at": None}
                facts["message_id"] = phone.shown[0].id if phone.shown else "card"
            await phone.hand_in(phone.message(kind, **facts))
        await chat.settle()
        ledger = {
            name: (line.result, line.answered_at, line.channel, line.text, line.note)
            for name, line in (await chat.answers()).items()
        }
        log = [(line.kind, line.actor) for line in await chat.find(LogLine, order=("sequence",))]
        phones = {name: [(one.text, len(one.choices)) for one in chat[name].shown] for name in NAMES}
    return Told(ledger, phones, log)


def one_by_one() -> list[Flow]:
    """The flows, none of which hears several messages at once."""
    return [replace(flow, is_alike=None) for flow in find_flows()]


@pytest.mark.parametrize("seed", range(25))
async def test_answers_heard_together_mean_what_they_mean_one_by_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = await play(script(seed))
    monkeypatch.setattr(chat_module, "find_flows", one_by_one)
    alone = await play(script(seed))
    assert (together.ledger, together.phones) == (alone.ledger, alone.phones)
    assert sorted(together.log) == sorted(alone.log)  # Of one batch the answers may be logged side by side.


async def test_two_answers_each_in_one_breath_are_each_recorded_and_told_once() -> None:
    async with open_chat() as chat:
        await call(chat)
        for name in sorted(DUE):
            await chat[name].hand_in(chat[name].message("text", "到"), chat[name].message("text", "到"))
        await chat.settle()
        assert {line.result for line in await chat.find(Answer)} == {Result.present}
        for name in DUE:
            told = await chat.told(name)
            assert told.count("answer_recorded") == 1 and told.count("answer_stands") == 1


@pytest.mark.parametrize(
    ("kind", "facts", "is_plain"),
    [
        ("text", {"text": "到"}, True),
        ("text", {"text": "我已到岗！"}, True),
        ("choice", {"verb": "present", "ref": "r"}, True),
        ("choice", {"verb": "present", "ref": "r", "stale": True}, False),
        ("choice", {"verb": "excused", "ref": "r"}, False),
        ("text", {"text": "收到"}, False),  # May sign a page.
        ("text", {"text": "到4821"}, False),
        ("text", {"text": "到处都是水"}, False),
        ("text", {"text": "到", "forwarded": True}, False),
        ("edit", {"text": "到", "edited": True}, False),
    ],
)
def test_only_a_plain_answer_is_heard_with_its_like(kind: str, facts: dict[str, Any], is_plain: bool) -> None:
    assert is_alike(Inbound("line", "e", "a", kind, **facts)) is is_plain
