"""Faults of a channel that a person must mend: shown on the board until they are over, told once."""

from datetime import datetime, timedelta

from desk.letters import tell, tell_all
from desk.model import Notice, Setting
from desk.ports import Desk
from desk.recipients import office_unit, resolve
from roster.model import Account, Officer

NO_ROOM = ("attachments", "store")  # Files cannot be kept, whoever brings them.
PREFIX = "trouble/"
AFTER_PREFIX = PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1)
KEPT_FOR = timedelta(
    hours=24
)  # Platforms keep what they could not deliver so long (core.telegram.org/bots/api).


async def begin(desk: Desk, channel: str, kind: str, text: str) -> None:
    """Something is wrong: kept for the board, logged, and told to the office on whatever channel works."""
    name = name_of(channel, kind)
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
    await _tell_office(desk, Notice("trouble", facts))


async def end(desk: Desk, channel: str, kind: str) -> None:
    """It is over: the board forgets it, and the office hears so once."""
    name = name_of(channel, kind)
    if await desk.store.get(Setting, name) is None:
        return
    await desk.store.remove(Setting, [name])
    desk.log("channel_well", "desk", channel=channel, what=kind)
    facts = {"channel": channel, "what": kind, "at": desk.now.isoformat(), "over": True}
    await _tell_office(desk, Notice("trouble", facts))


async def silent(desk: Desk, channel: str, starts_at: datetime, ends_at: datetime) -> None:
    """A channel was not heard for a while, which is over. Where messages were lost, all who use it are told once:
    whoever got no answer says it again."""
    [is_news] = await desk.store.add_new(
        Setting(f"gap/{channel}/{starts_at.isoformat()}", ends_at.isoformat())
    )
    if not is_news:
        return
    facts = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    desk.log("channel_silent", "desk", channel=channel, **facts)
    if ends_at - starts_at > KEPT_FOR:
        notice = Notice("outage_gap", facts)
        office = await _tell_office(desk, notice)
        accounts = await desk.store.find(Account, channel=channel, reachable=True)
        ids = {account.officer_id for account in accounts} - office
        people = await desk.store.find(Officer, id_in=sorted(ids), active=True)
        tell_all(desk, [officer.id for officer in people], notice, subject="desk")


def name_of(channel: str, kind: str) -> str:
    """The setting that keeps a trouble while it lasts."""
    return f"{PREFIX}{channel}/{kind}"


def parts_of(name: str) -> tuple[str, str]:
    """Channel and kind of a kept trouble."""
    channel, _, kind = name.removeprefix(PREFIX).partition("/")
    return channel, kind


async def _tell_office(desk: Desk, notice: Notice) -> set[str]:
    office = await resolve(desk, "role:office", await office_unit(desk))
    for officer in office:
        tell(desk, officer.id, notice, subject="desk")
    return {officer.id for officer in office}
