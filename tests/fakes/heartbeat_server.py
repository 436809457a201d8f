"""A watcher outside: an HTTP server on loopback that remembers every beat and can be down or redirect."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Watcher:
    """What was told, in order: "ok", or the reasons of a failure."""

    told: list[str] = field(default_factory=list)
    status: int = 200
    url: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether so many words came within the seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.told) >= count, seconds)


@contextmanager
def watching() -> Iterator[Watcher]:
    """The server runs inside the block."""
    watcher = Watcher()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            word = {"/ping/abc": "ok", "/ping/abc/fail": f"fail {body}"}.get(self.path, f"? {self.path}")
            with watcher.changed:
                watcher.told.append(word)
                watcher.changed.notify_all()
            self.send_response(watcher.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    watcher.url = f"http://127.0.0.1:{server.server_port}/ping/abc"
    try:
        yield watcher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
