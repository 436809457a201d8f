"""Which townships can be chosen from, and a page of one's own that knows where the phone is."""

import ipaddress
import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from bot.channels.webchat.links import make_link
from bot.channels.wecom.long_connection.settings import LongConnectionSettings
from bot.channels.wecom.messages import CHANNEL
from desk.ports import Clock, Door
from roster.model import Account, Officer, Unit

log = logging.getLogger(__name__)

LINK_DAYS = 1.0
LINK_USED_FOR = timedelta(hours=12)
LINKS_MAX = 5_000
TOWNSHIP = "township"


class Places:
    """The names are looked at again and again; a link is made when it is needed, and used for half a day."""

    def __init__(self, settings: LongConnectionSettings, door: Door, clock: Clock) -> None:
        self._settings = settings
        self._door = door
        self._clock = clock
        self._links: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        self.names: list[str] = []

    async def look(self) -> None:
        """See which townships there are now."""
        today = self._clock.now().date().isoformat()
        async with self._door.read() as store:
            units = await store.find(Unit, kind=TOWNSHIP)
        self.names = [
            unit.name
            for unit in units
            if (not unit.valid_from or unit.valid_from <= today)
            and (not unit.valid_to or today <= unit.valid_to)
        ]

    async def link(self, address: str) -> str:
        """The address of an officer's own web-chat page; empty where phones cannot reach it."""
        if not self._settings.chat_links or not _is_reachable(self._settings.public_url):
            return ""
        now = self._clock.now()
        link, until = self._links.get(address, ("", now))
        if until > now:
            return link
        try:
            token = await self._make(address)
        except Exception:  # The question stands without it.
            log.warning("wecom: no link to a page could be made", exc_info=True)
            return ""
        if not token:
            return ""
        link = f"{self._settings.public_url.rstrip('/')}/chat/{token}"
        self._links[address] = (link, now + LINK_USED_FOR)
        while len(self._links) > LINKS_MAX:
            self._links.popitem(last=False)
        return link

    async def _make(self, address: str) -> str:
        async with self._door.open() as desk:
            accounts = await desk.store.find(Account, channel=CHANNEL, address=address, limit=1)
            officer = await desk.store.get(Officer, accounts[0].officer_id) if accounts else None
            if officer is None or not officer.active:
                return ""
            return await make_link(desk, officer, days=LINK_DAYS)


def _is_reachable(public_url: str) -> bool:
    host = urlsplit(public_url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(host) and host != "localhost"
