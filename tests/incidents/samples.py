"""Records the incident tests begin from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidents.model import Draft, Incident, Ladder, State, Step

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)  # 15:30 in Zhongshan, a Monday.
SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
LADDER = Ladder(
    "fire",
    (Step(0, ("post:duty_officer",)), Step(5, ("post:duty_leader",)), Step(10, ("role:office",))),
    repeat=2,
)
INCIDENT = Incident(
    id="i1",
    number="ZS-20261123-001",
    state=State.received,
    received_at=NOW,
    unit_id="xl",
    ladder=LADDER,
    walk_started_at=NOW,
    next_step_at=NOW,
)
DRAFT = Draft(
    id="d1", officer_id="cun", channel="webchat", address="1", opened_at=NOW, due_at=NOW + 10 * MINUTE
)


def incident(**changes: Any) -> Incident:
    """The sample incident with some facts changed."""
    return replace(INCIDENT, **changes)
