"""Receives by webhook: the answer is 200 only after the update is durable."""

import hmac
import json
import logging
from urllib.parse import urlsplit

from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from bot.channels import Intake
from bot.channels.bodies import Gone, TooLarge, read_body
from bot.channels.telegram.api import UNKNOWN_BOT, Api, Refused, Unreachable
from bot.channels.telegram.envelope import Json, read_update, sender_of, update_number
from bot.channels.telegram.mark import SETTING, Mark, read_mark
from bot.channels.telegram.poller import ALLOWED_UPDATES, CHANNEL
from bot.channels.telegram.settings import WEBHOOK_PATH, TelegramSettings
from bot.channels.troubles import Troubles, pause
from desk.ports import Clock, Unavailable

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 256 * 1024
FRESH_ERROR_SECONDS = 600
_SECRET_HEADER = b"x-telegram-bot-api-secret-token"


def _answer(status: int, reason: str = "") -> tuple[Message, Message]:
    body = json.dumps({"error": reason}).encode() if reason else b""
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", b"application/json"))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


OK = _answer(200)
NOT_AN_UPDATE = _answer(400, "the body is not a Telegram update")
WRONG_SECRET = _answer(403, "wrong or missing secret token")
NOT_POST = _answer(405, "only POST")
TOO_LARGE = _answer(413, f"the body is over {BODY_BYTES_MAX} bytes")
UNSTORED = _answer(503, "cannot be stored now, send it again")


class Webhook:
    """The route as a bare ASGI application: it is the hottest path of the desk."""

    is_callback = True  # Served before the screen's guards; what it needs it checks itself.

    def __init__(self, intake: Intake, secret: str) -> None:
        self._intake = intake
        self._secret = secret.encode()
        self.wrong_secrets = 0

    def route(self) -> Route:
        """The one route, POST only."""
        return Route(WEBHOOK_PATH, self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one update and answer."""
        try:
            start, body = await self._take(scope, receive)
        except Gone:
            return
        await send(start)
        await send(body)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[Message, Message]:
        if scope["method"] != "POST":
            return NOT_POST
        secret, size = b"", b""
        for name, value in scope["headers"]:
            if name == _SECRET_HEADER:
                secret = value
            elif name == b"content-length":
                size = value
        # An empty secret would let everybody in. Without the secret not even a body is waited for.
        if not self._secret or not hmac.compare_digest(secret, self._secret):
            self.wrong_secrets += 1
            return WRONG_SECRET
        if size.isdigit() and int(size) > BODY_BYTES_MAX:
            return TOO_LARGE
        try:
            raw = await read_body(receive, BODY_BYTES_MAX)
            update = read_update(raw)
            number = update_number(update)
        except TooLarge:
            return TOO_LARGE
        except ValueError:
            return NOT_AN_UPDATE
        try:
            await self._intake.take(CHANNEL, str(number), sender_of(update), raw)
        except Unavailable as error:  # One line: while a disk is full the same comes again and again.
            log.warning("telegram: update %d cannot be stored now: %s", number, error)
            return UNSTORED
        except (
            Exception
        ):  # Whatever the store suffers from, Telegram must keep the update and bring it again.
            log.exception("telegram: update %d could not be stored", number)
            return UNSTORED
        return OK


class Watch:
    """Sets our webhook, then looks every minute whether Telegram still brings updates to it."""

    def __init__(
        self, api: Api, settings: TelegramSettings, intake: Intake, clock: Clock, troubles: Troubles
    ) -> None:
        self._api = api
        self._settings = settings
        self._intake = intake
        self._clock = clock
        self._troubles = troubles
        self._mark: Mark | None = None
        self._failures = 0
        self._is_set = False

    async def run(self) -> None:
        """Watch until cancelled."""
        pace = self._settings.pace
        while True:
            try:
                await self._look()
            except (Unreachable, Refused) as fault:
                self._failures += 1
                if isinstance(fault, Refused) and fault.code in (401, 404):
                    await self._troubles.begin("token", UNKNOWN_BOT)
                elif self._failures >= 2:
                    await self._troubles.begin("unreachable", str(fault))
                await pause(min(pace.back_off(self._failures), pace.watch_seconds))
            else:
                self._failures = 0
                await self._troubles.end("token", "unreachable")
                await self._note_contact()
                await pause(pace.watch_seconds)

    async def _look(self) -> None:
        settings = self._settings
        if not self._is_set:
            await self._api.call(
                "setWebhook",
                url=settings.webhook_url,
                secret_token=settings.webhook_secret,
                allowed_updates=ALLOWED_UPDATES,
            )
            self._is_set = True
        info = await self._api.call("getWebhookInfo")
        trouble = webhook_trouble(settings, info, self._clock.now().timestamp())
        if trouble:
            await self._troubles.begin("webhook", trouble)
        else:
            await self._troubles.end("webhook")

    async def _note_contact(self) -> None:
        pace, now = self._settings.pace, self._clock.now()
        try:
            mark = self._mark = self._mark or read_mark(await self._intake.setting(SETTING))
            gap = mark.gap_at(now)
            if gap > pace.gap_seconds:  # Before the mark moves on: a crash must not hide it.
                await self._troubles.once("gap", mark.gap_words(now))
            if gap >= pace.mark_seconds or mark.reached_at is None:
                moved = mark.moved(now, [], 0)
                await self._intake.take_batch(CHANNEL, (), (SETTING, moved.write()))
                self._mark = moved
        except Exception:  # The note only serves the report of gaps; the route answers 503 for itself.
            log.exception("telegram: contact could not be noted")


def webhook_trouble(settings: TelegramSettings, info: Json, now: float) -> str:
    """What is wrong with the webhook as getWebhookInfo shows it, with the cure; empty when all is well."""
    url = str(info.get("url", ""))
    if settings.mode == "polling":
        cure = "set mode to webhook, or restart the desk, which removes it"
        return f"a webhook is set to {_host(url)} while mode is polling: {cure}" if url else ""
    if url != settings.webhook_url:
        where = f"points to {_host(url)}" if url else "is not set"
        return f"the webhook {where} and not to {_host(settings.webhook_url)}: start the desk, which sets it"
    is_fresh = now - float(info.get("last_error_date", 0)) < FRESH_ERROR_SECONDS
    if info.get("pending_update_count") and info.get("last_error_message") and is_fresh:
        error = str(info["last_error_message"])
        cure = (
            "restart the desk, which sets the secret again"
            if "403" in error
            else "look at the proxy in front"
        )
        return f"Telegram cannot deliver to {_host(url)}: {error}; {cure}"
    return ""


def _host(url: str) -> str:
    # A foreign webhook's path may hold a secret.
    return urlsplit(url).hostname or "an unknown host"
