"""A reverse proxy before the replicas, as Caddy stands there: the next one that takes a connection gets the request."""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import count

DIAL_SECONDS_MAX = 10.0  # As `lb_try_duration` in deploy/Caddyfile.
DIAL_AGAIN_SECONDS = 0.25
ANSWER_SECONDS_MAX = 60.0
HEAD_END = b"\r\n\r\n"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Front:
    """Answers at the office's own port; a request that a replica has heard is never given to another."""

    def __init__(self, port: int, behind: Sequence[int]) -> None:
        self._port = port
        self._behind = list(behind)
        self._turn = count()
        self._server: asyncio.Server | None = None
        self.passed_over = 0  # Replicas that took no connection.
        self.broken_off = 0  # Answers that did not come whole.

    async def __aenter__(self) -> "Front":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(HEAD_END)).removesuffix(HEAD_END)
            body = await reader.readexactly(_length(head) or 0)
            writer.write(await self._pass_on(head, body))
            await writer.drain()
        writer.close()

    async def _pass_on(self, head: bytes, body: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + DIAL_SECONDS_MAX
        request = b"".join((_closing(head), b"\r\nConnection: close", HEAD_END, body))
        while loop.time() < ends_at:
            first = next(self._turn)
            for place in range(len(self._behind)):
                port = self._behind[(first + place) % len(self._behind)]
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    self.passed_over += 1
                    continue
                return await self._ask(reader, writer, request)
            await asyncio.sleep(DIAL_AGAIN_SECONDS)
        return BAD_GATEWAY

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                writer.write(request)
                await writer.drain()
                answer = await reader.read(-1)
        except (OSError, TimeoutError):
            answer = b""
        finally:
            writer.close()
        head, end, body = answer.partition(HEAD_END)
        if not end or len(body) < (_length(head) or 0):  # It was killed in the middle.
            self.broken_off += 1
            return BAD_GATEWAY
        return answer


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return None


def _closing(head: bytes) -> bytes:
    """Without what it says of its own connection."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(one for one in lines if not one.lower().startswith(b"connection:"))
