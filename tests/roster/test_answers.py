"""What counts as an answer to the roll call, and which plain sentences never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster.roll_call import Reading, reads_as_answer


@pytest.mark.parametrize(
    "text",
    [
        *"到 到！ 到。 １ 1 1. 1️⃣ 到岗 在岗 在 已到岗 我在岗 我已到岗 到岗了 到岗！！".split(),
        *"👍到👍 「到」 收到 报告，到 到崗 ✅到".split(),
        *"present Here 到岗了，请放心 均在岗在位 收到，带班领导和值班人员均在岗在位".split(),
        "到\u200b",
    ],
)
def test_present_in_its_many_spellings(text: str) -> None:
    assert reads_as_answer(text) == Reading("present")


@pytest.mark.parametrize("text", ["　到　", " 到\n", "在 岗", "到\u202e"])
def test_spaces_and_invisible_signs_do_not_matter(text: str) -> None:
    assert reads_as_answer(text).kind == "present"


@pytest.mark.parametrize(
    ("text", "kind", "passcode"),
    [
        ("1234", "passcode", "1234"),
        ("１２３４", "passcode", "1234"),
        ("口令：0042", "passcode", "0042"),
        ("1 2 3 4", "passcode", "1234"),
        ("到 1234", "present", "1234"),
        ("到岗1234", "present", "1234"),
        ("1234 到", "present", "1234"),
        ("在岗，口令 5678。", "present", "5678"),
        ("12345", None, ""),
        ("123", None, ""),
    ],
)
def test_four_digits_are_the_passcode(text: str, kind: str | None, passcode: str) -> None:
    assert reads_as_answer(text) == Reading(kind, passcode)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("请假", ""),
        ("请假 孩子发烧", "孩子发烧"),
        ("请假：孩子发烧。", "孩子发烧"),
        ("免点，出差", "出差"),
        ("我要请假，原因：看病", "看病"),
        ("有事请假", "有事"),
        ("家中有急事，申请免点", "家中有急事"),
    ],
)
def test_excused_with_its_reason(text: str, reason: str) -> None:
    assert reads_as_answer(text) == Reading("excused", reason=reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("有情况", ""),
        ("有情况 后山起火", "后山起火"),
        ("这边有情况：有人落水", "有人落水"),
        ("发生紧急情况", ""),
    ],
)
def test_trouble_turns_into_a_report(text: str, reason: str) -> None:
    assert reads_as_answer(text) == Reading("incident", reason=reason)


@pytest.mark.parametrize(
    "text",
    [
        "到处都是水",
        "1号楼着火了",
        "到了很多警察",
        "在东区体育路",
        "收到群众电话说起火",
        "请假的老师晕倒了",
        "没有情况",
        "10",
        "11",
        "2",
        "水到腰了",
        "119",
        "",
        "  ",
        "👍",
        "。。。",
        "1、2号楼停电",
        "有人到岗亭闹事",
    ],
)
def test_a_plain_sentence_is_never_an_answer(text: str) -> None:
    assert reads_as_answer(text) == Reading()


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    assert reads_as_answer(text).kind in (None, "present", "excused", "incident", "passcode")
