"""Fetches a file: a link by getFile, then the bytes from beside base_url."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from bot.channels.telegram.api import Api, Refused, Unreachable
from desk.model import RemoteFile
from desk.ports import FetchFailed

BYTES_MAX = 20 * 1024 * 1024  # core.telegram.org/bots/api#getfile
_TOO_BIG = "the file is over 20 MB, the most a bot may fetch"


async def fetch(api: Api, file: RemoteFile) -> AsyncIterator[bytes]:
    """The bytes in pieces. Raises FetchFailed."""
    if (file.bytes_count or 0) > BYTES_MAX:
        raise FetchFailed(_TOO_BIG, permanent=True)
    try:
        found = await api.call("getFile", file_id=file.remote_id)
        path, size = found.get("file_path"), found.get("file_size")
        if not isinstance(path, str) or not path or path.startswith("/"):
            raise FetchFailed("Telegram gave no link for the file", permanent=False)
        count = 0
        async with api.download(path) as pieces:
            async for piece in pieces:
                count += len(piece)
                if count > BYTES_MAX:
                    raise FetchFailed(_TOO_BIG, permanent=True)
                yield piece
    except Refused as refusal:
        # 400 means this file, now and later; anything else is about the moment, the link or the token.
        is_final = refusal.code == HTTPStatus.BAD_REQUEST and "temporarily" not in refusal.description
        is_final = is_final or "wrong file_id" in refusal.description
        raise FetchFailed(str(refusal), permanent=is_final) from refusal
    except (Unreachable, AttributeError) as fault:
        raise FetchFailed(str(fault), permanent=False) from fault
    if type(size) is int and count != size:
        raise FetchFailed(f"{count} of {size} bytes came", permanent=False)
