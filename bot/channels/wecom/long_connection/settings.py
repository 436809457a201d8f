"""What the office sets for the AI bot, the pauses its line keeps, and the vendor's limits as data."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.channels.wecom.words import setting

VENDOR_URL = "wss://openws.work.weixin.qq.com"
# Where the vendor keeps what people sent to a bot. Nothing is fetched from anywhere else.
MEDIA_HOSTS = ("*.weixin.qq.com", "*.qpic.cn", "ww-aibot-*.myqcloud.com")
FILE_BYTES_MAX = 100 * 1024 * 1024
# A push may hold 20,480 bytes; a group robot's markdown 4,096: short enough for both.
TEXT_UNITS_MAX = 1300


@dataclass(frozen=True)
class LinePace:
    """How long the line waits for what."""

    connect_seconds: float = 10
    answer_seconds: float = 10
    ping_seconds: float = 30
    back_off_seconds: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    press_seconds: float = 4.5  # A pressed card changes within five seconds, or never.
    reply_hours: float = 23  # A message can be replied to for a day.
    replies_max: int = 20  # To one message; what is more is pushed.
    holder_seconds: float = 45  # So long the note of who has the line is believed.
    look_seconds: float = 2
    stand_down_seconds: float = 600
    frequency_hold_seconds: float = 60
    unsent_seconds: float = 2
    gap_seconds: float = 120  # What people write while nobody listens is lost: a longer silence is told.
    people_seconds: float = 60
    stop_seconds: float = 2

    def back_off(self, failures: int) -> float:
        """The pause after so many failures in a row."""
        return self.back_off_seconds[min(failures, len(self.back_off_seconds)) - 1]


@dataclass(frozen=True)
class LongConnectionSettings:
    """The table [wecom] of config.toml with mode = "long_connection", and what comes with it."""

    bot_id: str
    bot_secret: str = field(repr=False)
    ws_url: str = VENDOR_URL
    cards: bool = True
    # Of pushes to one chat, in public code; the vendor's page does not say.
    member_per_minute: int = 30
    member_per_hour: int = 1000
    public_url: str = ""
    chat_links: bool = False  # Whether an officer can be given a link to a web-chat page of their own.
    language: str = "zh-CN"
    media_hosts: tuple[str, ...] = MEDIA_HOSTS
    pace: LinePace = LinePace()

    def faults(self) -> list[str]:
        """Everything that cannot work, each with its cure."""
        parts = urlsplit(self.ws_url)
        sound = {
            "bot_id": self.bot_id.strip(),
            "bot_secret": self.bot_secret.strip(),
            "ws_url": parts.scheme in ("ws", "wss") and parts.hostname,
        }
        return [
            setting(self.language, name, example=VENDOR_URL) for name, value in sound.items() if not value
        ]
