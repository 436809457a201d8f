"""What the office sets for WeCom, and the pauses the channel keeps."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.channels.wecom.encryption import key_of
from bot.channels.wecom.words import setting

VENDOR_URL = "https://qyapi.weixin.qq.com"
CALLBACK_PATH = "/channels/wecom/callback"
SIGN_IN_PATH = "/channels/wecom/sign-in"
BATCH_MAX = 1000
TEXT_BYTES_MAX = 2048


@dataclass(frozen=True)
class Pace:
    """How long the channel waits for what."""

    connect_seconds: float = 5
    answer_seconds: float = 15
    back_off_seconds: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    look_seconds: float = 60  # How often the table of people is looked at.
    stale_seconds: float = 600  # A callback signed longer ago is kept, and may not press buttons.
    frequency_hold_seconds: float = 60
    crowd_hold_seconds: float = 5
    cure_hold_seconds: float = 30  # While a person must act first.

    def back_off(self, failures: int) -> float:
        """The pause after so many failures in a row."""
        return self.back_off_seconds[min(failures, len(self.back_off_seconds)) - 1]


@dataclass(frozen=True)
class WeComSettings:
    """The table [wecom] of config.toml in callback mode, and what comes with it."""

    corp_id: str
    agent_id: int
    secret: str = field(repr=False)
    callback_token: str = field(default="", repr=False)
    encoding_aes_key: str = field(default="", repr=False)
    base_url: str = VENDOR_URL
    cards: bool = (
        True  # Without cards every choice is a number to reply: for members who read in plain WeChat.
    )
    # Beyond these the vendor drops without a word. General knowledge, not confirmed in the vendor's text.
    member_per_minute: int = 30
    member_per_hour: int = 1000
    member_per_day: int = 200  # On average: so many times the number of members in all.
    public_url: str = ""
    language: str = "zh-CN"
    pace: Pace = Pace()

    def faults(self) -> list[str]:
        """Everything that cannot work, each with its cure."""
        parts = urlsplit(self.base_url)
        is_url = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        sound = {
            "corp_id": self.corp_id,
            "agent_id": self.agent_id,
            "secret": self.secret,
            "callback_token": self.callback_token,
            "encoding_aes_key": key_of(self.encoding_aes_key),
            "base_url": is_url,
        }
        return [
            setting(self.language, name, example=VENDOR_URL) for name, value in sound.items() if not value
        ]

    @property
    def callback_url(self) -> str:
        """What the console must be given."""
        return self.public_url.rstrip("/") + CALLBACK_PATH
