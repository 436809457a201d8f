"""Faults of a channel that a person must mend: shown on the board until they are over, told to the office once."""

from desk.letters import tell
from desk.model import Notice, Setting
from desk.ports import Desk
from desk.recipients import office_unit, resolve

PREFIX = "trouble/"


async def begin(desk: Desk, channel: str, kind: str, text: str) -> None:
    """Something is wrong: kept for the board, logged, and told to the office on whatever channel works."""
    name = f"{PREFIX}{channel}/{kind}"
    known = await desk.store.get(Setting, name)
    value = f"{desk.now.isoformat()} {text}"
    if known is None:
        await desk.store.add(Setting(name, value))
    elif known.value.partition(" ")[2] == text:
        return
    else:
        await desk.store.change(known, value=value)
    desk.log("channel_trouble", "desk", channel=channel, what=kind, text=text)
    facts = {"channel": channel, "what": kind, "text": text, "at": desk.now.isoformat()}
    for officer in await resolve(desk, "role:office", await office_unit(desk)):
        tell(desk, officer.id, Notice("trouble", facts), subject="desk")


async def end(desk: Desk, channel: str, kind: str) -> None:
    """It is over."""
    name = f"{PREFIX}{channel}/{kind}"
    if await desk.store.get(Setting, name) is not None:
        await desk.store.remove(Setting, [name])
        desk.log("channel_well", "desk", channel=channel, what=kind)
