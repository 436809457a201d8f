"""Both languages say the same things about the same facts."""

from pathlib import Path

import pytest

from bot.wording.language import FIRST, Language, Template, language, languages, parse

OTHERS = [name for name in languages() if name != FIRST]


def facts_in(template: Template) -> set[tuple[tuple[str, ...], str]]:
    """Which facts a template says, and how."""
    return {
        (tuple(sorted(field.names)), f"{field.way} {field.argument}".strip())
        for line in template
        for field in line.fields
        if field.names
    }


def every_template(words: Language) -> list[Template]:
    return [*words.notices.values(), *words.pieces.values()]


def test_chinese_is_first_and_english_second() -> None:
    assert languages() == ["zh-CN", "en"]


@pytest.mark.parametrize("other", OTHERS)
def test_the_languages_have_the_same_words(other: str) -> None:
    first, second = language(FIRST), language(other)
    assert set(second.notices) == set(first.notices)
    assert set(second.pieces) == set(first.pieces)
    assert set(second.choices) == set(first.choices)
    assert set(second.commands) == set(first.commands)
    assert set(second.say) == set(first.say)
    assert {name: set(words) for name, words in second.terms.items()} == {
        name: set(words) for name, words in first.terms.items()
    }


@pytest.mark.parametrize("other", OTHERS)
def test_the_languages_tell_the_same_facts(other: str) -> None:
    first, second = language(FIRST), language(other)
    for kind, template in {**first.notices, **first.pieces}.items():
        assert facts_in({**second.notices, **second.pieces}[kind]) == facts_in(template), kind


@pytest.mark.parametrize("name", languages())
def test_every_small_word_and_piece_named_in_a_template_exists(name: str) -> None:
    words = language(name)
    for template in every_template(words):
        for line in template:
            for field in line.fields:
                named = field.argument.split(" ")
                if field.way in ("if", "unless", "with"):
                    assert named[0] in words.say, field
                if field.way in ("each", "all"):
                    assert field.argument in words.pieces, field
                if field.way in ("terms", "counts"):
                    assert field.argument in words.terms, field
                if field.way == "with" and named[1:2] == ["each"]:
                    assert named[2] in words.pieces, field


@pytest.mark.parametrize("name", languages())
def test_no_word_is_empty(name: str) -> None:
    words = language(name)
    for table in (words.say, words.choices, words.commands, *words.terms.values()):
        assert [key for key, word in table.items() if not word.strip() and key != "phone"] == []


@pytest.mark.parametrize(
    ("asked", "got"), [("zh-CN", "zh-CN"), ("zh", "zh-CN"), ("en-GB", "en"), ("fr", "zh-CN"), ("", "zh-CN")]
)
def test_an_unknown_language_is_the_first(asked: str, got: str) -> None:
    assert language(asked).name == got


def test_each_language_is_its_own_folder_of_words() -> None:
    import bot.wording

    folder = Path(bot.wording.__file__).parent
    assert all((folder / name / "terms.toml").is_file() for name in languages())


def test_a_template_reads_as_written() -> None:
    first, second = parse("{number} 已报出\n? 可能与 {similar:names} 是同一件")
    assert [field.names for field in first.fields] == [("number",), ()]
    assert second.is_optional and second.fields[0].way == "names"
