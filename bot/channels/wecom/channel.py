"""The WeCom channel by callback: one self-built application of the corporation."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from starlette.routing import Route

from bot.channels import Services
from bot.channels.redaction import Redaction
from bot.channels.troubles import Troubles, pause
from bot.channels.wecom import files
from bot.channels.wecom.api import Api
from bot.channels.wecom.callback import Callback
from bot.channels.wecom.cards import CHOICES_MAX, REPEATS_HIDDEN_SECONDS, TEXT_UNITS_MAX
from bot.channels.wecom.directory import Directory, shown
from bot.channels.wecom.faults import CallFailed, Health, cure
from bot.channels.wecom.long_connection.channel import make as make_long_connection
from bot.channels.wecom.menu import set_menu
from bot.channels.wecom.messages import CHANNEL, read_inbound
from bot.channels.wecom.moment import Moment
from bot.channels.wecom.sender import Sender
from bot.channels.wecom.sent import Presses, SentBook
from bot.channels.wecom.settings import BATCH_MAX, WeComSettings
from bot.channels.wecom.sign_in import MemberSignIn
from bot.channels.wecom.words import trouble
from desk.model import Card, Inbound, InboxRow, Receipt, RemoteFile, Rendered
from desk.ports import Channel, ChannelFault, ChannelLimits, Rate, Take

log = logging.getLogger(__name__)

PEOPLE_PER_LOOK = 1000
MEMBERS_MIN = 50  # Who has fewer people on the desk has more in the corporation.


def make(settings: Mapping[str, Any], services: Services) -> Channel | None:
    """The channel of the table [wecom]; None when nothing is set. Raises ChannelFault naming every fault."""
    if settings.get("mode") == "long_connection":
        return make_long_connection(settings, services)
    if not settings.get("secret"):
        return None
    known = {field.name for field in fields(WeComSettings)}
    chosen = WeComSettings(**{name: value for name, value in settings.items() if name in known})
    return WeComChannel(chosen, services)


class WeComChannel:
    """One application: callbacks in, the server API out."""

    name = CHANNEL
    limits = ChannelLimits(
        busy_minutes=(0, 30),  # The vendor asks not to fire on the hour and the half hour.
        batch_max=BATCH_MAX,
        text_max=TEXT_UNITS_MAX,
        choices_max=CHOICES_MAX,
        file_bytes_max=files.BYTES_MAX,
        hides_repeats=True,
        hides_repeats_seconds=REPEATS_HIDDEN_SECONDS,
    )

    def __init__(self, settings: WeComSettings, services: Services) -> None:
        if found := settings.faults():
            raise ChannelFault("; ".join(found))
        self.settings = settings
        # A letter may be two messages: a long text, and its card.
        rates = (Rate(settings.member_per_minute // 2, 60), Rate(settings.member_per_hour // 2, 3600))
        self.limits = replace(self.limits, per_chat=rates, in_total=self._in_total(0))
        self._door = services.door
        self._clock = services.clock
        self._troubles = Troubles(CHANNEL, services.trouble)
        redaction = Redaction(settings.secret, settings.callback_token, settings.encoding_aes_key)
        redaction.install()
        health = Health(settings, self._troubles)
        self._api = Api(settings, self._clock, redaction, health, services.told_time)
        self._book, presses = SentBook(self._door), Presses()
        self._sender = Sender(settings, self._api, health, self._book, presses, self._clock)
        self._directory = Directory(settings.language, self._api, self._door, self._clock, self._troubles)
        moment = Moment(settings, self._door, self._troubles, self._book, presses)
        self.callback = Callback(settings, services.intake, self._troubles, moment, self._directory)

    def parse(self, raw: bytes) -> Inbound | None:
        """What a stored callback means; None when nothing to us. Raises ValueError on nonsense."""
        return read_inbound(raw, self.settings.language)

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Send to many in one call. The same key, words and people again within four hours show nothing twice."""
        return await self._sender.send(message, to, key)

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Replace the words and buttons of cards sent before; one receipt each, in order."""
        return await self._sender.amend(message, [(card.address, card.remote_id) for card in cards])

    async def settle(self, interaction: str, text: str) -> None:
        """Remember the press's one-time code; the change of its card is what the phone shows."""
        self._sender.settle(interaction)

    def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes of a file in pieces. Raises FetchFailed."""
        return files.fetch(self._api, file)

    def routes(self) -> list[Route]:
        """What the web server must serve: the callback, and the sign-in of members."""
        return [self.callback.route(), MemberSignIn(self.settings, self._api, self._door).route()]

    async def run(self, take: Take) -> None:
        """Keep menu, people and memory in order until cancelled; events come by the callback's route."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_done(self._set_menu))
            group.create_task(self._keep_people())

    async def check(self) -> str:
        """One line saying which application this is and whom it reaches. Raises ChannelFault with the cure."""
        language = self.settings.language
        try:
            agent = await self._api.call("agent/get", agentid=self.settings.agent_id)
        except CallFailed as fault:
            raise ChannelFault(cure(fault, self.settings)) from fault
        name = str(agent.get("name", ""))
        if agent.get("close") == 1:
            raise ChannelFault(trouble(language, "closed", name=name))
        if people := await self._directory.differences():
            raise ChannelFault(trouble(language, "directory", people=shown(people)))
        known = await self._directory.reachable_count()
        told = trouble(language, "ok", name=name, agent=self.settings.agent_id, known=known)
        async with self._door.read() as store:
            heard = await store.find(InboxRow, channel=CHANNEL, limit=1)
        return told if heard else told + trouble(language, "ok_silent", url=self.settings.callback_url)

    async def close(self) -> None:
        """Close every connection, when nothing is to be sent any more."""
        await self._api.close()

    async def _set_menu(self) -> None:
        if await set_menu(self._api, self.settings):
            log.info("wecom: the application's menu was set")

    async def _until_done(self, act: Callable[[], Awaitable[None]]) -> None:
        """Try until WeCom takes it; lasting faults are told by whoever meets them."""
        failures = 0
        while True:
            try:
                await act()
            except CallFailed as fault:
                failures += 1
                log.warning("wecom: %s", fault)
                await pause(self.settings.pace.back_off(failures))
            else:
                return

    def _in_total(self, members: int) -> tuple[Rate, ...]:
        return (Rate(self.settings.member_per_day * max(members, MEMBERS_MIN), 86_400),)

    async def _keep_people(self) -> None:
        while True:
            count = 0
            try:
                count = await self._directory.look()
                self.limits = replace(self.limits, in_total=self._in_total(count))
                await self._directory.ask_mobiles()
                await self._book.prune(self._clock.now())
            except Exception:  # Whatever the store suffers from, people are looked at again soon.
                log.exception("wecom: the table of people could not be compared with the directory")
            await pause(self.settings.pace.look_seconds * max(1, count / PEOPLE_PER_LOOK))
