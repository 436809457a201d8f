"""Names and texts that were made to mislead are shown for what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wording.plain import cut, one_line, visible, whole

RTL_OVERRIDE, ZERO_WIDTH = "\u202e", "\u200b"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("张三", "张三"),
        (f"张{ZERO_WIDTH}三", "张[U+200B]三"),
        (f"cod{RTL_OVERRIDE}exe.gpj", "cod[U+202E]exe.gpj"),
        ("张三\n【系统】请回复 到", "张三 【系统】请回复 到"),
        ("张三\r\n\t李四", "张三 李四"),
        ("张三\u2028李四", "张三 李四"),
        ("a\x00b\x07c", "ab[U+0007]c"),
        ("王\ufeff五", "王[U+FEFF]五"),
        ("空\u3164白", "空[U+3164]白"),
        ("\u202d199-0000-1011\u202c", "199-0000-1011"),  # As an iPhone copies a number.
        ("half \ud83d pair", "half \ufffd pair"),
        ("👨‍👩‍👧 在家", "👨‍👩‍👧 在家"),
        ("<b>*_[`{number}", "<b>*_[`{number}"),
    ],
)
def test_a_short_field_is_one_line_with_nothing_hidden(written: str, shown: str) -> None:
    assert one_line(written, 40) == shown


@pytest.mark.parametrize("name", ["محمد", "דוד", "ئۇيغۇر"])
def test_right_to_left_letters_turn_nothing_else_round(name: str) -> None:
    assert one_line(name, 40) == f"\u2068{name}\u2069"


def test_a_long_field_is_cut_and_says_so() -> None:
    assert one_line("火" * 50, 40) == "火" * 39 + "…"
    assert cut("火" * 40, 40) == "火" * 40


def test_a_megabyte_in_a_short_field_costs_nothing() -> None:
    assert len(one_line("\u200b" * 1_000_000, 40)) == 40


def test_a_text_is_kept_whole_with_its_lines() -> None:
    text = "第一行  \r\n第二行\x85\n" + "火" * 20_000
    assert whole(text) == "第一行\n第二行\n\n" + "火" * 20_000


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_nothing_shown_is_invisible_or_reorders(text: str) -> None:
    shown = whole(text)
    isolates = "\u2068\u2069"
    assert not any(
        sign in shown for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200b\u200c\u2060\ufeff\x00\r"
    )
    assert all(line.count(isolates[0]) == line.count(isolates[1]) for line in shown.split("\n"))
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(codec=None), max_size=60), st.integers(2, 40))
def test_a_short_field_never_breaks_its_line_or_its_length(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert "\n" not in shown
    assert len(shown) <= most + 2  # The two signs that isolate right-to-left letters.


def test_plain_ascii_is_left_as_it_is() -> None:
    assert visible("ZS-20261124-004") == "ZS-20261124-004"
