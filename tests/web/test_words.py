"""The screen's words: both languages have the same, and every line the desk may log reads as a sentence."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from desk.policy import Limits
from incidents.deadlines import DONE_FIELDS
from incidents.model import AttachmentState, Category, ReportKind, Severity, State
from roster.calendar import DayClass
from roster.model import Presence, Proof, Result, Role, RollCallState
from web.screen import CODES
from web.words import countdown, sentence, span, words

ROOT = Path(__file__).parents[2]
ENUMS = {
    "result": Result,
    "severity": Severity,
    "rank": Severity,
    "category": Category,
    "state": State,
    "report": ReportKind,
    "role": Role,
    "presence": Presence,
    "proof": Proof,
    "call": RollCallState,
    "day": DayClass,
}


def logged_kinds() -> Iterator[str]:
    """Every kind of line that some code writes into the duty log."""
    for room in ("desk", "handlers", "bot", "web"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "log"
                ):
                    yield from _kinds(node.args[0] if node.args else None)


def _kinds(first: ast.expr | None) -> Iterator[str]:
    if isinstance(first, ast.Constant):
        yield str(first.value)
    elif isinstance(first, ast.JoinedStr):
        yield from ("clock_warn", "clock_overdue")
    elif isinstance(first, ast.Name):
        yield from ("paged", "escalated")


def test_every_kind_of_log_line_has_words_in_both_languages() -> None:
    kinds = set(logged_kinds())
    assert len(kinds) > 40
    for language in ("zh-CN", "en"):
        assert kinds - words(language)["log"].keys() == set(), language


def test_both_languages_say_the_same_things() -> None:
    chinese, english = words("zh-CN"), words("en")
    assert chinese.keys() == english.keys()
    for table in chinese:
        assert chinese[table].keys() == english[table].keys(), table
        for key, said in chinese[table].items():
            names = set(re.findall(r"{(\w+)", said))
            assert names == set(re.findall(r"{(\w+)", english[table][key])) or table == "span", (table, key)


@pytest.mark.parametrize("table", ENUMS)
def test_every_value_of_a_record_has_a_word(table: str) -> None:
    assert {one.value for one in ENUMS[table]} <= words("zh-CN")[table].keys()


def test_every_limit_state_and_fault_has_a_word() -> None:
    table = words("zh-CN")
    assert {one.name for one in fields(Limits)} == table["limit"].keys()
    assert {one.value for one in AttachmentState} <= table["attachment"].keys()
    assert DONE_FIELDS.keys() < table["clock"].keys()
    assert {str(code) for code in CODES} == table["fault"].keys()


def test_a_sentence_is_whole_though_facts_are_missing() -> None:
    table = words("zh-CN")
    for kind in table["log"]:
        said = sentence(kind, {}, table)
        assert "None" not in said
        assert not re.search(r" [，、。：]|^[ ：，]", said), said


def test_a_sentence_says_codes_in_words_and_lists_with_the_chinese_comma() -> None:
    table = words("zh-CN")
    facts = {"plan": "夜间抽查", "counts": {"present": 2, "no_answer": 1, "late": 0}}
    assert sentence("roll_call_closed", facts, table) == "点名「夜间抽查」结束：到岗 2、未应答 1"
    assert sentence("paged", {"number": "ZS-1", "to": ["张三", "李四"]}, table) == "ZS-1 已通知 张三、李四"
    assert sentence("from_the_future", {"a": 1}, table) == 'from_the_future {"a": 1}'


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (-5, "刚刚"),
        (0.9, "刚刚"),
        (1, "1 分钟"),
        (59.9, "59 分钟"),
        (60, "1 小时 0 分"),
        (1441, "1 天 0 小时"),
    ],
)
def test_an_age_is_said_in_its_largest_units(minutes: float, said: str) -> None:
    assert span(timedelta(minutes=minutes), words("zh-CN")["span"]) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "00:00"), (-61, "01:01"), (3600, "1:00:00"), (86399, "23:59:59")]
)
def test_a_countdown_reads_the_same_before_and_after(seconds: int, said: str) -> None:
    assert countdown(timedelta(seconds=seconds)) == said
