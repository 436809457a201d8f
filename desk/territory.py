"""Whose ground words name: the office's units and villages, and the township that keeps watch over them."""

from desk.ports import Desk
from desk.recipients import watch_unit
from incidents.model import Place
from incidents.places import unit_meant
from roster.model import Unit

OFFICE_KIND = "city_office"


async def grounds(desk: Desk) -> list[Unit]:
    """The places the office has units in; former names stay in use, its own desk is no place."""
    return [unit for unit in await desk.store.find(Unit) if unit.kind != OFFICE_KIND]


async def unit_names(desk: Desk) -> list[str]:
    """Their names."""
    return [unit.name for unit in await grounds(desk)]


async def ground_of(desk: Desk, place: Place | None, own: str) -> str:
    """The unit that keeps watch where a place's words say it is; `own` when they name none, or may mean several."""
    if place is None or not place.text:
        return own
    units = await grounds(desk)
    name = unit_meant(place.text, [unit.name for unit in units])
    meant = {await watch_unit(desk, unit.id) for unit in units if name and unit.name == name}
    return own if own in meant or len(meant) != 1 else meant.pop()


async def is_named_in(desk: Desk, place: Place | None) -> bool:
    """Whether a place's words name a unit themselves, so that none need stand before them."""
    return place is not None and bool(unit_meant(place.text, await unit_names(desk)))
