"""/cancel 取消: puts the report being told away; what was said stays in the log."""

from desk import reports
from desk.model import Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from roster.model import Officer


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Cancel the draft, or say that there is none."""
    draft = await reports.cancel(desk, officer)
    kind = "draft_cancelled" if draft is not None else "nothing_to_cancel"
    say(desk, message, officer, Notice(kind, {}))


flow = Flow("cancel", hear, commands=("cancel",), words=("取消",))
