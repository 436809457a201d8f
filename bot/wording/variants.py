"""Which of a notice's several wordings fits its facts."""

from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]


def variant(kind: str, facts: Facts) -> str:
    """The name of the wording for these facts; where a language has none of that name the plain one counts."""
    choose = _CHOOSE.get(kind)
    return choose(facts) if choose else ""


def _by(name: str) -> Callable[[Facts], str]:
    """By the value of a fact."""
    return lambda facts: value if isinstance(value := facts.get(name), str) else ""


def _if(name: str, word: str) -> Callable[[Facts], str]:
    """One wording when a fact is there and true."""
    return lambda facts: word if facts.get(name) else ""


def _unless(name: str, word: str) -> Callable[[Facts], str]:
    """One wording when a fact is missing, false, zero or empty."""
    return lambda facts: "" if facts.get(name) else word


def _nobody(name: str, word: str) -> Callable[[Facts], str]:
    """One wording when a list is known to be empty; an unknown one is not."""
    return lambda facts: word if facts.get(name) == [] else ""


def _page(facts: Facts) -> str:
    if facts.get("by"):
        return "handed"
    if facts.get("called"):
        return "called"
    if facts.get("step") == -1:
        return "alarm"
    is_first = facts.get("heard") == [] and not facts.get("walk")  # The rungs before it meant nobody else.
    return "escalated" if (facts.get("step") or facts.get("walk")) and not is_first else ""


def _unknown(facts: Facts) -> str:
    if facts.get("kept"):
        return "kept"
    return "number" if facts.get("number") else ""


def _added(facts: Facts) -> str:
    return "ended" if facts.get("state") else _by("report")(facts)


def _proof_owed(facts: Facts) -> str:
    proof = _by("proof")(facts)
    return f"{proof}.again" if facts.get("tried") or facts.get("distance") is not None else proof


def _asks(facts: Facts) -> str:
    missing = facts.get("missing")
    words = missing if isinstance(missing, list | tuple) else []
    return "_".join(one for one in ("place", "what") if one in words)


def _filed(facts: Facts) -> str:
    return "joined" if facts.get("opened") is False else ""


_CHOOSE: Mapping[str, Callable[[Facts], str]] = {
    "incident_page": _page,
    "page_signed": _if("mine", "mine"),
    "page_closed": _by("state"),
    "reporter_closed": _by("state"),
    "closed": _by("state"),
    "report_asks": _asks,
    "report_started": _if("from_roll_call", "from_roll_call"),
    "report_filed": _filed,
    "report_added": _added,
    "incident_unknown": _unknown,
    "follow_up_arrived": _by("report"),
    "attachment_missing": _unless("number", "no_number"),
    "clock_warning": _by("clock"),
    "clock_overdue": _by("clock"),
    "hand_on_offer": _unless("names", "none"),
    "roll_call_question": _by("proof"),
    "roll_call_reminder": _by("proof"),
    "roll_call_summary": _nobody("silent", "full"),
    "roll_call_offer": _unless("plans", "none"),
    "proof_owed": _proof_owed,
    "answer_recorded": _by("result"),
    "answer_stands": _by("result"),
    "enrolment_refused": _by("why"),
    "enrolled": _by("role"),
    "help": _by("role"),
    "status": _if("all", "all"),
    "zero_report": _unless("is_zero", "not_zero"),
    "trouble": _if("over", "over"),
    "audit": _if("over", "over"),
    "post_line": _if("gap", "gap"),
    "unit_post_line": _if("gap", "gap"),
    "incident_line": _unless("holder", "unsigned"),
}
