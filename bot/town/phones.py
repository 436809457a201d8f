"""The town's phones: everybody has one, and the links of the four on the page stay the same."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from bot.channels.webchat.links import CHANNEL, KIND, RANK, digest, find_holder, make_link
from bot.town.register import Register, read_register
from desk.model import Session, Setting
from desk.ports import Desk, Door
from roster.model import Account, Officer
from web.demo import DemoPhone

LINK_DAYS = 400


def give_phones(desk: Desk, register: Register) -> None:
    """Everybody gets a web-chat account and a link, so that no notice in the town is undeliverable.

    Only the links of the page's phones are kept; the others' are told to nobody."""
    shown = {phone.officer.id for phone in register.phones}
    ends_at = desk.now + timedelta(days=LINK_DAYS)
    for officer in register.people:
        address, token = secrets.token_hex(16), secrets.token_urlsafe(32)
        account = Account(desk.new_id(), officer.id, CHANNEL, address, desk.now, RANK, name=officer.name)
        link = Session(digest(token), officer.id, KIND, desk.now, desk.now, ends_at, note=address)
        desk.later(account, link)
        if officer.id in shown:
            desk.later(Setting(_name(officer), token))


async def shown_phones(door: Door) -> Sequence[DemoPhone]:
    """The page's phones with links that are good now; one that was revoked or ran out is made anew."""
    phones = read_register().phones
    tokens: dict[str, str] = {}
    async with door.read() as store:
        for phone in phones:
            kept = await store.get(Setting, _name(phone.officer))
            if kept is not None and await find_holder(store, kept.value, door.clock.now()) is not None:
                tokens[phone.officer.id] = kept.value
    for phone in phones:
        if phone.officer.id not in tokens:
            tokens[phone.officer.id] = await _renew(door, phone.officer.id)
    return [DemoPhone(phone.role, phone.officer.name, tokens[phone.officer.id]) for phone in phones]


async def _renew(door: Door, officer_id: str) -> str:
    async with door.open() as desk:
        officer = await desk.store.get(Officer, officer_id)
        if officer is None:
            raise LookupError(officer_id)
        token = await make_link(desk, officer)
        kept = await desk.store.get(Setting, _name(officer))
        if kept is None:
            await desk.store.add(Setting(_name(officer), token))
        else:
            await desk.store.change(kept, value=token)
    return token


def _name(officer: Officer) -> str:
    return f"town.phone/{officer.id}"
