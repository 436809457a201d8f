"""Which words tell of an event, and which of those may end an incident."""

import pytest

from incidents.telling import outcome_fault, read_telling, tells_of_event


@pytest.mark.parametrize(
    "text",
    [
        "小榄镇化工厂爆炸，5人受伤，2人被困，请求支援",
        "桥塌了两人被困",
        "三人失踪",
        "救命",
        "快来人啊",
        "请派人支援",
        "有人在楼上喊",
        "沙口村委会门口路面塌了",
        "兴中道路灯倒了",
        "一棵树倒了",
        "水漫进来了",
        "SOS",
        "三楼的人下不来",
        "五楼的老人出不来了",
        "救救我们",
    ],
)
def test_a_kind_people_harmed_a_cry_or_a_place_where_something_happens_tells_of_an_event(text: str) -> None:
    assert tells_of_event(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "好的",
        "已处理",
        "马同",
        "没有人受伤",
        "没有人被困",
        "没有任何人员被困",
        "楼上的人都下来了",
        "家里有急事",
        "马上派车",
        "报告",
        "/help",
        "正在抢险现场",
    ],
)
def test_other_words_tell_of_none(text: str) -> None:
    assert not tells_of_event(text)


@pytest.mark.parametrize(
    ("text", "is_over"),
    [
        ("明火已扑灭，无人伤亡", True),
        ("积水已退，交通恢复", True),
        ("2人被困已全部救出", True),
        ("火势没有得到控制", False),
        ("正在疏散群众", False),
        ("请求转移群众", False),
        ("火势很大", False),
    ],
)
def test_an_end_denied_asked_for_or_under_way_is_none(text: str, is_over: bool) -> None:
    assert read_telling(text).is_over is is_over


OUTCOMES = [
    "已处理",
    "误报",
    "焚烧垃圾",
    "明火已扑灭，无人伤亡",
    "明火扑灭，一人擦伤已送医",
    "2人被困已全部救出",
]
DANGERS = [
    "小榄镇化工厂爆炸，5人受伤，2人被困，请求支援",
    "新情况：绩东一社区河堤决口，三人被困",
    "小榄镇化工厂爆炸了5人受伤",
    "救命",
]


@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize("text", OUTCOMES)
def test_an_outcome_ends_an_incident(text: str, is_named: bool) -> None:
    assert outcome_fault(text, is_named=is_named) == ""
    assert outcome_fault(text, is_named=is_named, is_answer=True) == ""


@pytest.mark.parametrize("text", DANGERS)
def test_danger_ends_none_whether_it_was_asked_for_or_not(text: str) -> None:
    assert outcome_fault(text, is_named=False) == "another"
    assert outcome_fault(text, is_named=False, is_answer=True) == "another"
    assert outcome_fault(text, is_named=True, is_answer=True) == "doubt"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("复燃，火又起来了，一人失踪", {"is_named": True}),
        ("火已扑灭，另有1人失踪", {"is_named": True}),
        ("火已扑灭，另有1人失踪", {"is_named": False}),
        ("群众看成着火", {"is_named": False, "is_answer": True}),
        ("爆炸了5人受伤", {"is_named": True, "is_unfounded": True}),
    ],
)
def test_what_may_be_either_is_asked_about(text: str, more: dict[str, bool]) -> None:
    assert outcome_fault(text, **more) == "doubt"
