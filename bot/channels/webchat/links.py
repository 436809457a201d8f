"""Personal links: a secret token opens one officer's phone page; only its SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.model import Session
from desk.ports import Desk, Store
from roster.model import Account, Officer

CHANNEL = "webchat"
KIND = "chat"
RANK = 200  # A page cannot ring by itself, so every app that can comes first.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Holder:
    """Whoever opened a phone page with a link that is good now."""

    session: Session
    officer: Officer
    address: str


async def make_link(desk: Desk, officer: Officer, *, days: float = 400) -> str:
    """A new personal link's token, told once; the address, and so the history, stays the officer's own."""
    accounts = await desk.store.find(Account, officer_id=officer.id, channel=CHANNEL)
    if accounts:
        address = accounts[0].address
        if not accounts[0].reachable:
            await desk.store.change(accounts[0], reachable=True, fault="")
    else:
        address = secrets.token_hex(16)
        account = Account(desk.new_id(), officer.id, CHANNEL, address, desk.now, RANK, name=officer.name)
        await desk.store.add(account)
    token = secrets.token_urlsafe(32)
    ends_at = desk.now + timedelta(days=days)
    session = Session(digest(token), officer.id, KIND, desk.now, desk.now, ends_at, note=address)
    await desk.store.add(session)
    desk.log("chat_link_made", f"officer:{officer.id}", ends_at=ends_at.isoformat())
    return token


async def find_holder(store: Store, token: str, now: datetime) -> Holder | None:
    """Who holds this link; None alike for a wrong, ended, expired or former officer's one."""
    if not TOKEN.fullmatch(token):
        return None
    session = await store.get(Session, digest(token))
    if session is None or session.kind != KIND or session.ended or session.ends_at <= now:
        return None
    officer = await store.get(Officer, session.officer_id)
    if officer is None or not officer.active:
        return None
    return Holder(session, officer, session.note)


async def readable(store: Store, addresses: Sequence[str], now: datetime) -> set[str]:
    """Those of the addresses that somebody can still read: an account whose officer holds a good link."""
    accounts = await store.find(Account, channel=CHANNEL, address_in=list(addresses))
    owners = {account.officer_id for account in accounts}
    if not owners:
        return set()
    sessions = await store.find(Session, officer_id_in=sorted(owners), kind_in=[KIND], ended=False)
    return {session.note for session in sessions if session.ends_at > now}


def digest(token: str) -> str:
    """The id under which a token's session is kept."""
    return hashlib.sha256(token.encode()).hexdigest()
