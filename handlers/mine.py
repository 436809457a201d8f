"""/mine 我的: my coming watches, what waits for me, and how my own reports stand."""

from datetime import timedelta

from desk.board import see
from desk.model import Choice, Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from handlers.status import incident_facts
from incidents.model import Incident
from roster.model import Officer, Shift

SHIFTS_MAX = 7
REPORTS_MAX = 5
AHEAD = timedelta(days=31)


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Answer with the reader's own things only."""
    shifts = await desk.store.find(
        Shift,
        officer_id=officer.id,
        ends_at_from=desk.now,
        starts_at_to=desk.now + AHEAD,
        order=("starts_at",),
        limit=SHIFTS_MAX,
    )
    reports = await desk.store.find(
        Incident, reporter_id=officer.id, order=("-received_at",), limit=REPORTS_MAX
    )
    board = await see(desk.store, desk.policy, desk.now, officer)
    posts = {rule.key: rule.name for rule in desk.policy.posts}
    facts = {
        "name": officer.name,
        "shifts": [
            {
                "post": shift.post,
                "post_name": posts.get(shift.post, shift.post),
                "starts_at": shift.starts_at.isoformat(),
                "ends_at": shift.ends_at.isoformat(),
            }
            for shift in shifts
        ],
        "to_sign": [incident_facts(view) for view in board.waiting.to_sign],
        "mine": [incident_facts(view) for view in board.waiting.mine],
        "owed_answers": len(board.waiting.answers),
        "drafts": len(board.waiting.drafts),
        "reports": [
            {
                "number": one.number,
                "title": one.title,
                "state": one.state.value,
                "received_at": one.received_at.isoformat(),
            }
            for one in reports
        ],
    }
    choices = tuple(Choice("sign", view.incident.id) for view in board.waiting.to_sign[:4])
    say(desk, message, officer, Notice("mine", facts, choices))


flow = Flow("mine", hear, commands=("mine",), words=("我的", "我的值班"))
