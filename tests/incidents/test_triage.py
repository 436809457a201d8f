"""The suggested level at each threshold, with the clause behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.model import Casualties, Category, Severity
from incidents.tables.kinds import KINDS
from incidents.tables.levels import RULE_SET_OF_CATEGORY, RULE_SET_OF_KIND, RULE_SETS
from incidents.triage import Assessment, assess, sensitive_words, worse
from tests.incidents.samples import NOW

GENERAL, MAJOR, SERIOUS, WORST = reversed(Severity)


def level(
    casualties: Casualties | None, kind: str = "火灾", category: Category = Category.accident, text: str = ""
) -> Assessment:
    return assess(category, kind, casualties, text, NOW)


@pytest.mark.parametrize(
    ("casualties", "expected"),
    [
        (Casualties(deaths=2), GENERAL),
        (Casualties(deaths=3), MAJOR),
        (Casualties(deaths=9), MAJOR),
        (Casualties(deaths=10), SERIOUS),
        (Casualties(deaths=29), SERIOUS),
        (Casualties(deaths=30), WORST),
        (Casualties(serious_injuries=9), GENERAL),
        (Casualties(serious_injuries=10), MAJOR),
        (Casualties(serious_injuries=49), MAJOR),
        (Casualties(serious_injuries=50), SERIOUS),
        (Casualties(serious_injuries=99), SERIOUS),
        (Casualties(serious_injuries=100), WORST),
        (Casualties(loss_yuan=9_999_999), GENERAL),
        (Casualties(loss_yuan=10_000_000), MAJOR),
        (Casualties(loss_yuan=50_000_000), SERIOUS),
        (Casualties(loss_yuan=100_000_000), WORST),
        (Casualties(deaths=1, serious_injuries=12, loss_yuan=6e7), SERIOUS),
        (Casualties(deaths=3, loss_yuan=1), MAJOR),
        (Casualties(), GENERAL),
        (None, GENERAL),
    ],
)
def test_the_highest_indicator_wins_and_above_includes_the_number(
    casualties: Casualties | None, expected: Severity
) -> None:
    found = level(casualties)
    assert found.severity is expected
    assert ("国务院令第493号" in found.basis) is (expected is not GENERAL)


@pytest.mark.parametrize(
    ("kind", "category", "casualties", "expected"),
    [
        ("滑坡", Category.natural, Casualties(loss_yuan=1_000_000), MAJOR),
        ("滑坡", Category.natural, Casualties(loss_yuan=10_000_000), WORST),
        ("台风", Category.natural, Casualties(loss_yuan=50_000_000), WORST),
        ("森林火灾", Category.natural, Casualties(deaths=10), SERIOUS),
        ("地震", Category.natural, Casualties(deaths=5, missing=5), MAJOR),
        ("食物中毒", Category.health, Casualties(injuries=99), GENERAL),
        ("食物中毒", Category.health, Casualties(injuries=100), MAJOR),
        ("食物中毒", Category.health, Casualties(injuries=5, deaths=1), MAJOR),
        ("食物中毒", Category.health, Casualties(injuries=100, deaths=1), SERIOUS),
        ("环境污染", Category.accident, Casualties(loss_yuan=5_000_000), MAJOR),
        ("群体性事件", Category.social, Casualties(injuries=10), SERIOUS),
        ("", Category.unknown, Casualties(deaths=3), MAJOR),
    ],
)
def test_each_kind_has_its_own_thresholds(
    kind: str, category: Category, casualties: Casualties, expected: Severity
) -> None:
    assert level(casualties, kind, category).severity is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("二百九十九人聚集", GENERAL),
        ("三百多人聚集", MAJOR),
        ("1000名工人围堵", SERIOUS),
        ("5000人上访", WORST),
    ],
)
def test_a_crowd_is_graded_by_its_size_and_only_as_a_reference(text: str, expected: Severity) -> None:
    found = level(None, "群体性事件", Category.social, text)
    assert found.severity is expected and "仅供参考" in found.basis


@pytest.mark.parametrize(
    ("casualties", "potential"),
    [
        (Casualties(deaths=1, trapped=2), MAJOR),
        (Casualties(deaths=1, trapped=1), None),
        (Casualties(missing=4, trapped=6), SERIOUS),
        (Casualties(deaths=3, trapped=1), None),
        (Casualties(trapped=0), None),
        (Casualties(), None),
        (None, None),
    ],
)
def test_missing_and_trapped_give_the_potential_level(
    casualties: Casualties | None, potential: Severity | None
) -> None:
    assert level(casualties).potential is potential


def test_unknown_is_not_zero() -> None:
    assert level(None).basis == level(Casualties()).basis == "伤亡不详"
    assert level(Casualties(nobody=True)).basis == level(Casualties(deaths=0)).basis == "未达较大标准"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("幼儿园起火", ("幼儿园",)),
        ("小学门口撞车，涉外", ("学校", "涉外涉港澳台侨")),
        ("敬老院进水", ("养老院",)),
        ("人民医院停电", ("医院",)),
        ("3人已送医院", ()),
        ("五金厂起火", ()),
    ],
)
def test_sensitive_places_people_and_subjects_are_named(text: str, why: tuple[str, ...]) -> None:
    assert sensitive_words(text) == why
    found = level(None, text=text)
    assert (found.sensitive, found.why) == (bool(why), why)


def test_a_sensitive_time_counts_whatever_the_words() -> None:
    found = assess(Category.accident, "火灾", None, "五金厂起火", NOW, sensitive_time="春节")
    assert found.sensitive and found.why == ("春节",)


def test_every_threshold_falls_and_names_its_source_and_every_kind_is_known() -> None:
    for indicators in RULE_SETS.values():
        for one in indicators:
            floors = [floor for floor in one.floors if floor is not None]
            assert one.source and floors and floors == sorted(floors, reverse=True)
    assert {*RULE_SET_OF_KIND.values(), *RULE_SET_OF_CATEGORY.values()} <= set(RULE_SETS)
    assert set(RULE_SET_OF_KIND) <= {kind.name for kind in KINDS} | {"地震"}
    assert set(RULE_SET_OF_CATEGORY) == set(Category)


COUNTS = st.none() | st.integers(0, 200)


@given(
    COUNTS, COUNTS, COUNTS, st.sampled_from([kind.name for kind in KINDS]), st.sampled_from(list(Category))
)
def test_more_harm_never_lowers_the_level(
    deaths: int | None, trapped: int | None, hurt: int | None, kind: str, category: Category
) -> None:
    one = level(Casualties(deaths=deaths, trapped=trapped, serious_injuries=hurt), kind, category)
    more = level(Casualties(deaths=(deaths or 0) + 1, trapped=trapped, serious_injuries=hurt), kind, category)
    assert worse(more.severity, one.severity) is more.severity
    if one.potential:
        assert one.potential is not one.severity and worse(one.potential, one.severity) is one.potential
