"""What the office sets for Telegram, and the pauses the channel keeps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

VENDOR_URL = "https://api.telegram.org/bot"
WEBHOOK_PATH = "/channels/telegram/webhook"

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # core.telegram.org/bots/api#setwebhook
_BASE_URL = re.compile(r"https?://[^/\s?#@]+(/[^/\s?#]+)+")


@dataclass(frozen=True)
class Pace:
    """How long the channel waits for what."""

    long_poll_seconds: int = 25
    connect_seconds: float = 5
    answer_seconds: float = 15
    back_off_seconds: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    conflict_seconds: float = 30  # Two pollers end each other's calls: give the other one time.
    overlap_seconds: float = (
        2  # The first time it may be the last call of a replica whose watch we took over.
    )
    watch_seconds: float = 60  # A webhook changed elsewhere is told within two minutes.
    mark_seconds: float = 300  # How often contact is noted while nothing comes.
    gap_seconds: float = 3600  # A longer silence of the line is reported: after 24 h messages are lost.
    quiet_seconds: float = 6 * 86_400  # After a quiet week update ids begin anew: the old offset is void.

    def back_off(self, failures: int) -> float:
        """The pause after so many failures in a row."""
        return self.back_off_seconds[min(failures, len(self.back_off_seconds)) - 1]


@dataclass(frozen=True)
class TelegramSettings:
    """The table [telegram] of config.toml, and what comes with it."""

    token: str = field(repr=False)
    mode: str = "polling"  # or "webhook"
    base_url: str = VENDOR_URL
    webhook_secret: str = field(default="", repr=False)
    public_url: str = ""
    language: str = "zh-CN"
    # Language code -> (command, description); the first language is also everybody else's.
    commands: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    pace: Pace = Pace()

    @property
    def file_url(self) -> str:
        """What stands before the token of a download: beside base_url, so one setting redirects all."""
        before, _, last = self.base_url.rpartition("/")
        return f"{before}/file/{last}"

    @property
    def webhook_url(self) -> str:
        return self.public_url.rstrip("/") + WEBHOOK_PATH

    def faults(self) -> list[str]:
        """Everything that cannot work, each with its cure."""
        found = []
        if not _TOKEN.fullmatch(self.token):
            found.append("[telegram] token is not like 123456789:AAE…: copy it again from @BotFather")
        if not _BASE_URL.fullmatch(self.base_url):
            found.append(f"[telegram] base_url must be like {VENDOR_URL}")
        if self.mode not in ("polling", "webhook"):
            found.append('[telegram] mode must be "polling" or "webhook"')
        if self.mode == "webhook":
            found += self._webhook_faults()
        return found

    def _webhook_faults(self) -> list[str]:
        found = []
        if not _SECRET.fullmatch(self.webhook_secret):
            found.append("[telegram] webhook_secret must be 1 to 256 of A-Z a-z 0-9 _ -")
        parts = urlsplit(self.public_url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            found.append("[web] public_url must be the https:// address Telegram can reach; or use polling")
        elif parts.scheme == "http" and self.base_url == VENDOR_URL:
            found.append("[web] public_url must begin with https:// for a Telegram webhook; or use polling")
        return found
