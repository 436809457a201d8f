"""Makes the demonstration town once, and keeps its roster going on every later day."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.town.history import Past, Scene, tell_stories
from bot.town.past_roll_calls import call_past_rolls
from bot.town.phones import give_phones
from bot.town.register import DATA, read_register, read_table
from bot.town.rules import sleep_through
from bot.town.watches import first_day, is_short, last_day, watches
from desk.model import Setting
from desk.policy import Policy
from desk.ports import Desk, Door, Media
from desk.reports import schedule_clocks
from roster.model import Officer

ROSTERED_TO = "town.rostered_to"  # The last day that has watches; the town is there when this is.
PHOTO_BYTES_MAX = 1024 * 1024


async def seed(door: Door, media: Media, now: datetime) -> None:
    """The town with its people, roster and past, unless it is there; then it wakes up, and its roster is carried on.

    An office whose people are already known is left alone."""
    async with door.read() as store:
        is_there = await store.get(Setting, ROSTERED_TO) is not None
        has_people = await store.count(Officer) > 0
    if is_there:
        await carry_on(door, now)
        async with door.open() as desk:
            await sleep_through(desk)
    elif not has_people:
        photos = await _keep_photos(media)
        async with door.open() as desk:
            if await _is_first(desk, now):
                await _found(desk, photos, now)


async def carry_on(door: Door, now: datetime) -> None:
    """Write the watches of the coming days when the roster is about to run out."""
    today = _today(door.policy, now)
    async with door.read() as store:
        kept = await store.get(Setting, ROSTERED_TO)
    if kept is None or not is_short(date.fromisoformat(kept.value), today):
        return
    async with door.open() as desk:
        kept = await desk.store.get(Setting, ROSTERED_TO)
        if kept is None or not is_short(date.fromisoformat(kept.value), today):
            return
        # After a long pause the past month is enough.
        first = max(date.fromisoformat(kept.value) + timedelta(days=1), first_day(today))
        last = last_day(today)
        await desk.store.add(*watches(read_register(), desk.policy, first, last))
        await desk.store.change(kept, value=last.isoformat())


async def _is_first(desk: Desk, now: datetime) -> bool:
    last = last_day(_today(desk.policy, now)).isoformat()
    [is_new] = await desk.store.add_new(Setting(ROSTERED_TO, last))
    return is_new


async def _found(desk: Desk, photos: dict[str, tuple[str, int]], now: datetime) -> None:
    """Write the whole town in the open transaction."""
    register, today = read_register(), _today(desk.policy, now)
    shifts = watches(register, desk.policy, first_day(today), last_day(today))
    past = Past()
    scene = Scene(register, desk.policy, shifts, photos, now)
    await tell_stories(desk.store, scene, past)
    call_past_rolls(scene, past)
    for records in (register.units, register.people, shifts, past.records):
        await desk.store.add(*records)
    await desk.store.append_log(sorted(past.lines, key=lambda line: line.at))
    give_phones(desk, register)
    for incident in past.open:
        schedule_clocks(desk, incident)


async def _keep_photos(media: Media) -> dict[str, tuple[str, int]]:
    names = {story["photo"] for story in read_table("history.toml")["story"] if "photo" in story}
    return {name: await media.keep(_content(name), PHOTO_BYTES_MAX) for name in sorted(names)}


async def _content(name: str) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread((DATA / name).read_bytes)


def _today(policy: Policy, now: datetime) -> date:
    return now.astimezone(ZoneInfo(policy.timezone)).date()
