"""What a backup is on disk: a folder with a database of SQLite, the attachments, and what it says of itself."""

import json
import re
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

DATABASE, ATTACHMENTS, MANIFEST = "muster.db", "attachments", "backup.json"
FORMAT = 1
_NIGHT = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    format: int
    made_at: str
    office: str
    schema: str
    database_sha256: str
    attachments_count: int
    attachments_bytes: int
    log_sequence: int = 0  # The duty log's last line, so that a log cut short later is found.
    log_hash: str = ""
    records: dict[str, int] = field(default_factory=dict)  # Of each table; older backups do not say.


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself. Raises ValueError when it is none, or one of another program."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, TypeError) as error:
        raise ValueError(f"{folder} is no backup") from error
    counts = (manifest.attachments_count, manifest.log_sequence)
    if manifest.format != FORMAT or any(type(one) is not int for one in counts):
        raise ValueError(f"{folder} is no backup of this program")
    if not isinstance(manifest.records, dict):
        raise ValueError(f"{folder} is no backup of this program")
    return manifest


def name_at(moment: datetime) -> str:
    """The name of the backup made at a moment (UTC), which sorts as moments do."""
    return moment.strftime("%Y%m%dT%H%M%SZ")


def nights(folder: Path) -> list[Path]:
    """The whole backups in a folder of backups, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        one for one in folder.iterdir() if _NIGHT.fullmatch(one.name) and (one / MANIFEST).is_file()
    )


def thin_out(folder: Path, keep: int) -> None:
    """Removes the oldest whole backups beyond so many; what was not made by a night stays. Raises OSError."""
    for one in nights(folder)[:-keep]:
        going = one.with_name(f"{one.name}.going")
        one.rename(going)  # A removal that is interrupted leaves nothing that looks whole.
        shutil.rmtree(going)
    for left in folder.glob("*Z.going"):
        shutil.rmtree(left)
