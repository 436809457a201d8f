"""Files on the fake Telegram: photo sizes, EXIF stripped from photos, documents kept as they are."""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.fakes.telegram_model import FILE_LINK_SECONDS, Json, StoredFile, bad_request

DOWNLOAD_BYTES_MAX = 20 * 1024 * 1024
PHOTO_UPLOAD_BYTES_MAX = 10 * 1024 * 1024

# A whole 8x8 grey JPEG: what a phone sends when a test does not care about the picture.
SMALL_JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123"
    "251d283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc0000b080008"
    "000801011100ffc40014000100000000000000000000000000000000ffc4001410010000000000000000000000000000"
    "0000ffda0008010100003f003fffd9"
)


def without_exif(content: bytes) -> bytes:
    """Return a JPEG without its APP1 segments: Telegram strips EXIF from photos, not from documents."""
    if not content.startswith(b"\xff\xd8"):
        return content
    kept, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        size = 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
        if content[at + 1] != 0xE1:
            kept.append(content[at : at + size])
        at += size
    return b"".join(kept) + content[at:]


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Return width and height from the frame header, or 1280 x 960 when there is none."""
    at = 2
    while content.startswith(b"\xff\xd8") and at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in (0xC0, 0xC1, 0xC2):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return 1280, 960


@dataclass(slots=True)
class Shelf:
    """Every file sent through the platform, by file_id and by download path."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    by_path: dict[str, StoredFile] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _albums: Iterator[int] = field(default_factory=lambda: count(secrets.randbelow(10**12)))

    def album_number(self) -> int:
        """Return a number no other album has."""
        return next(self._albums)

    def keep(self, content: bytes | int, folder: str, name: str = "") -> StoredFile:
        """Store bytes, or a file known by its size alone, and return its record."""
        number = next(self._numbers)
        data = content if isinstance(content, bytes) else None
        size = content if isinstance(content, int) else len(content)
        digest = hashlib.sha256(data if data is not None else f"{size}:{number}".encode()).hexdigest()
        suffix = f".{name.rsplit('.', 1)[-1]}" if "." in name else ""
        stored = StoredFile(
            file_id=f"AgACAgUAAx{secrets.token_urlsafe(40)}",
            unique_id=f"AQAD{digest[:14]}",
            size=size,
            path=f"{folder}/file_{number}{suffix}",
            content=data,
        )
        self.files[stored.file_id] = stored
        self.by_path[stored.path] = stored
        return stored

    def file_json(self, stored: StoredFile, **more: object) -> Json:
        """Return the fields every file object has, and more."""
        head = {"file_id": stored.file_id, "file_unique_id": stored.unique_id, "file_size": stored.size}
        return {**head, **more}

    def photo(self, content: bytes | int | None) -> list[Json]:
        """Return the sizes of a photo, smallest first, the original last (bots/api#photosize)."""
        if content is None:
            content = SMALL_JPEG + secrets.token_bytes(8)
        if isinstance(content, bytes):
            content = without_exif(content)
        width, height = jpeg_size(content) if isinstance(content, bytes) else (1280, 960)
        sizes = []
        for part in (14, 4):
            small = self.keep(SMALL_JPEG + secrets.token_bytes(4), "photos", "thumb.jpg")
            sizes.append(self.file_json(small, width=max(1, width // part), height=max(1, height // part)))
        whole = self.keep(content, "photos", "photo.jpg")
        return [*sizes, self.file_json(whole, width=width, height=height)]

    def link(self, file_id: str, now: float) -> Json:
        """Return getFile's answer; at most 20 MB, and a link lives 1 h (bots/api#getfile)."""
        stored = self.files.get(file_id)
        if stored is None:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        if stored.size > DOWNLOAD_BYTES_MAX:
            raise bad_request("file is too big")
        stored.link_until = now + FILE_LINK_SECONDS
        return self.file_json(stored, file_path=stored.path)

    def download(self, path: str, now: float) -> StoredFile | None:
        """Return the file behind a live link, or nothing."""
        stored = self.by_path.get(path)
        return stored if stored is not None and stored.link_until >= now else None
