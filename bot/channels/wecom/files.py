"""Temporary files, which WeCom holds for three days: fetched by media id and never by an address, or put there."""

from collections.abc import AsyncIterator

from bot.channels.wecom.api import Api, Upload
from bot.channels.wecom.faults import CallFailed, Refused, Unknown
from desk.model import RemoteFile
from desk.ports import FetchFailed

MIB = 1024 * 1024
BYTES_MAX = 20 * MIB  # The most a member can send.
# The vendor's page on temporary files: our kind -> its type and the most bytes it takes.
_UPLOADS = {
    "photo": ("image", 10 * MIB),
    "voice": ("voice", 2 * MIB),
    "video": ("video", 10 * MIB),
    "file": ("file", 20 * MIB),
}
UPLOAD_BYTES_MIN = 6
NAME_CHARACTERS_MAX = 100
_NO_FILE = frozenset({40007, 40058, 40004, 41006})  # Unknown, or its three days are over.
_TOO_BIG = "the file is over 20 MB"


async def fetch(api: Api, file: RemoteFile) -> AsyncIterator[bytes]:
    """The bytes in pieces. Raises FetchFailed."""
    if (file.bytes_count or 0) > BYTES_MAX:
        raise FetchFailed(_TOO_BIG, permanent=True)
    count = 0
    try:
        async with api.download(file.remote_id) as pieces:
            async for piece in pieces:
                count += len(piece)
                if count > BYTES_MAX:
                    raise FetchFailed(_TOO_BIG, permanent=True)
                yield piece
    except Refused as refusal:
        raise FetchFailed(str(refusal), permanent=refusal.code in _NO_FILE) from refusal
    except CallFailed as fault:
        raise FetchFailed(str(fault), permanent=False) from fault
    if file.bytes_count is not None and count != file.bytes_count:
        raise FetchFailed(f"{count} of {file.bytes_count} bytes came", permanent=False)


async def upload(api: Api, kind: str, name: str, content: bytes) -> str:
    """The media id, good for three days, of a photo, voice, video or file put with WeCom.

    Raises Refused, Unsent or Unknown, and ValueError for what WeCom would not take: nothing is sent then. A repeat
    does no harm: it is another file that is gone after three days."""
    wecom_kind, bytes_max = _UPLOADS[kind]
    if not UPLOAD_BYTES_MIN <= len(content) <= bytes_max:
        raise ValueError(f"a {kind} has {UPLOAD_BYTES_MIN} to {bytes_max} bytes, not {len(content)}")
    # Only a name, and one that no header can be made of.
    sound = "".join(one for one in name if one.isprintable() and one not in '/\\";')[-NAME_CHARACTERS_MAX:]
    answer = await api.call("media/upload", Upload(sound or kind, content), type=wecom_kind)
    media_id = answer.get("media_id")
    if not isinstance(media_id, str) or not media_id:
        raise Unknown("media/upload: the answer has no media_id")
    return media_id
