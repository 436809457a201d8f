"""What a figure needs: an office in a folder of its own, a fake Telegram and a desk as processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.clock import SystemClock
from bot.store.opening import OpenDatabase, open_database
from desk.ports import Transactions
from roster.model import Account, Officer, Role, Unit

ROOT = Path(__file__).parent.parent
SECRET = "bench-Secret-7"  # Of an office that exists for a minute.
TOKEN = "7000000001:AAEbenchbenchbenchbenchbenchbenchbench"  # As above.
READY_SECONDS_MAX = 60
FIRST_CHAT = 1_000_001
UNITS = 24

CONFIG = """
[office]
name = "测速应急办"
[database]
url = "{database}"
[attachments]
path = "{folder}/attachments"
[web]
port = {port}
public_url = "http://127.0.0.1:{port}"
[limits]
messages_per_minute = 100000
[[roll_call]]
name = "全员点名"
cron = "0 8 1 1 *"
roles = ["duty"]
on_time_minutes = 50
answer_window_minutes = 60
remind_after_minutes = []
[[bulletin]]
name = "每日要情"
cron = "0 0 1 1 *"
to = ["role:office"]
kind = "daily"
"""


TELEGRAM = """
[telegram]
token = "{token}"
base_url = "{base_url}"
mode = "webhook"
webhook_secret = "{secret}"
"""


@dataclass(frozen=True)
class Office:
    """A configured office on disk."""

    folder: Path
    config: Path
    port: int
    database_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def webhook(self) -> str:
        return f"{self.url}/channels/telegram/webhook"

    @property
    def database(self) -> OpenDatabase:
        return open_database(self.database_url)


def make_office(folder: Path, base_url: str, database_url: str = "") -> Office:
    """Write the configuration of an office on Telegram, on a file of SQLite unless another database is named."""
    return _office(folder, TELEGRAM.format(token=TOKEN, base_url=base_url, secret=SECRET), database_url)


def make_wecom_office(folder: Path, settings: dict[str, Any]) -> Office:
    """Write the configuration of an office on WeCom, with what the fake tells of itself."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return _office(folder, "\n".join(["[wecom]", *lines, ""]))


def _office(folder: Path, channel: str, database_url: str = "") -> Office:
    port = free_port()
    config = folder / "config.toml"
    database_url = database_url or f"sqlite+aiosqlite:///{folder}/muster.db"
    text = CONFIG.format(folder=folder, port=port, database=database_url)
    config.write_text(text + channel, "utf-8")
    config.chmod(0o600)
    return Office(folder, config, port, database_url)


def chat_of(number: int) -> str:
    """The Telegram chat of an officer."""
    return str(FIRST_CHAT + number)


def member_of(number: int) -> str:
    """The WeCom user id of an officer."""
    return f"w{number:05d}"


async def fill(
    database: Transactions,
    officers: int,
    channel: str = "telegram",
    address_of: Callable[[int], str] = chat_of,
) -> None:
    """Put duty officers into the database, each bound to an address of the channel."""
    now = SystemClock().now()
    units = [Unit(f"unit-{number}", f"第{number}镇") for number in range(UNITS)]
    people = [
        Officer(
            f"officer-{number}",
            f"第{number}号",
            units[number % UNITS].id,
            role=Role.duty,
            wecom=address_of(number) if channel == "wecom" else "",
        )
        for number in range(officers)
    ]
    accounts = [
        Account(f"account-{number}", f"officer-{number}", channel, address_of(number), now)
        for number in range(officers)
    ]
    async with database.begin() as store:
        await store.add(*units, *people, *accounts)


@contextlib.contextmanager
def fake_telegram(*words: str) -> Iterator[dict[str, Any]]:
    """The fake Bot API as a process; gives what it prints about itself."""
    with _fake("telegram_server", "--token", TOKEN, *words) as told:
        yield told


@contextlib.contextmanager
def fake_wecom() -> Iterator[dict[str, Any]]:
    """The fake WeCom as a process, keeping its limits; gives what it prints about itself."""
    with _fake("wecom_server") as told:
        yield told


@contextlib.contextmanager
def _fake(module: str, *words: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", f"tests.fakes.{module}", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # Our own words.
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        stop(process)


@contextlib.contextmanager
def desk(office: Office) -> Iterator[subprocess.Popen[bytes]]:
    """The desk as a process, ready to take messages."""
    process = start_desk(office)
    try:
        wait_ready(office, process)
        yield process
    finally:
        stop(process)


def start_desk(office: Office) -> subprocess.Popen[bytes]:
    """Start the desk, or one more replica of it on its own port, without waiting."""
    log = (office.folder / "desk.log").open("ab")
    command = [sys.executable, "-m", "bot", "run", "--config", str(office.config)]
    # As `run.py` starts it, with its bytecode kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept["MUSTER_WEB__PORT"] = str(office.port)
    return subprocess.Popen(command, cwd=ROOT, env=kept, stdout=log, stderr=log)  # Our own words.


def wait_ready(office: Office, process: subprocess.Popen[bytes]) -> float:
    """Wait for /readyz; the seconds it took. Raises RuntimeError when the desk ended instead."""
    began = time.perf_counter()
    while time.perf_counter() - began < READY_SECONDS_MAX:
        if process.poll() is not None:
            raise RuntimeError((office.folder / "desk.log").read_text("utf-8")[-2000:])
        with contextlib.suppress(OSError):
            get(f"{office.url}/readyz")
            return time.perf_counter() - began
        time.sleep(0.01)
    raise RuntimeError("the desk did not become ready")


def get(url: str) -> Any:
    """A JSON answer. Raises OSError for anything but 200."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # Loopback, built here.
        return json.loads(answer.read())


def open_phones(telegram_url: str, count: int) -> None:
    """Telegram lets a bot write only to people who pressed start: these did."""
    post(f"{telegram_url}/_control/phones", {"first": FIRST_CHAT, "count": count})


def post(url: str, body: dict[str, Any]) -> Any:
    """Post JSON to a fake and take its answer. Raises OSError for anything but 200."""
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:  # Loopback, built here.
        return json.loads(answer.read() or b"null")


def load(url: str, body: str, **words: object) -> dict[str, float]:
    """Post a body many times from a process of its own (`bench.load`)."""
    return loaded(start_load(url, body, **words))


def start_load(url: str, body: str, **words: object) -> subprocess.Popen[str]:
    """Begin to post, beside whatever else is done meanwhile."""
    command = [sys.executable, "-m", "bench.load", url, "--body", body]
    command += ["--header", f"X-Telegram-Bot-Api-Secret-Token:{SECRET}"]
    for name, value in words.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # Our own words.


def loaded(process: subprocess.Popen[str]) -> dict[str, float]:
    """What it measured, once it has posted everything. Raises CalledProcessError."""
    said, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    measured: dict[str, float] = json.loads(said)
    return measured


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process, by force if it must be."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def peak_mib(process: subprocess.Popen[Any]) -> float:
    """The most memory a process ever held, in MiB (VmHWM)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def update(text: str) -> str:
    """A Telegram text message as a template for `bench.load`: a new update each time, from chat %(c)d."""
    person = '"first_name":"测"'
    return (
        '{"update_id":%(n)d,"message":{"message_id":%(n)d,"date":1700000000,'
        f'"chat":{{"id":%(c)d,"type":"private",{person}}},"from":{{"id":%(c)d,"is_bot":false,{person}}},'
        f'"text":"{text}"}}}}'
    )


MACHINE = f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}"
