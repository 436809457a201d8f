"""Receives callbacks: the empty 200 comes only after the event is durable, and whatever is not ours hears one 403."""

import hashlib
import logging
from urllib.parse import parse_qs

from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from bot.channels import Intake
from bot.channels.bodies import Gone, TooLarge, read_body
from bot.channels.troubles import Troubles
from bot.channels.wecom.directory import Directory
from bot.channels.wecom.encryption import Envelope, Forged, Signature, encrypted_in
from bot.channels.wecom.envelope import (
    NOBODY,
    Fields,
    address_in,
    event_id_of,
    fields_of,
    text_in,
    whole_in,
    written,
)
from bot.channels.wecom.messages import CHANNEL
from bot.channels.wecom.moment import Moment
from bot.channels.wecom.settings import CALLBACK_PATH, WeComSettings
from bot.channels.wecom.words import trouble
from desk.ports import Unavailable

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 256 * 1024
QUERY_BYTES_MAX = 8 * 1024
TOLD_AFTER_REFUSALS = 5


def _answer(status: int, body: bytes = b"") -> tuple[Message, Message]:
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


OK = _answer(200)
REFUSED = _answer(403)
NOT_ALLOWED = _answer(405)
UNSTORED = _answer(503)


class Callback:
    """The route as a bare ASGI application: it is the hottest path of the desk."""

    is_callback = True  # Served before the screen's guards; what it needs it checks itself.

    def __init__(
        self,
        settings: WeComSettings,
        intake: Intake,
        troubles: Troubles,
        moment: Moment,
        directory: Directory,
    ) -> None:
        self._settings = settings
        self._envelope = Envelope(settings.callback_token, settings.encoding_aes_key, settings.corp_id)
        self._intake = intake
        self._troubles = troubles
        self._moment = moment
        self._directory = directory
        self.refused = 0
        self._in_a_row = 0

    def route(self) -> Route:
        """The one route: GET proves the address, POST brings events."""
        return Route(CALLBACK_PATH, self, methods=["GET", "POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request and answer."""
        try:
            start, body = await self._take(scope, receive)
        except Gone:
            return
        await send(start)
        await send(body)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[Message, Message]:
        if scope["method"] not in ("GET", "POST"):
            return NOT_ALLOWED
        try:
            query = _query(scope)
            signature = Signature(query["msg_signature"], query["timestamp"], query["nonce"])
            if scope["method"] == "GET":
                return _answer(200, self._envelope.open(query["echostr"], signature))
            _check_size(scope)
            sealed = encrypted_in(await read_body(receive, BODY_BYTES_MAX))
            xml = self._envelope.open(sealed, signature)
            fields = self._fields(xml)
            self._check_agent(fields)
        except TooLarge:
            return await self._refuse("size")
        except KeyError:
            return await self._refuse("query")
        except Forged as reason:
            return await self._refuse(str(reason))
        await self._believe()
        return await self._store(xml, fields, signature)

    def _fields(self, xml: bytes) -> Fields:
        """What a genuine message says; one that is no XML is stored all the same, and shown on the desk."""
        try:
            return fields_of(xml)
        except ValueError:
            return {}

    def _check_agent(self, fields: Fields) -> None:
        found = whole_in(fields, "AgentID")
        if found and found != self._settings.agent_id:
            raise Forged(f"agent {found}")

    async def _refuse(self, reason: str) -> tuple[Message, Message]:
        """One answer for every fault, and one line without a word of the request."""
        self.refused += 1
        self._in_a_row += 1
        log.warning("wecom: a callback was refused: %s", reason)
        kind, _, found = reason.partition(" ")
        if kind == "agent":
            facts = {"found": found, "agent": self._settings.agent_id}
            await self._troubles.begin(
                "other_agent", trouble(self._settings.language, "other_agent", **facts)
            )
        elif self._in_a_row >= TOLD_AFTER_REFUSALS:
            words = trouble(self._settings.language, "forged", reason=reason, count=self._in_a_row)
            await self._troubles.begin("forged", words)
        return REFUSED

    async def _believe(self) -> None:
        self._in_a_row = 0
        await self._troubles.end("forged", "other_agent")

    async def _store(self, xml: bytes, fields: Fields, signature: Signature) -> tuple[Message, Message]:
        address = address_in(fields)
        event_id = event_id_of(fields) if fields else f"x{hashlib.sha256(xml).hexdigest()[:32]}"
        try:
            notes = await self._moment.notes(fields, address, signature.timestamp, event_id)
            await self._directory.meet(text_in(fields, "FromUserName").strip()[:64])
            await self._intake.take(CHANNEL, event_id, address or NOBODY, written(xml, notes))
            if not notes.stale:
                await self._directory.hear(fields)
        except Unavailable as error:  # One line: while a disk is full the same comes again and again.
            log.warning("wecom: event %s cannot be stored now: %s", event_id, error)
            return UNSTORED
        except Exception:  # Whatever the store suffers from, WeCom must keep the event and bring it again.
            log.exception("wecom: event %s could not be stored", event_id)
            return UNSTORED
        await self._moment.stored(fields, address, event_id, xml)
        return OK


def _query(scope: Scope) -> dict[str, str]:
    raw = scope.get("query_string", b"")
    if len(raw) > QUERY_BYTES_MAX:
        raise TooLarge
    try:
        found = parse_qs(raw.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError as error:
        raise Forged("query") from error
    return {name: values[-1] for name, values in found.items()}


def _check_size(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > BODY_BYTES_MAX:
            raise TooLarge
