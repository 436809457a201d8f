"""What can become of a call to WeCom, and which sentence names the cure when a person must act."""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from bot.channels.troubles import Troubles
from bot.channels.wecom.settings import Pace, WeComSettings
from bot.channels.wecom.words import trouble
from desk.model import Outcome, Receipt

REASON_MAX = 300
TOLD_AFTER_FAILURES = 5  # Shorter breaks of a line are ordinary.
BUSY, BAD_TOKENS = -1, (40014, 42001)
NOBODY = frozenset({81013, 60111, 40003, 46004})  # No such member, or out of the application's sight.
_FREQUENCY, _CROWD = 45009, 45033
# Codes a person must answer, by the sentence that names the cure.
_CURES = {
    60020: "trusted_ip",
    40001: "secret",
    40013: "secret",
    40014: "secret",
    42001: "secret",
    40056: "agent",
    301002: "agent",
    48002: "permission",
    60011: "permission",
    50001: "domain",
    _FREQUENCY: "frequency",
    _CROWD: "frequency",
}
_IP = re.compile(r"from ip: ?([0-9A-Fa-f.:]{3,45})")
# What stops every call; the rest is told only where messages are stopped by it.
_OF_EVERY_CALL = ("trusted_ip", "secret", "unreachable")
_OF_SENDING = tuple(sorted({*_CURES.values()} - {*_OF_EVERY_CALL}))
SENDING = "message/"


class CallFailed(Exception):
    """A call brought no good answer."""


class Refused(CallFailed):
    """WeCom answered no."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})"[:REASON_MAX])
        self.code = code
        self.description = description


class Unsent(CallFailed):
    """The call never reached WeCom, or was turned away on its road: nothing of it happened."""


class Unknown(CallFailed):
    """The call left and no answer that can be read came back: it may have happened."""


def receipt_for(fault: CallFailed, pace: Pace) -> Receipt:
    """What a failed sending means for everyone it was meant for."""
    reason = str(fault)[:REASON_MAX]
    if isinstance(fault, Unknown):
        return Receipt(Outcome.unknown, reason=reason)
    if not isinstance(fault, Refused):
        return Receipt(Outcome.not_sent, reason=reason)
    if fault.code == BUSY:
        return Receipt(Outcome.not_sent, reason=reason)
    if fault.code in _CURES:
        holds = {_FREQUENCY: pace.frequency_hold_seconds, _CROWD: pace.crowd_hold_seconds}
        seconds = holds.get(fault.code, pace.cure_hold_seconds)
        return Receipt(Outcome.not_sent, reason=reason, retry_after_seconds=seconds, whole_channel=True)
    return Receipt(Outcome.refused, reason=reason, address_gone=fault.code in NOBODY)


def cure(fault: CallFailed, settings: WeComSettings) -> str:
    """One sentence: what is wrong, and what a person does about it."""
    language = settings.language
    if not isinstance(fault, Refused):
        return trouble(language, "unreachable", reason=str(fault))
    name = _CURES.get(fault.code, "refused")
    found = _IP.search(fault.description)
    facts = {
        "code": fault.code,
        "reason": fault.description[:120],
        "agent": settings.agent_id,
        "ip": f" {found[1]}" if found else "",
        "host": urlsplit(settings.public_url).hostname or settings.public_url,
    }
    return trouble(language, name, **facts)


class Health:
    """Tells lasting faults of the line to the board, and when they are over."""

    def __init__(self, settings: WeComSettings, troubles: Troubles) -> None:
        self._settings = settings
        self._troubles = troubles
        self._failures = 0
        self._unlicensed: set[str] = set()

    async def well(self, method: str) -> None:
        """A call was carried out: whatever stood in its way is over."""
        self._failures = 0
        await self._troubles.end(*_OF_EVERY_CALL, *(_OF_SENDING if method.startswith(SENDING) else ()))

    async def met(self, fault: CallFailed, method: str) -> None:
        """Tell what a person must act on at once, and an unreachable vendor when it lasts."""
        if isinstance(fault, Refused):
            name = _CURES.get(fault.code)
            if name in _OF_EVERY_CALL or (name is not None and method.startswith(SENDING)):
                await self._troubles.begin(name, cure(fault, self._settings))
            return
        self._failures += 1
        if self._failures >= TOLD_AFTER_FAILURES:
            await self._troubles.begin("unreachable", cure(fault, self._settings))

    async def licensed(self, unlicensed: Collection[str], people: Iterable[str]) -> None:
        """Of these people some cannot be written to before the office buys them a licence; told until none is left."""
        self._unlicensed.difference_update(people)
        self._unlicensed.update(unlicensed)
        if unlicensed:
            named = ", ".join(sorted(unlicensed)[:5])
            await self._troubles.begin(
                "unlicensed", trouble(self._settings.language, "unlicensed", people=named)
            )
        elif not self._unlicensed:
            await self._troubles.end("unlicensed")
