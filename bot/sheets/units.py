"""Reads a list of units: 名称 · 上级 · 纬度 · 经度, and if it has them 类别 · 电话值班."""

import math

from bot.sheets.sheet import Book
from bot.sheets.table import Findings, Row, find_tables
from bot.sheets.text import disguised, key
from desk.lists import UnitRow

HEADERS = {
    "name": ("名称", "name", "单位", "单位名称", "unit", "unit name"),
    "parent": ("上级", "parent", "上级单位", "parent unit"),
    "lat": ("纬度", "lat", "latitude"),
    "lon": ("经度", "lon", "lng", "longitude"),
    "kind": ("类别", "kind", "类型", "type"),
    "phone_duty": ("电话值班", "phone_duty", "phone duty"),
}
KINDS = {
    "township": ("township", "镇街", "镇", "街道", "乡镇"),
    "committee": ("committee", "管委会", "开发区", "功能区"),
    "city_office": ("city_office", "市级", "市直", "office"),
    "village": ("village", "村居", "村", "社区"),
    "area": ("area", "片区"),
}
_VILLAGE_ENDS = ("村", "社区", "村委会", "居委会")
_KIND_OF = {key(word): kind for kind, words in KINDS.items() for word in words}
_YES = ("是", "yes", "true", "1", "y", "√")
_NO = ("否", "no", "false", "0", "n", "×")
NAME_CHARS_MAX = 60


def read_units(book: Book) -> tuple[list[UnitRow], Findings]:
    """The units of a file, and what is wrong with it; the rows count only when there is no fault."""
    findings = Findings()
    rows: list[UnitRow] = []
    seen: dict[str, int] = {}
    for table in find_tables(book, HEADERS, ("name",), findings):
        for row in table.rows():
            name = row.text("name")
            if _is_unit_name(row, name):
                first = seen.setdefault(name, row.index + 1)
                if first != row.index + 1:
                    row.fault("name", "unit_twice", name=name, row=first)
            rows.append(_unit(row, name))
    if not rows and not findings.faults:
        findings.faults.append(findings.nothing())
    return rows, findings


def _is_unit_name(row: Row, name: str) -> bool:
    if not name:
        row.fault("name", "empty_cell")
    elif disguised(name, mixed=False) or len(name) > NAME_CHARS_MAX or "\n" in name:
        row.fault("name", "bad_unit_name", name=name[:NAME_CHARS_MAX])
    else:
        return True
    return False


def _unit(row: Row, name: str) -> UnitRow:
    lat, lon = _degrees(row, "lat", 90), _degrees(row, "lon", 180)
    if (lat is None) != (lon is None):
        row.fault("lat" if lat is None else "lon", "half_a_point")
    elif lat == 0 and lon == 0:
        row.fault("lat", "zero_point")
    phone_duty = key(row.text("phone_duty"))
    if phone_duty not in ("", *_YES, *_NO):
        row.fault("phone_duty", "not_yes_or_no", value=phone_duty)
    kind = key(row.text("kind"))
    if kind and kind not in _KIND_OF:
        row.fault("kind", "unknown_kind", value=kind, kinds=[words[1] for words in KINDS.values()])
    return UnitRow(
        name,
        row.text("parent"),
        lat,
        lon,
        _KIND_OF.get(kind, "village" if not kind and name.endswith(_VILLAGE_ENDS) else ""),
        phone_duty in _YES if phone_duty else None,
        row.spot,
    )


def _degrees(row: Row, name: str, most: float) -> float | None:
    text = row.text(name).rstrip("°")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > most:
        row.fault(name, "bad_degrees", value=text, most=most)
        return None
    return number
