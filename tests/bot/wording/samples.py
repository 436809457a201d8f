"""Every notice as the desk makes it: a name, its kind, its facts, its choices."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from desk.model import Choice, Notice

NOW = datetime(2026, 11, 23, 19, 14, 30, tzinfo=UTC)  # 03:14 on the 24th in Zhongshan.
NUMBER = "ZS-20261124-004"
ID, OTHER_ID = "01KAQ2Y7Y8ZJ3M4N5P6Q7R8S9T", "01KAQ2Y7Y8ZJ3M4N5P6Q7R8S9V"


def at(clock: str) -> str:
    """A local clock time of the 24th as the desk writes it."""
    return datetime.fromisoformat(f"2026-11-24T{clock}:00+08:00").astimezone(UTC).isoformat()


@dataclass(frozen=True)
class Sample:
    """One notice under a name of its own."""

    name: str
    notice: Notice


PAGE: dict[str, Any] = {
    "number": NUMBER,
    "title": "绩东一社区五金厂二楼着火，浓烟很大，有两人还没出来",
    "severity": "general",
    "severity_set": False,
    "potential": "major",
    "basis": "伤亡不详",
    "sensitive": True,
    "category": "accident",
    "what": "火灾",
    "unit": "小榄镇",
    "place": "绩东一社区泰丰路 12 号",
    "lat": 22.6741,
    "lon": 113.2402,
    "received_at": at("03:12"),
    "occurred_at": at("03:05"),
    "reporter": "叶倩雯",
    "phone": "199-0000-1011",
    "heard": ["吴健芬", "古咏梅"],
    "casualties": {"deaths": 0, "trapped": 2, "injuries": 1, "missing": None, "nobody": False},
    "drill": False,
    "walk": 0,
    "step": 0,
}
SIGNED = {**PAGE, "by": "吴健芬", "by_phone": "199-0000-1009", "at": at("03:14")}
CLOSED = {**SIGNED, "outcome": "明火已扑灭，两人救出，一人轻伤送医。\n起因为电线短路。", "state": "closed"}
QUESTION: dict[str, Any] = {
    "plan": "夜间点名",
    "called_at": at("03:10"),
    "on_time_until": at("03:15"),
    "closes_at": at("03:20"),
    "make_up": False,
    "proof": "tap",
    "presence": "on_site",
    "post": "duty_officer",
    "reference": "8S9T",
}
ANSWER = {"plan": "夜间点名", "result": "present", "at": at("03:12"), "note": ""}
FOLLOW_UP: dict[str, Any] = {
    "number": NUMBER,
    "title": "绩东一社区五金厂二楼着火",
    "text": "两人已救出，一人轻伤。\n火势基本控制。",
    "photos": 2,
    "reporter": "叶倩雯",
    "report": "follow_up",
    "nth": 2,
    "severity": "general",
}
CLOCK: dict[str, Any] = {
    "number": NUMBER,
    "title": "绩东一社区五金厂二楼着火",
    "clock": "phone",
    "from": "received",
    "due_at": at("03:42"),
    "severity": "general",
}


def line_of(
    post: str, post_name: str, name: str, *, unit: str = "小榄镇", gap: bool = False
) -> dict[str, Any]:
    """A post as handlers/status.py tells it."""
    return {
        "unit": unit,
        "post": post,
        "post_name": post_name,
        "name": name,
        "phone": "" if gap else "199-0000-1009",
        "gap": gap,
        "until": at("08:30"),
        "from": at("08:30"),
        "result": "present",
    }


WATCH = [line_of("duty_leader", "带班领导", "李永昌"), line_of("duty_officer", "值班员", "吴健芬")]
GAP = line_of("duty_officer", "值班员", "", unit="古镇镇", gap=True)


def incident_of(number: str, holder: str, *, overdue: bool = False) -> dict[str, Any]:
    """An open incident as handlers/status.py tells it."""
    return {
        "number": number,
        "severity": "general",
        "title": "绩东一社区五金厂二楼着火",
        "unit": "小榄镇",
        "state": "verifying" if holder else "received",
        "age_minutes": 74.6,
        "holder": holder,
        "overdue": overdue,
    }


INCIDENTS = [incident_of(NUMBER, "", overdue=True), incident_of("ZS-20261123-011", "古咏梅")]
STATUS: dict[str, Any] = {
    "at": at("03:14"),
    "office": "中山市应急办",
    "all": False,
    "now": WATCH,
    "now_more": 0,
    "next": [line_of("duty_officer", "值班员", "古咏梅")],
    "next_more": 0,
    "roll_calls": [
        {"plan": "夜间点名", "due": 26, "answered": 20, "unanswered": 6, "closes_at": at("03:20")}
    ],
    "counts": {"major": 1, "general": 2, "serious": 0},
    "incidents": INCIDENTS,
    "incidents_more": 1,
    "overdue": 1,
    "troubles": 0,
    "unsound": [],
    "owed_answers": 1,
    "to_sign": [NUMBER],
    "mine": ["ZS-20261123-011"],
    "drafts": 1,
}
BULLETIN_LINE = {
    "number": NUMBER,
    "severity": "general",
    "title": "绩东一社区五金厂二楼着火",
    "unit": "小榄镇",
    "state": "closed",
    "received_at": at("03:12"),
}
BULLETIN: dict[str, Any] = {
    "plan": "每日要情",
    "office": "中山市应急办",
    "starts_at": "2026-11-23T00:30:00+00:00",
    "ends_at": "2026-11-24T00:30:00+00:00",
    "is_zero": False,
    "opened": 3,
    "by_severity": {"major": 1, "general": 2},
    "by_category": {"accident": 2, "natural": 1},
    "closed": 2,
    "still_open": 1,
    "unsigned": 1,
    "overdue": 1,
    "sensitive": 1,
    "casualties": {"deaths": 0, "missing": 0, "trapped": 2, "serious_injuries": 0, "injuries": 3},
    "unknown_casualties": 1,
    "drills": 1,
    "roll_calls": 2,
    "roll_calls_missed": 1,
    "due": 52,
    "counts": {"present": 48, "late": 2, "no_answer": 1, "excused": 1},
    "incidents": [BULLETIN_LINE],
    "open_incidents": [{**BULLETIN_LINE, "state": "verifying"}],
}
ZERO = {
    **BULLETIN,
    "is_zero": True,
    "opened": 0,
    "by_severity": {},
    "by_category": {},
    "still_open": 0,
    "unsigned": 0,
    "overdue": 0,
    "roll_calls_missed": 0,
    "incidents": [],
    "open_incidents": [],
}
MINE: dict[str, Any] = {
    "name": "吴健芬",
    "shifts": [
        {
            "post": "duty_officer",
            "post_name": "值班员",
            "starts_at": "2026-11-23T00:30:00+00:00",
            "ends_at": "2026-11-24T00:30:00+00:00",
        }
    ],
    "to_sign": INCIDENTS[:1],
    "mine": INCIDENTS[1:],
    "owed_answers": 1,
    "drafts": 1,
    "reports": [
        {"number": NUMBER, "title": "五金厂二楼着火", "state": "verifying", "received_at": at("03:12")}
    ],
}
SIGN, HAND, CLOSE = Choice("sign", ID), Choice("hand", ID), Choice("close", ID)
REOPEN = Choice("reopen", ID)
ANSWERS = (Choice("present", ID), Choice("excused", ID), Choice("trouble", ID))
VERDICTS = (Choice("verified", ID), Choice("fault", ID), Choice("absent", ID))


def _samples() -> list[Sample]:
    found: list[Sample] = []

    def add(
        name: str, facts: dict[str, Any] | None = None, *choices: Choice, asks_place: bool = False
    ) -> None:
        kind = name.partition(" ")[0]
        found.append(Sample(name, Notice(kind, facts or {}, choices, asks_place)))

    _reports(add)
    _incidents(add)
    _roll_calls(add)
    _people(add)
    _board(add)
    return found


def _reports(add: Any) -> None:
    asked = {"photos": 2, "has_place": False, "has_text": False, "minutes": 10}
    filed = {"number": NUMBER, "severity": "general", "missing": [], "similar": [], "opened": True}
    add("report_started", asks_place=True)
    add("report_started after a roll call", {"from_roll_call": True}, asks_place=True)
    add("report_asks for the place", {**asked, "missing": ["place"]}, asks_place=True)
    add("report_asks what", {**asked, "missing": ["what"]})
    add("report_asks for both", {**asked, "missing": ["place", "what"]}, asks_place=True)
    add("report_filed", filed)
    add("report_filed at a unit", {**filed, "missing": ["position"]}, asks_place=True)
    add("report_filed incomplete", {**filed, "missing": ["place", "what"], "similar": ["ZS-20261124-003"]})
    add("report_filed joined", {**filed, "opened": False})
    added = {"number": NUMBER, "nth": 1, "report": "follow_up", "photos": 2}
    add("report_added", added, Choice("separate", ID))
    add("report_added correction", {**added, "report": "correction"})
    add("report_added to an ended one", {**added, "state": "closed"}, Choice("separate", ID), REOPEN)
    add("courtesy")
    add("aside_kept", {"text": "三楼那边不太对劲"})
    add("draft_cancelled")
    add("nothing_to_cancel")
    add("attachment_missing", {"number": NUMBER, "what": "photo", "fault": "too_big"})
    add("attachment_missing of a draft", {"number": "", "what": "video", "fault": "gone"})


def _incidents(add: Any) -> None:
    add("incident_page", PAGE, SIGN, HAND)
    unclear = {
        **PAGE,
        "title": "",
        "what": "",
        "category": "unknown",
        "place": "",
        "basis": "",
        "potential": "",
        "occurred_at": "",
        "casualties": None,
        "sensitive": False,
    }
    add("incident_page of which little is known", unclear, SIGN, HAND)
    level = {
        **PAGE,
        "severity": "major",
        "severity_set": True,
        "basis": "死亡3人 (≥3) · 国务院令第493号第三条",
    }
    add("incident_page escalated", {**level, "walk": 0, "step": 1}, SIGN, HAND)
    add("incident_page in a second walk", {**level, "walk": 1, "step": 0, "drill": True}, SIGN, HAND)
    add("incident_page with an empty ladder", {**PAGE, "step": -1}, SIGN, HAND)
    called = {"called": "南朗街道", "step": -2, "maybe_trapped": True}
    add("incident_page called in", {**PAGE, **called}, SIGN, HAND)
    add("incident_page handed on", {**PAGE, "by": "吴健芬", "to": "古咏梅"}, SIGN, HAND)
    add("page_signed", {**SIGNED, "mine": False})
    add("page_signed mine", {**SIGNED, "mine": True}, CLOSE, HAND)
    add("page_handed_on", {**PAGE, "by": "吴健芬", "to": "古咏梅"})
    for state in ("closed", "unfounded", "merged"):
        add(f"page_closed {state}", {**CLOSED, "state": state})
        add(f"reporter_closed {state}", {**CLOSED, "state": state})
        add(f"closed {state}", {"number": NUMBER, "state": state}, Choice("separate", ID))
    add("reporter_signed", SIGNED)
    add("reporter_handed_on", {**PAGE, "by": "吴健芬", "to": "古咏梅"})
    add("follow_up_arrived", FOLLOW_UP)
    add("follow_up_arrived correction", {**FOLLOW_UP, "report": "correction"})
    add("signed", {"number": NUMBER, "at": at("03:14")}, CLOSE, HAND)
    add("already_signed", {"number": NUMBER, "by": "吴健芬", "at": at("03:14")})
    add("handed_on", {"number": NUMBER, "to": "古咏梅"})
    names = ["古咏梅", "李永昌"]
    add("hand_on_offer", {"number": NUMBER, "names": names}, *(Choice("to", f"{ID}:{one}") for one in "ab"))
    add("hand_on_offer to nobody", {"number": NUMBER, "names": []})
    add("sign_first", {"number": NUMBER}, SIGN)
    add("outcome_asked", {"number": NUMBER})
    add("incident_ended", {"number": NUMBER, "state": "closed"})
    add("incident_unknown")
    add("incident_unknown number", {"number": NUMBER, "kept": False})
    add("incident_unknown kept", {"number": NUMBER, "kept": True})
    add("not_closed", {"number": NUMBER})
    add("outcome_doubtful", {"number": NUMBER, "nth": 2}, Choice("outcome", ID), Choice("separate", ID))
    which = [{"number": one["number"], "title": one["title"]} for one in INCIDENTS]
    add("which_incident", {"which": which}, CLOSE, Choice("close", OTHER_ID))
    add("reopened", {"number": NUMBER}, CLOSE, HAND)
    add("reporter_reopened", SIGNED)
    add("incident_shown", {**PAGE, "state": "verifying"}, CLOSE, HAND)
    for name in ("phone", "written", "follow_up"):
        facts = {**CLOCK, "clock": name, "from": "last_report" if name == "follow_up" else "occurred"}
        add(f"clock_warning {name}", facts, Choice("incident", ID))
        add(f"clock_overdue {name}", {**facts, "due_at": at("03:12")}, Choice("incident", ID))


def _roll_calls(add: Any) -> None:
    for proof in ("tap", "passcode", "place", "photo"):
        asked = {**QUESTION, "proof": proof}
        add(f"roll_call_question {proof}", asked, *ANSWERS, asks_place=proof == "place")
        add(f"roll_call_reminder {proof}", asked, *ANSWERS, asks_place=proof == "place")
    add("roll_call_question make-up", {**QUESTION, "make_up": True}, *ANSWERS)
    owed = {"plan": "夜间点名", "distance": None, "tried": ""}
    add("proof_owed passcode", {**owed, "proof": "passcode"})
    add("proof_owed wrong passcode", {**owed, "proof": "passcode", "tried": "1234"})
    add("proof_owed place", {**owed, "proof": "place"}, asks_place=True)
    add("proof_owed far away", {**owed, "proof": "place", "distance": 5231.4}, asks_place=True)
    add("proof_owed photo", {**owed, "proof": "photo"})
    add("excuse_reason", {"plan": "夜间点名"})
    add("answer_recorded", ANSWER)
    add("answer_recorded late", {**ANSWER, "result": "late"})
    add("answer_recorded excused", {**ANSWER, "result": "excused", "note": "正在抢险现场"})
    stands = {**ANSWER, "closes_at": at("03:20")}
    add("answer_stands", stands)
    add("answer_stands after the close", {**stands, "result": "no_answer"})
    add("answer_after_close", {**stands, "result": "no_answer", "at": at("03:31")})
    for name in (
        "answer_forwarded",
        "answer_edited",
        "no_roll_call",
        "not_yours",
        "choice_stale",
        "not_allowed",
    ):
        add(name)
    add("standby_called", {"plan": "夜间点名", "names": ["吴健芬", "古咏梅"]})
    silent = {
        "plan": "夜间点名",
        "called_at": at("03:10"),
        "unit": "小榄镇",
        "name": "吴健芬",
        "phone": "199-0000-1009",
        "post": "duty_officer",
    }
    add("silent_named", silent, *VERDICTS)
    summary = {
        "plan": "夜间点名",
        "called_at": at("03:00"),
        "make_up": True,
        "due": 26,
        "counts": {"no_answer": 2, "present": 23, "late": 1},
        "silent": ["吴健芬", "古咏梅"],
    }
    add("roll_call_summary", summary)
    add("roll_call_summary full", {**summary, "make_up": False, "counts": {"present": 26}, "silent": []})
    add("roll_call_empty", {"plan": "夜间点名"})
    add("roll_call_missed", {"plan": "夜间点名", "slot_at": at("02:00"), "now": at("03:14")})
    plans = ["早点名", "夜间点名"]
    add("roll_call_offer", {"plans": plans, "due": [26, 8]}, Choice("call", "0"), Choice("call", "1"))
    running = {"plan": "夜间抽查", "due": 26, "called_at": at("03:10"), "closes_at": at("03:20")}
    add("roll_call_running", running, Choice("call_again", "0"))
    add("roll_call_over", {"plan": "夜间抽查", "closes_at": at("03:20")})
    add("roll_call_offer without plans", {"plans": []})
    add("roll_call_started", {"plan": "夜间点名", "due": 26, "closes_at": at("03:24")})
    add("verdict_needs_reason", {"ref": ID})
    verdict = {"name": "吴健芬", "result": "verified_present", "by": "李永昌", "at": at("03:14")}
    add("verdict_recorded", verdict)
    add("answered_in_time", {"name": "吴健芬", "result": "present", "at": at("03:14")})
    late = {"plan": "夜间抽查", "called_at": at("03:10"), "names": ["吴健芬", "李永昌"], "refs": [ID]}
    add("silence_corrected", late)


def _people(add: Any) -> None:
    for role in ("officer", "duty", "leader", "office", "admin"):
        add(f"help {role}", {"role": role, "name": "吴健芬"})
    add("welcome_back", {"name": "吴健芬", "role": "duty"})
    add("stranger", {"office": "中山市应急办"})
    add("enrolled", {"name": "吴健芬", "role": "duty", "office": "中山市应急办"})
    add("enrolled officer", {"name": "叶倩雯", "role": "officer", "office": "中山市应急办"})
    for why in ("neutral", "locked", "group"):
        add(f"enrolment_refused {why}", {"why": why})
    add("account_moved", {"name": "吴健芬"})
    add("officer_moved", {"name": "吴健芬", "channel": "telegram"})
    blocked = {
        "name": "吴健芬",
        "channel": "telegram",
        "fault": "Forbidden: bot was blocked by the user",
    }
    add("officer_unreachable", blocked)
    add("officer_left", {"name": "吴健芬", "incidents": ["ZS-20261124-003"], "watches": 2})
    add("officer_left with nothing in hand", {"name": "吴健芬", "incidents": [], "watches": 0})
    add("sign_in_code", {"code": "204817", "minutes": 10})
    add("sign_in_locked", {"name": "吴健芬", "at": at("03:14")})
    for kind in ("stub", "stub_urgent", "stub_settled"):
        add(kind)
    trouble = {"channel": "telegram", "what": "unreachable", "text": "ConnectTimeout", "at": at("03:10")}
    add("trouble", trouble)
    unsound = {"what": "letters", "text": "incident_page … (4)", "at": at("03:10")}
    add("audit", unsound)
    add("audit over", {"what": "letters", "at": at("03:10"), "over": True})
    add("trouble over", {**trouble, "text": "", "over": True})
    add("outage_gap", {"starts_at": "2026-11-22T23:55:00+00:00", "ends_at": at("00:10")})


def _board(add: Any) -> None:
    add("status", STATUS, SIGN)
    quiet = {
        **STATUS,
        "next": [],
        "roll_calls": [],
        "counts": {"general": 0},
        "incidents": [],
        "incidents_more": 0,
        "overdue": 0,
        "owed_answers": 0,
        "to_sign": [],
        "mine": [],
        "drafts": 0,
    }
    add("status quiet", quiet)
    everything = {
        **STATUS,
        "all": True,
        "now": [*WATCH, GAP],
        "now_more": 57,
        "troubles": 2,
        "unsound": ["letters"],
    }
    add("status of everything", everything, SIGN)
    add("on_duty", {"at": at("03:14"), "now": [*WATCH, GAP], "now_more": 0, "next": WATCH, "next_more": 3})
    add("on_duty with nobody", {"at": at("03:14"), "now": [], "now_more": 0, "next": [], "next_more": 0})
    add("mine", MINE, SIGN)
    add("mine empty", {**MINE, "shifts": [], "to_sign": [], "mine": [], "reports": [], "owed_answers": 0})
    add("bulletin_daily", BULLETIN)
    add("bulletin_weekly", BULLETIN)
    add("zero_report", ZERO)
    add("zero_report with something", BULLETIN)


SAMPLES = _samples()
