"""The corporation's directory proves who a member is: people of the table are bound by user id, or by mobile number."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.channels.troubles import Troubles
from bot.channels.wecom.api import Api
from bot.channels.wecom.envelope import Fields, address_in, text_in
from bot.channels.wecom.faults import NOBODY, CallFailed, Refused
from bot.channels.wecom.messages import CHANNEL
from bot.channels.wecom.words import trouble
from desk import enrolment
from desk.model import Setting
from desk.ports import Clock, Desk, Door, Store
from roster.model import Account, Officer

log = logging.getLogger(__name__)

MOBILES = "wecom.mobiles"
ASKED_AT_ONCE = 50
ASKED_AGAIN_AFTER = timedelta(days=7)
MISSES_A_DAY_MAX = 20  # The vendor bars who asks for too many numbers that it does not know.
MEET_SECONDS_MAX = 1.0
STRANGERS_MAX = 10_000
SHOWN_MAX = 5
_GONE_STATUS = frozenset({"2", "5"})  # Disabled, left.
_MOBILE = re.compile(r"(?:\+?86)?(1\d{10})")


class Directory:
    """Keeps accounts as the table of people and the directory's events say."""

    def __init__(self, language: str, api: Api | None, door: Door, clock: Clock, troubles: Troubles) -> None:
        self._language = language
        self._api = api
        self._door = door
        self._clock = clock
        self._troubles = troubles
        self._known: set[str] = set()
        self._strangers: set[str] = set()  # Asked after since the last look.

    async def meet(self, userid: str) -> None:
        """Bind who writes for the first time and stands in the table; never holds an event up for long."""
        address = userid.lower()
        if not address or address in self._known or address in self._strangers:
            return
        try:
            async with asyncio.timeout(MEET_SECONDS_MAX):
                if not await self._bind_member(userid, address) and len(self._strangers) < STRANGERS_MAX:
                    self._strangers.add(address)
        except Exception:  # The event matters more than who sent it: the next look binds the person.
            log.warning("wecom: the table of people could not be asked after a new member", exc_info=True)

    async def look(self) -> int:
        """Bind everybody in the table whose user id nobody is bound to; returns how many have one."""
        async with self._door.read() as store:
            people = await self._in_table(store)
            accounts = {one.address: one for one in await store.find(Account, channel=CHANNEL)}
        self._known = set(accounts)
        self._strangers.clear()
        for officer in people:
            address = officer.wecom.lower()
            if address not in accounts or _is_handed_on(officer, accounts[address], people):
                await self._bind_member(officer.wecom, address)
        await self._tell_differences()
        return max(len(people), len(accounts))  # Who was found by the mobile number is not in the table.

    async def ask_mobiles(self) -> None:
        """Find people without a user id by their mobile number; who is not found is asked after again in a week."""
        if self._api is None:  # A bot cannot ask the directory: there the table of people says it all.
            return
        asked, missing = await self._to_ask()
        misses = sum(self._clock.now() - at < timedelta(days=1) for at in asked.values())
        for officer, number in missing[:ASKED_AT_ONCE]:
            if misses >= MISSES_A_DAY_MAX:
                break
            try:
                answer = await self._api.call("user/getuserid", {"mobile": number})
            except Refused as refusal:
                if refusal.code not in NOBODY:
                    log.info("wecom: people are not asked for by mobile number: %s", refusal)
                    break
                misses += 1
                asked[_seal(number)] = self._clock.now()
                continue
            except CallFailed:
                break
            userid = answer.get("userid")
            if isinstance(userid, str) and userid:
                await self._bind(officer.id, userid.lower())
        await self._note_asked(asked)

    async def hear(self, fields: Fields) -> None:
        """What the directory says of its members: gone or disabled is unreachable, a new user id is taken over."""
        event = text_in(fields, "Event")
        if event == "unsubscribe":
            await self._lose(address_in(fields))
        elif event == "change_contact":
            address, change = text_in(fields, "UserID").strip().lower(), text_in(fields, "ChangeType")
            renamed = text_in(fields, "NewUserID").strip().lower()
            if change == "delete_user" or text_in(fields, "Status") in _GONE_STATUS:
                await self._lose(address)
            elif change == "update_user" and renamed and renamed != address:
                await self._rename(address, renamed)
            elif change in ("create_user", "update_user"):
                await self._regain(address)

    async def differences(self) -> list[str]:
        """People whose account is not the one the table names, by name; one user id of two people is named, too."""
        async with self._door.read() as store:
            people = await self._in_table(store)
            accounts = await store.find(Account, channel=CHANNEL, reachable=True)
        mine = {one.officer_id: one.address for one in accounts}
        owners = {one.address: one.officer_id for one in accounts}
        found = []
        for officer in people:
            address = officer.wecom.lower()
            is_other = mine.get(officer.id, address) != address
            if is_other or owners.get(address, officer.id) != officer.id:
                found.append(f"{officer.name} ({officer.wecom})")
        return found

    async def reachable_count(self) -> int:
        """How many accounts can be written to."""
        async with self._door.read() as store:
            return await store.count(Account, channel=CHANNEL, reachable=True)

    async def _tell_differences(self) -> None:
        found = await self.differences()
        if found:
            words = trouble(self._language, "directory", people=shown(found))
            await self._troubles.begin("directory", words)
        else:
            await self._troubles.end("directory")

    async def _in_table(self, store: Store) -> list[Officer]:
        people = await store.find(Officer, active=True, wecom_not="")
        return [officer for officer in people if officer.wecom.strip()]

    async def _bind_member(self, *spelled: str) -> bool:
        """Bind the one person of the table with this user id; says whether it is somebody's now."""
        address = spelled[0].lower()
        async with self._door.read() as store:
            people = await store.find(Officer, active=True, wecom_in=list(spelled), limit=2)
            taken = await store.find(Account, channel=CHANNEL, address=address, limit=1)
        if taken and not (people and _is_handed_on(people[0], taken[0], people)):
            self._known.add(address)
            return True
        if len(people) != 1:
            return False
        async with self._door.open() as desk:
            officer = await desk.store.get(Officer, people[0].id)
            if officer is not None and officer.active:
                await enrolment.bind(desk, officer, CHANNEL, address)
        self._known.add(address)
        return True

    async def _bind(self, officer_id: str, address: str) -> None:
        async with self._door.open() as desk:
            officer = await desk.store.get(Officer, officer_id)
            taken = await desk.store.find(Account, channel=CHANNEL, address=address, limit=1)
            if officer is None or not officer.active or taken:
                return
            await enrolment.bind(desk, officer, CHANNEL, address)
        self._known.add(address)

    async def _lose(self, address: str) -> None:
        async with self._door.open() as desk:
            for account in await _accounts(desk, address):
                await enrolment.unreachable(desk, account, trouble(self._language, "left"))

    async def _regain(self, address: str) -> None:
        async with self._door.open() as desk:
            for account in await _accounts(desk, address):
                if account.fault == trouble(self._language, "left"):
                    await enrolment.reachable_again(desk, account)

    async def _rename(self, address: str, renamed: str) -> None:
        async with self._door.open() as desk:
            if await _accounts(desk, renamed):
                return
            for account in await _accounts(desk, address):
                await desk.store.change(account, address=renamed)
            for officer in await self._in_table(desk.store):
                if officer.wecom.lower() == address:
                    await desk.store.change(officer, wecom=renamed)
        self._known.discard(address)
        self._known.add(renamed)

    async def _to_ask(self) -> tuple[dict[str, datetime], list[tuple[Officer, str]]]:
        """Whom the directory did not know lately, and whom to ask after."""
        async with self._door.read() as store:
            kept = await store.get(Setting, MOBILES)
            officers = await store.find(Officer, active=True, wecom="")
            bound = {one.officer_id for one in await store.find(Account, channel=CHANNEL)}
        asked = (
            {name: datetime.fromisoformat(at) for name, at in json.loads(kept.value).items()} if kept else {}
        )
        now = self._clock.now()
        asked = {name: at for name, at in asked.items() if now - at < ASKED_AGAIN_AFTER}
        found = []
        for officer in officers:
            number = _MOBILE.fullmatch(re.sub(r"[\s-]", "", officer.phone))
            if officer.id not in bound and number and _seal(number[1]) not in asked:
                found.append((officer, number[1]))
        return asked, found

    async def _note_asked(self, asked: dict[str, datetime]) -> None:
        value = json.dumps({name: at.isoformat() for name, at in asked.items()})
        async with self._door.open() as desk:
            kept = await desk.store.get(Setting, MOBILES)
            if kept is None:
                await desk.store.add(Setting(MOBILES, value))
            elif kept.value != value:
                await desk.store.change(kept, value=value)


def shown(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" +{len(names) - SHOWN_MAX}" if len(names) > SHOWN_MAX else ""
    return ", ".join(names[:SHOWN_MAX]) + more


async def _accounts(desk: Desk, address: str) -> list[Account]:
    return await desk.store.find(Account, channel=CHANNEL, address=address) if address else []


def _is_handed_on(officer: Officer, account: Account, people: Sequence[Officer]) -> bool:
    """Whether a user id is bound to somebody the table does not give it to.

    A person's own account that a code replaced by another stays replaced: the later word of the person counts."""
    if (
        account.officer_id == officer.id
    ):  # Nearly all of ten thousand: no need to go through the others for each.
        return False
    owners = {one.id for one in people if one.wecom.lower() == account.address}
    return account.officer_id not in owners


def _seal(number: str) -> str:
    """A number as it is kept: nobody reads it out of a setting."""
    return hashlib.sha256(number.encode()).hexdigest()[:16]
