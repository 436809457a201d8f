"""docs/faults.md is true: every row is there, every test it names exists, and every test named after a row is in it."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
PAGE = (ROOT.parent / "docs" / "faults.md").read_text("utf-8")
NEVER_USED = {3, 4, 8, 9, 10, 40, 45}  # Numbers the table of bad inputs never had.
ROWS = {
    "fault": ("## 故障", set(range(1, 45))),
    "input": ("## 坏输入", set(range(1, 66)) - NEVER_USED),
}
_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
_ROW_OF = re.compile(r"test_(fault|input)_(\d+(?:_(?:and|to)_\d+)*)_")
_NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows_of(name: str) -> tuple[str, set[int]]:
    """The table and the rows a test is named after: `test_input_12_and_13_…`, `test_fault_1_to_5_…`."""
    found = _ROW_OF.match(name)
    if found is None:
        return "", set()
    rows: list[int] = []
    for word, number in re.findall(r"(and_|to_|)(\d+)", found[2]):
        rows += range(rows[-1] + 1, int(number) + 1) if word == "to_" else [int(number)]
    return found[1], set(rows)


@cache
def names_by_file() -> dict[str, set[str]]:
    """The tests of every file, by its path under tests/."""
    return {
        str(path.relative_to(ROOT)): set(_TEST.findall(path.read_text("utf-8")))
        for path in ROOT.rglob("*.py")
    }


def lines(title: str) -> Iterator[list[str]]:
    """The cells of each line of the table under a title."""
    part = PAGE.partition(f"\n{title}")[2].partition("\n## ")[0]
    for line in part.splitlines():
        if line.startswith("| ") and not line.startswith(("| 行 ", "| 入口 ")):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_a_name_tells_its_rows() -> None:
    assert rows_of("test_fault_11_and_12_what_may_have_arrived") == ("fault", {11, 12})
    assert rows_of("test_fault_1_to_5_a_desk") == ("fault", {1, 2, 3, 4, 5})
    assert rows_of("test_input_60_500_messages_a_minute") == ("input", {60})
    assert rows_of("test_faults_spoil_the_answer") == rows_of("test_input_that_is") == ("", set())


@pytest.mark.parametrize("kind", ROWS)
def test_every_row_is_listed_once_with_tests_named_after_it_or_with_when_it_comes(kind: str) -> None:
    title, wanted = ROWS[kind]
    listed = [int(cells[0]) for cells in lines(title)]
    assert listed == sorted(wanted)
    for number, what, does, proof in lines(title):
        assert what and does
        named = [rows_of(name) for _, name in _NAMED.findall(proof)]
        if does.startswith("以后："):
            assert re.search(r"issue \d", does) and not named, number
        else:
            assert any(table == kind and int(number) in rows for table, rows in named), number


def test_every_bad_input_of_a_door_is_listed_with_its_tests() -> None:
    found = list(lines("## 按入口"))
    assert {cells[0].partition(" / ")[2] for cells in found} == {"Chat", "HTTP", "Files", "Config"}
    assert all(_NAMED.search(cells[3]) for cells in found)


def test_every_test_the_page_names_exists() -> None:
    named = _NAMED.findall(PAGE)
    assert len(named) == PAGE.count("::") > 250
    assert [f"{path}::{name}" for path, name in named if name not in names_by_file().get(path, set())] == []


def test_every_test_named_after_a_row_stands_in_that_row() -> None:
    listed = {
        (kind, int(cells[0]), path, name)
        for kind, (title, _) in ROWS.items()
        for cells in lines(title)
        for path, name in _NAMED.findall(cells[3])
    }
    missing = [
        f"row {row} of {kind}s: {path}::{name}"
        for path, names in names_by_file().items()
        for name in sorted(names)
        for kind, rows in [rows_of(name)]
        for row in sorted(rows)
        if (kind, row, path, name) not in listed
    ]
    assert not missing, "Write these into docs/faults.md"


def test_no_test_speaks_of_rows_in_another_way() -> None:
    odd = re.compile(r"test_(rows?|bad_inputs?|faults?|inputs?)_(\d+)")
    found = [
        name
        for names in names_by_file().values()
        for name in names
        if odd.match(name) and not rows_of(name)[1]
    ]
    assert found == []
