"""The processes of one office on one PostgreSQL, and somebody who reports to them."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence

import httpx

from tests.fakes.telegram_model import Message
from tests.town.world import Town, free_port


class Replicas:
    """The office's processes, and what its people said to them."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.said = 0
        self.processes: dict[int, Process] = {}  # By port.

    async def start(self, role: str = "all", program: Sequence[str] = ("bot",)) -> int:
        port = free_port()
        words = ("-m", *program, "--config", str(self._town.folder / "config.toml"), "run", "--role", role)
        with (self._town.folder / "desk.log").open("ab") as log:
            self.processes[port] = await asyncio.create_subprocess_exec(
                sys.executable,
                *words,
                stdout=log,
                stderr=log,
                env={**os.environ, "MUSTER_WEB__PORT": str(port)},
            )
        return port

    async def ready(self, port: int) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(60):
            while True:
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)

    async def kill(self, port: int) -> None:
        self.processes[port].kill()
        await self.processes.pop(port).wait()

    async def stop(self, port: int) -> int:
        """Ends one as a service manager does; its exit code."""
        self.processes[port].terminate()
        return await self.processes.pop(port).wait()

    async def end(self) -> None:
        for port in list(self.processes):
            self.processes[port].send_signal(signal.SIGCONT)
            await self.kill(port)

    async def report(self) -> float:
        """Somebody reports, or reports on, and has an answer; says how long it took."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        phone = self._town.phones["叶倩雯"]
        phone.say(f"联丰路五金厂二楼起火，有浓烟，第{self.said}次报告")
        if not self.said:
            phone.location(22.6741, 113.2402)
        self.said += 1
        try:
            await self._town.telegram.wait_for(lambda: len(receipts(phone.received)) >= self.said, 60)
        except TimeoutError as error:
            shown = "\n---\n".join(f"{one.message_id} {one.text}" for one in phone.received)
            raise AssertionError(f"no answer came; the phone shows:\n{shown}") from error
        return loop.time() - began_at


def receipts(messages: Sequence[Message]) -> list[Message]:
    """The messages that say a report, or what followed, was taken; without marked repeats."""
    said = [one for one in messages if "可能重复" not in one.text]
    return [one for one in said if "已报出" in one.text or "续报" in one.text]
