"""The READMEs' promises: both list the same commands, and a newcomer's first and second start go as they say."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bot.commands.cli import PATIENCE_SECONDS, free_port
from tests.pages import ROOT, command_lines, indented, parse, read

READMES = ("README.md", "README.zh-CN.md")
STOP_SECONDS_MAX = 10
SECOND_START_SECONDS_MAX = 5
PHONES = 4


class Newcomer:
    """Somebody who starts the desk in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "scratch.toml"
        self.config.write_text(f"[web]\nport = {self.port}\n", "utf-8")

    @contextmanager
    def desk(self) -> Iterator[subprocess.Popen[str]]:
        """The desk, ready inside the block; ended afterwards if it was not before."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        with (self.folder / "desk.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", "run", "--config", str(self.config)],
                cwd=self.folder,
                env={**kept, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            assert process.stdout
            try:
                told = process.stdout.readline()  # Comes when the desk serves, or ends with it.
                assert f"http://127.0.0.1:{self.port}" in told, (self.folder / "desk.log").read_text()
                while not self.is_ready():
                    assert process.poll() is None, (self.folder / "desk.log").read_text()
                yield process
            finally:
                process.kill()
                process.wait(PATIENCE_SECONDS)
                process.stdout.close()

    def is_ready(self) -> bool:
        """Whether the desk takes messages: a moment after it serves, once its queue has looked at its work."""
        try:
            return '"ready":true' in self.get("/readyz")
        except urllib.error.HTTPError as answer:
            if answer.code != 503:
                raise
            return False

    def get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())

    def press(self, path: str) -> int:
        """What the page does when a button is pressed."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", b"{}", method="POST")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)

    def phones(self) -> list[str]:
        """The links of the phones in the page."""
        return re.findall(r'<iframe src="(/chat/[\w-]+)"', self.get("/"))


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def test_both_readmes_list_the_same_two_commands_and_the_same_others() -> None:
    for readme in READMES:
        assert indented(read(readme)) == ["python3 run.py", "python3 run.py test"]
    listed = [sorted(map(tuple, command_lines(read(readme)))) for readme in READMES]
    named = [{word for words in one for word in parse(list(words))} for one in listed]
    assert named[0] == named[1] == {"run", "import", "units", "check", "invite"}


def test_the_first_start_shows_four_phones_and_ctrl_c_ends_it_well(newcomer: Newcomer) -> None:
    with newcomer.desk() as desk:
        links = newcomer.phones()
        assert len(links) == len(set(links)) == PHONES
        for link in links:
            assert 'lang="zh-CN"' in newcomer.get(link)
        assert "小榄镇" in newcomer.get("/board") and 'id="map"' in newcomer.get("/map")
        asked_at = time.monotonic()
        desk.send_signal(signal.SIGINT)
        assert desk.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - asked_at < STOP_SECONDS_MAX
    assert "Traceback" not in (newcomer.folder / "desk.log").read_text()


def test_a_second_start_is_quick_and_keeps_what_was_done(newcomer: Newcomer) -> None:
    with newcomer.desk() as desk:
        links = newcomer.phones()
        assert newcomer.press("/demo/roll-call") == 200
        called = newcomer.get("/fragments/roll-call-list")
        assert "立即点名" in called
        desk.send_signal(signal.SIGINT)
        assert desk.wait(PATIENCE_SECONDS) == 0
    began_at = time.monotonic()
    with newcomer.desk():
        assert time.monotonic() - began_at < SECOND_START_SECONDS_MAX
        assert newcomer.phones() == links
        again = newcomer.get("/fragments/roll-call-list")
        key = re.compile(r'data-key="call-(\w+)"')
        assert key.findall(again) == key.findall(called)
