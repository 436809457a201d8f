"""Tells what a file is by its first bytes; the name and the type a phone claims are never believed."""

HEAD_BYTES = 64
SEALED = "application/octet-stream"  # Kept as evidence, handed out as a download only.

_IMAGES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_SOUNDS = {b"OggS": "audio/ogg", b"#!AMR": "audio/amr", b"ID3": "audio/mpeg", b"\xff\xfb": "audio/mpeg",
           b"\xff\xf1": "audio/aac", b"\xff\xf9": "audio/aac"}  # fmt: skip
_PAPERS = {b"%PDF-": "application/pdf"}
_STILLS = (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif")


def sniff(head: bytes, claimed: str) -> tuple[str, str]:
    """The kind (photo, voice, video, file) and media type; anything unknown is a sealed file, never shown."""
    for table, kind in ((_IMAGES, "photo"), (_SOUNDS, "voice"), (_PAPERS, "file")):
        for magic, mime in table.items():
            if head.startswith(magic):
                return kind, mime
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "photo", "image/webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "voice", "audio/wav"
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12], claimed)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return ("voice", "audio/webm") if claimed == "voice" else ("video", "video/webm")
    return "file", SEALED


def _iso_media(brand: bytes, claimed: str) -> tuple[str, str]:
    if brand in _STILLS:
        return "photo", "image/heic"
    if brand.startswith(b"M4A") or claimed == "voice":
        return "voice", "audio/mp4"
    return "video", "video/mp4"
