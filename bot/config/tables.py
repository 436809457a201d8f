"""The single tables of config.toml: every key, its default and, by its type, what may stand there."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Office:
    """[office]"""

    name: str = "市应急办"
    timezone: str = "Asia/Shanghai"
    language: str = "zh-CN"
    number_prefix: str = "ZS"
    watch_changes_at: str = "08:30"
    fallback: tuple[str, ...] = ("role:office", "role:leader", "role:admin")
    demonstration: bool = True  # While no channel is configured.


@dataclass(frozen=True)
class Database:
    """[database]"""

    url: str = field(default="sqlite+aiosqlite:///data/muster.db", repr=False)
    auto_migrate: bool = True


@dataclass(frozen=True)
class Log:
    """[log]"""

    level: str = "info"
    format: str = "auto"


@dataclass(frozen=True)
class Queue:
    """[queue]"""

    workers_max: int = 16
    bulk_max: int = 6
    run_seconds_max: float = 600
    finish_seconds: float = 4


@dataclass(frozen=True)
class Telegram:
    """[telegram]"""

    token: str = field(default="", repr=False)
    mode: str = "polling"
    base_url: str = "https://api.telegram.org/bot"
    webhook_secret: str = field(default="", repr=False)
    bot_name: str = ""
    stub_only: bool = False


@dataclass(frozen=True)
class WeCom:
    """[wecom]"""

    mode: str = "callback"
    corp_id: str = ""
    agent_id: int = 0
    secret: str = field(default="", repr=False)
    callback_token: str = field(default="", repr=False)
    encoding_aes_key: str = field(default="", repr=False)
    base_url: str = "https://qyapi.weixin.qq.com"
    cards: bool = True
    member_per_minute: int = 30
    member_per_hour: int = 1000
    member_per_day: int = 200
    bot_id: str = ""
    bot_secret: str = field(default="", repr=False)
    ws_url: str = "wss://openws.work.weixin.qq.com"
    stub_only: bool = False


@dataclass(frozen=True)
class WeComRobot:
    """[wecom_robot]"""

    url: str = field(default="", repr=False)
    officer: str = "值班群"


@dataclass(frozen=True)
class WebChat:
    """[webchat]"""

    enabled: bool = True
    link_days: float = 400
    stub_only: bool = False


@dataclass(frozen=True)
class Attachments:
    """[attachments]"""

    path: str = "data/attachments"
    disk_free_percent_min: float = 10


@dataclass(frozen=True)
class Heartbeat:
    """[heartbeat]"""

    url: str = field(default="", repr=False)
    every_seconds: float = 60
    backup_hours_max: float = 0
