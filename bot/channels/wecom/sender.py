"""Sends and changes messages: one request for up to a thousand people, one receipt for each."""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.channels.wecom.api import CONNECTIONS_MAX, Api, Json
from bot.channels.wecom.cards import Look, changed_card, digest_of, look_of
from bot.channels.wecom.faults import CallFailed, Health, Unknown, receipt_for
from bot.channels.wecom.messages import interaction_parts
from bot.channels.wecom.sent import KEPT_FOR, Presses, Sending, SentBook
from bot.channels.wecom.settings import BATCH_MAX, WeComSettings
from desk.model import Outcome, Receipt, Rendered
from desk.ports import Clock

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
# So many of a card's people, or half of them, are worth its one code: who pressed has a code of their own.
FEW = 20
CHANGES_AT_ONCE = CONNECTIONS_MAX - 2  # A crowd that answers at once leaves room for what is urgent.
_SENT = Receipt(Outcome.sent)
_STANDS = Receipt(Outcome.refused, reason="a card changes once for those who did not press, and has")
_NO_CARD = Receipt(Outcome.refused, reason="no card of ours that can be changed")


class Sender:
    """The sending half of one application."""

    def __init__(
        self,
        settings: WeComSettings,
        api: Api,
        health: Health,
        book: SentBook,
        presses: Presses,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._api = api
        self._health = health
        self._book = book
        self._presses = presses
        self._clock = clock
        self._changing = asyncio.Semaphore(CHANGES_AT_ONCE)

    async def send(self, message: Rendered, to: Sequence[str], key: str) -> list[Receipt]:
        """Send to many; one receipt each, in their order."""
        receipts = {address: _checked(address) for address in to}
        people = [address for address, receipt in receipts.items() if receipt is _SENT]
        for start in range(0, len(people), BATCH_MAX):
            # A task id is one request's: more people than go into one would need another.
            look = look_of(message, f"{key}-{start}" if start else key, self._settings)
            receipts |= await self._send_some(message, people[start : start + BATCH_MAX], look)
        return [receipts[address] for address in to]

    async def _send_some(self, message: Rendered, people: list[str], look: Look) -> dict[str, Receipt]:
        sending = Sending(
            look.task_id, self._clock.now(), tuple(people), look.tokens, message.asks_place, look.has_card
        )
        if look.tokens:  # Before it leaves: whoever answers at once is understood.
            await self._keep(sending)
        receipts: dict[str, Receipt] = {}
        for request in look.requests:
            left = [one for one in people if receipts.get(one, _SENT).outcome is Outcome.sent]
            if not left:
                break
            try:
                answer = await self._api.call("message/send", {"touser": "|".join(left), **request})
            except CallFailed as fault:
                receipts |= self._failed(fault, left)
                break
            receipts |= await self._partial(answer, left, look.task_id)
            sending = replace(sending, msgid=str(answer.get("msgid") or ""), code=_code_in(answer))
        is_out = any(one.outcome in (Outcome.sent, Outcome.unknown) for one in receipts.values())
        if is_out and (look.has_card or message.asks_place or look.tokens):
            await self._keep(sending)
        return receipts

    def _failed(self, fault: CallFailed, people: Iterable[str]) -> dict[str, Receipt]:
        return dict.fromkeys(people, receipt_for(fault, self._settings.pace))

    async def _partial(self, answer: Json, people: Iterable[str], task_id: str) -> dict[str, Receipt]:
        """A receipt for each: who is unknown to WeCom or has no licence got nothing, all others did."""
        invalid, unlicensed = _ids(answer.get("invaliduser")), _ids(answer.get("unlicenseduser"))
        await self._health.licensed(unlicensed, people)
        receipts = {}
        for address in people:
            receipts[address] = Receipt(Outcome.sent, task_id)
            if address.lower() in invalid:
                receipts[address] = Receipt(Outcome.refused, reason="invaliduser", address_gone=True)
            elif address.lower() in unlicensed:
                receipts[address] = Receipt(Outcome.refused, reason="unlicenseduser")
        return receipts

    async def amend(self, message: Rendered, cards: Sequence[tuple[str, str]]) -> list[Receipt]:
        """Change the cards (address, task id); one receipt each, in order.

        Who pressed has a code of their own; all others share the one of the sending, which is good once."""
        digest = digest_of(message)
        receipts: dict[tuple[str, str], Receipt] = {}
        shared: dict[str, list[str]] = defaultdict(list)
        pressed = [card for card in dict.fromkeys(cards) if self._presses.code(*card)]
        changes = await asyncio.gather(*(self._amend_pressed(message, *card) for card in pressed))
        receipts |= dict(zip(pressed, changes, strict=True))
        for address, task_id in dict.fromkeys(cards):
            own = receipts.get((address, task_id))
            if own is None or own.outcome is Outcome.refused:
                shared[task_id].append(address)
        for task_id, people in shared.items():
            sending = await self._book.of(task_id)
            if sending is None or not (sending.has_card or sending.tokens):
                changed = dict.fromkeys(people, _NO_CARD)
            elif sending.has_card:
                changed = await self._amend_shared(message, sending, people, digest)
            else:
                changed = await self._say_instead(message, sending, people, digest)
            receipts |= {(address, task_id): receipt for address, receipt in changed.items()}
        return [receipts[card] for card in cards]

    def settle(self, interaction: str) -> None:
        """Remember what a press allows. There is no spinner to stop: the card's change is the answer."""
        parts = interaction_parts(interaction)
        if parts is not None:
            self._presses.note(*parts)

    async def _amend_pressed(self, message: Rendered, address: str, task_id: str) -> Receipt:
        code = self._presses.code(address, task_id)
        try:
            async with self._changing:
                await self._update(message, [address], task_id, code)
        except CallFailed as fault:
            receipt = receipt_for(fault, self._settings.pace)
            if receipt.outcome is Outcome.refused:
                self._presses.use(address, task_id, code)
            return receipt
        self._presses.use(address, task_id, code)
        self._presses.change(address, task_id, digest_of(message))
        return Receipt(Outcome.sent, task_id)

    async def _amend_shared(
        self, message: Rendered, sending: Sending, people: list[str], digest: str
    ) -> dict[str, Receipt]:
        task_id = sending.task_id
        receipts = {
            one: Receipt(Outcome.sent, task_id)
            for one in people
            if digest == (self._presses.shows(one, task_id) or (digest if sending.shows(one, digest) else ""))
        }
        left = [one for one in people if one not in receipts]
        changed = {one for some in sending.shown.values() for one in some}
        changed |= {one for one in sending.to if self._presses.shows(one, task_id)}
        is_worth = len(sending.to) <= FEW or 2 * len(changed | set(left)) >= len(sending.to)
        is_good = bool(sending.code) and self._clock.now() - sending.at < KEPT_FOR
        if not left or not is_good or not is_worth:
            return receipts | dict.fromkeys(left, _STANDS)
        try:
            answer = await self._update(message, left, task_id, sending.code)
        except CallFailed as fault:
            if isinstance(fault, Unknown):  # The code may be spent: asked again, WeCom tells.
                log.warning("wecom: it is not known whether %d cards were changed", len(left))
            return receipts | self._failed(fault, left)
        gone = _ids(answer.get("invaliduser"))
        done = [one for one in left if one.lower() not in gone]
        await self._keep(replace(sending.changed(done, digest), code="", spent=True))
        refused = Receipt(Outcome.refused, reason="invaliduser", address_gone=True)
        return receipts | {
            one: Receipt(Outcome.sent, task_id) if one.lower() not in gone else refused for one in left
        }

    async def _say_instead(
        self, message: Rendered, sending: Sending, people: list[str], digest: str
    ) -> dict[str, Receipt]:
        """A text cannot be changed: new words come as a text; the old one goes if it was this person's alone."""
        receipts = await self.send(message, people, f"{sending.task_id}-{digest}"[-128:])
        if list(sending.to) == people and sending.msgid and receipts[0].outcome is Outcome.sent:
            try:
                await self._api.call("message/recall", {"msgid": sending.msgid})
            except CallFailed as fault:
                log.info("wecom: a text that is answered stays on the phone: %s", fault)
        return dict(zip(people, receipts, strict=True))

    async def _update(self, message: Rendered, people: list[str], task_id: str, code: str) -> Json:
        body = {"userids": people, "agentid": self._settings.agent_id, "response_code": code}
        card = changed_card(message, task_id, self._settings)
        return await self._api.call("message/update_template_card", {**body, "template_card": card})

    async def _keep(self, sending: Sending) -> None:
        """Write a sending down; when that cannot be done the message is out all the same, and so is its receipt."""
        try:
            await self._book.keep(sending)
        except (
            Exception
        ):  # A full or locked database: its numbers or its one change are lost, not the message.
            log.exception("wecom: what was sent could not be noted")


def _checked(address: str) -> Receipt:
    return _SENT if ADDRESS.fullmatch(address) else Receipt(Outcome.refused, reason="not a WeCom user id")


def _code_in(answer: Json) -> str:
    code = answer.get("response_code")
    return code if isinstance(code, str) else ""


def _ids(found: object) -> frozenset[str]:
    """User ids as WeCom lists them, joined in one answer and in a list in another; it ignores their case."""
    listed = found if isinstance(found, list) else str(found or "").split("|")
    return frozenset(str(one).strip().lower() for one in listed if str(one).strip())
