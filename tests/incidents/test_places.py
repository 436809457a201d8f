"""Which points are believed, and how places told twice come together."""

import math

import pytest

from incidents.model import Place
from incidents.places import (
    believed,
    distance_metres,
    labelled_place,
    merge_places,
    place_of,
    place_words,
    unit_named,
    valid_place,
)

XIAOLAN = Place(22.67825, 113.23134)


@pytest.mark.parametrize(
    ("lat", "lon", "fault"),
    [
        (22.5, 113.4, None),
        (45.8, 126.5, None),
        (91.0, 113.4, "out_of_range"),
        (22.5, 181.0, "out_of_range"),
        (-91.0, 0.0, "out_of_range"),
        (0.0, 0.0, "zero"),
        (0.0001, -0.0001, "zero"),
        (113.4, 22.5, "swapped"),
        (48.85, 2.35, "outside_china"),
        (90.0, 180.0, "outside_china"),
        (math.nan, 113.4, "not_a_number"),
        (22.5, math.inf, "not_a_number"),
    ],
)
def test_a_point_nobody_can_believe_is_named(lat: float, lon: float, fault: str | None) -> None:
    assert valid_place(lat, lon) == fault
    place, said = place_of(lat, lon, text="厂门口")
    assert said == fault
    assert (place.lat is None) is (fault is not None)
    assert "厂门口" in place.text


def test_what_is_not_believed_stays_as_words_and_never_as_nan() -> None:
    assert believed(Place(91.0, 113.4)) == Place(text="91.0, 113.4", original_lat=91.0, original_lon=113.4)
    assert believed(Place(math.nan, 113.4)) == Place(text="nan, 113.4")
    assert believed(XIAOLAN) is XIAOLAN


@pytest.mark.parametrize("backwards", [False, True])
def test_words_and_a_point_come_together_in_any_order(backwards: bool) -> None:
    pieces = [Place(text="绩东一社区五金铺"), Place(22.6741, 113.2402, "某某路")]
    one, other = reversed(pieces) if backwards else pieces
    merged = merge_places(one, other)
    assert merged is not None and (merged.lat, merged.lon, merged.text) == (
        22.6741,
        113.2402,
        "绩东一社区五金铺",
    )


def test_a_newer_point_moves_the_place_and_a_wrong_one_does_not() -> None:
    assert merge_places(XIAOLAN, Place(22.5, 113.4)) == Place(22.5, 113.4)
    kept = merge_places(XIAOLAN, believed(Place(0.0, 0.0)))
    assert kept is not None and (kept.lat, kept.lon) == (XIAOLAN.lat, XIAOLAN.lon)
    assert merge_places(None, XIAOLAN) == merge_places(XIAOLAN, None) == XIAOLAN


def test_distance_is_known_between_points_only() -> None:
    north = Place(22.68825, 113.23134)
    assert distance_metres(XIAOLAN, north) == pytest.approx(1112, abs=1)
    assert distance_metres(XIAOLAN, XIAOLAN) == 0
    assert distance_metres(XIAOLAN, Place(text="厂")) is None
    assert distance_metres(None, north) is None


@pytest.mark.parametrize(
    ("text", "label", "words"),
    [
        ("地点：绩东一社区文化站，二楼冒烟", "绩东一社区文化站", "绩东一社区"),
        ("起湾道路口撞车", "", "起湾道路口"),
        ("着火了", "", ""),
    ],
)
def test_a_named_place_is_read(text: str, label: str, words: str) -> None:
    assert labelled_place(text) == label
    assert place_words(text).startswith(words) and bool(place_words(text)) is bool(words)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("南朗镇翠亨村路口有树倒了", "南朗镇翠亨村路口"),  # 南朗镇 became 南朗街道; people go on saying 镇.
        ("报告，南朗街道办门口积水", "南朗街道办"),
        ("路口有树倒了，在翠亨村", "翠亨村"),
        ("翠亨社区停电", "翠亨社区"),
        ("翠亨村委会门口路面塌了，有辆车掉进去", "翠亨村委会门口"),
        ("沙口村委会门口路面塌了", "沙口村委会门口"),
        ("南朗街道泰丰路有人打架", "南朗街道泰丰路"),
        ("南朗有树倒了", ""),  # A bare name may mean anything: 民众聚集 is no report from 民众街道.
        ("民众聚集，有人受伤", ""),
        ("西坑村有树倒了", ""),
        ("路口有树倒了", ""),
    ],
)
def test_words_name_a_place_once_they_name_a_known_unit(text: str, named: str) -> None:
    assert unit_named(text, ("民众街道", "南朗街道", "翠亨村", "沙口社区")) == named
