"""How updates reach the bot: one long poll, or a webhook with its own order and retries."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import deque
from urllib.parse import urlsplit

import httpx

from tests.fakes.telegram_methods import call
from tests.fakes.telegram_model import ApiError, Json, Update, bad_request
from tests.fakes.telegram_params import Params
from tests.fakes.telegram_world import World

LONG_POLL_SECONDS_MAX = 50
RESEND_SECONDS_MAX = 60
_WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
_OTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)


class _Poll:
    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.conflict = ""


class Delivery:
    """The getUpdates and webhook half of the Bot API; lives in the server's event loop."""

    def __init__(self, world: World, retry_factor: float, *, require_https: bool) -> None:
        self.world = world
        self.retry_factor = retry_factor
        self.require_https = require_https
        self.webhook: Json = {"url": ""}
        self.secret = ""
        self.deliveries = 0
        self.slowest_answer_seconds = 0.0  # Of those that were answered, or given up.
        self.conflicts = 0
        self._poll: _Poll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: dict[str, deque[Update]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(40)
        self._client: httpx.AsyncClient | None = None

    @property
    def is_polled(self) -> bool:
        """Tell whether a getUpdates waits right now."""
        return self._poll is not None

    def open(self) -> None:
        """Begin in the running loop; a webhook set before goes on."""
        self._loop = asyncio.get_running_loop()
        self.world.listeners.append(self._on_change)
        if self.webhook["url"]:
            self._begin_webhook()

    async def close(self) -> None:
        """Stop delivering; nothing unconfirmed is lost."""
        self.world.listeners.remove(self._on_change)
        self._end_poll("")
        await self._end_webhook()
        self._loop = None

    def _on_change(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._react)

    def _react(self) -> None:
        if self._poll is not None:
            self._poll.changed.set()
        if self.webhook["url"]:
            self._pump()

    # Polling: bots/api#getupdates.

    async def get_updates(self, params: Params) -> list[Json]:
        """Answer one getUpdates: at once when something waits, else within `timeout` seconds."""
        if self.webhook["url"]:
            self.conflicts += 1
            raise ApiError(409, _WEBHOOK_ACTIVE)
        offset = params.integer("offset")
        limit = min(100, max(1, params.integer("limit", 100)))
        timeout = min(LONG_POLL_SECONDS_MAX, max(0, params.integer("timeout")))
        self._end_poll(_OTHER_POLLER)
        updates = self.world.updates
        updates.set_allowed(params.parsed("allowed_updates", "allowed_updates"))
        poll = self._poll = _Poll()
        self.world.notify()
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            while True:
                poll.changed.clear()
                with self.world.lock:
                    batch = updates.batch(offset, limit)
                left = deadline - asyncio.get_running_loop().time()
                if batch or left <= 0 or self._poll is not poll:
                    break
                try:
                    await asyncio.wait_for(poll.changed.wait(), left)
                except TimeoutError:
                    continue
                if poll.conflict:
                    raise ApiError(409, poll.conflict)
        finally:
            if self._poll is poll:
                self._poll = None
        return [update.as_json() for update in batch]

    def _end_poll(self, conflict: str) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            self.conflicts += bool(conflict)
            poll.conflict = conflict
            poll.changed.set()

    # Webhook: bots/api#setwebhook; retry and order as in the Bot API server's WebhookActor.cpp.

    async def set_webhook(self, params: Params) -> bool:
        """Point updates at a URL; an empty URL goes back to polling."""
        url = params.text("url")
        if not url:
            return await self.delete_webhook(params)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise bad_request("bad webhook: invalid webhook URL specified")
        if self.require_https and parts.scheme != "https":
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        secret = params.text("secret_token")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise bad_request("secret token contains unallowed characters")
        await self._end_webhook()
        self.world.updates.set_allowed(params.parsed("allowed_updates", "allowed_updates"))
        if params.flag("drop_pending_updates"):
            self.world.updates.drop()
        connections = min(100, max(1, params.integer("max_connections", 40)))
        self.webhook = {"url": url, "max_connections": connections, "ip_address": "127.0.0.1"}
        self.secret = secret
        self._end_poll("Conflict: terminated by setWebhook request")
        self._begin_webhook()
        return True

    async def delete_webhook(self, params: Params) -> bool:
        """Go back to polling, keeping or dropping what waits."""
        await self._end_webhook()
        self.webhook = {"url": ""}
        if params.flag("drop_pending_updates"):
            self.world.updates.drop()
        return True

    def webhook_info(self) -> Json:
        """Return getWebhookInfo's answer."""
        with self.world.lock:
            pending = len(self.world.updates.live())
        info = {"has_custom_certificate": False, "pending_update_count": pending, **self.webhook}
        if self.world.updates.allowed:
            info["allowed_updates"] = self.world.updates.allowed
        return info

    def _begin_webhook(self) -> None:
        connections = int(self.webhook["max_connections"])
        self._slots = asyncio.Semaphore(connections)
        self._client = httpx.AsyncClient(
            timeout=60, trust_env=False, verify=False, limits=httpx.Limits(max_connections=connections)
        )
        with self.world.lock:
            self.world.updates.fresh = self.world.updates.live()
        self._pump()

    async def _end_webhook(self) -> None:
        workers = list(self._workers.values())
        self._workers.clear()
        self._queues.clear()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _pump(self) -> None:
        if self.world.updates.held or self._client is None:
            return
        with self.world.lock:
            fresh, self.world.updates.fresh = self.world.updates.fresh, []
        for update in fresh:
            self._queues.setdefault(update.queue, deque()).append(update)
            if update.queue not in self._workers:
                self._workers[update.queue] = asyncio.create_task(self._work(update.queue))

    async def _work(self, queue: str) -> None:
        """Deliver one queue in order; a failing update holds back this queue and no other."""
        waiting = self._queues[queue]
        failures, delay = 0, 1.0
        while waiting:
            update = waiting[0]
            if not self._is_wanted(update):
                waiting.popleft()
                continue
            async with self._slots:
                error, retry_after = await self._post(update)
            if not error:
                if not update.is_duplicate:
                    with self.world.lock:
                        self.world.updates.confirm(update.update_id)
                waiting.popleft()
                failures, delay = 0, 1.0
                continue
            self.webhook["last_error_date"] = int(self.world.now())
            self.webhook["last_error_message"] = error
            self.world.notify()
            # The first failure is repeated at once, then after 2, 4, 8 … seconds; Retry-After is honoured.
            pause = float(min(3600, retry_after))
            if not retry_after and failures:
                delay = min(random.uniform(RESEND_SECONDS_MAX, 2 * RESEND_SECONDS_MAX), delay * 2)
                pause = delay
            failures += 1
            await asyncio.sleep(pause * self.retry_factor)
        del self._workers[queue]
        del self._queues[queue]

    def _is_wanted(self, update: Update) -> bool:
        if update.is_duplicate:
            return True
        with self.world.lock:
            if update.expires_at < self.world.now():
                self.world.updates.live()
            return update.update_id in self.world.updates.pending

    async def _post(self, update: Update) -> tuple[str, int]:
        assert self._client is not None
        body = json.dumps(update.as_json(), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.secret
        self.deliveries += 1
        began_at = time.monotonic()
        try:
            response = await self._client.post(self.webhook["url"], content=body, headers=headers)
            self.slowest_answer_seconds = max(self.slowest_answer_seconds, time.monotonic() - began_at)
        except httpx.HTTPError as fault:
            if isinstance(fault, httpx.ReadTimeout):
                self.slowest_answer_seconds = max(self.slowest_answer_seconds, time.monotonic() - began_at)
            return (
                "Connection refused" if isinstance(fault, httpx.ConnectError) else str(fault) or "closed"
            ), 0
        if response.is_success:
            self._answer_in_response(response)
            return "", 0
        reason = f"Wrong response from the webhook: {response.status_code} {response.reason_phrase}"
        retry_after = response.headers.get("Retry-After", "")
        return reason, int(retry_after) if retry_after.isdigit() else 0

    def _answer_in_response(self, response: httpx.Response) -> None:
        # bots/api#making-requests-when-getting-updates: a method may ride in the answer.
        if "json" not in response.headers.get("Content-Type", ""):
            return
        try:
            body = response.json()
            method = str(body.pop("method", "")) if isinstance(body, dict) else ""
            if method and not method.lower().startswith(("get", "setwebhook", "deletewebhook")):
                call(self.world, method, Params(body))
        except (ValueError, ApiError):
            return
