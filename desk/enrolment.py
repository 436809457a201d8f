"""Binds a person to a channel: one-time codes, first use wins, the old phone and the leader are told."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from desk.letters import tell
from desk.model import Inbound, Notice, Setting
from desk.ports import Desk, Stale
from desk.recipients import duty_leaders, leaders_of
from roster.model import Account, Invite, Officer

REPLACED = "replaced"  # The fault of an address whose officer has another phone now.
LEFT = "left"  # … of one whose officer was taken out of the office.
REVOKED = "revoked"  # … of a phone page whose links were ended.
FOR_GOOD = (REPLACED, LEFT)  # A word from such an address makes it nobody's way again; it must be bound anew.
CHANNEL_RANK = {"wecom": 10, "telegram": 20, "webchat": 30}


@dataclass(frozen=True)
class Enrolled:
    """What became of a code: whose it was, or one neutral refusal."""

    officer: Officer | None = None
    refused: str = ""  # "neutral", "locked", "group"


def digest(code: str) -> str:
    """What is kept of a secret code: its SHA-256, hex."""
    return hashlib.sha256(code.encode()).hexdigest()


async def invite(desk: Desk, officer: Officer) -> str:
    """A new one-time code for an officer: 128 random bits, 22 characters of A-Za-z0-9_-."""
    code = secrets.token_urlsafe(16)
    ends = desk.now + timedelta(hours=desk.policy.limits.invite_hours)
    await desk.store.add(Invite(digest(code), officer.id, desk.now, ends))
    desk.log("invited", f"officer:{officer.id}")
    return code


async def enrol(desk: Desk, message: Inbound, code: str) -> Enrolled:
    """Bind the sender's address to the officer a code was made for; every refusal of a code reads the same."""
    attempts = await _attempts(desk, message)
    if attempts > desk.policy.limits.start_attempts_per_hour:
        return Enrolled(refused="locked")
    found = await desk.store.get(Invite, digest(code)) if 8 <= len(code) <= 64 else None
    if found is not None and not message.private:
        if found.used_at is None:
            await desk.store.change(found, used_at=desk.now, used_by="group")
            desk.log("invite_burned", f"officer:{found.officer_id}", channel=message.channel)
        return Enrolled(refused="group")
    officer = await desk.store.get(Officer, found.officer_id) if found else None
    if found and officer and officer.active and await _is_bound_by(desk, found, message):
        return Enrolled(officer=officer)  # The same phone pressed the same link twice.
    if found is None or officer is None or not officer.active or not _usable(desk, found):
        desk.log("enrolment_refused", "desk", channel=message.channel, attempts=attempts)
        return Enrolled(refused="neutral")
    try:
        await desk.store.change(found, used_at=desk.now, used_by=f"{message.channel}:{message.address}")
    except Stale:
        return Enrolled(refused="neutral")
    await bind(desk, officer, message.channel, message.address, message.sender_name)
    return Enrolled(officer=officer)


async def bind(desk: Desk, officer: Officer, channel: str, address: str, name: str = "") -> Account:
    """Make this address the officer's way on this channel; the address before it is told and no longer used."""
    before = await desk.store.find(Account, officer_id=officer.id, channel=channel)
    replaced = [old for old in before if old.address != address and old.reachable]
    for old in replaced:
        tell(
            desk,
            officer.id,
            Notice("account_moved", {"name": officer.name}),
            channels=(f"{channel}:{old.address}",),
        )
        await desk.store.change(old, reachable=False, fault=REPLACED)
    taken = await desk.store.find(Account, channel=channel, address=address, limit=1)
    if taken:
        if taken[0].officer_id != officer.id:
            await unreachable(desk, taken[0], REPLACED)  # Whoever held this phone before is told of no more.
            taken = await desk.store.find(Account, channel=channel, address=address, limit=1)
        account = await desk.store.change(
            taken[0], officer_id=officer.id, reachable=True, fault="", name=name
        )
    else:
        rank = CHANNEL_RANK.get(channel, 50)
        account = Account(desk.new_id(), officer.id, channel, address, desk.now, rank=rank, name=name)
        await desk.store.add(account)
    desk.log("enrolled", f"officer:{officer.id}", officer.id, channel=channel, again=bool(before))
    if replaced:
        for leader in await leaders_above(desk, officer):
            tell(desk, leader.id, Notice("officer_moved", {"name": officer.name, "channel": channel}))
    return account


async def unreachable(desk: Desk, account: Account, fault: str) -> None:
    """This address is refused for good: it is no longer tried, and the leaders hear of it."""
    if not account.reachable:
        return
    await desk.store.change(account, reachable=False, fault=fault[:200])
    officer = await desk.store.get(Officer, account.officer_id)
    desk.log(
        "account_unreachable", f"officer:{account.officer_id}", channel=account.channel, fault=fault[:200]
    )
    if officer is None or not officer.active:
        return
    facts = {"name": officer.name, "channel": account.channel, "fault": fault[:200]}
    for leader in await leaders_above(desk, officer):
        tell(desk, leader.id, Notice("officer_unreachable", facts))


async def reachable_again(desk: Desk, account: Account) -> None:
    """Somebody wrote from an address that was refused: it is tried again, and nobody need be bound anew."""
    if account.reachable:
        return
    await desk.store.change(account, reachable=True, fault="")
    desk.log("account_reachable", f"officer:{account.officer_id}", channel=account.channel)


async def leaders_above(desk: Desk, officer: Officer) -> list[Officer]:
    """Who leads the officer's unit, else the whole watch; never the officer."""
    leaders = [one for one in await leaders_of(desk, officer.unit_id) if one.id != officer.id]
    return leaders or [one for one in await duty_leaders(desk) if one.id != officer.id]


async def _is_bound_by(desk: Desk, found: Invite, message: Inbound) -> bool:
    if found.used_by != f"{message.channel}:{message.address}":
        return False
    mine = await desk.store.find(
        Account, channel=message.channel, address=message.address, officer_id=found.officer_id, reachable=True
    )
    return bool(mine)


def _usable(desk: Desk, found: Invite) -> bool:
    return found.used_at is None and desk.now <= found.expires_at


async def _attempts(desk: Desk, message: Inbound) -> int:
    """How many codes this sender tried within the last hour, this one included."""
    name = f"start/{message.channel}/{message.address}"
    kept = await desk.store.get(Setting, name)
    if kept is None:
        await desk.store.add(Setting(name, f"1 {desk.now.isoformat()}"))
        return 1
    count, _, since = kept.value.partition(" ")
    fresh = since > (desk.now - timedelta(hours=1)).isoformat()
    value = f"{int(count) + 1} {since}" if fresh else f"1 {desk.now.isoformat()}"
    await desk.store.change(kept, value=value)
    return int(value.partition(" ")[0])
