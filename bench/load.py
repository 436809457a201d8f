"""Posts bodies over many keep-alive connections and measures the answers; runs in a process of its own."""

# python -m bench.load URL --body TEMPLATE --first 1 --count 10000 --connections 50 [--header NAME:VALUE]
#
# In the template `%(n)d` is a number that grows by one from `--first`; `%(c)d` is `--chat` plus that number modulo
# `--chats`.
# Prints one JSON line.

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True)
class Measured:
    """What a load run saw; times in milliseconds."""

    count: int
    began_at: float  # By the machine's monotonic clock, in seconds.
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    refused: int


@dataclass
class Plan:
    """What is posted, shared by all connections."""

    head: bytes
    template: bytes
    next_number: int
    last_number: int
    chat: int
    chats: int
    ends_at: float
    per_second: float = 0.0  # No faster than this; 0: as fast as they are answered.
    next_at: float = 0.0

    def wait(self) -> float:
        """Seconds until the next request's moment; whoever asks takes that moment."""
        if not self.per_second:
            return 0.0
        now = time.perf_counter()
        self.next_at = max(self.next_at, now - 1.0) + 1.0 / self.per_second
        return self.next_at - now

    def request(self) -> bytes | None:
        """The next request, or None when enough was posted."""
        if self.next_number > self.last_number or time.perf_counter() > self.ends_at:
            return None
        number = self.next_number
        self.next_number += 1
        body = self.template % {b"n": number, b"c": self.chat + number % self.chats}
        return b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(body), body)


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its whole answer, the next request."""

    def __init__(self, plan: Plan, latencies: list[float], refused: list[int]) -> None:
        self._plan = plan
        self._latencies = latencies
        self._refused = refused
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._post()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        if len(rest) < length:
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        if head[9:12] != b"200":
            self._refused.append(int(head[9:12]))
        self._buffer = rest[length:]
        self._post()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _post(self) -> None:
        wait = self._plan.wait()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._post_now)
        else:
            self._post_now()

    def _post_now(self) -> None:
        request = self._plan.request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)  # type: ignore[attr-defined]  # A TCP transport writes.


async def run(words: argparse.Namespace) -> Measured:
    """Post until everything was answered or the time is over."""
    url = urlsplit(words.url)
    headers = "".join(f"{one.replace(':', ': ', 1)}\r\n" for one in words.header)
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n{headers}"
    began, began_at = time.perf_counter(), time.monotonic()
    plan = Plan(
        head.encode(),
        words.body.encode(),
        words.first,
        words.first + words.count - 1,
        words.chat,
        words.chats,
        began + words.seconds,
        words.per_second,
        began,
    )
    latencies: list[float] = []
    refused: list[int] = []
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(words.connections):
        _, protocol = await loop.create_connection(
            lambda: Connection(plan, latencies, refused), url.hostname, url.port
        )
        connections.append(protocol)
    await asyncio.gather(*(one.done for one in connections))
    seconds = time.perf_counter() - began
    ordered = sorted(latencies) or [0.0]
    return Measured(
        count=len(latencies),
        began_at=began_at,
        seconds=seconds,
        per_second=len(latencies) / seconds,
        p50_ms=1000 * ordered[len(ordered) // 2],
        p99_ms=1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        worst_ms=1000 * ordered[-1],
        refused=len(refused),
    )


def main() -> None:
    """Read the command line, post, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--body", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--chat", type=int, default=1)
    parser.add_argument("--chats", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--header", action="append", default=[])
    print(json.dumps(asdict(uvloop.run(run(parser.parse_args())))))


if __name__ == "__main__":
    main()
