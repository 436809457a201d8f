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
_PLACE_END = (
    r"(?:社区|村委会|村|居委会|小区|花园|广场|大道|大街|公路|高速|国道|省道|街道|路口|路段|路|街|巷|里弄|镇|"
    r"工业区|工业园|厂|市场|学校|小学|中学|幼儿园|医院|养老院|码头|水库|大桥|桥|涌|山|公园|车站|酒店|商场|大厦|"
    r"[0-9一二三四五六七八九十]{1,4}(?:号楼?|栋))"
)
_NAMED = re.compile(
    rf"(?:位于|发生在|在)?([\w·-]{{2,30}}?{_PLACE_END}(?:[\w·-]{{0,12}}?{_PLACE_END})*(?:附近|旁边?|门口|对面)?)"
)
# The name of one place stays when its kind changes (南朗镇 became 南朗街道); within a row the endings mean the same.
_UNIT_ENDS = (
    ("街道办事处", "街道办", "街道", "镇", "乡", "区"),
    ("村民委员会", "村委会", "村", "居民委员会", "社区居委会", "居委会", "社区"),
)
STEM_MIN = 2


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


def place_words(text: str) -> str:
    """The first words of a sentence that look like a place (绩东一社区, 起湾道路口 …), or ""."""
    found = _NAMED.search(text[:PLACE_READ_MAX])
    return found.group(1) if found else ""


def unit_named(text: str, units: Iterable[str]) -> str:
    """The words from the first known unit in a text to the end of the place they name, or "".

    A unit is known by its name, or by its name with another ending of the same kind; a bare 南朗 is not enough."""
    said = text[:PLACE_READ_MAX]
    found = [(at, name) for unit in units for name in _spellings(unit) if (at := said.find(name)) >= 0]
    if not found:
        return ""
    at, name = min(found, key=lambda one: (one[0], -len(one[1])))
    whole = _NAMED.match(said, at)
    return whole.group(1) if whole and len(whole.group(1)) > len(name) else name


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
