"""The channel of a group's robot: it says what an officer who stands for the group is told, and hears nothing."""

import logging
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.channels import Services
from bot.channels.redaction import Redaction
from bot.channels.troubles import Troubles, pause
from bot.channels.wecom.api import Api
from bot.channels.wecom.cards import TEXT_UNITS_MAX, sound
from bot.channels.wecom.faults import CallFailed, Health, Refused, receipt_for
from bot.channels.wecom.settings import WeComSettings
from desk import enrolment
from desk.model import Card, Inbound, Outcome, Receipt, RemoteFile, Rendered
from desk.ports import Channel, ChannelFault, ChannelLimits, FetchFailed, Rate, Take
from roster.model import Account, Officer

log = logging.getLogger(__name__)

CHANNEL = "wecom_robot"
GROUP = "group"  # The one address there is.
EXAMPLE = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
PATH = "/cgi-bin/webhook/send"
NO_ROBOT = 93000
LOOK_SECONDS = 60.0


@cache
def _table() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


def words(language: str, name: str, /, **facts: Any) -> str:
    """One sentence for whoever runs the desk; Chinese when the language is unknown."""
    return _table().get(language, _table()["zh-CN"])[name].format(**facts)


def robot_of(url: str) -> tuple[str, str] | None:
    """What stands before the path, and the robot's key; None when this is no robot's address."""
    parts = urlsplit(url)
    key = parse_qs(parts.query).get("key", [""])[-1]
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path != PATH or not key:
        return None
    return f"{parts.scheme}://{parts.netloc}", key


def make(settings: Mapping[str, Any], services: Services) -> Channel | None:
    """The channel of the table [wecom_robot]; None without an address. Raises ChannelFault naming what is wrong."""
    if not settings.get("url"):
        return None
    return GroupRobot(settings["url"], settings["officer"], settings["language"], services)


class GroupRobot:
    """One group's robot. It has no buttons: a summary asks nothing."""

    name = CHANNEL
    limits = ChannelLimits(per_chat=(Rate(20, 60),), text_max=TEXT_UNITS_MAX)

    def __init__(self, url: str, officer: str, language: str, services: Services) -> None:
        found = robot_of(url)
        if found is None:
            raise ChannelFault(words(language, "url", example=EXAMPLE))
        base_url, self._key = found
        self._officer = officer
        self._language = language
        self._door = services.door
        self._troubles = Troubles(CHANNEL, services.trouble)
        settings = WeComSettings("", 0, "", base_url=base_url, language=language)
        self._pace = settings.pace
        redaction = Redaction(self._key)
        redaction.install()
        health = Health(settings, self._troubles)
        self._api = Api(settings, services.clock, redaction, health, services.told_time)

    def parse(self, raw: bytes) -> Inbound | None:
        """Nothing ever comes from a robot. Raises ValueError."""
        raise ValueError("a group's robot hears nothing")

    async def send(self, message: Rendered, to: Sequence[str], *, key: str) -> list[Receipt]:
        """Say it in the group. A robot knows no idempotency key: sending twice shows twice."""
        return [await self._send(message) if one == GROUP else _refused("no such group") for one in to]

    async def amend(self, message: Rendered, cards: Sequence[Card]) -> list[Receipt]:
        """What was said stays said."""
        return [_refused("a robot's message cannot be changed") for _ in cards]

    async def settle(self, interaction: str, text: str) -> None:
        """There is nothing to press."""

    async def fetch(self, file: RemoteFile) -> AsyncIterator[bytes]:
        """There is nothing to fetch. Raises FetchFailed."""
        raise FetchFailed("a group's robot receives no files", permanent=True)
        yield b""  # Makes this the generator that the port asks for.

    async def run(self, take: Take) -> None:
        """Keep the group the way to the officer who stands for it, until cancelled."""
        while True:
            try:
                await self._bind()
            except Exception:  # Whatever the store suffers from, it is looked at again soon.
                log.exception("wecom_robot: who stands for the group could not be looked up")
            await pause(LOOK_SECONDS)

    async def check(self) -> str:
        """One line saying for whom it stands. Raises ChannelFault with the cure."""
        if await self._stands_for() is None:
            raise ChannelFault(words(self._language, "nobody", name=self._officer))
        return words(self._language, "ok", name=self._officer)

    async def close(self) -> None:
        """Close every connection."""
        await self._api.close()

    async def _send(self, message: Rendered) -> Receipt:
        body = {"msgtype": "text", "text": {"content": sound(message.text)}}
        try:
            await self._api.call_robot(self._key, body)
        except CallFailed as fault:
            if isinstance(fault, Refused) and fault.code == NO_ROBOT:
                await self._troubles.begin("gone", words(self._language, "gone", code=fault.code))
                seconds = self._pace.cure_hold_seconds
                return Receipt(
                    Outcome.not_sent, reason=str(fault), retry_after_seconds=seconds, whole_channel=True
                )
            return receipt_for(fault, self._pace)
        await self._troubles.end("gone")
        return Receipt(Outcome.sent)

    async def _stands_for(self) -> Officer | None:
        async with self._door.read() as store:
            found = await store.find(Officer, name=self._officer, active=True, limit=2)
        return found[0] if len(found) == 1 else None

    async def _bind(self) -> None:
        officer = await self._stands_for()
        if officer is None:
            await self._troubles.begin("nobody", words(self._language, "nobody", name=self._officer))
            return
        await self._troubles.end("nobody")
        async with self._door.open() as desk:
            held = await desk.store.find(Account, channel=CHANNEL, address=GROUP, limit=1)
            if not held or held[0].officer_id != officer.id:
                await enrolment.bind(desk, officer, CHANNEL, GROUP)


def _refused(reason: str) -> Receipt:
    return Receipt(Outcome.refused, reason=reason)
