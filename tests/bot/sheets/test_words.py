"""Every fault of a file has its words and its cure, in both languages."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from bot.sheets.faults import Fault
from bot.sheets.words import words

ROOT = Path(__file__).parents[3]
FILES = [*(ROOT / "bot/sheets").glob("*.py"), ROOT / "desk/registry.py", ROOT / "desk/rostering.py"]
TABLE = tomllib.loads((ROOT / "bot/sheets/words.toml").read_text("utf-8"))
CALLS = {"Fault", "refuse", "fault", "remark", "Unreadable", "NotFound", "Conflict"}
CHOSEN = {  # Kinds that are chosen before the call.
    "encrypted", "old_excel", "no_header", "missing_columns", "double_booking", "double_booking_stored",
    "unknown_parent", "parent_circle", "phone_taken", "wecom_taken", "telegram_taken",
}  # fmt: skip


def kinds() -> set[str]:
    """Every kind of fault named in the code: the last text given by place to a call that makes one."""
    found = set(CHOSEN)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                texts = [
                    one.value
                    for one in node.args
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
                if name in CALLS and texts and texts[-1]:
                    found.add(texts[-1])
    return found - {"parent"}  # The field of a conflict whose kind is chosen.


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("part", ["what", "cure"])
def test_every_fault_has_words_and_no_words_are_left_over(language: str, part: str) -> None:
    assert set(TABLE[language][part]) == kinds()


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    assert TABLE["zh-CN"].keys() == TABLE["en"].keys()
    for part, table in TABLE["zh-CN"].items():
        if part != "columns":  # Chinese has more words for a title and a name.
            assert table.keys() == TABLE["en"][part].keys()
            for kind, text in table.items():
                fields = [
                    sorted(set(re.findall(r"\{(\w+)\}", one))) for one in (text, TABLE["en"][part][kind])
                ]
                assert fields[0] == fields[1], f"{part}.{kind}"


def test_a_fault_says_where_what_and_the_cure() -> None:
    fault = Fault("unknown_unit", "表1", 4, "C 单位", {"unit": "火星镇"})
    assert fault.text("zh-CN") == "表1 第4行 C 单位：没有单位“火星镇”。请先导入单位，或改正名称。"
    assert fault.text("en") == (
        "表1 row 4, column C 单位: There is no unit “火星镇”. Import the units first, or correct the name."
    )
    assert Fault("empty_file").text("xx") == Fault("empty_file").text("zh-CN")
    assert words("en", "sum")["done"].startswith("Imported")


def test_what_a_file_says_cannot_pretend_to_be_ours() -> None:
    fault = Fault("bad_name", "表1", 2, "A 姓名", {"name": "{row}{0}%s"})
    assert "“{row}{0}%s”" in fault.text("zh-CN")
    fault = Fault("bad_name", "\x1b[2J表", 2, "A 姓名", {"name": "张\u202e三\n已导入：新增 1"})
    line = fault.text("zh-CN")
    assert line.startswith("[U+001B][2J表 第2行") and "张[U+202E]三 已导入" in line
    assert line.count("\n") == 0
