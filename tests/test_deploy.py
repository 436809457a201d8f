"""What deploy/ hands to an operator works: units, backup, proxy and image, as far as each can be run here."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot.commands.terminal import FAULTS, USAGE
from bot.config.tables import Queue
from bot.serving import HTTP_GRACE_SECONDS
from tests.bot.commands.cli import PATIENCE_SECONDS, Cli, fill, keep_photo
from tests.pages import ROOT, parse
from web.demo import STREAM_MINUTES_MAX as DEMO_MINUTES_MAX
from web.guard import CHAT_BYTES_MAX
from web.live import STREAM_MINUTES_MAX

DEPLOY = ROOT / "deploy"
UNITS = ("muster.service", "muster-backup.service", "muster-backup.timer")
HOME = "/opt/muster"


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A systemd unit: section -> key -> every value given, in order."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


def text(name: str) -> str:
    """A file of deploy/ without its comments."""
    return re.sub(r"(?m)^\s*#.*\n", "", (DEPLOY / name).read_text("utf-8"))


# ── systemd ─────────────────────────────────────────────────────────────────────────────────────


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        assert {"Unit"} <= unit(name).keys() and all(unit(name)["Unit"]["Description"])
    judge = shutil.which("systemd-analyze")
    if judge is None:
        return  # No systemd on this machine: the tests below have read the units all the same.
    home = tmp_path / "muster"
    for program in (".venv/bin/python", "deploy/backup.sh"):
        (home / program).parent.mkdir(parents=True, exist_ok=True)
        (home / program).symlink_to("/bin/true")
    for name in UNITS:
        (tmp_path / name).write_text((DEPLOY / name).read_text("utf-8").replace(HOME, str(home)), "utf-8")
    done = subprocess.run(
        [judge, "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_runs_the_desk_and_stops_for_good_only_when_a_person_must_mend_it() -> None:
    service = unit("muster.service")["Service"]
    [start] = service["ExecStart"]
    python, *module, rest = start.split(maxsplit=3)
    assert (python, module) == (f"{HOME}/.venv/bin/python", ["-m", "bot"])
    assert parse(rest.split()) == ["run"]
    assert service["WorkingDirectory"] == [HOME]
    assert service["Type"] == ["notify"] and service["Restart"] == ["always"]
    assert service["RestartPreventExitStatus"] == [str(USAGE)]
    assert unit("muster.service")["Unit"]["StartLimitIntervalSec"] == ["0"]
    assert (
        float(service["WatchdogSec"][0]) <= 60
    )  # Far below the two minutes in which a frozen desk is missed.


def test_the_service_gives_the_desk_time_to_finish_what_it_began() -> None:
    [seconds] = unit("muster.service")["Service"]["TimeoutStopSec"]
    assert float(seconds) > Queue().finish_seconds + HTTP_GRACE_SECONDS


@pytest.mark.parametrize("name", ["muster.service", "muster-backup.service"])
def test_the_services_are_nobody_special_and_may_write_only_their_data(name: str) -> None:
    service = unit(name)["Service"]
    assert service["User"] == ["muster"] and service["UMask"] == ["0077"]
    assert service["ProtectSystem"] == ["strict"] and service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == [""]
    written = {*service.get("ReadWritePaths", [""])[0].split(), *service.get("StateDirectory", [])}
    assert written <= {"muster", "/var/lib/muster", "/var/backups/muster"}


def test_the_timer_starts_the_backup_every_night_and_after_a_night_without_power() -> None:
    timer = unit("muster-backup.timer")
    assert timer["Timer"]["Persistent"] == ["true"] and timer["Timer"]["OnCalendar"] == ["*-*-* 03:30"]
    assert timer["Install"]["WantedBy"] == ["timers.target"]
    assert unit("muster-backup.service")["Service"]["ExecStart"] == [f"{HOME}/deploy/backup.sh"]


# ── backup.sh ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def back_up(cli: Cli, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs the script on an office, from somewhere else, with the tests' Python."""
    given = {
        "MUSTER_PYTHON": sys.executable,
        "MUSTER_BACKUPS": str(cli.folder / "backups"),
        "MUSTER_CONFIG": str(cli.path),
    }
    return subprocess.run(
        [str(DEPLOY / "backup.sh")],
        cwd=cli.folder,
        env=cli.environ({**given, **settings}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def make_old(cli: Cli, *names: str, whole: bool = True) -> None:
    """Backups of other nights; one without its manifest was never finished."""
    for name in names:
        (cli.folder / "backups" / name).mkdir(parents=True)
        if whole:
            (cli.folder / "backups" / name / "backup.json").write_text("{}")


def kept(cli: Cli) -> list[str]:
    return sorted(path.name for path in (cli.folder / "backups").iterdir())


async def test_the_nightly_backup_can_be_restored_and_only_then_the_oldest_go(cli: Cli) -> None:
    await fill(cli)
    await keep_photo(cli, b"a photo")
    make_old(cli, "20260101T033000Z", "20260102T033000Z", "20260103T033000Z", "by hand")
    make_old(cli, "20260104T033000Z", whole=False)
    done = back_up(cli, MUSTER_KEEP="2")
    assert (done.returncode, done.stderr) == (0, "")
    *others, newest, unrelated = kept(cli)
    assert others == ["20260103T033000Z", "20260104T033000Z"] and unrelated == "by hand"
    assert (cli.folder / "backups" / newest).stat().st_mode & 0o077 == 0
    cli.folder.joinpath("data", "muster.db").unlink()
    assert cli("restore", str(cli.folder / "backups" / newest)).code == 0
    assert cli("verify").code == 0


def test_a_backup_that_fails_says_so_and_takes_nothing_away(cli: Cli) -> None:
    make_old(cli, "20260101T033000Z", "20260102T033000Z")
    done = back_up(cli, MUSTER_KEEP="1")  # There is no database yet.
    assert done.returncode == FAULTS and "muster.db" in done.stderr
    assert kept(cli) == ["20260101T033000Z", "20260102T033000Z"]


@pytest.mark.parametrize("keep", ["0", "-1", "many", "1.5"])
def test_a_number_of_backups_that_would_keep_none_is_refused(cli: Cli, keep: str) -> None:
    make_old(cli, "20260101T033000Z")
    done = back_up(cli, MUSTER_KEEP=keep)
    assert done.returncode == USAGE and keep in done.stderr
    assert kept(cli) == ["20260101T033000Z"]


@pytest.mark.parametrize("name", ["backup.sh", "muster"])
def test_a_script_is_sound_and_may_be_run(name: str) -> None:
    assert os.access(DEPLOY / name, os.X_OK)
    assert subprocess.run(["sh", "-n", str(DEPLOY / name)], check=False).returncode == 0


# ── The proxy, the image ────────────────────────────────────────────────────────────────────────


def proxy() -> dict[str, list[str]]:
    """Every directive of the proxy's file, wherever it stands -> its values."""
    found: dict[str, list[str]] = {}
    body = text("nginx.conf")
    assert body.count("{") == body.count("}")
    for directive in re.findall(r"(?m)^\s*([a-z_]+)\s+([^;{]+?)\s*;", body):
        found.setdefault(directive[0], []).append(" ".join(directive[1].split()))
    return found


def test_the_proxy_lets_live_pages_flow_and_uploads_through() -> None:
    found = proxy()
    assert found["proxy_buffering"] == ["off"] and found["proxy_http_version"] == ["1.1"]
    [wait] = found["proxy_read_timeout"]
    assert float(wait.removesuffix("m")) > max(STREAM_MINUTES_MAX, DEMO_MINUTES_MAX)
    [most] = found["client_max_body_size"]
    assert float(most.removesuffix("m")) * 1024 * 1024 > CHAT_BYTES_MAX


def test_the_proxy_says_only_what_it_saw_itself() -> None:
    headers = dict(one.split(maxsplit=1) for one in proxy()["proxy_set_header"])
    assert headers["X-Forwarded-For"] == "$remote_addr"
    assert headers["X-Forwarded-Proto"] == "$scheme"
    assert headers["Host"] == "$host" and headers["Forwarded"] == '""'


def test_the_proxys_log_keeps_no_key() -> None:
    shown = re.search(r"~(\^\S+)\s+(\S+);", text("nginx.conf"))
    assert shown is not None
    hidden = re.compile(shown[1].replace("?<", "?P<"))
    for address in (
        "/chat/a-secret-token",
        "/chat/a-secret-token/files",
        "/sign-in/a-secret",
        "/calendar/a.ics",
    ):
        assert hidden.match(address)
    assert not hidden.match("/incidents/ZS-20261124-005")
    assert "$request " not in text("nginx.conf") and "$request_uri" not in "".join(proxy()["log_format"])


def test_the_image_holds_every_room_and_every_pinned_package_and_runs_as_nobody_special() -> None:
    steps = re.sub(r"\\\n\s*", "", text("Dockerfile")).splitlines()
    assert {line.split()[1] for line in steps if line.startswith("FROM")} == {"python:3.12-slim-bookworm"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    rooms = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [room for room in rooms if f"COPY {room} {HOME}/{room}" not in steps] == []
    [install] = [line for line in steps if "pip install" in line]
    assert "--require-hashes" in install and "requirements.lock" in install
    assert steps.index("USER muster") > max(at for at, line in enumerate(steps) if line.startswith("COPY"))
    [entry] = [
        json.loads(line.removeprefix("ENTRYPOINT ")) for line in steps if line.startswith("ENTRYPOINT")
    ]
    [command] = [json.loads(line.removeprefix("CMD ")) for line in steps if line.startswith("CMD ")]
    assert entry[:3] == [f"{HOME}/.venv/bin/python", "-m", "bot"] and parse([*entry[3:], *command]) == ["run"]


def test_the_composition_publishes_one_port_to_this_machine_and_trusts_its_own_gateway() -> None:
    body = (DEPLOY / "compose.yaml").read_text("utf-8")
    assert "\t" not in body and all((len(one) - len(one.lstrip())) % 2 == 0 for one in body.splitlines())
    assert re.findall(r'- "([\d.]+):(\d+):8080"', body) == [("127.0.0.1", "8080")]
    [dockerfile] = re.findall(r"dockerfile: (\S+)", body)
    assert (ROOT / dockerfile).is_file()
    [network] = re.findall(r"subnet: ([\d.]+)\.0/24", body)
    assert f'trusted_proxies = ["{network}.1"]' in body
    assert "read_only: true" in body and "no-new-privileges:true" in body
