"""The duty log's last line, told outside the database: what was told once must still stand there."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

from bot.config import Config
from desk.ports import Store
from incidents.model import LogLine

_LINE = re.compile(r"(\d{1,18}) ([0-9a-f]{64}) \S+")


def heads_path(config: Config) -> Path:
    """The file beside the database, or beside the attachments of an office on PostgreSQL."""
    database = config.attachments_path if config.is_shared else config.database_path
    return database.with_name(f"{database.name}.heads")


def read_heads(path: Path) -> dict[int, str]:
    """Every head told so far, by its sequence; none while the file is not there."""
    if not path.exists():
        return {}
    found = (_LINE.fullmatch(line.strip()) for line in path.read_text("utf-8", "replace").splitlines())
    return {int(one[1]): one[2] for one in found if one}


def head_of_backup(folder: Path) -> dict[int, str]:
    """The head a backup tells of; none when it is no backup or an older one. Raises OSError, ValueError."""
    facts = json.loads((folder / "backup.json").read_text("utf-8"))
    if not isinstance(facts, dict) or not facts.get("log_sequence"):
        return {}
    return {int(facts["log_sequence"]): str(facts["log_hash"])}


async def head_of(store: Store) -> tuple[int, str]:
    """The sequence and hash of the log's last line; 0 and no hash for an empty log."""
    last = await store.find(LogLine, order=("-sequence",), limit=1)
    return (last[0].sequence, last[0].hash) if last else (0, "")


def tell_head(path: Path, sequence: int, digest: str, at: datetime) -> None:
    """Add a head to the file, on disk when this returns."""
    if not sequence:
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{sequence} {digest} {at.isoformat(timespec='seconds')}\n")
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o600)
