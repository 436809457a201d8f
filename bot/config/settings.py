"""The configuration as the parts of the desk ask for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.config.arrays import Arrays
from bot.config.environment import SECRETS
from bot.config.reading import hints_of
from bot.config.tables import (
    Attachments,
    Database,
    Heartbeat,
    Log,
    Office,
    Queue,
    Telegram,
    WebChat,
    WeCom,
    WeComRobot,
)
from bot.wording import commands
from desk.policy import Limits, Policy
from roster.calendar import Calendar
from web.settings import WebSettings

SQLITE = "sqlite+aiosqlite:///"
POSTGRESQL = "postgresql+psycopg://"
EVERYWHERE = ("0.0.0.0", "::", "[::]")  # noqa: S104  # Only compared, never bound.


@dataclass(frozen=True)
class Config:
    """Everything config.toml says, checked."""

    office: Office = field(default_factory=Office)
    database: Database = field(default_factory=Database)
    web: WebSettings = field(default_factory=WebSettings, repr=False)
    log: Log = field(default_factory=Log)
    queue: Queue = field(default_factory=Queue)
    telegram: Telegram = field(default_factory=Telegram)
    wecom: WeCom = field(default_factory=WeCom)
    wecom_robot: WeComRobot = field(default_factory=WeComRobot)
    webchat: WebChat = field(default_factory=WebChat)
    attachments: Attachments = field(default_factory=Attachments)
    limits: Limits = field(default_factory=Limits)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    arrays: Arrays = field(default_factory=Arrays)
    path: Path | None = None  # The file, when there is one.
    warnings: tuple[str, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on the database at a time: it is PostgreSQL."""
        return self.database.url.startswith(POSTGRESQL)

    @property
    def database_path(self) -> Path:
        """Where the SQLite file is; on PostgreSQL there is none."""
        return Path(self.database.url.removeprefix(SQLITE))

    @property
    def attachments_path(self) -> Path:
        """Where what came with reports is kept."""
        return Path(self.attachments.path)

    @property
    def demonstration(self) -> bool:
        """Whether this is the demonstration town: nothing real is configured, and nobody forbids it."""
        return self.office.demonstration and not self.live_channels

    @property
    def live_channels(self) -> tuple[str, ...]:
        """The platforms that are configured; the web phone page alone needs nothing and is not counted."""
        found = {"telegram": self.telegram.token, "wecom": self.wecom.secret or self.wecom.bot_secret}
        return tuple(name for name, secret in found.items() if secret)

    @property
    def public_url(self) -> str:
        """Where people reach the desk, without a slash at the end: as configured, else on this machine."""
        if self.web.public_url:
            return self.web.public_url.rstrip("/")
        host = "127.0.0.1" if self.web.host in EVERYWHERE else self.web.host
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.web.port}"

    @property
    def channels(self) -> dict[str, dict[str, Any]]:
        """Each channel folder's own table, with what it needs from elsewhere."""
        shared = {"public_url": self.public_url, "language": self.office.language}
        return {
            "telegram": {
                **asdict(self.telegram),
                **shared,
                "public_url": self.web.public_url,
                "commands": commands(),
            },
            "wecom": {**asdict(self.wecom), **shared, "chat_links": self.webchat.enabled},
            "wecom_robot": {**asdict(self.wecom_robot), **shared},
            "webchat": {**asdict(self.webchat), **shared},
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value, to be kept out of logs."""
        tables: Mapping[str, Any] = {table: getattr(self, table) for table in SECRETS}
        found = [getattr(tables[table], key) for table, keys in SECRETS.items() for key in keys]
        secrets = [secret for secret in found if secret and not secret.startswith(SQLITE)]
        if self.is_shared and (password := urlsplit(self.database.url).password):
            secrets += [password, unquote(password)]
        return tuple(secrets)

    def policy(self, calendar: Calendar) -> Policy:
        """The office's own rules, for jobs to read."""
        stubs = {
            "telegram": self.telegram.stub_only,
            "wecom": self.wecom.stub_only,
            "webchat": self.webchat.stub_only,
        }
        return Policy(
            office=self.office.name,
            timezone=self.office.timezone,
            language=self.office.language,
            number_prefix=self.office.number_prefix,
            watch_changes_at=self.office.watch_changes_at,
            ladders=self.arrays.ladders,
            roll_calls=self.arrays.roll_calls,
            bulletins=self.arrays.bulletins,
            posts=self.arrays.posts,
            limits=self.limits,
            calendar=calendar,
            public_url=self.public_url,
            telegram_bot=self.telegram.bot_name.removeprefix("@"),
            stub_only=tuple(name for name, is_stub in stubs.items() if is_stub),
            demonstration=self.demonstration,
            fallback=self.office.fallback,
        )

    def web_settings(self) -> WebSettings:
        """How the screen is served."""
        return replace(self.web, demonstration=self.demonstration, attachments_path=self.attachments.path)


# The web door's own record, without what other tables say.
ELSEWHERE = ("demonstration", "attachments_path")


def schema() -> dict[str, type[Any]]:
    """The single tables by name, each with the record of its keys."""
    return {
        name: kind for name, kind in hints_of(Config).items() if name not in ("arrays", "path", "warnings")
    }
