"""The state of the fake WeCom: the directory, tokens, what phones show, files, response codes."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from tests.fakes.wecom_cards import ANSWERED_TYPES, accepted, check_card
from tests.fakes.wecom_crypto import Seal, new_aes_key
from tests.fakes.wecom_faults import Faults
from tests.fakes.wecom_limits import Counts, Limits
from tests.fakes.wecom_model import (
    ACTIVE,
    ApiError,
    Card,
    Json,
    Medium,
    Member,
    ResponseCode,
    Sent,
    Shown,
    bad_parameter,
)

CORP_ID = "ww0fa2cb9d8e7f6a51"
AGENT_ID = 1000002
SECRET = "fakeAppSecret-0123456789-abcdefghijklmnopqrs"
CALLBACK_TOKEN = "CallbackTokenOfTheFake"


class World:
    """Everything behind the API, changed only under `lock`; `notify` tells those who wait."""

    def __init__(self, clock: Callable[[], float], limits: Limits) -> None:
        self.clock = clock
        self.offset = 0.0
        self.limits = limits
        self.lock = threading.RLock()
        self.listeners: list[Callable[[], None]] = []
        self.corp_id, self.agent_id, self.secret = CORP_ID, AGENT_ID, SECRET
        self.seal = Seal(CALLBACK_TOKEN, new_aes_key(), CORP_ID)
        self.members: dict[str, Member] = {}
        self.inboxes: dict[str, list[Shown]] = defaultdict(list)
        self.tokens: dict[str, float] = {}
        self.sends: list[Sent] = []
        self.by_msgid: dict[str, Sent] = {}
        self.cards: dict[str, Card] = {}
        self.codes: dict[str, ResponseCode] = {}
        self.repeats: dict[str, float] = {}
        self.repeats_dropped = 0
        self.media: dict[str, Medium] = {}
        self.menu: Json = {}
        self.sign_in_codes: dict[str, tuple[str, float]] = {}
        self.robots: dict[str, list[Json]] = {}
        self.calls: Counter[str] = Counter()
        self.counts = Counts()
        self._today = (0, 0)  # The day and how many receivers it had.
        self.faults = Faults()
        self.on_send: Callable[[Sent], None] | None = None

    def now(self) -> float:
        """Return Unix seconds, moved by `advance`."""
        return self.clock() + self.offset

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        for listener in list(self.listeners):
            listener()

    # The directory: user ids ignore case.

    def member(self, userid: object) -> Member | None:
        """Return the member with this id in any case."""
        return self.members.get(str(userid).lower())

    def reachable(self, userid: str) -> Member | None:
        """Return the member if the app may write to them."""
        member = self.member(userid)
        return member if member and member.is_visible and member.status == ACTIVE else None

    # Tokens: one per app, the same again until it ends.

    def token(self) -> tuple[str, float]:
        """Return the access token and its seconds left."""
        now = self.now()
        for token, until in self.tokens.items():
            if until > now:
                return token, until - now
        token = secrets.token_urlsafe(96)
        self.tokens[token] = now + self.limits.token_seconds
        return token, self.limits.token_seconds

    def check_token(self, token: str) -> None:
        """Refuse an unknown token (40014) or one that is over (42001)."""
        until = self.tokens.get(token)
        if not token:
            raise ApiError(41001, "access_token missing")
        if until is None:
            raise ApiError(40014, "invalid access_token")
        if until <= self.now():
            raise ApiError(42001, "access_token expired")

    # Sending.

    def is_repeat(self, body: Json) -> bool:
        """Tell whether this very request came within the interval it asks for, and remember it."""
        if not body.get("enable_duplicate_check"):
            return False
        interval = int(body.get("duplicate_check_interval") or self.limits.duplicate_interval_default)
        if interval > self.limits.duplicate_interval_max:
            raise bad_parameter("duplicate_check_interval")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        now = self.now()
        is_repeat = self.repeats.get(digest, 0) > now
        if is_repeat:
            self.repeats_dropped += 1
        else:
            self.repeats[digest] = now + interval
        return is_repeat

    def post(self, kind: str, body: Json, members: Iterable[Member]) -> Sent:
        """Put a message on phones and record it; who got too much lately silently gets nothing."""
        content = accepted(kind, body, self.limits)
        if kind in ("image", "voice", "video", "file"):
            self.medium(content["media_id"])
        task_id = str(content.get("task_id", "")) if kind == "template_card" else ""
        if task_id and task_id in self.cards:
            raise bad_parameter("task_id is used already")
        now = self.now()
        sent = Sent(secrets.token_urlsafe(24), kind, content, now, time.monotonic(), task_id=task_id)
        reached: list[str] = []
        dropped: list[str] = []
        card = Card(sent, str(content.get("card_type", "")))
        left = self._day_left(now)
        for member in members:
            if self.limits.paced and (len(reached) >= left or not self._has_room(member, now)):
                dropped.append(member.userid)
                continue
            shown = Shown(sent, content, now)
            reached.append(member.userid)
            self.inboxes[member.userid.lower()].append(shown)
            card.shown[member.userid.lower()] = shown
        self._today = (self._today[0], self._today[1] + len(reached))
        sent.reached, sent.dropped = tuple(reached), tuple(dropped)
        if task_id:
            self.cards[task_id] = card
        self.sends.append(sent)
        self.by_msgid[sent.msgid] = sent
        if self.on_send is not None:
            self.on_send(sent)
        return sent

    def _day_left(self, now: float) -> int:
        """Return how many receivers the app has left today, by China's day."""
        self._today = self._today if self._today[0] == (day := int((now + 8 * 3600) // 86_400)) else (day, 0)
        licensed = sum(member.is_licensed for member in self.members.values())
        return licensed * self.limits.day_per_licensed_member - self._today[1]

    def _has_room(self, member: Member, now: float) -> bool:
        limits = self.limits
        most = (60, limits.member_per_minute), (3600, limits.member_per_hour)
        return self.counts.take(f"member:{member.userid.lower()}", now, *most)

    # Cards.

    def new_code(self, card: Card) -> str:
        """Return a response code: 72 h, once."""
        code = secrets.token_urlsafe(36)
        self.codes[code] = ResponseCode(card, self.now() + self.limits.response_code_seconds)
        return code

    def answers_with_code(self, sent: Sent) -> bool:
        """Tell whether the vendor gives a response_code with this message."""
        kind = sent.body.get("card_type")
        return sent.kind == "template_card" and (kind in ANSWERED_TYPES or "action_menu" in sent.body)

    def use_code(self, code: object) -> Card:
        """Return the card a code amends and spend the code."""
        found = self.codes.get(str(code))
        if found is None or found.is_used or found.expires_at <= self.now():
            raise bad_parameter("response_code")
        found.is_used = True
        return found.card

    def amend(self, card: Card, userids: Iterable[str], body: Json) -> None:
        """Change what those who got the card are shown: the buttons' words, or a whole new card."""
        name = (body.get("button") or {}).get("replace_name")
        whole = body.get("template_card")
        if bool(name) == bool(whole):
            raise bad_parameter("button.replace_name or template_card")
        if whole:
            check_card({"task_id": card.sent.task_id, **whole}, self.limits)
        for userid in userids:
            shown = card.shown.get(userid.lower())
            if shown is None:
                continue
            shown.edits += 1
            if whole:
                shown.content = dict(whole)
                shown.replaced_by = str(whole.get("replace_text", ""))
            else:
                shown.replaced_by = str(name)

    def recall(self, msgid: object) -> None:
        """Take a message of the last 24 h off every phone."""
        sent = self.by_msgid.get(str(msgid))
        if sent is None or sent.at < self.now() - self.limits.recall_seconds:
            raise bad_parameter("msgid")
        for userid in sent.reached:
            inbox = self.inboxes[userid.lower()]
            inbox[:] = [shown for shown in inbox if shown.sent is not sent]

    # Files.

    def keep(self, kind: str, name: str, content: bytes) -> Medium:
        """Store a temporary file for three days."""
        until = self.now() + self.limits.media_seconds
        medium = Medium(secrets.token_urlsafe(48), kind, name, content, until)
        self.media[medium.media_id] = medium
        return medium

    def medium(self, media_id: object) -> Medium:
        """Return a file, or 40007 when it is unknown or too old."""
        medium = self.media.get(str(media_id))
        if medium is None or medium.expires_at <= self.now():
            raise ApiError(40007, "invalid media_id")
        return medium

    def expire_media(self) -> None:
        """Let every stored file be over now."""
        self.media = {key: replace(medium, expires_at=0) for key, medium in self.media.items()}
