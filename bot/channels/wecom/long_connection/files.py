"""Fetches what people sent to the bot: from the vendor's own hosts only, each file sealed with a key of its own."""

import base64
import binascii
import fnmatch
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from bot.channels.wecom.encryption import BLOCK_BYTES, unpadded_end
from bot.channels.wecom.long_connection.events import link_parts
from bot.channels.wecom.long_connection.settings import LongConnectionSettings
from desk.model import RemoteFile
from desk.ports import FetchFailed

PIECE_BYTES = 256 * 1024
_KEY_BYTES, _AES_BYTES = 32, 16
_GONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)  # A link lasts five minutes.


def client_for(settings: LongConnectionSettings) -> httpx.AsyncClient:
    """What fetches. Redirects are not followed: they could lead anywhere."""
    pace = settings.pace
    verify = httpx.create_ssl_context() if settings.ws_url.startswith("wss:") else False
    timeout = httpx.Timeout(pace.answer_seconds, connect=pace.connect_seconds)
    return httpx.AsyncClient(verify=verify, timeout=timeout, follow_redirects=False)


async def fetch(
    client: httpx.AsyncClient, settings: LongConnectionSettings, file: RemoteFile
) -> AsyncIterator[bytes]:
    """The bytes of a file, opened, in pieces. Raises FetchFailed."""
    parts = link_parts(file.remote_id)
    if parts is None:
        raise FetchFailed("no file of the bot's", permanent=True)
    url, key = parts
    if not is_vendors(url, settings):
        raise FetchFailed(f"not the vendor's host: {url.partition('?')[0]}"[:100], permanent=True)
    opening = _opener(key)
    try:
        async with client.stream("GET", url) as response:
            if response.status_code != HTTPStatus.OK:
                is_gone = response.status_code in _GONE
                raise FetchFailed(f"the link answers {response.status_code}", permanent=is_gone)
            async for piece in _opened(response.aiter_bytes(PIECE_BYTES), opening):
                yield piece
    except httpx.InvalidURL as error:
        raise FetchFailed("no address of a file", permanent=True) from error
    except httpx.HTTPError as error:
        raise FetchFailed(type(error).__name__, permanent=False) from error


def is_vendors(url: str, settings: LongConnectionSettings) -> bool:
    """Whether a link leads to the vendor: its file hosts by https, or the very host the line goes to."""
    try:
        parts, line = urlsplit(url), urlsplit(settings.ws_url)
        host, is_plain = parts.hostname or "", parts.scheme == "http"
        if parts.username is not None or parts.scheme not in ("http", "https"):
            return False
        if host == line.hostname:
            return not is_plain or line.scheme == "ws"
        return not is_plain and any(fnmatch.fnmatchcase(host, one) for one in settings.media_hosts)
    except ValueError:
        return False


def _opener(key: str) -> CipherContext:
    try:
        found = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FetchFailed("its key is no key", permanent=True) from error
    if len(found) != _KEY_BYTES:
        raise FetchFailed("its key is no key", permanent=True)
    return Cipher(algorithms.AES(found), modes.CBC(found[:_AES_BYTES])).decryptor()


async def _opened(pieces: AsyncIterator[bytes], opening: CipherContext) -> AsyncIterator[bytes]:
    """The plain bytes; the last block is kept back until its filling is known. Raises FetchFailed when it is cut."""
    kept, count = b"", 0
    async for piece in pieces:
        count += len(piece)
        kept += opening.update(piece)
        if len(kept) > BLOCK_BYTES:
            yield kept[:-BLOCK_BYTES]
            kept = kept[-BLOCK_BYTES:]
    end = unpadded_end(kept) if count and count % _AES_BYTES == 0 else None
    if end is None:
        raise FetchFailed("the file is cut, or sealed with another key", permanent=False)
    if end:
        yield end
