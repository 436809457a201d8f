"""A frozen desk is missed: a real process, a real watcher outside and systemd's socket, within the promised time."""

import signal
import socket
from pathlib import Path

import pytest

from bot.channels.webchat.links import make_link
from roster.model import Officer, Role
from tests.bot.commands.cli import Cli, fill
from tests.fakes.heartbeat_server import watching

FIRST_WORD_SECONDS = 30.0
SILENCE_SECONDS = (
    4.0  # Of a desk that beats every second; at the longest interval, 60 s, missing within two minutes.
)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


async def settle(cli: Cli) -> None:
    """Everybody the invariants ask for."""
    await fill(cli)
    async with cli.office() as office, office.door.open() as desk:
        keeper = Officer("o4", "简主任", "u1", "199-0000-2004", role=Role.office)
        await desk.store.add(keeper)
        await make_link(desk, keeper)


def until_silent(line: socket.socket, seconds: float) -> list[bytes]:
    """What is told until nothing comes for so long."""
    line.settimeout(seconds)
    words: list[bytes] = []
    while True:
        try:
            words.append(line.recv(100))
        except TimeoutError:
            return words


async def test_fault_33_a_frozen_process_is_missed_outside_and_beats_again_once_it_runs(cli: Cli) -> None:
    with watching() as watcher:
        cli.write(
            f"[heartbeat]\nurl = '{watcher.url}'\nevery_seconds = 1\n[attachments]\ndisk_free_percent_min = 0\n"
        )
        await settle(cli)
        with cli.running() as desk:
            assert watcher.wait_for(2, FIRST_WORD_SECONDS)
            assert set(watcher.told) == {"ok"}
            desk.send_signal(signal.SIGSTOP)
            watcher.wait_for(len(watcher.told) + 1, 1.0)  # One may have been on its way.
            told = len(watcher.told)
            assert not watcher.wait_for(told + 1, SILENCE_SECONDS)
            desk.send_signal(signal.SIGCONT)
            assert watcher.wait_for(told + 1, FIRST_WORD_SECONDS)
            assert set(watcher.told) == {"ok"}, "it caught up before it looked again"


async def test_fault_33_systemd_hears_ready_and_a_beat_until_the_desk_freezes(cli: Cli) -> None:
    await settle(cli)
    path = str(cli.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(path)
        line.settimeout(FIRST_WORD_SECONDS)
        with cli.running(NOTIFY_SOCKET=path, WATCHDOG_USEC="600000") as desk:
            assert line.recv(100) == b"READY=1"
            assert [line.recv(100) for _ in range(4)] == [b"WATCHDOG=1"] * 4
            desk.send_signal(signal.SIGSTOP)
            assert len(until_silent(line, 1.0)) < 4  # What was on its way; then nothing.
            desk.send_signal(signal.SIGCONT)
            line.settimeout(FIRST_WORD_SECONDS)
            assert line.recv(100) == b"WATCHDOG=1"
        assert b"STOPPING=1" in until_silent(line, 0.1)


async def test_without_systemd_nothing_is_told_and_nothing_breaks(cli: Cli) -> None:
    await settle(cli)
    with cli.running(NOTIFY_SOCKET=str(cli.folder / "nobody"), WATCHDOG_USEC="600000") as desk:
        assert desk.poll() is None
