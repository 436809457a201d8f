"""Reads a list of people: 姓名 · 手机 · 单位 · 职务 · 角色 · 企业微信 · Telegram."""

import re

from bot.sheets.phones import read_phone
from bot.sheets.sheet import Book
from bot.sheets.table import Findings, Row, find_tables
from bot.sheets.text import disguised, is_name, key, person
from desk.lists import PersonRow
from roster.model import Role

HEADERS = {
    "name": ("姓名", "name", "名字", "人员"),
    "phone": ("手机", "phone", "手机号", "手机号码", "电话", "联系电话", "联系方式", "mobile"),
    "unit": ("单位", "unit", "所属单位", "所在单位", "工作单位"),
    "title": ("职务", "title", "职位"),
    "role": ("角色", "role"),
    "wecom": ("企业微信", "wecom", "企业微信账号", "企业微信id"),
    "telegram": ("telegram", "telegramid", "telegram账号"),
}
ROLES = {
    Role.officer: ("信息员", "officer", "基层信息员"),
    Role.duty: ("值班员", "duty"),
    Role.leader: ("带班领导", "leader"),
    Role.office: ("应急办", "office"),
    Role.admin: ("admin", "管理员", "系统管理员"),
}
_ROLE_OF = {key(word): role for role, words in ROLES.items() for word in words}
_WECOM = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
TELEGRAM_MAX = 2**52  # core.telegram.org/bots/api#user: at most 52 significant bits.
TITLE_CHARS_MAX = 60


def read_people(book: Book) -> tuple[list[PersonRow], Findings]:
    """The people of a file, and what is wrong with it; the rows count only when there is no fault."""
    findings = Findings()
    seen: dict[tuple[str, str], Row] = {}
    rows: list[PersonRow] = []
    for table in find_tables(book, HEADERS, ("name", "unit"), findings):
        for row in table.rows():
            one = _person(row)
            rows.append(one)
            for name in ("phone", "wecom", "telegram"):
                value = getattr(one, name)
                if value and (first := seen.setdefault((name, value), row)) is not row:
                    row.fault(name, "twice_in_file", value=value, row=first.index + 1)
    _namesakes(rows, findings)
    if not rows and not findings.faults:
        findings.faults.append(findings.nothing())
    return rows, findings


def _person(row: Row) -> PersonRow:
    return PersonRow(
        name=_name(row),
        unit=_filled(row, "unit"),
        phone=_phone(row),
        title=_title(row),
        role=_role(row),
        wecom=_wecom(row),
        telegram=_telegram(row),
        spot=row.spot,
    )


def _filled(row: Row, name: str) -> str:
    faults = len(row.table.findings.faults)
    text = row.text(name)
    if not text and len(row.table.findings.faults) == faults:
        row.fault(name, "empty_cell")
    return text


def _name(row: Row) -> str:
    text = _filled(row, "name")
    name = person(text)
    if text and disguised(text):
        row.fault("name", "disguised_name", name=text[:40])
    elif text and not is_name(name):
        row.fault("name", "bad_name", name=text[:40])
    return name


def _phone(row: Row) -> str:
    text = row.text("phone")
    phone = read_phone(text)
    if phone is None:
        row.fault("phone", "bad_phone", value=text[:40])
    return phone or ""


def _title(row: Row) -> str:
    title = row.text("title").replace("\n", " ")
    if len(title) > TITLE_CHARS_MAX:
        row.fault("title", "cell_too_long", most=TITLE_CHARS_MAX)
    return title


def _role(row: Row) -> Role | None:
    text = row.text("role")
    role = _ROLE_OF.get(key(text))
    if text and role is None:
        row.fault("role", "unknown_role", value=text[:40], roles=[words[0] for words in ROLES.values()])
    return role


def _wecom(row: Row) -> str:
    text = row.text("wecom")
    if text and not _WECOM.fullmatch(text):
        row.fault("wecom", "bad_wecom", value=text[:40])
    return text


def _telegram(row: Row) -> str:
    text = row.text("telegram")
    if text and not (text.isascii() and text.isdecimal() and 0 < int(text) < TELEGRAM_MAX):
        row.fault("telegram", "bad_telegram", value=text[:40])
        return ""
    return text and str(int(text))


def _namesakes(rows: list[PersonRow], findings: Findings) -> None:
    """Two people of one name and unit need a number each; without, they are one person written twice."""
    first: dict[tuple[str, str], PersonRow] = {}
    for row in rows:
        if not row.name or (other := first.setdefault((row.name, row.unit), row)) is row:
            continue
        if not (row.phone and other.phone):
            findings.fault(row.spot, "name", "person_twice", name=row.name, unit=row.unit, row=other.spot.row)
        elif row.phone != other.phone:
            findings.remark(row.spot, "name", "namesakes", name=row.name, unit=row.unit, row=other.spot.row)
