"""Fetches a temporary file by its media id, never by an address that a message names."""

from collections.abc import AsyncIterator

from bot.channels.wecom.api import Api
from bot.channels.wecom.faults import CallFailed, Refused
from desk.model import RemoteFile
from desk.ports import FetchFailed

BYTES_MAX = 20 * 1024 * 1024  # The most a member can send.
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
