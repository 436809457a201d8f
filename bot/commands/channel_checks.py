"""What `check` finds out there: every configured channel, and whether our clock agrees with theirs."""

import asyncio
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from bot import channels
from bot.commands.findings import Finding, Say, fault, ok, warning
from bot.commands.office import Office
from desk.ports import Channel, ChannelFault, Desk

PATIENCE_SECONDS = 20
SKEW_WARNED_SECONDS = 5.0
SKEW_MAX_SECONDS = 30.0


class NoIntake:
    """For channels that are only asked whether they work: nothing may come in by them."""

    async def take(self, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Refuses."""
        raise PermissionError("check receives nothing")

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        """Refuses."""
        raise PermissionError("check receives nothing")

    async def take_batch(
        self, channel: str, events: Sequence[tuple[str, str, bytes]], setting: tuple[str, str]
    ) -> None:
        """Refuses."""
        raise PermissionError("check receives nothing")

    async def setting(self, name: str) -> str:
        """Nothing is known."""
        return ""


async def check_channels(office: Office, say: Say) -> list[Finding]:
    """Each configured channel, asked at the same time."""
    services = channels.Services(NoIntake(), _no_trouble, office.door, office.media)
    try:
        opened = channels.open_channels(office.config.channels, lambda _: services)
    except ChannelFault as refusal:
        return [fault("channels", str(refusal))]
    try:
        return await asyncio.gather(*(_check(name, channel, say) for name, channel in opened.items()))
    finally:
        for channel in opened.values():
            close = getattr(channel, "close", None)
            if close is not None:
                await close()


async def check_clock(office: Office, say: Say) -> list[Finding]:
    """Our clock beside the Date of the configured platform's answer; nothing when there is no platform."""
    config = office.config
    urls = {"telegram": config.telegram.base_url, "wecom": config.wecom.base_url}
    found: list[Finding] = []
    for name in config.live_channels:
        parts = urlsplit(urls[name])
        found.append(await _compare(office, f"{parts.scheme}://{parts.netloc}/", say))
    return found


async def _check(name: str, channel: Channel, say: Say) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return ok(name, await channel.check())
    except ChannelFault as refusal:
        return fault(name, str(refusal))
    except TimeoutError:
        return fault(name, say("channel_silent", seconds=PATIENCE_SECONDS))


async def _compare(office: Office, url: str, say: Say) -> Finding:
    """One comparison; half the way there and back is taken off, and the second that Date is cut to."""
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS / 2) as client:
            before = office.clock.now()
            answer = await client.head(url)
            after = office.clock.now()
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return warning("clock", say("clock_unknown", url=url, reason=type(error).__name__))
    ours = before + (after - before) / 2
    skew = (ours - theirs).total_seconds() - 0.5
    facts = {"url": url, "seconds": f"{abs(skew):.0f}"}
    if abs(skew) > SKEW_MAX_SECONDS:
        return fault("clock", say("clock_fast" if skew > 0 else "clock_slow", **facts))
    if abs(skew) > SKEW_WARNED_SECONDS:
        return warning("clock", say("clock_fast" if skew > 0 else "clock_slow", **facts))
    return ok("clock", say("clock_ok", **facts))


async def _no_trouble(kind: str, text: str) -> None:
    """Troubles are told by check itself."""
