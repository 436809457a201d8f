"""Whatever a file holds, reading ends in sheets, rows or named faults, never in a surprise."""

from datetime import date
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sheets.dates import DayReader, Unreadable, WatchReader
from bot.sheets.faults import Faulty
from bot.sheets.names import NotFound, People
from bot.sheets.opening import open_book
from bot.sheets.people import read_people
from bot.sheets.phones import read_phone
from bot.sheets.roster import Known, read_roster
from bot.sheets.sheet import Book, Merge, Sheet, Value, from_plain, letter, to_plain
from bot.sheets.units import read_units
from roster.model import Officer, Unit
from tests.bot.sheets.offices import PEOPLE, POLICY, UNITS, xlsx

WATCHES = WatchReader("08:30", ZoneInfo("Asia/Shanghai"))
UNIT = Unit("u1", "石岐街道")
OFFICERS = [Officer("o1", "张三", "u1", "13800000001", "副主任"), Officer("o2", "李四", "u1")]
KNOWN = Known(OFFICERS, {"石岐街道": UNIT}, POLICY.posts, WATCHES, date(2026, 11, 1), UNIT)
WORDS = st.one_of(
    st.text(max_size=12),
    st.text("张三李四王五副主任、，( )（）\n　13800000001月日年2026/-:同上", max_size=16),
    st.sampled_from(
        ["日期", "姓名", "单位", "班次", "岗位", "带班领导", "值班员", "手机", "名称", "上级", "石岐街道"]
    ),
)
VALUES = st.one_of(
    st.none(), WORDS, st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.times()
)
HEADS = st.sampled_from(
    [
        ("日期", "带班领导", "值班员"),
        ("日期", "班次", "岗位", "姓名"),
        PEOPLE[0],
        ("名称", "上级", "纬度", "经度"),
    ]
)
ROWS = st.lists(st.lists(VALUES, max_size=6).map(tuple), max_size=6)
CELLS = st.frozensets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4)
MERGES = st.builds(
    lambda top, left, down, right: Merge(top, left, top + down, left + right),
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Sheets that begin like one of ours and go on as they like."""
    rows: list[tuple[Value, ...]] = [*draw(ROWS)[:2], draw(HEADS), *draw(ROWS)]
    merges = tuple(draw(st.lists(MERGES, max_size=3)))
    return Book((Sheet("表", tuple(rows), draw(CELLS), draw(CELLS), merges, draw(st.booleans())),))


@given(books())
@settings(max_examples=300)
def test_any_sheet_is_read_or_its_faults_are_named(book: Book) -> None:
    for rows, findings in (read_people(book), read_units(book), read_roster(book, KNOWN)):
        assert rows or findings.faults
        for fault in (*findings.shown(), *findings.remarks):
            assert fault.text("zh-CN") and fault.text("en")
            assert "\n" not in fault.text("zh-CN")


def opened(data: bytes, name: str) -> Book | Faulty:
    """The file, or why it was refused."""
    try:
        return open_book(data, name)
    except Faulty as faulty:
        return faulty


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a.xlsx", "a.txt"]))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    found = opened(data, name)
    assert found.faults if isinstance(found, Faulty) else len(found.sheets) == 1


GOOD = xlsx(PEOPLE, UNITS)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=150)
def test_a_damaged_workbook_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    found = opened(bytes(data), "a.xlsx")
    assert found.faults if isinstance(found, Faulty) else found.sheets


@given(books().filter(lambda book: "nan" not in repr(book)))
def test_a_book_passes_between_processes_unchanged(book: Book) -> None:
    assert from_plain(to_plain(book)) == book


@given(VALUES, WORDS)
def test_any_cell_is_a_day_and_a_watch_or_unreadable(value: Value, shift: str) -> None:
    try:
        day = DayReader(date(2026, 11, 1)).read(value)
        assert abs((day - date(2026, 11, 1)).days) <= 550
    except Unreadable:
        day = date(2026, 11, 1)
    try:
        starts_at, ends_at = WATCHES.read(day, shift)
        assert starts_at < ends_at
    except Unreadable:
        pass


@given(WORDS)
def test_any_cell_names_people_or_what_it_cannot_mean(cell: str) -> None:
    for found in People(OFFICERS, {"u1": UNIT}).named(cell, UNIT):
        assert isinstance(found, NotFound) or found in OFFICERS


@given(st.text("0123456789+- ()８6", max_size=20))
def test_a_number_read_is_read_the_same_again(text: str) -> None:
    phone = read_phone(text)
    assert phone is None or read_phone(phone) == phone


@given(st.integers(0, 20_000))
def test_the_letters_of_columns_count_as_excels(column: int) -> None:
    number = 0
    for one in letter(column):
        number = number * 26 + ord(one) - 64
    assert number == column + 1
