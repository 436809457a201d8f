"""`run` starts one desk, says where it is, and ends cleanly; whatever stops it is one sentence."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.bot.commands.cli import PATIENCE_SECONDS, Cli


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGTERM])
def test_a_desk_answers_and_ends_with_0_when_told_to_stop(cli: Cli, order: signal.Signals) -> None:
    with cli.running() as desk:
        assert httpx.get(f"http://127.0.0.1:{cli.port}/readyz").status_code == 200
        desk.send_signal(order)
        assert desk.stdout is not None and "正在停止" in desk.stdout.readline()
        assert desk.wait(10) == 0
    assert "Traceback" not in (cli.folder / "desk.log").read_text()


def test_fault_26_a_second_desk_on_the_same_database_is_refused(cli: Cli) -> None:
    with cli.running() as desk:
        second = cli.process("run", MUSTER_WEB__PORT="1")
        assert second.code == 1 and str(desk.pid) in second.err and len(second.err.splitlines()) == 1
        assert httpx.get(f"http://127.0.0.1:{cli.port}/healthz").status_code == 200


def test_a_taken_port_is_one_sentence(cli: Cli) -> None:
    with taken(cli.port):
        done = cli.process("run")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and "web.port" in done.err


def test_input_63_a_desk_warns_of_open_secrets_and_starts(cli: Cli) -> None:
    cli.write("secret_key = 'k3-9_Zq-k3-9_Zq-k3-9_Zq'\n")
    cli.path.chmod(0o644)
    with cli.running():
        assert "chmod 600" in (cli.folder / "desk.log").read_text()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("secret_key = ''", "[web] secret_key"),
        ("secret_key = 'changeme'", "[web] secret_key"),
        ("[telegram]\ntoken = ''", "[telegram] token"),
        ("[telegram]\ntoken = '123456789:AAE-sample'", "[telegram] token"),
        (
            "[telegram]\ntoken = '7:AAF-loopback_only-0'\nmode = 'webhook'\nwebhook_secret = ''",
            "webhook_secret",
        ),
    ],
)
def test_input_63_an_empty_or_sample_secret_stops_the_start_with_the_reason(
    cli: Cli, text: str, key: str
) -> None:
    cli.write(f"public_url = 'https://duty.city.invalid'\n{text}\n")
    done = cli.process("run")
    assert done.code == 2 and key in done.err and len(done.err.splitlines()) == 1
    assert not (cli.folder / "data").exists()


def test_nothing_configured_is_the_demonstration_town(cli: Cli) -> None:
    cli.path.unlink()
    with subprocess.Popen(
        cli.command(["run"]),
        cwd=cli.folder,
        env=cli.environ({"MUSTER_WEB__PORT": str(cli.port)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as desk:
        assert desk.stdout is not None
        try:
            assert str(cli.port) in desk.stdout.readline()
            assert "立即点名" in desk.stdout.readline()
            page = httpx.get(f"http://127.0.0.1:{cli.port}/", timeout=PATIENCE_SECONDS)
            assert page.status_code == 200
        finally:
            desk.send_signal(signal.SIGINT)
        assert desk.wait(PATIENCE_SECONDS) == 0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens there."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield
