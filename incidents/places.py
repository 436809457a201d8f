"""Where it happened: which points are believed, how far apart they are, which words name a place."""

import re
from collections.abc import Iterable
from dataclasses import replace
from math import asin, cos, isfinite, radians, sin, sqrt

from incidents.model import Place
from incidents.numerals import READ_MAX

# `roster.distance` has its own: the two rooms may not see each other.
EARTH_RADIUS_METRES = 6_371_008.8  # Mean radius, IUGG.
CHINA = (3.4, 53.6, 73.4, 135.1)  # South, north, west, east; the sea areas included.
PLACE_READ_MAX = 300
NEAR_NULL_DEGREES = 0.01  # A phone without a fix says 0, 0.

_LABELLED = re.compile(
    r"(?:事发)?(?:地点|地址|位置|事发地)\s{0,3}(?:是|为|在)?\s{0,3}[:：]?\s{0,3}([^\n，,。；;]{2,60})"
)
# As a correction it must be said outright: "位置偏僻" moves nothing.
_STATED = re.compile(
    r"(?:地点|地址|位置|事发地)\s{0,3}(?:(?:应该?[是为在]|其实[是在]|[更改]正?[为到成]|是|为|在)?\s{0,3}[:：]|应该?[是为在]|其实[是在]|"
    r"[更改]正?[为到成])\s{0,3}([^\n，,。；;]{2,60})"
)
_PLACE_END = (
    r"(?:社区|村委会|村(?!民)|居委会|小区|花园|广场|大道|大街|公路|高速|国道|省道|街道|路口|路段|路(?![面灯况人过障基牌])|"
    r"街(?![坊上])|道(?=路灯|[旁边上口]|$)|巷|里弄|镇|工业区|工业园|厂(?![房区])|市场|学校|小学|中学|幼儿园|医院|养老院|码头|水库|大桥|桥(?![面梁])|"
    r"涌(?![水出入])|山(?![体火坡])|公园|车站|酒店|商场|大厦|[0-9一二三四五六七八九十]{1,4}(?:号楼?|栋))"
)
_NAMED = re.compile(
    rf"(?:位于|发生在|在)?([\w·-]{{2,30}}?{_PLACE_END}(?:[\w·-]{{0,12}}?{_PLACE_END})*(?:附近|旁边?|门口|对面)?)"
)
# The name of one place stays when its kind changes (南朗镇 became 南朗街道); within a row the endings mean the same.
_UNIT_ENDS = (
    # Villages first: 沙口社区 ends in 区 as well.
    ("村民委员会", "村委会", "村", "居民委员会", "社区居委会", "居委会", "社区"),
    ("街道办事处", "街道办", "街道", "镇", "乡", "区"),
)
STEM_MIN = 2
PLACE_WORDS_MAX = 60
# What stands in sentences, answers and commands, and in no name of a place.
_SENTENCE = re.compile(
    r"没|无人|不[是能会要知清详用了在到]|有(?:人|情|事|火|烟|水|点|没|一|两|[0-9])|[了吗呢吧啊呀](?:$|[,，。.!！?？\s])|越来越|正在|已[经在]|请[您你假]|"
    r"快[来点]|还[在有没]|[等稍]一?下|马上|一会|什么|怎么|哪[里儿个]|多少|受伤|伤亡|[轻重]伤|死[了亡]|失踪|被困|情况|收到|好的|谢谢|知道|明白|报告|取消|签收|转办|办结|不属实|点名|"
    r"[到在][岗崗]|请假|免点|帮助|状态|火势|很[大多高深快急]"
)
_COMMANDS = frozenset(
    "到 值班 我的 报送 上报 绑定 你好 您好 测试 收到 是 是的 对 好 行 嗯 等等 稍等 马上".split()
)


def valid_place(lat: float, lon: float) -> str | None:
    """Why a point is not believed, or None: not_a_number, out_of_range, zero, swapped or outside_china."""
    if not (isfinite(lat) and isfinite(lon)):
        return "not_a_number"
    if abs(lat) < NEAR_NULL_DEGREES and abs(lon) < NEAR_NULL_DEGREES:
        return "zero"
    if _in_china(lat, lon):
        return None
    if _in_china(lon, lat):
        return "swapped"
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return "out_of_range"
    return "outside_china"


def place_of(
    lat: float, lon: float, *, text: str = "", datum: str = "wgs84", accuracy_metres: float | None = None
) -> tuple[Place, str | None]:
    """A place from WGS-84 figures, and why its point is not believed: then it is words only."""
    fault = valid_place(lat, lon)
    if fault is None:
        return Place(lat, lon, text, datum, accuracy_metres=accuracy_metres), None
    return believed(Place(lat, lon, text, datum, accuracy_metres=accuracy_metres)), fault


def believed(place: Place) -> Place:
    """The place without a point nobody can believe: its figures stay as words and as the original."""
    if place.lat is None or place.lon is None or valid_place(place.lat, place.lon) is None:
        return place
    said = f"{place.lat}, {place.lon}"
    finite = isfinite(place.lat) and isfinite(place.lon)
    return Place(
        text=f"{place.text} ({said})" if place.text else said,
        datum=place.datum,
        # Not every database can hold NaN, so figures that are no numbers are kept as words alone.
        original_lat=(place.original_lat or place.lat) if finite else None,
        original_lon=(place.original_lon or place.lon) if finite else None,
    )


def corrected(old: Place | None, words: str, *, is_elsewhere: bool) -> Place:
    """The place once somebody says in words where it really is; a point of elsewhere no longer counts."""
    return Place(text=words) if old is None or is_elsewhere else replace(old, text=words)


def merge_places(old: Place | None, new: Place | None) -> Place | None:
    """The newer point with the best words: what a person wrote, else a point's title, else mere figures."""
    if old is None or new is None:
        return new or old
    point = old if new.lat is None and old.lat is not None else new
    words = max((old, new), key=lambda place: (_worth(place), place is new))
    return replace(point, text=words.text)


def _worth(place: Place) -> int:
    if not place.text:
        return 0
    if place.lat is not None:
        return 2
    return 1 if place.original_lat is not None else 3


def distance_metres(one: Place | None, other: Place | None) -> float | None:
    """Great-circle metres between two places; None unless both have points."""
    if one is None or other is None:
        return None
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return None
    north = sin(radians(other.lat - one.lat) / 2) ** 2
    east = sin(radians(other.lon - one.lon) / 2) ** 2
    chord = north + cos(radians(one.lat)) * cos(radians(other.lat)) * east
    return 2 * EARTH_RADIUS_METRES * asin(sqrt(min(1.0, chord)))


def labelled_place(text: str) -> str:
    """The place a sender names as one ("地点：…"), or "" without the label."""
    found = _LABELLED.search(text[:READ_MAX])
    return found.group(1).strip() if found else ""


def stated_place(text: str) -> str:
    """The place a sender says outright, later as well ("地点：…", "地点应为…"), or ""."""
    found = _STATED.search(text[:READ_MAX])
    words = found.group(1).strip() if found else ""
    return words if can_be_place(words) else ""


def can_be_place(text: str) -> bool:
    """Whether words can answer 在哪里: a short name, and no sentence, answer, figure of people or command."""
    said = text.strip(" \t\r\n,，.。!！?？~～")
    letters = sum(one.isalpha() for one in said)
    return (
        letters >= 2
        and len(said) <= PLACE_WORDS_MAX
        and said not in _COMMANDS
        and not said.startswith("/")
        and _SENTENCE.search(said) is None
    )


def place_words(text: str) -> str:
    """The first words of a sentence that look like a place (绩东一社区, 起湾道路口 …), or ""."""
    found = _NAMED.search(text[:PLACE_READ_MAX])
    return found.group(1) if found else ""


def unit_named(text: str, units: Iterable[str]) -> str:
    """The words from the first known unit in a text to the end of the place they name, or "".

    A unit is known by its name, or by its name with another ending of the same kind; a bare 南朗 is not enough."""
    said = text[:PLACE_READ_MAX]
    found = _first_unit(said, units)
    if found is None:
        return ""
    at, name, _unit = found
    whole = _NAMED.match(said, at)
    return whole.group(1) if whole and len(whole.group(1)) > len(name) else name


def unit_meant(text: str, units: Iterable[str]) -> str:
    """The first known unit that a text names, by the unit's own name, or ""."""
    found = _first_unit(text[:PLACE_READ_MAX], units)
    return found[2] if found else ""


def _first_unit(said: str, units: Iterable[str]) -> tuple[int, str, str] | None:
    """Where the first known unit stands, how it is spelled there, and its own name."""
    found = [(at, name, unit) for unit in units for name in _spellings(unit) if (at := said.find(name)) >= 0]
    return min(found, key=lambda one: (one[0], -len(one[1]))) if found else None


def _spellings(unit: str) -> Iterable[str]:
    yield unit
    for ends in _UNIT_ENDS:
        end = next((one for one in ends if unit.endswith(one)), "")
        stem = unit.removesuffix(end)
        if end and len(stem) >= STEM_MIN:
            yield from (stem + other for other in ends)
            return


def _in_china(lat: float, lon: float) -> bool:
    south, north, west, east = CHINA
    return south <= lat <= north and west <= lon <= east
