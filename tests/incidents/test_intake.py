"""Reports told in pieces: any order, nothing refused, only what is missing asked for."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.intake import TEXT_MAX, add, complete, find_number, is_cut, missing, number
from incidents.model import Casualties, Draft, Place
from tests.incidents.samples import DRAFT

POINT = Place(22.6741, 113.2402)
PIECES: list[Callable[[Draft], Draft]] = [
    lambda draft: add(draft, text="五金厂着火了"),
    lambda draft: add(draft, text="有人在楼上喊"),
    lambda draft: add(draft, place=POINT),
    lambda draft: add(draft, place=Place(text="绩东一社区")),
    lambda draft: add(draft, attachment_ids=("p1", "p2")),
    lambda draft: add(draft, casualties=Casualties(trapped=2)),
]


def essence(draft: Draft) -> tuple[object, ...]:
    lines = frozenset(draft.text.split("\n"))
    return lines, draft.place, frozenset(draft.attachment_ids), draft.casualties, missing(draft)


def test_any_order_of_the_pieces_tells_the_same_report() -> None:
    told = set()
    for order in permutations(PIECES):
        draft = DRAFT
        for piece in order:
            draft = piece(draft)
        told.add(essence(draft))
    assert len(told) == 1
    assert missing(draft) == ()


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.randoms())
def test_no_piece_is_lost_and_nothing_becomes_missing_again(
    pieces: list[Callable[[Draft], Draft]], order: random.Random
) -> None:
    shuffled = list(pieces)
    order.shuffle(shuffled)
    draft, lacking = DRAFT, set(missing(DRAFT))
    for piece in shuffled:
        draft = piece(draft)
        assert set(missing(draft)) <= lacking
        lacking = set(missing(draft))
    other = DRAFT
    for piece in pieces:
        other = piece(other)
    assert essence(draft) == essence(other)


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (DRAFT, ("place", "what")),
        (add(DRAFT, text="着火了"), ("place",)),
        (add(DRAFT, place=POINT), ("what",)),
        (add(DRAFT, place=POINT, attachment_ids=("p1",)), ("what",)),
        (add(DRAFT, place=POINT, kind="火灾"), ()),
        (add(DRAFT, place=POINT, text="着火了"), ()),
        (add(DRAFT, place=POINT, text="👍🔥"), ("what",)),
        (add(DRAFT, place=POINT, text="  \n ！！"), ("what",)),
        (add(DRAFT, place=Place(text="起湾道"), text="着火了"), ()),
        (add(DRAFT, place=Place(text="  "), text="着火了"), ("place",)),
        (add(DRAFT, place=Place(0.0, 0.0), text="着火了"), ()),
        (add(DRAFT, text="地点：绩东一社区，二楼冒烟"), ()),
    ],
)
def test_only_place_and_event_are_ever_asked_for(draft: Draft, expected: tuple[str, ...]) -> None:
    assert missing(draft) == expected
    assert complete(draft) is not bool(expected)


def test_words_that_answer_the_question_where_are_the_place() -> None:
    asked = replace(add(DRAFT, text="着火了，快来"), asked=("place",))
    assert missing(add(asked, text="老榕树头")) == ()
    assert add(asked, text="老榕树头").place == Place(text="老榕树头")
    assert add(asked, text="绩东一社区，没有人受伤", units=("绩东一社区",)).place == Place(text="绩东一社区")
    assert add(DRAFT, text="老榕树头").place is None
    first = replace(add(DRAFT, attachment_ids=("p1",)), asked=("place",))
    assert missing(add(first, text="着火了")) == ("place",)
    assert missing(add(first, text="绩东一社区着火了")) == ()


@pytest.mark.parametrize(
    "said",
    [
        "没有人受伤",
        "有情况",
        "烟越来越大",
        "火势很大",
        "好的",
        "值班",
        "/status",
        "不清楚",
        "还在烧",
        "3人受伤",
        "签收",
        "等一下，马上",
    ],
)
def test_what_can_be_no_place_is_none_and_is_asked_for_again(said: str) -> None:
    asked = replace(add(DRAFT, text="着火了，快来"), asked=("place",))
    told = add(asked, text=said)
    assert told.place is None and said in told.text and missing(told) == ("place",)


@pytest.mark.parametrize(
    "said",
    [
        "老榕树头",
        "大信新都汇",
        "泰丰路口",
        "翠亨村村口旁边",
        "无锡路12号",
        "沙口",
        "五金厂后面",
        "快速路出口",
        "化工厂门口",
        "3号楼",
    ],
)
def test_the_name_of_a_place_is_one_however_short(said: str) -> None:
    asked = replace(add(DRAFT, text="着火了，快来"), asked=("place",))
    assert missing(add(asked, text=said)) == ()


@pytest.mark.parametrize("length", [0, 1, 4096, 4097, TEXT_MAX])
def test_text_up_to_the_limit_is_kept_whole(length: int) -> None:
    draft = add(DRAFT, text="火" * length)
    assert draft.text == "火" * length and not is_cut(draft.text)


def test_text_beyond_the_limit_is_cut_and_says_so() -> None:
    draft = add(DRAFT, text="火" * (TEXT_MAX + 1))
    assert len(draft.text) == TEXT_MAX and is_cut(draft.text)
    assert add(draft, text="再来一句").text == draft.text
    assert len(add(DRAFT, text="abcdef", text_max=4).text) == 4


def test_the_same_photo_twice_is_one_photo() -> None:
    assert add(add(DRAFT, attachment_ids=("a", "b")), attachment_ids=("b", "c")).attachment_ids == (
        "a",
        "b",
        "c",
    )


@given(st.text(max_size=300))
def test_no_text_is_refused(text: str) -> None:
    draft = add(replace(DRAFT, asked=("place",)), text=text)
    assert draft.text == text.replace("\x00", "").strip()
    assert set(missing(draft)) <= {"place", "what"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ZS-20261123-004 火已扑灭", "ZS-20261123-004"),
        ("zs-20261123-004", "ZS-20261123-004"),
        ("ＺＳ－２０２６１１２３－００４", "ZS-20261123-004"),
        ("ZS 20261123 004", "ZS-20261123-004"),
        ("ZS20261123004", "ZS-20261123-004"),
        ("编号ZS—20261123—004。", "ZS-20261123-004"),
        ("续报ZS-20261123-1004", "ZS-20261123-1004"),
        ("AZS-20261123-004", ""),
        ("ZS-2026112-004", ""),
        ("20261123-004", ""),
        ("ZS-20261123-04", ""),
        ("", ""),
    ],
)
def test_a_number_is_found_however_it_is_typed(text: str, expected: str) -> None:
    assert find_number(text, "ZS") == expected


@given(
    st.integers(1, 999_999),
    st.dates(date(2000, 1, 1), date(2199, 12, 31)),
    st.sampled_from(["ZS", "小榄", "A+", ""]),
)
def test_every_number_given_is_found_again(sequence: int, day: date, prefix: str) -> None:
    given_number = number(prefix, day, sequence)
    assert find_number(f"关于 {given_number} 的续报", prefix) == given_number
