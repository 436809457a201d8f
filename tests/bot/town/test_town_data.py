"""The demonstration town's data agrees with itself, and with the map."""

import csv
import itertools
import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from incidents.model import Category, Severity

ROOT = Path(__file__).parents[3]
DATA = ROOT / "bot/town/data"
GEO: dict[str, Any] = json.loads((ROOT / "web/static/geo/zhongshan.geojson").read_text("utf-8"))
UNITS: dict[str, Any] = tomllib.loads((DATA / "units.toml").read_text("utf-8"))
HISTORY: dict[str, Any] = tomllib.loads((DATA / "history.toml").read_text("utf-8"))
PEOPLE = list(csv.DictReader((DATA / "people.csv").read_text("utf-8").splitlines()))
CELLS = {
    area["properties"]["name"]: area["geometry"]["coordinates"][0]
    for area in GEO["features"]
    if area["geometry"]["type"] == "Polygon"
}
REPORTING = [unit for unit in UNITS["unit"] if unit["kind"] != "city_office"]
PLACED = [*HISTORY["story"], *HISTORY["fire"]]


def cell_at(lon: float, lat: float) -> list[str]:
    """The names of the cells that hold this point."""
    return [name for name, ring in CELLS.items() if _holds(ring, lon, lat)]


def _holds(ring: list[list[float]], x: float, y: float) -> bool:
    sides = itertools.pairwise(ring)
    crossed = [(x1, y1, x2, y2) for (x1, y1), (x2, y2) in sides if (y1 > y) != (y2 > y)]
    return sum(x < x1 + (y - y1) * (x2 - x1) / (y2 - y1) for x1, y1, x2, y2 in crossed) % 2 == 1


def test_the_map_says_what_it_is_and_whose_points_it_uses() -> None:
    assert GEO["title"] == "示意边界, 非行政区划界线"
    assert GEO["attribution"] == "地名点: GeoNames, CC BY 4.0"
    assert (ROOT / "web/static/geo/zhongshan.geojson").stat().st_size < 60_000


def test_every_township_has_one_closed_cell_around_its_seat_and_its_label() -> None:
    towns = [area["properties"] for area in GEO["features"] if area["properties"]["kind"] == "township"]
    assert len(towns) == len(CELLS) == 23
    assert sum(town["villages"] for town in towns) == 287
    for town in towns:
        ring = CELLS[town["name"]]
        assert ring[0] == ring[-1]
        assert cell_at(town["lon"], town["lat"]) == [town["name"]]
        assert cell_at(town["label_lon"], town["label_lat"]) == [town["name"]]


def test_the_units_are_the_towns_the_committees_and_the_office() -> None:
    assert Counter(unit["kind"] for unit in UNITS["unit"]) == {
        "township": 23,
        "committee": 2,
        "city_office": 1,
    }
    mapped = {area["properties"]["name"]: area["properties"] for area in GEO["features"]}
    assert {unit["name"] for unit in REPORTING} == set(mapped)
    for unit in REPORTING:
        found = mapped[unit["name"]]
        assert (unit["lat"], unit["lon"], unit["code"]) == (found["lat"], found["lon"], found["code"])


def test_the_list_of_2016_has_twenty_four_that_became_todays() -> None:
    assert len(UNITS["unit_2016"]) == 24
    became = Counter(unit["became"] for unit in UNITS["unit_2016"])
    assert became["小榄镇"] == 2
    assert set(became) == set(CELLS)


def test_every_unit_can_hold_a_watch() -> None:
    names = {unit["name"] for unit in UNITS["unit"]}
    roles = Counter((person["单位"], person["角色"]) for person in PEOPLE)
    assert {person["单位"] for person in PEOPLE} == names
    for unit in REPORTING:
        name = unit["name"]
        assert roles[name, "带班领导"] >= 1
        assert roles[name, "值班员"] >= 2
        assert roles[name, "信息员"] >= 1
    assert roles["市应急办", "应急办"] == 6


def test_people_are_told_apart_and_cannot_be_rung() -> None:
    assert list(PEOPLE[0]) == ["姓名", "手机", "单位", "职务", "角色", "企业微信", "Telegram"]
    assert 115 <= len(PEOPLE) <= 130
    assert (
        len({person["姓名"] for person in PEOPLE})
        == len({person["手机"] for person in PEOPLE})
        == len(PEOPLE)
    )
    assert all(re.fullmatch(r"199-0000-\d{4}", person["手机"]) for person in PEOPLE)
    assert not any(person["企业微信"] or person["Telegram"] for person in PEOPLE)


@pytest.mark.parametrize("placed", PLACED, ids=lambda placed: placed["text"][:12])
def test_a_story_happens_inside_its_own_unit(placed: dict[str, Any]) -> None:
    inside = {area["properties"]["name"]: area["properties"].get("inside") for area in GEO["features"]}
    assert cell_at(placed["lon"], placed["lat"]) == [inside[placed["unit"]] or placed["unit"]]


@pytest.mark.parametrize("story", HISTORY["story"], ids=lambda story: story["text"][:12])
def test_a_story_is_whole(story: dict[str, Any]) -> None:
    assert story["category"] in {category.value for category in Category}
    assert story["severity"] in {severity.value for severity in Severity}
    assert story["ended"] in {"closed", "unfounded", "merged", "verifying"}
    assert ("outcome" in story) == ("closed_hours" in story) == (story["ended"] != "verifying")
    if story["ended"] != "verifying":
        assert story["signed_minutes"] / 60 <= story["closed_hours"] <= story["hours_ago"]
    if story["ended"] == "merged":
        assert sum(other["text"].startswith(story["same_as"]) for other in HISTORY["story"]) == 1


def test_there_is_enough_to_show() -> None:
    stories = HISTORY["story"]
    assert len(stories) == 25
    assert len(HISTORY["fire"]) == 6
    assert {story["category"] for story in stories} == {"natural", "accident", "health", "social"}
    assert sum(story["hours_ago"] <= 24 for story in stories) >= 3
