"""Reads the body of a platform's callback, bounded."""

from starlette.types import Receive


class Gone(Exception):
    """The client left before its body was whole."""


class TooLarge(Exception):
    """More bytes than any event has."""


async def read_body(receive: Receive, bytes_max: int) -> bytes:
    """The whole body. Raises Gone, and TooLarge as soon as it is known to be."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > bytes_max:
            raise TooLarge
        return body
    pieces, count = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        pieces.append(message.get("body", b""))
        count += len(pieces[-1])
        if count > bytes_max:
            raise TooLarge
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()
