"""What is read out of sentences: casualties, kinds, figures and the time of the event."""

import tomllib
from datetime import datetime, timedelta
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.casualties import (
    is_known,
    is_nobody,
    maybe_trapped,
    merge_casualties,
    read_casualties,
)
from incidents.intake import find_number, read_kind, read_occurred, read_occurred_at
from incidents.model import Casualties, Category
from incidents.numerals import read_figure
from incidents.places import place_words
from tests.incidents.samples import NOW, SHANGHAI

STORIES = tomllib.loads((resources.files("bot.town.data") / "history.toml").read_text("utf-8"))["story"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3), ("1,200", 1200), ("1.5万", 15000), ("三", 3), ("两", 2), ("十", 10), ("十二", 12),
        ("二十", 20),
        ("一百二十", 120), ("一百零三", 103), ("三千", 3000), ("四五十", 40), ("七八", 7), ("十七八", 17),
        ("零", 0),
        ("两万", 20000), ("万", 10000), ("一万亿", 1e12),
        ("一亿两千万", 120_000_000), ("三万五千", 35000), ("x", None), ("", None),
    ],
)  # fmt: skip
def test_figures_are_read_as_people_write_them(word: str, value: float | None) -> None:
    assert read_figure(word) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2人死亡", {"deaths": 2}),
        ("三人受伤", {"injuries": 3}),
        ("被困5人", {"trapped": 5}),
        ("３人失联", {"missing": 3}),
        ("损失约30万元", {"loss_yuan": 300_000}),
        ("直接经济损失1.2亿元", {"loss_yuan": 120_000_000}),
        ("损失约3千万元", {"loss_yuan": 30_000_000}),
        ("造成三十万元损失", {"loss_yuan": 300_000}),
        ("2人死亡3人受伤", {"deaths": 2, "injuries": 3}),
        ("死亡2人受伤3人", {"deaths": 2, "injuries": 3}),
        ("造成3死5伤", {"deaths": 3, "injuries": 5}),
        ("一死三伤", {"deaths": 1, "injuries": 3}),
        ("5人受伤，其中重伤2人，1人死亡", {"injuries": 5, "serious_injuries": 2, "deaths": 1}),
        ("死亡人数：2", {"deaths": 2}),
        ("死亡人数上升至3人", {"deaths": 3}),
        ("死亡0人", {"deaths": 0}),
        ("0死0伤", {"deaths": 0, "injuries": 0}),
        ("无人员死亡，3人受伤", {"deaths": 0, "injuries": 3}),
        ("无人被困", {"trapped": 0}),
        ("被困工人中2人死亡", {"deaths": 2}),
        ("受伤的2人已送医", {"injuries": 2}),
        ("有2人，均已死亡", {"deaths": 2}),
        ("一家三口被困", {"trapped": 3}),
        ("三号楼电梯卡在五楼，里面困了四个人", {"trapped": 4}),
        ("可能还有两个人没出来", {"trapped": 2}),
        ("十几个工人呕吐", {"injuries": 10}),
        ("三十多人受伤", {"injuries": 30}),
        ("23日14时2人受伤，已打120", {"injuries": 2}),
        ("一名18岁学生死亡", {"deaths": 1}),
        ("发现1具尸体", {"deaths": 1}),
        ("上午2人受伤，现3人受伤", {"injuries": 3}),
        ("无人员伤亡", {"nobody": True}),
        ("未造成人员伤亡", {"nobody": True}),
        ("没有人受伤", {"injuries": 0, "nobody": True}),
        ("伤亡：无", {"nobody": True}),
        ("零伤亡", {"nobody": True}),
        ("人都安全", {"nobody": True}),
        ("无", {"nobody": True}),
        ("暂无人员伤亡，后又发现1人受伤", {"injuries": 1}),
        ("伤亡不详", {}),
        ("是否有人员伤亡待核实", {}),
        ("有无人员伤亡不清楚", {}),
        ("有人受伤", {}),
        ("漂了些死鱼", {}),
        ("已经打了119和120", {}),
        ("3号楼2单元5楼着火", {}),
        ("5万人受灾", {}),
        ("", {}),
    ],
)
def test_casualties_are_read_and_the_unsaid_stays_unknown(text: str, expected: dict) -> None:
    assert read_casualties(text) == Casualties(**expected)


def test_unknown_is_neither_zero_nor_nobody() -> None:
    assert not is_known(read_casualties("伤亡不详，损失3万元"))
    assert is_known(read_casualties("死亡0人")) and is_known(read_casualties("无人员伤亡"))
    assert not is_known(None)


def test_newer_figures_win_and_unknown_erases_nothing() -> None:
    old, new = Casualties(deaths=1, trapped=3), Casualties(deaths=2)
    assert merge_casualties(old, new) == Casualties(deaths=2, trapped=3)
    assert merge_casualties(old, Casualties()) == old
    assert merge_casualties(Casualties(nobody=True), new) == Casualties(deaths=2)
    assert merge_casualties(None, new) is new and merge_casualties(old, None) is old


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["text"][:12])
def test_the_town_s_own_reports_are_read_as_their_kind(story: dict) -> None:
    assert read_kind(story["text"]) == (Category(story["category"]), story["kind"])


@pytest.mark.parametrize(
    ("text", "category", "kind"),
    [
        ("火灾", Category.accident, "火灾"),
        ("1号楼着火了", Category.accident, "火灾"),
        ("到处都是水", Category.natural, "内涝"),
        ("小区燃气泄漏", Category.accident, "城镇燃气"),
        ("两车追尾", Category.accident, "道路交通事故"),
        ("有小孩溺水", Category.accident, "溺水"),
        ("旧楼倒塌", Category.accident, "房屋倒塌"),
        ("后山滑坡", Category.natural, "滑坡"),
        ("门口打群架", Category.social, "斗殴"),
        ("老人走失", Category.social, "人员走失"),
        ("工人讨薪", Category.social, "欠薪"),
        ("ＦＩＲＥ".lower(), Category.accident, "火灾"),
        ("快来人", Category.unknown, ""),
        ("消防车刚到", Category.unknown, ""),
        ("", Category.unknown, ""),
    ],
)
def test_kinds_are_told_by_their_words(text: str, category: Category, kind: str) -> None:
    assert read_kind(text) == (category, kind)


def local(text: str) -> datetime:
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今早8点", "11-23 08:00"),
        ("刚才后山冒烟", "11-23 15:30"),
        ("昨晚十点半", "11-22 22:30"),
        ("11月23日14时", "11-23 14:00"),
        ("下午3点20分", "11-23 15:20"),
        ("上午9点一刻", "11-23 09:15"),
        ("凌晨两点", "11-23 02:00"),
        ("昨晚12点", "11-23 00:00"),
        ("昨晚1点", "11-23 01:00"),
        ("前天晚上8点", "11-21 20:00"),
        ("中午12点", "11-23 12:00"),
        ("中午1点", "11-23 13:00"),
        ("8点", "11-23 08:00"),
        ("08:30左右", "11-23 08:30"),
        ("１４：２０", "11-23 14:20"),
        ("2026-11-22 21:15", "11-22 21:15"),
        ("22号晚上9点", "11-22 21:00"),
        ("11月22日24时", "11-23 00:00"),
        ("半小时前", "11-23 15:00"),
        ("十分钟前", "11-23 15:20"),
        ("一个半小时前", "11-23 14:00"),
        ("15:35", "11-23 15:35"),  # A phone's clock may run ahead by five minutes …
        ("坐标113.2402，今早8点", "11-23 08:00"),
        ("电话199-0000-1001，今早8点", "11-23 08:00"),
        ("11月23日有人报，8时30分起火", "11-23 08:30"),
    ],
)
def test_the_time_of_the_event_is_read(text: str, expected: str) -> None:
    assert read_occurred_at(text, NOW, SHANGHAI) == local(expected)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2月30日", "impossible"),
        ("2月30日8点", "impossible"),
        ("13月1日8点", "impossible"),
        ("25点", "impossible"),
        ("8点70分", "impossible"),
        ("500小时前", "impossible"),
        ("明天8点", "future"),
        ("今晚9点", "future"),
        ("15:36", "future"),  # … and no more.
        ("3点", "ambiguous"),
        ("昨天8点", "ambiguous"),
        ("24:00", "ambiguous"),
        ("11月23日", "no_time"),
        ("有一点烟", ""),
        ("水深1.2米", ""),
        ("3号楼着火", ""),
        ("现在火很大", ""),
        ("打了119", ""),
        ("", ""),
    ],
)
def test_what_cannot_be_told_is_never_guessed(text: str, fault: str) -> None:
    found = read_occurred(text, NOW, SHANGHAI)
    assert (found.at, found.fault) == (None, fault)


def test_just_after_midnight_a_late_hour_is_last_night_s() -> None:
    midnight = local("11-23 00:30")
    assert read_occurred_at("23:50", midnight, SHANGHAI) == local("11-22 23:50")
    assert read_occurred_at("晚上11点", midnight, SHANGHAI) == local("11-22 23:00")


@given(st.text(max_size=120))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    read_casualties(text)
    read_kind(text)
    at = read_occurred_at(text, NOW, SHANGHAI)
    assert at is None or at <= NOW + timedelta(minutes=5)


@given(
    st.text(
        alphabet="死伤亡困失踪重轻两三十百万0123456789人名，的日月点分时半前昨今晚:-./无未损失约元",
        max_size=40,
    )
)
def test_any_jumble_of_its_own_words_is_read_without_a_fault(text: str) -> None:
    read_casualties(text)
    at = read_occurred_at(text, NOW, SHANGHAI)
    assert at is None or at <= NOW + timedelta(minutes=5)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["一", "0", "1 ", "死", "伤3人", "3人", "1月", "2月3日", "1,234", "村", "车", " ", "ZS-2026"]
)
def test_a_wall_of_text_is_read_in_one_pass(unit: str) -> None:
    wall = (unit * 20_000)[:20_000]
    read_casualties(wall)
    read_kind(wall)
    read_occurred(wall, NOW, SHANGHAI)
    find_number(wall, "ZS")
    place_words(wall)


def test_what_is_told_after_a_long_preface_is_still_found_by_its_number() -> None:
    assert find_number("火" * 19_000 + " ZS-20261123-004", "ZS") == "ZS-20261123-004"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("无人员伤亡", True),
        ("没有人受伤", False),
        ("伤亡不详", False),
        ("2人死亡", False),
        ("人都安全", True),
    ],
)
def test_nobody_is_a_word_only_while_no_figure_is_known(text: str, expected: bool) -> None:
    assert is_nobody(read_casualties(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("有人在楼上喊", True),
        ("有人被困", True),
        ("听到里面有人呼救", True),
        ("好像有工人没出来", True),
        ("救命", True),
        ("没有人被困", False),
        ("有没有人被困不清楚", True),  # Worth a look.
        ("没有发现有人被困", False),
        ("有人受伤", False),
        ("三楼着火", False),
    ],
)
def test_a_hint_at_people_shut_in_is_read_without_a_figure(text: str, expected: bool) -> None:
    assert maybe_trapped(text) is expected


def test_one_tree_that_fell_is_of_a_kind() -> None:
    assert read_kind("一棵树倒了")[1] == "树木倒伏"
