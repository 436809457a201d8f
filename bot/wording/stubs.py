"""What a channel that may carry no facts is told instead, and what is harmless enough to be said anywhere."""

# Nothing of events or of other people: the reader's own doing, a bare number, a roll call's times.
HARMLESS = frozenset(
    """
    account_moved answer_after_close answer_edited answer_forwarded answer_recorded answer_stands attachment_missing
    choice_stale closed courtesy draft_cancelled enrolled enrolment_refused excuse_reason help incident_ended
    incident_unknown no_roll_call not_allowed not_closed not_yours nothing_to_cancel outage_gap outcome_asked
    outcome_doubtful proof_owed reopened report_added report_asks report_filed report_started roll_call_question
    roll_call_reminder sign_first sign_in_code signed stranger stub verdict_needs_reason welcome_back
    """.split()
)
ANSWERS = frozenset({"sign", "present", "excused", "trouble"})  # Choices that name nobody and nothing.
_SETTLED = frozenset({"page_signed", "page_handed_on", "page_closed"})


def stub_kind(kind: str) -> str:
    """Which sentence without facts stands for a notice."""
    if kind in _SETTLED:
        return "stub_settled"
    return "stub_urgent" if kind == "incident_page" else "stub"
