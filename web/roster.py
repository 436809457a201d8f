"""值班表: one unit's month by day and post with its gaps, and every unit's gaps at a glance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.watch import REQUIRED_POSTS
from roster.model import Officer, Shift, Unit
from roster.rota import UNROSTERED_KINDS
from web.screen import Screen
from web.sessions import Viewer

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Cell:
    """Who begins on one post on one day."""

    names: tuple[str, ...]
    is_gap: bool


@dataclass(frozen=True)
class DayRow:
    """One day of the month."""

    day: date
    day_class: str
    holiday: str
    cells: tuple[Cell, ...]


Grid = Mapping[tuple[str, str, date], tuple[str, ...]]


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The roster's address."""
    return [Route("/roster", screen.viewed(RosterPage(screen).page))]


class RosterPage:
    """The answers of the roster."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def page(self, request: Request, viewer: Viewer) -> Response:
        """A month of one unit, and the gaps of all."""
        screen = self._screen
        zone = ZoneInfo(screen.door.policy.timezone)
        today = screen.now.astimezone(zone).date()
        month = _month(request.query_params.get("month", ""), today)
        first, last = _bounds(month, zone)
        async with screen.door.read() as store:
            units = [
                unit for unit in await store.find(Unit, order=("id",)) if viewer.unit_id in (None, unit.id)
            ]
            rostered = [unit for unit in units if unit.kind not in UNROSTERED_KINDS]
            unit = _chosen(units, rostered, viewer, request.query_params.get("unit", ""))
            criteria: dict[str, Any] = {"starts_at_to": last, "ends_at_from": first}
            if viewer.unit_id is not None:
                criteria["unit_id"] = viewer.unit_id
            shifts = await store.find(Shift, order=("starts_at",), **criteria)
            ids = sorted({shift.officer_id for shift in shifts})
            found = await store.find(Officer, id_in=ids) if ids else []
            gone = {one.id for one in found if not one.active}
            shifts = [shift for shift in shifts if shift.officer_id not in gone]
            people = {one.id: one.name for one in found}
        grid = _by_unit(shifts, people, zone)
        posts = self._posts([shift for shift in shifts if unit and shift.unit_id == unit.id])
        gaps = {one.id: self._gaps(one, grid, month, today) for one in rostered}
        return screen.page(
            request,
            viewer,
            "roster.html",
            units=rostered,
            unit=unit,
            gaps=gaps,
            gapped=[unit_id for unit_id, count in gaps.items() if count],
            posts=[screen.post_name(post) for post in posts],
            rows=self._rows(unit, posts, grid, month) if unit else [],
            today=today,
            month=month,
            earlier=(month - timedelta(days=1)).strftime("%Y-%m"),
            later=(month + timedelta(days=32)).strftime("%Y-%m"),
            provisional=screen.door.policy.calendar.is_provisional(month.year),
        )

    def _posts(self, shifts: Sequence[Shift]) -> list[str]:
        named = [rule.key for rule in self._screen.door.policy.posts]
        extra = sorted({shift.post for shift in shifts} - set(named))
        return named + extra

    def _rows(self, unit: Unit, posts: Sequence[str], grid: Grid, month: date) -> list[DayRow]:
        calendar = self._screen.door.policy.calendar
        return [
            DayRow(
                day,
                calendar.day_class(day).value,
                calendar.name(day),
                tuple(_cell(unit, post, grid.get((unit.id, post, day), ())) for post in posts),
            )
            for day in _days(month)
        ]

    def _gaps(self, unit: Unit, grid: Grid, month: date, today: date) -> int:
        """How many required posts nobody holds, from today on: what is past can no longer be filled."""
        required = [post for post in self._posts([]) if post in REQUIRED_POSTS]
        return sum(
            _cell(unit, post, grid.get((unit.id, post, day), ())).is_gap
            for day in _days(month)
            if day >= today
            for post in required
        )


def _by_unit(shifts: Sequence[Shift], people: Mapping[str, str], zone: ZoneInfo) -> Grid:
    """Who begins a watch, by unit, post and local day."""
    grid: dict[tuple[str, str, date], tuple[str, ...]] = {}
    for shift in shifts:
        key = (shift.unit_id, shift.post, shift.starts_at.astimezone(zone).date())
        name = people.get(shift.officer_id, shift.officer_id)
        grid[key] = tuple(dict.fromkeys((*grid.get(key, ()), name)))
    return grid


def _cell(unit: Unit, post: str, names: tuple[str, ...]) -> Cell:
    return Cell(names, not names and post in REQUIRED_POSTS and not unit.phone_duty)


def _days(month: date) -> list[date]:
    return [
        month + timedelta(days=count)
        for count in range(31)
        if (month + timedelta(days=count)).month == month.month
    ]


def _month(text: str, today: date) -> date:
    found = _MONTH.fullmatch(text)
    return date(int(found[1]), int(found[2]), 1) if found else today.replace(day=1)


def _bounds(month: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    following = (month + timedelta(days=32)).replace(day=1)
    return datetime.combine(month, time(), zone), datetime.combine(following, time(), zone)


def _chosen(units: Sequence[Unit], rostered: Sequence[Unit], viewer: Viewer, asked: str) -> Unit | None:
    """The unit asked for, else the viewer's own, else the first. Raises HTTPException 404 for another's."""
    if asked:
        found = next((unit for unit in units if unit.id == asked), None)
        if found is None:
            raise HTTPException(404)
        return found
    own = viewer.officer.unit_id if viewer.officer else ""
    return next((unit for unit in units if unit.id == own), rostered[0] if rostered else None)
