"""The rules in force and how fresh the desk's data are: read only."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.model import InboxRow, InboxState, Job, Letter, LetterState
from desk.ports import Store
from incidents.model import LogLine
from incidents.tables.ladders import DEFAULT_LADDER
from roster.model import RollCallPlan, Shift, Unit
from web.screen import Screen
from web.sessions import Viewer

OVERDUE_WORK = timedelta(minutes=1)
ROSTER_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Age:
    """One fact about the data: a moment or a number, and whether somebody must look at it."""

    name: str
    at: datetime | None = None
    count: int | None = None
    is_bad: bool = False


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The rules' address."""
    return [Route("/settings", screen.viewed(RulesPage(screen).page))]


class RulesPage:
    """The answers of the rules."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def page(self, request: Request, viewer: Viewer) -> Response:
        """The rules exactly as the desk reads them; the data's ages for those who see all."""
        screen, policy = self._screen, self._screen.door.policy
        async with screen.door.read() as store:
            ages = await _ages(store, screen.now) if viewer.everything else []
            units = {unit.id: unit.name for unit in await store.find(Unit)}

        def audience(plan: RollCallPlan) -> str:
            posts = [screen.post_name(post) for post in plan.posts]
            roles = [screen.words["role"].get(role, role) for role in plan.roles]
            return "、".join([*(units.get(one, one) for one in plan.units), *posts, *roles])

        year = screen.now.astimezone(ZoneInfo(policy.timezone)).year
        facts: dict[str, Any] = {
            "policy": policy,
            "limits": asdict(policy.limits),
            "ladders": [*policy.ladders, *(() if policy.ladders else (DEFAULT_LADDER,))],
            "years": [year, year + 1],
            "plan_audience": audience,
            "ages": ages,
        }
        return screen.page(request, viewer, "settings.html", **facts)


async def _ages(store: Store, now: datetime) -> list[Age]:
    line = await store.find(LogLine, order=("-sequence",), limit=1)
    heard = await store.find(InboxRow, order=("-received_at",), limit=1)
    due = await store.find(Job, parked=False, order=("due_at",), limit=1)
    last = await store.find(Shift, order=("-ends_at",), limit=1)
    queued = await store.count(Letter, state=LetterState.queued)
    failed = await store.count(Letter, state=LetterState.failed)
    parked = await store.count(Job, parked=True)
    dead = await store.count(InboxRow, state=InboxState.dead)
    return [
        Age("log", line[0].at if line else None),
        Age("inbox", heard[0].received_at if heard else None),
        Age("work", due[0].due_at if due else None, is_bad=bool(due) and now - due[0].due_at > OVERDUE_WORK),
        Age(
            "roster",
            last[0].ends_at if last else None,
            is_bad=not last or last[0].ends_at < now + ROSTER_AHEAD,
        ),
        Age("queued", count=queued),
        Age("failed", count=failed, is_bad=failed > 0),
        Age("parked", count=parked, is_bad=parked > 0),
        Age("dead", count=dead, is_bad=dead > 0),
    ]
