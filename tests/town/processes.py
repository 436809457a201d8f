"""Processes of one office over one database, started, killed and frozen by a test."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.town.world import free_port


class Processes:
    """The office's processes, by port; their log is desk.log in the office's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[int, Process] = {}

    async def start(self, role: str = "all", program: Sequence[str] = ("bot",)) -> int:
        """One more, on a port of its own."""
        port = free_port()
        words = ("-m", *program, "--config", str(self._folder / "config.toml"), "run", "--role", role)
        with (self._folder / "desk.log").open("ab") as log:
            self.processes[port] = await asyncio.create_subprocess_exec(
                sys.executable,
                *words,
                stdout=log,
                stderr=log,
                env={**os.environ, "MUSTER_WEB__PORT": str(port)},
            )
        return port

    async def ready(self, port: int) -> None:
        """Wait until it takes messages."""
        async with httpx.AsyncClient() as client, asyncio.timeout(60):
            while True:
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)

    async def kill(self, port: int) -> None:
        """kill -9."""
        self.processes[port].kill()
        await self.processes.pop(port).wait()

    async def stop(self, port: int) -> int:
        """Ends one as a service manager does; its exit code."""
        self.processes[port].terminate()
        return await self.processes.pop(port).wait()

    async def end(self) -> None:
        """Kill whatever runs, frozen or not."""
        for port in list(self.processes):
            self.processes[port].send_signal(signal.SIGCONT)
            await self.kill(port)

    @property
    def log(self) -> str:
        """The end of what they said."""
        return (self._folder / "desk.log").read_text("utf-8")[-6000:]
