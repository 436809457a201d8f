"""Whatever the desk may say has words in every language, and no words are left over."""

from fnmatch import fnmatchcase

import pytest

from bot.wording.language import language, languages
from bot.wording.stubs import ANSWERS, HARMLESS
from bot.wording.variants import variant
from handlers.flow import find_flows
from incidents.model import Category, ReportKind, Severity, State
from roster.model import Presence, Result, Role
from tests.bot.wording.samples import SAMPLES
from tests.bot.wording.spoken import kinds, troubles, verbs

# Said by the machine itself, or in place of a notice.
PROVIDED = {"stub", "stub_urgent", "stub_settled", "trouble", "outage_gap"}


def known(name: str) -> set[str]:
    """The kinds a language has words for, its variants folded."""
    return {kind.partition(".")[0] for kind in language(name).notices}


def test_the_code_is_read() -> None:
    assert {
        "incident_page",
        "roll_call_reminder",
        "draft_cancelled",
        "clock_overdue",
        "zero_report",
    } <= kinds()
    assert {"sign", "present", "separate", "call"} <= verbs()


@pytest.mark.parametrize("name", languages())
def test_every_notice_the_code_makes_has_words(name: str) -> None:
    without = {kind for kind in kinds() if not any(fnmatchcase(one, kind) for one in known(name))}
    assert not without


@pytest.mark.parametrize("name", languages())
def test_there_are_no_words_for_what_nobody_says(name: str) -> None:
    said = kinds()
    unsaid = {one for one in known(name) if not any(fnmatchcase(one, kind) for kind in said)}
    assert unsaid == PROVIDED - said


@pytest.mark.parametrize("name", languages())
def test_every_choice_has_a_label(name: str) -> None:
    heard = {verb for flow in find_flows() for verb in flow.verbs}
    assert verbs() <= set(language(name).choices)
    assert set(language(name).choices) == heard | verbs()


@pytest.mark.parametrize("name", languages())
def test_every_command_is_described(name: str) -> None:
    commands = {command for flow in find_flows() for command in flow.commands}
    assert set(language(name).commands) == commands - {"start"}


@pytest.mark.parametrize("name", languages())
def test_every_coded_value_has_a_word(name: str) -> None:
    terms = language(name).terms
    coded = {
        "severity": Severity,
        "category": Category,
        "state": State,
        "report": ReportKind,
        "result": Result,
        "role": Role,
        "presence": Presence,
    }
    for term, values in coded.items():
        assert set(terms[term]) == {value.value for value in values}, term


@pytest.mark.parametrize("name", languages())
def test_every_trouble_of_a_channel_has_a_word(name: str) -> None:
    assert {"token", "conflict", "store"} <= troubles()
    assert set(language(name).terms["trouble"]) == troubles()


def test_the_samples_show_every_wording() -> None:
    notices = language("zh-CN").notices
    shown = set()
    for sample in SAMPLES:
        kind, which = sample.notice.kind, variant(sample.notice.kind, sample.notice.facts)
        shown.add(f"{kind}.{which}" if f"{kind}.{which}" in notices else kind)
    # These two stand in for something to ask for that nobody has thought of yet.
    assert set(notices) - shown == {"report_asks", "proof_owed"}


def test_what_may_be_said_anywhere_is_known() -> None:
    assert known("zh-CN") >= HARMLESS
    assert set(language("zh-CN").choices) >= ANSWERS
