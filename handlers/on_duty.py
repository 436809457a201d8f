"""/onduty 值班: who holds the posts now and who follows, with their phones."""

from desk.board import on_duty
from desk.model import Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from handlers.status import watch_facts
from roster.model import Officer

LINES_MAX = 60  # A whole city's watch; longer lists are split by the postman.


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Answer for the officer's own unit, or for all when the officer is of the office."""
    watch = await on_duty(desk.store, desk.policy, desk.now, officer)
    facts = {
        "at": desk.now.isoformat(),
        "now": [watch_facts(line) for line in watch.now[:LINES_MAX]],
        "now_more": max(0, len(watch.now) - LINES_MAX),
        "next": [watch_facts(line) for line in watch.next[:LINES_MAX]],
        "next_more": max(0, len(watch.next) - LINES_MAX),
    }
    say(desk, message, officer, Notice("on_duty", facts))


flow = Flow("on_duty", hear, commands=("onduty",), words=("值班", "今天谁值班", "谁值班"))
