"""Reads the file and the environment, checks what only shows across tables, and makes the Config."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.config.arrays import NAMES, ArrayReader
from bot.config.environment import SECRETS, Said, is_open, override
from bot.config.faults import FIRST, ConfigFaults, Fault, languages, nearest, shown
from bot.config.reading import Place, Reader
from bot.config.settings import ELSEWHERE, SQLITE, Config, schema
from web.settings import is_loopback

FILE_BYTES_MAX = 1024 * 1024
SECRET_KEY_MIN = 16
# Values that documentation shows and that nobody's own secret is.
_SAMPLE = re.compile(
    r"(?i)change.?me|^your\W|your.(token|secret|password)|^(secret|password|passw0rd|token|test|muster|admin|123456"
    r"|sample|example|demo)$|^x{3,}|^<.*>$|…|\.\.\.|^123456789:AAE|示例|请填|口令"
)
_MAY_BE_EMPTY = ("database.url", "heartbeat.url")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of a file (None: the defaults) and the environment. Raises ConfigFaults with every fault.

    Relative paths are seen from the file's folder, without a file from the working directory."""
    reader = Reader()
    tables = _read_file(path)
    said = override(tables, schema(), environ, reader)
    language = _language(said)
    config = _assemble(said, reader)
    _check_across(config, said, reader)
    if reader.faults:
        raise ConfigFaults(reader.faults, language)
    config = _with_whole_paths(config, (path.parent if path else Path()).absolute())
    warnings = _warnings(config, said, path, tables)
    return replace(config, path=path, warnings=tuple(one.sentence(language) for one in warnings))


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX).decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError as error:
        raise ConfigFaults([Fault(str(path), "no_file")]) from error
    except OSError as error:
        raise ConfigFaults([Fault(str(path), "unreadable", {"reason": error.strerror})]) from error
    except UnicodeDecodeError as error:
        raise ConfigFaults([Fault(str(path), "not_utf8")]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFaults([Fault(str(path), "not_toml", {"reason": str(error)})]) from error


def _language(said: Said) -> str:
    office = said.tables.get("office")
    wanted = office.get("language") if isinstance(office, dict) else None
    return wanted if isinstance(wanted, str) and wanted in languages() else FIRST


def _assemble(said: Said, reader: Reader) -> Config:
    """The Config of what is sound; every key that is not keeps its default beside its fault."""
    kinds = schema()
    for name in said.tables:
        if name not in kinds and name not in NAMES:
            known = [*kinds, *NAMES]
            hint = nearest(name, known)
            reader.fault(f"[{name}]", "unknown_table", hint=hint, known=", ".join(known))
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        raw = said.tables.get(name, {})
        if not isinstance(raw, dict):
            reader.fault(f"[{name}]", "not_table", name=name, found=shown(raw))
            continue
        hidden = ELSEWHERE if name == "web" else ()
        place = Place(f"[{name}]", name, said.origins.get(name, {}), hidden)
        values[name] = kind(**reader.record(kind, _without_bad_secrets(raw, place, reader), place))
    arrays = ArrayReader(reader, said.tables)
    config = Config(**values, arrays=arrays.read())
    arrays.words(config.office.fallback, "[office] fallback")
    return config


def _without_bad_secrets(raw: Mapping[str, Any], place: Place, reader: Reader) -> dict[str, Any]:
    """A table without the secrets that are empty or samples, each of which is a fault; none is ever shown."""
    sound = dict(raw)
    for key in SECRETS.get(place.rules, ()):
        value = raw.get(key)
        if value is None or (f"{place.rules}.{key}" in _MAY_BE_EMPTY and not value):
            continue
        kind, facts = "", dict[str, Any]()
        if not isinstance(value, str):
            kind, facts = "wrong_type", {"expected": "str", "found": "…"}
        elif not value.strip():
            kind = "empty_secret"
        elif _SAMPLE.search(_secret_part(value)):
            kind = "sample_secret"
        elif key == "secret_key" and len(value) < SECRET_KEY_MIN:
            kind, facts = "short_secret", {"least": SECRET_KEY_MIN}
        if kind:
            reader.fault(place.of(key), kind, **facts)
            del sound[key]
    return sound


def _secret_part(value: str) -> str:
    """What is secret in a value: all of it, or an address's password."""
    return (urlsplit(value).password or "") if "://" in value else value


def _check_across(config: Config, said: Said, reader: Reader) -> None:
    """What is only wrong together."""
    if config.queue.bulk_max >= config.queue.workers_max:
        least, most, found = 1, config.queue.workers_max - 1, config.queue.bulk_max
        reader.fault("[queue] bulk_max", "range", least=least, most=most, found=found)
    _check_telegram(config, said, reader)
    _check_wecom(config, reader)
    _check_robot(config, reader)


def _check_telegram(config: Config, said: Said, reader: Reader) -> None:
    telegram = config.telegram
    if any(fault.where.startswith(("[telegram]", "MUSTER_TELEGRAM__")) for fault in reader.faults):
        return  # What follows from those would only be noise.
    if not telegram.token:
        if telegram.webhook_secret or telegram.mode == "webhook":
            reader.fault("[telegram] token", "no_token")
        return
    if telegram.webhook_secret and telegram.mode == "polling":
        facts = {"mode": "webhook", "now": "polling"}
        reader.fault("[telegram] webhook_secret", "not_used", **facts)
        return
    from bot.channels.telegram.settings import TelegramSettings  # It takes its vendor's library along.

    table = config.channels["telegram"]
    known = {one.name for one in fields(TelegramSettings)}
    settings = TelegramSettings(**{key: value for key, value in table.items() if key in known})
    for text in settings.faults():
        reader.fault("", "relay", text=text)


def _check_wecom(config: Config, reader: Reader) -> None:
    wecom = config.wecom
    if any(fault.where.startswith(("[wecom]", "MUSTER_WECOM__")) for fault in reader.faults):
        return
    written = {
        "callback": (
            wecom.secret,
            wecom.corp_id,
            wecom.agent_id,
            wecom.callback_token,
            wecom.encoding_aes_key,
        ),
        "long_connection": (wecom.bot_id, wecom.bot_secret),
    }
    if not any(written[wecom.mode]):
        return
    from bot.channels.wecom.long_connection.settings import LongConnectionSettings
    from bot.channels.wecom.settings import WeComSettings

    kind = WeComSettings if wecom.mode == "callback" else LongConnectionSettings
    known = {one.name for one in fields(kind)}
    settings = kind(**{key: value for key, value in config.channels["wecom"].items() if key in known})
    for text in settings.faults():
        reader.fault("", "relay", text=text)


def _check_robot(config: Config, reader: Reader) -> None:
    if not config.wecom_robot.url:
        return
    from bot.channels.wecom_robot.channel import EXAMPLE, robot_of, words

    if robot_of(config.wecom_robot.url) is None:
        reader.fault("", "relay", text=words(config.office.language, "url", example=EXAMPLE))


def _with_whole_paths(config: Config, base: Path) -> Config:
    """Every relative path seen from the base folder."""
    database = config.database
    if not config.is_shared:
        database = replace(database, url=f"{SQLITE}{base / config.database_path}")
    attachments = replace(config.attachments, path=str(base / config.attachments_path))
    return replace(config, database=database, attachments=attachments)


def _warnings(config: Config, said: Said, path: Path | None, tables: Mapping[str, Any]) -> list[Fault]:
    """What works, and should not be left so."""
    found = [Fault(str(file), "open_secret", {"path": file}) for file in said.open_files]
    written = [
        key
        for table, keys in SECRETS.items()
        for key in keys
        if isinstance(tables.get(table), dict) and tables[table].get(key)
        if f"{table}.{key}" != "database.url"
    ]
    if path is not None and written and is_open(path):
        found.append(Fault(str(path), "open_secret", {"path": path}))
    if not is_loopback(config.web.host) and not config.web.is_https:
        found.append(Fault("[web] host", "open_network", {"host": config.web.host}))
    for proxy in config.web.trusted_proxies:
        if not _is_address(proxy):
            found.append(Fault("[web] trusted_proxies", "no_proxy", {"proxy": shown(proxy)}))
    if not config.demonstration and not config.live_channels and not config.webchat.enabled:
        found.append(Fault("[webchat] enabled", "no_way"))
    return found


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
