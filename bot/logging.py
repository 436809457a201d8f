"""The technical log on stderr: one JSON record a line, without secrets, telephone numbers or line breaks."""

import json
import logging
import re
import sys
from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor

SECRET, PHONE = "<secret>", "<phone>"
# Chatter that names URLs (with tokens) or message texts, whatever level the operator asks for.
QUIET = (
    "httpx",
    "httpcore",
    "telegram",
    "alembic",
    "aiosqlite",
    "sqlalchemy",
    "apscheduler",
    "PIL",
    "asyncio",
    "uvicorn",
)

_PATTERNS = (
    # A bot token stands in every Telegram URL: bot<id>:<key>.
    (re.compile(r"(?<!\d)\d{6,}:[A-Za-z0-9_-]{30,}"), SECRET),
    (re.compile(r"(?<=/chat/)[A-Za-z0-9_-]{20,}"), SECRET),
    (re.compile(r"(?<=/calendar/)[A-Za-z0-9_-]{20,}"), SECRET),
    (re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"), SECRET),
    (
        re.compile(r"(?i)((?:access_token|corpsecret|secret|token|password|passwd|key)=)[^&\s\"'<>]+"),
        rf"\1{SECRET}",
    ),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"), rf"\1{SECRET}"),
    # 11 digits with or without +86, spaces or hyphens; and a landline with its area code.
    (re.compile(r"(?<!\d)(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"), PHONE),
    (re.compile(r"(?<!\d)0\d{2,3}-\d{7,8}(?!\d)"), PHONE),
)
_SECRET_KEYS = re.compile(
    r"(?i)^(phone|mobile|token|secret|password|authorization|cookie|.*_(token|secret))$"
)
# What some reader of the log takes for a line's end, or a terminal for an order.
_BREAKS = {
    number: f"\\u{number:04x}"
    for number in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), 0xFEFF)
}


class Redaction:
    """Takes secrets and telephone numbers out of any text or record."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= 4 for form in (secret, quote(secret, safe=""))}
        self._secrets = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET)
        for pattern, mark in _PATTERNS:
            text = pattern.sub(mark, text)
        return text

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """As a processor: every value, and every key that names a secret."""
        return {str(key): self._value(str(key), value) for key, value in event.items()}

    def _value(self, key: str, value: Any) -> Any:
        if _SECRET_KEYS.match(key) and value:
            return PHONE if key in ("phone", "mobile") else SECRET
        if isinstance(value, dict):
            return {str(inner): self._value(str(inner), one) for inner, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", one) for one in value]
        if value is None or isinstance(value, bool | int | float):
            return value if value is None or isinstance(value, bool) else self._number(value)
        return self.text(value if isinstance(value, str) else str(value))

    def _number(self, value: float) -> Any:
        written = str(value)
        clean = self.text(written)
        return value if clean == written else clean


def set_up(
    level: str = "info", form: str = "auto", secrets: Sequence[str] = (), out: TextIO | None = None
) -> None:
    """Let every logger of the process write to stderr (or `out`), cleaned; `form` is auto, json or pretty."""
    stream = out or sys.stderr
    is_pretty = form == "pretty" or (form == "auto" and stream.isatty())
    renderer: Processor = _Pretty() if is_pretty else _Json()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        _Formatter([_describe, structlog.processors.format_exc_info, Redaction(secrets), renderer])
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Never lets a bad record through as a traceback of its own, which would be neither one line nor clean."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        super().__init__(processors=processors, keep_exc_info=False, keep_stack_info=False)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        try:
            return super().format(record)
        except Exception as error:  # A wrong placeholder or an odd object must not stop the desk.
            told = {
                "level": "error",
                "logger": record.name,
                "event": f"unwritable record: {type(error).__name__}",
            }
            return json.dumps(told)


def _describe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The fields every record has, in the order people read them."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    told = {
        "at": at,
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event.pop("event", ""),
    }
    return {**told, **event}


class _Json:
    """A record as one line of JSON."""

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> str:
        line = json.dumps(event, ensure_ascii=False, default=str)
        return line.translate(_BREAKS)


class _Pretty:
    """A record for a person at a terminal: one line, and a traceback as itself below it."""

    def __init__(self) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=False, timestamp_key="at", pad_event_to=0)

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        plain = {
            key: _one_line(value, keep="\n" if key == "exception" else "") for key, value in event.items()
        }
        return str(self._render(logger, method, plain))


def _one_line(value: Any, keep: str) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(one if one in keep else one.translate(_BREAKS) for one in value)
