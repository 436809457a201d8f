"""An office on disk, and the command line on it as its own process."""

import asyncio
import io
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.__main__ import main
from bot.channels.webchat.links import make_link
from bot.commands.office import Office, open_office
from bot.config import load
from incidents.model import Attachment, AttachmentState
from roster.model import Officer, Presence, Role, Shift, Unit

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """`python -m bot` in a folder, with nothing of this machine's own settings.

    Called, it runs in this process, which is quick; `process` and `running` start real ones."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.path = folder / "config.toml"
        self.write(text)

    def write(self, text: str) -> None:
        """The configuration; the port is free, and the demonstration off."""
        own = f"[office]\ndemonstration = false\n[web]\nport = {self.port}\n"
        self.path.write_text(own + text, "utf-8")
        self.path.chmod(0o600)

    def __call__(self, *words: str, **environ: str) -> Done:
        """A command in this process, in a thread of its own so that it may have its own loop."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._inside, words, environ).result(PATIENCE_SECONDS)

    def process(self, *words: str, **environ: str) -> Done:
        """A command as a process of its own."""
        done = subprocess.run(
            self.command(words),
            cwd=self.folder,
            env=self.environ(environ),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return Done(done.returncode, done.stdout, done.stderr)

    def _inside(self, words: Sequence[str], environ: dict[str, str]) -> Done:
        before, folder, root = dict(os.environ), Path.cwd(), logging.getLogger()
        handlers, level = root.handlers[:], root.level
        out, err = io.StringIO(), io.StringIO()
        try:
            os.environ.clear()
            os.environ.update(self.environ(environ))
            os.chdir(self.folder)
            with redirect_stdout(out), redirect_stderr(err):
                code = main(list(words))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
            root.handlers[:] = handlers
            root.setLevel(level)
        assert "Traceback" not in out.getvalue() + err.getvalue()
        return Done(code, out.getvalue(), err.getvalue())

    def command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "bot", *words]

    def environ(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        return {**kept, "PYTHONPATH": str(ROOT), **more}

    @asynccontextmanager
    async def office(self) -> AsyncIterator[Office]:
        """The same office from inside, to arrange and to look."""
        async with open_office(load(self.path, {})) as office:
            yield office

    @contextmanager
    def running(self, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """A desk at work; stopped as Ctrl-C stops it, unless it was ended inside."""
        log = self.folder / "desk.log"
        with log.open("w") as err:
            desk = subprocess.Popen(
                self.command(["run"]),
                cwd=self.folder,
                env=self.environ(environ),
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
            assert desk.stdout is not None
            try:
                line = desk.stdout.readline()
                assert str(self.port) in line, line + log.read_text()
                yield desk
            finally:
                desk.terminate()
                desk.wait(PATIENCE_SECONDS)
                desk.stdout.close()


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


UNIT = Unit("u1", "小榄镇")
PEOPLE = (
    Officer("o1", "陈值班", "u1", "199-0000-2001", role=Role.duty),
    Officer("o2", "李带班", "u1", "199-0000-2002", role=Role.leader),
    Officer("o3", "王信息", "u1", "199-0000-2003"),
)


async def fill(cli: Cli, *, days: int = 40, accounts: bool = True) -> None:
    """One unit, three people, two posts held all the time, everybody with a web-chat link."""
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(UNIT, *PEOPLE)
        span = (NOW - timedelta(days=2), NOW + timedelta(days=days))
        await desk.store.add(
            Shift("s1", "u1", "duty_officer", "o1", *span),
            Shift("s2", "u1", "duty_leader", "o2", *span),
            Shift("s3", "u1", "duty_leader", "o3", *span, presence=Presence.in_town),
        )
        if accounts:
            for one in PEOPLE:
                await make_link(desk, one)
        desk.log("filled", "desk")


async def keep_photo(cli: Cli, content: bytes) -> str:
    """An attachment with its bytes on disk; its digest."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    async with cli.office() as office:
        await asyncio.to_thread(office.media.open)
        digest, count = await office.media.keep(pieces(), 1_000_000)
        async with office.door.open() as desk:
            photo = Attachment(
                desk.new_id(),
                "webchat",
                digest,
                "photo",
                desk.now,
                digest=digest,
                bytes_count=count,
                state=AttachmentState.stored,
            )
            await desk.store.add(photo)
            desk.log("attachment_stored", "desk", digest=digest)
    return digest
