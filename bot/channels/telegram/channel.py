"""The Telegram channel: durable intake by polling or webhook, sending, files."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from starlette.routing import Route

from bot.channels import Intake, Services, Trouble
from bot.channels.redaction import Redaction
from bot.channels.telegram import files
from bot.channels.telegram.api import UNKNOWN_BOT, Api, Refused, Unreachable, verification
from bot.channels.telegram.keyboards import CHOICES_MAX, TEXT_UNITS_MAX
from bot.channels.telegram.poller import CHANNEL, TOLD_AFTER_FAILURES, Poller
from bot.channels.telegram.sender import Sender
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.updates import read_inbound
from bot.channels.telegram.webhook import Watch, Webhook, webhook_trouble
from bot.channels.troubles import Troubles, pause
from desk.model import Card, Inbound, Receipt, RemoteFile, Rendered
from desk.ports import Channel, ChannelFault, ChannelLimits, Clock, Take


def make(settings: Mapping[str, Any], services: Services) -> Channel | None:
    """The channel of the table [telegram]; None without a token. Raises ChannelFault naming every fault."""
    if not settings.get("token"):
        return None
    known = {field.name for field in fields(TelegramSettings)}
    chosen = TelegramSettings(**{name: value for name, value in settings.items() if name in known})
    return TelegramChannel(chosen, services.intake, services.clock, services.trouble, services.told_time)


class TelegramChannel:
    """One bot. PTB's pipeline confirms updates it holds in memory only, so receiving is our own."""

    name = CHANNEL
    limits = ChannelLimits(
        per_second=30,
        per_chat_seconds=1,
        batch_max=1,
        text_max=TEXT_UNITS_MAX,
        choices_max=CHOICES_MAX,
        file_bytes_max=files.BYTES_MAX,
    )

    def __init__(
        self,
        settings: TelegramSettings,
        intake: Intake,
        clock: Clock,
        trouble: Trouble,
        told_time: Callable[[str | None], None] = lambda _date: None,
    ) -> None:
        if faults := settings.faults():
            raise ChannelFault("; ".join(faults))
        self.settings = settings
        self._intake = intake
        self._clock = clock
        self._troubles = Troubles(CHANNEL, trouble)
        redaction = Redaction(settings.token, settings.webhook_secret)
        redaction.install()
        verify = verification(settings)
        self._api = Api(settings, verify, redaction, told_time)
        self._sender = Sender(settings, verify, redaction)
        self.webhook = Webhook(intake, settings.webhook_secret)

    def parse(self, raw: bytes) -> Inbound | None:
        """What a stored update means; None when nothing to us. Raises ValueError on nonsense."""
        return read_inbound(raw, self.settings.language)

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Send to each chat. Telegram knows no idempotency key: sending twice shows twice."""
        return [await self._sender.send(message, address) for address in to]

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """Replace the words and buttons of messages sent before."""
        return [await self._sender.amend(message, card) for card in cards]

    async def settle(self, interaction: str, text: str) -> None:
        """Stop the spinner on the phone."""
        await self._sender.settle(interaction, text)

    def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """The bytes of a file in pieces. Raises FetchFailed."""
        return files.fetch(self._api, file)

    def routes(self) -> list[Route]:
        """What the web server must serve: the webhook in webhook mode, nothing when polling."""
        return [self.webhook.route()] if self.settings.mode == "webhook" else []

    async def run(self, take: Take) -> None:
        """Receive until cancelled.

        The intake the channel was made with is used instead of `take`, which cannot store a batch with its
        offset in one transaction."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive())
            group.create_task(self._until_done("commands", self._set_commands))

    async def check(self) -> str:
        """One line saying which bot this is and how it receives. Raises ChannelFault with the cure."""
        try:
            me = await self._api.call("getMe")
            info = await self._api.call("getWebhookInfo")
        except Refused as refusal:
            cure = UNKNOWN_BOT if refusal.code in (401, 404) else str(refusal)
            raise ChannelFault(cure) from refusal
        except Unreachable as fault:
            raise ChannelFault(
                f"Telegram cannot be reached ({fault}): check the network, HTTPS_PROXY or [telegram] base_url"
            ) from fault
        if trouble := webhook_trouble(self.settings, info, self._clock.now().timestamp()):
            raise ChannelFault(trouble)
        return f"@{me.get('username')} by {self.settings.mode}, {info.get('pending_update_count', 0)} waiting"

    async def close(self) -> None:
        """Close every connection, when nothing is to be sent any more."""
        await self._sender.close()
        await self._api.close()

    async def _receive(self) -> None:
        if self.settings.mode == "webhook":
            await Watch(self._api, self.settings, self._intake, self._clock, self._troubles).run()
        await self._until_done("unreachable", self._free_line)
        await Poller(self._api, self._intake, self._clock, self._troubles, self.settings.pace).run()

    async def _until_done(self, kind: str, act: Callable[[], Awaitable[None]]) -> None:
        """Try until Telegram takes it; a lasting failure is told as a trouble of this kind."""
        pace, failures = self.settings.pace, 0
        while True:
            try:
                await act()
            except (Refused, Unreachable) as fault:
                failures += 1
                if isinstance(fault, Refused) and fault.code in (401, 404):
                    await self._troubles.begin("token", UNKNOWN_BOT)
                elif failures >= TOLD_AFTER_FAILURES:
                    await self._troubles.begin(kind, str(fault))
                wait = isinstance(fault, Refused) and fault.retry_after_seconds
                await pause(wait or pace.back_off(failures))
            else:
                await self._troubles.end(kind)
                return

    async def _free_line(self) -> None:
        """Remove a webhook, which forbids polling; what waits is kept."""
        if (await self._api.call("getWebhookInfo")).get("url"):
            await self._api.call("deleteWebhook", drop_pending_updates=False)

    async def _set_commands(self) -> None:
        """Set each language's commands where they differ."""
        for index, (language, commands) in enumerate(self.settings.commands.items()):
            listed = [{"command": name, "description": words[:256]} for name, words in commands]
            # The first language is also what phones in any other language show.
            for code in ("", language) if index == 0 else (language,):
                if await self._api.call("getMyCommands", language_code=code) != listed:
                    await self._api.call("setMyCommands", commands=listed, language_code=code)
