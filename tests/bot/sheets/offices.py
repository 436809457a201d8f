"""An office that takes files: its door, its clock, and files made for one test."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from bot.config.defaults import POSTS
from bot.door import OfficeDoor
from bot.queue.embedded import EmbeddedQueue
from bot.sheets.imports import Order, Result, import_book, import_bytes
from bot.sheets.opening import open_book
from desk.policy import Limits, Policy
from desk.ports import Bell, Transactions
from incidents.model import LogLine
from roster.calendar import Calendar
from roster.model import Account, Officer, Shift, Unit

NOW = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # Sunday, 12:00 in Zhongshan.
POLICY = Policy(
    office="市应急办",
    timezone="Asia/Shanghai",
    language="zh-CN",
    number_prefix="ZS",
    watch_changes_at="08:30",
    ladders=(),
    roll_calls=(),
    bulletins=(),
    posts=POSTS,
    limits=Limits(),
    calendar=Calendar(),
)
UNITS = ("名称", "上级"), ("市应急办", ""), ("石岐街道", "市应急办"), ("小榄镇", "市应急办")
PEOPLE = (
    ("姓名", "手机", "单位", "职务", "角色"),
    ("张三", "13800000001", "石岐街道", "副主任", "带班领导"),
    ("李四", "13800000002", "石岐街道", "", "值班员"),
    ("王五", "13800000003", "石岐街道", "", "值班员"),
    ("赵六", "13800000004", "小榄镇", "镇长", "带班领导"),
    ("陈伟", "13800000005", "小榄镇", "", "值班员"),
    ("陈伟", "13800000006", "石岐街道", "", "值班员"),
    ("欧阳建国", "13800000007", "小榄镇", "", "值班员"),
)
Fill = Callable[[Any, Any], None]


@dataclass
class SetClock:
    """Stands still until it is set."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Office:
    """A door, its clock, and short ways to ask what is stored."""

    door: OfficeDoor
    clock: SetClock = field(default_factory=SetClock)

    async def take(
        self, what: str, data: bytes, name: str = "a.xlsx", *, dry_run: bool = False, unit: str = ""
    ) -> Result:
        """Import bytes that are a good file, read in this process; `take_apart` is the whole way."""
        return await import_book(what, self.door, open_book(data, name), Order(dry_run, unit=unit))

    async def take_apart(self, what: str, data: bytes, name: str) -> Result:
        """Import bytes, read in a process of their own."""
        return await import_bytes(what, self.door, data, name, Order())

    async def found(self, kind: type[Any], **criteria: Any) -> list[Any]:
        """Records."""
        async with self.door.read() as store:
            return await store.find(kind, order=("id",), **criteria)

    async def counts(self) -> tuple[int, ...]:
        """How many of everything an import could write."""
        async with self.door.read() as store:
            return tuple([await store.count(kind) for kind in (Unit, Officer, Account, Shift, LogLine)])

    async def roster(self) -> list[str]:
        """Every watch as a line, in the office's time."""
        names = {one.id: one.name for one in [*await self.found(Officer), *await self.found(Unit)]}
        zone = ZoneInfo(POLICY.timezone)
        return sorted(
            f"{one.starts_at.astimezone(zone):%m-%d %H:%M}/{one.ends_at.astimezone(zone):%m-%d %H:%M} "
            f"{names[one.unit_id]} {one.post} {names[one.officer_id]}"
            for one in await self.found(Shift)
        )


def open_office(transactions: Transactions, language: str = "zh-CN") -> Office:
    """An office without units or people."""
    clock = SetClock()
    queue = EmbeddedQueue(transactions, clock)
    return Office(OfficeDoor(transactions, queue, clock, replace(POLICY, language=language), Bell()), clock)


async def staff(office: Office) -> Office:
    """The office with the units and people above."""
    assert not (await office.take("units", xlsx(UNITS))).faults
    assert not (await office.take("people", xlsx(PEOPLE))).faults
    return office


def xlsx(*sheets: Sequence[Sequence[Any]], fill: Fill | None = None, **options: Any) -> bytes:
    """A workbook with these rows on its sheets; `fill(workbook, sheet)` may add to the first."""
    file = io.BytesIO()
    workbook = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy/m/d", **options})
    for number, rows in enumerate(sheets):
        sheet = workbook.add_worksheet(f"表{number + 1}")
        for index, row in enumerate(rows):
            sheet.write_row(index, 0, row)
        if fill is not None and number == 0:
            fill(workbook, sheet)
    workbook.close()
    return file.getvalue()


def csv(rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> bytes:
    """Rows as comma-separated text."""
    return "".join(",".join(row) + "\r\n" for row in rows).encode(encoding)
