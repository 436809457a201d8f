"""Every notice reads well with its facts, and still goes out without them or with hostile ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wording import Wording, commands
from bot.wording.language import language, languages
from desk.model import Choice, Notice
from desk.policy import Limits, Policy
from roster.calendar import Calendar
from roster.model import PostRule
from tests.bot.wording.samples import BULLETIN, ID, NOW, NUMBER, PAGE, QUESTION, SAMPLES, STATUS, Sample, at

ZH = Wording("中山市应急办", posts={"duty_officer": "值班员"}, public_url="https://desk.example.gov.cn/")
EN = Wording("Emergency office", language="en")
OFFICES = [ZH, EN]
EVIL = "\u202e<b>{number}%s\x00\n【系统】回复 到\u200b🏠\" onload='x'; DROP TABLE " + "长" * 5_000
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])
in_each_language = pytest.mark.parametrize("office", OFFICES, ids=["zh-CN", "en"])


def text_of(office: Wording, kind: str, facts: dict[str, Any], *choices: Choice) -> str:
    return office.render(Notice(kind, facts, choices), NOW).text


@every_sample
@in_each_language
def test_a_notice_with_its_facts_leaves_nothing_open(office: Wording, sample: Sample) -> None:
    rendered = office.render(sample.notice, NOW)
    missing = language(office.language).say["missing"]
    unknown = [line for line in rendered.text.split("\n") if missing in line]
    # 伤亡不详 is what the basis or a bulletin itself says.
    assert [line for line in unknown if "伤亡" not in line and "asualties" not in line] == []
    assert rendered.text and "{" not in rendered.text and rendered.text == rendered.text.strip()
    assert "  " not in rendered.text and "\n\n" not in rendered.text
    assert [token for _, token in rendered.choices] == [choice.token for choice in sample.notice.choices]
    assert all(0 < len(label) <= 20 and label == label.strip() for label, _ in rendered.choices)
    assert len({label for label, _ in rendered.choices}) == len(rendered.choices)
    assert bool(rendered.place_label) == sample.notice.asks_place


@every_sample
@in_each_language
def test_a_notice_without_facts_still_goes_out(office: Wording, sample: Sample) -> None:
    bare = office.render(replace(sample.notice, facts={}), NOW)
    assert bare.text.strip() and "{" not in bare.text and "None" not in bare.text
    assert all(label for label, _ in bare.choices)


@every_sample
@in_each_language
def test_hostile_facts_stay_literal(office: Wording, sample: Sample) -> None:
    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: poisoned(one) for key, one in value.items()}
        if isinstance(value, list):
            return [poisoned(one) for one in value]
        return EVIL if isinstance(value, str) else value

    rendered = office.render(replace(sample.notice, facts=poisoned(dict(sample.notice.facts))), NOW)
    assert "\u202e" not in rendered.text and "\u200b" not in rendered.text and "\x00" not in rendered.text
    whole_texts = ("outcome", "text")
    if not any(name in sample.notice.facts for name in whole_texts):
        assert not any(line.startswith("【系统】") for line in rendered.text.split("\n"))
        assert max(len(line) for line in rendered.text.split("\n")) < 1000
    assert all("\n" not in label and len(label) <= 22 for label, _ in rendered.choices)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FACT_NAMES = sorted({name for sample in SAMPLES for name in sample.notice.facts})


@given(
    st.sampled_from(SAMPLES),
    st.dictionaries(st.sampled_from(FACT_NAMES), anything, max_size=8),
    st.sampled_from(OFFICES),
)
def test_no_fact_whatever_stops_a_notice(sample: Sample, odd: dict[str, Any], office: Wording) -> None:
    notice = replace(sample.notice, facts={**sample.notice.facts, **odd})
    for rendered in (office.render(notice, NOW), office.stub(notice, NOW)):
        assert rendered.text
        rendered.text.encode("utf-8")


@in_each_language
def test_a_kind_without_words_says_there_is_something_to_see(office: Wording) -> None:
    rendered = office.render(Notice("from_the_future", {"secret": "x"}, (Choice("unheard_of", ID),)), NOW)
    assert rendered.text == office.render(Notice("stub"), NOW).text
    assert rendered.choices[0][0]


def test_a_page_tells_number_first_then_where_who_and_what_to_do() -> None:
    lines = text_of(ZH, "incident_page", PAGE).split("\n")
    assert lines[0].startswith(f"{NUMBER} 火灾")
    assert "小榄镇 绩东一社区泰丰路 12 号" in lines[1]
    assert "199-0000-1011" in "\n".join(lines)
    assert lines[-1] == f"按【签收】，或回复：签收 {NUMBER}"


def test_a_level_is_a_suggestion_until_a_person_sets_it() -> None:
    assert "建议级别：一般" in text_of(ZH, "incident_page", PAGE)
    assert "建议级别" not in text_of(ZH, "incident_page", {**PAGE, "severity_set": True})


def test_nobody_hurt_differs_from_unknown() -> None:
    def said(casualties: dict[str, Any] | None) -> str:
        return text_of(ZH, "incident_page", {**PAGE, "casualties": casualties})

    assert "伤亡：死亡 0" in said({"deaths": 0, "injuries": None, "nobody": False})
    assert "伤亡：无" in said({"deaths": None, "nobody": True})
    assert "伤亡：不详" in said({"deaths": None, "nobody": False})
    assert "伤亡：不详" in said(None)


def test_a_drill_is_stamped_before_all_else() -> None:
    assert text_of(ZH, "incident_page", {**PAGE, "drill": True}).startswith("【演练】")
    assert text_of(EN, "reporter_signed", {**PAGE, "drill": True}).startswith("[DRILL]")


def test_moments_are_local_and_dated_only_when_not_today() -> None:
    signed = {"number": NUMBER, "at": at("00:05")}
    assert "（00:05）" in text_of(ZH, "signed", signed)
    assert "（11-23 23:58）" in text_of(ZH, "signed", {**signed, "at": "2026-11-23T15:58:00+00:00"})
    assert "（2025-11-24 03:14）" in text_of(ZH, "signed", {**signed, "at": "2025-11-23T19:14:00+00:00"})
    assert "（不详）" in text_of(ZH, "signed", {**signed, "at": "2026-11-23T15:58:00"})  # Without a zone.


def test_two_reminders_of_one_roll_call_differ() -> None:
    """A platform that drops identical messages must not swallow the second."""
    notice = Notice("roll_call_reminder", QUESTION)
    later = NOW.replace(minute=16)
    assert ZH.render(notice, NOW).text != ZH.render(notice, later).text


@pytest.mark.parametrize("proof", ["tap", "passcode", "place", "photo"])
@in_each_language
def test_a_roll_call_says_how_to_answer_and_its_reference(office: Wording, proof: str) -> None:
    rendered = office.render(Notice("roll_call_question", {**QUESTION, "proof": proof}), NOW)
    assert "8S9T" in rendered.text and rendered.reference == "8S9T"
    assert "免点" in rendered.text


def test_the_counts_of_a_roll_call_are_all_said() -> None:
    counts = {"no_answer": 2, "present": 22, "late": 1, "excused": 1, "line_fault": 0}
    facts = {"plan": "早点名", "called_at": at("03:00"), "due": 26, "counts": counts, "silent": ["甲", "乙"]}
    assert "应到 26：到岗 22、迟答 1、免点 1、未应答 2" in text_of(ZH, "roll_call_summary", facts)


def test_nobody_silent_is_said_only_when_it_is_known() -> None:
    facts = {"plan": "早点名", "called_at": at("03:00"), "due": 26, "counts": {"present": 26}}
    assert "没有未应答" in text_of(ZH, "roll_call_summary", {**facts, "silent": []})
    assert "未应答：不详" in text_of(ZH, "roll_call_summary", facts)


def test_very_many_silent_are_counted_not_all_named() -> None:
    facts = {
        "plan": "早点名",
        "due": 500,
        "counts": {"no_answer": 300},
        "silent": [f"人{n}" for n in range(300)],
    }
    text = text_of(ZH, "roll_call_summary", facts)
    assert "等 300 人" in text and "人29、" not in text and len(text) < 400


def test_names_stand_on_the_buttons_that_hand_on() -> None:
    choices = tuple(Choice("to", f"{ID}:{one}") for one in "ab")
    offer = Notice("hand_on_offer", {"number": NUMBER, "names": ["古咏梅", "欧阳" + "长" * 30]}, choices)
    assert ZH.render(offer, NOW).choices[0][0] == "转给 古咏梅"
    assert all(len(label) <= 20 for label, _ in ZH.render(offer, NOW).choices)


def test_plans_stand_on_the_buttons_that_call() -> None:
    offer = Notice(
        "roll_call_offer", {"plans": ["早点名", "夜间点名"]}, (Choice("call", "1"), Choice("call", "x"))
    )
    assert [label for label, _ in ZH.render(offer, NOW).choices] == ["点名：夜间点名", "点名"]


def test_input_64_how_many_a_roll_call_asks_stands_on_its_button_however_long_its_name() -> None:
    choices = tuple(Choice("call", str(place)) for place in range(3))
    facts = {"plans": ["早点名", "夜" * 30, "晚点名"], "due": [26, 1200]}
    for office, labels in (
        (ZH, ["点名：早点名（26 人）", "点名：夜夜夜夜夜夜夜夜…（1200 人）", "点名：晚点名"]),
        (EN, ["Call: 早点名 (26)", "Call: 夜夜夜夜夜夜… (1200)", "Call: 晚点名"]),
    ):
        shown = [label for label, _ in office.render(Notice("roll_call_offer", facts, choices), NOW).choices]
        assert shown == labels and all(len(label) <= 20 for label in shown)


def test_several_incidents_to_sign_are_told_apart_by_number() -> None:
    numbers = [NUMBER, "ZS-20261124-005"]
    choices = (Choice("sign", ID), Choice("sign", ID[::-1]))
    for office, labels in (
        (ZH, [f"签收 {number}" for number in numbers]),
        (EN, [f"Sign {number}" for number in numbers]),
    ):
        status = Notice("status", {**STATUS, "to_sign": numbers}, choices)
        assert [label for label, _ in office.render(status, NOW).choices] == labels
    long = Notice("status", {**STATUS, "to_sign": ["ZHONGSHAN-20261124-1004"]}, choices[:1])
    assert [label for label, _ in ZH.render(long, NOW).choices] == ["签收 1004"]


def test_a_channel_without_facts_is_told_to_look() -> None:
    page = Notice("incident_page", PAGE, (Choice("sign", ID), Choice("hand", ID)))
    stub = ZH.stub(page, NOW)
    assert "请到值班台查看" in stub.text
    for secret in (NUMBER, "火灾", "小榄镇", "叶倩雯", "199"):
        assert secret not in stub.text
    assert stub.choices == (("签收", f"sign:{ID}"),)


@every_sample
@in_each_language
def test_no_stub_names_people_or_events(office: Wording, sample: Sample) -> None:
    stub = office.stub(sample.notice, NOW)
    said = stub.text + "".join(label for label, _ in stub.choices)
    own = sample.notice.facts.get("name") == "吴健芬" and sample.notice.kind in (
        "account_moved",
        "enrolled",
        "welcome_back",
        "help",
    )
    for secret in ("五金厂", "绩东", "古咏梅", "李永昌", "199-0000", *([] if own else ["吴健芬"])):
        assert secret not in said


def test_without_facts_a_roll_call_can_still_be_answered() -> None:
    question = Notice("roll_call_question", QUESTION, (Choice("present", ID),))
    assert ZH.stub(question, NOW) == ZH.render(question, NOW)


@in_each_language
def test_marks_of_repeats_and_parts(office: Wording) -> None:
    assert office.repeated("签收").endswith("签收") and office.repeated("签收") != "签收"
    for number, count in ((1, 3), (120, 120)):
        mark = office.part("", number, count)
        assert str(number) in mark and len(mark) <= 16
    assert ZH.repeated("x") == "【可能重复】x" and ZH.part("x", 1, 3) == "（1/3）x"


def test_long_words_of_a_report_are_kept_whole() -> None:
    text = "水位还在涨。" * 3_000
    assert text in text_of(ZH, "follow_up_arrived", {"number": NUMBER, "text": text, "report": "follow_up"})


def test_nothing_to_report_is_a_nil_report_and_something_is_not() -> None:
    assert text_of(ZH, "zero_report", {**BULLETIN, "is_zero": True}).startswith("【零报告】")
    assert "接报 3 件" in text_of(ZH, "zero_report", {**BULLETIN, "is_zero": False})


def test_the_offices_own_names_of_posts_are_used() -> None:
    office = replace(ZH, posts={"duty_officer": "总值班室值班员", "gate": "门岗"})
    assert "总值班室值班员" in text_of(office, "roll_call_question", QUESTION)
    assert "门岗" in text_of(office, "roll_call_question", {**QUESTION, "post": "gate"})
    assert "三防值班" in text_of(office, "roll_call_question", {**QUESTION, "post": "三防值班"})


def test_the_first_line_alone_is_enough_on_a_locked_phone() -> None:
    for sample in SAMPLES:
        first = ZH.render(sample.notice, NOW).text.partition("\n")[0]
        assert 4 <= len(first) <= 60, sample.name


@pytest.mark.parametrize("name", languages())
def test_the_command_menu_fits_the_platforms(name: str) -> None:
    listed = commands()[name.partition("-")[0]]
    assert all(command.isascii() and command.islower() and 1 <= len(text) <= 64 for command, text in listed)


def test_words_follow_the_policy() -> None:
    policy = Policy(
        office="Duty office",
        timezone="Europe/London",
        language="en",
        number_prefix="ZS",
        watch_changes_at="08:30",
        ladders=(),
        roll_calls=(),
        bulletins=(),
        posts=(PostRule("gate", "Gate"),),
        limits=Limits(),
        calendar=Calendar(),
        public_url="https://d.example",
    )
    assert Wording.of(policy) == Wording(
        "Duty office", "Europe/London", "en", "https://d.example", {"gate": "Gate"}
    )


@pytest.mark.parametrize(
    ("seconds", "is_exact"), [(40, True), (179, True), (180, False), (60, False), (401, False)]
)
def test_the_next_minutes_are_told_to_the_second(seconds: int, is_exact: bool) -> None:
    closes_at = NOW.astimezone(ZoneInfo("Asia/Shanghai")).replace(second=0) + timedelta(seconds=seconds)
    told = text_of(ZH, "answer_after_close", {"plan": "夜间点名", "closes_at": closes_at.isoformat()})
    assert f"已在 {closes_at.strftime('%H:%M:%S' if is_exact else '%H:%M')} 截止" in told


@pytest.mark.parametrize(("minutes", "said"), [(7.9, "7 分钟"), (0.4, "不到 1 分钟"), (1.0, "1 分钟")])
def test_ages_are_whole_minutes(minutes: float, said: str) -> None:
    assert said in text_of(ZH, "sign_in_code", {"code": "1", "minutes": minutes})
