"""The environment's say: MUSTER_<TABLE>__<KEY> overrides a key, and <KEY>_FILE gives a secret by its file."""

import contextlib
import stat
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.config.arrays import NAMES as ARRAYS
from bot.config.faults import nearest
from bot.config.reading import Reader, hints_of

PREFIX = "MUSTER_"
FILE = "_FILE"
SECRET_BYTES_MAX = 64 * 1024
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

# What is redacted everywhere, may come by file, and must never be empty once it is written.
SECRETS = {
    "database": ("url",),
    "web": ("secret_key",),
    "telegram": ("token", "webhook_secret"),
    "wecom": ("secret", "callback_token", "encoding_aes_key", "bot_secret"),
    "wecom_robot": ("url",),
    "heartbeat": ("url",),
}


@dataclass
class Said:
    """The tables with the environment's values in them, and where each value came from."""

    tables: dict[str, Any]
    origins: dict[str, dict[str, str]] = field(default_factory=dict)
    open_files: list[Path] = field(default_factory=list)  # Secret files everybody may read.


def override(
    tables: Mapping[str, Any], schema: Mapping[str, type[Any]], environ: Mapping[str, str], reader: Reader
) -> Said:
    """The tables of the file, each key replaced by the environment's where it has one."""
    copied = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    said = Said(copied)
    known = {
        f"{PREFIX}{table}__{key}".upper(): (table, key, hint)
        for table, kind in schema.items()
        for key, hint in hints_of(kind).items()
    }
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        target = known.get(name)
        is_file = target is None and name.endswith(FILE)
        target = target or known.get(name.removesuffix(FILE))
        if target is None:
            _unknown(name, known, reader)
            continue
        table, key, hint = target
        value: Any = _as_written(environ[name], hint)
        if is_file:
            value = _from_file(name, (table, key), environ, said, reader)
            if value is None:
                continue
        if isinstance(said.tables.setdefault(table, {}), dict):
            said.tables[table][key] = value
            said.origins.setdefault(table, {})[key] = name
    return said


def _unknown(name: str, known: Mapping[str, Any], reader: Reader) -> None:
    table = name.removeprefix(PREFIX).partition("__")[0].lower()
    if table in ARRAYS:
        reader.fault(name, "environment_array", name=table)
    else:
        hint = nearest(name.lower(), [one.lower() for one in known]).upper()
        reader.fault(name, "environment_unknown", hint=hint)


def _from_file(
    name: str, target: tuple[str, str], environ: Mapping[str, str], said: Said, reader: Reader
) -> str | None:
    """The secret in the file a variable names, or None once the fault is noted."""
    table, key = target
    if key not in SECRETS.get(table, ()):
        reader.fault(name, "environment_file")
        return None
    if name.removesuffix(FILE) in environ:
        reader.fault(name, "secret_twice", other=name.removesuffix(FILE))
        return None
    path = Path(environ[name])
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_BYTES_MAX).decode("utf-8").strip()
        if is_open(path):
            said.open_files.append(path)
    except (OSError, ValueError) as error:
        reader.fault(name, "secret_file", reason=getattr(error, "strerror", None) or type(error).__name__)
        return None
    return text


def is_open(path: Path) -> bool:
    """Whether everybody on this machine may read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def _as_written(text: str, hint: Any) -> Any:
    """A variable's text as TOML would have it; what does not fit stays a text and is refused by its type."""
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        return [_as_written(part.strip(), item) for part in text.split(",") if part.strip()]
    if hint is bool:
        word = text.strip().lower()
        return True if word in TRUE else False if word in FALSE else text
    if hint in (int, float):
        with contextlib.suppress(ValueError):
            return int(text)
    if hint is float:
        with contextlib.suppress(ValueError):
            return float(text)
    return text
