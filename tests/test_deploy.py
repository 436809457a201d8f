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
from desk.audits import record
from desk.invariants import Finding
from tests.bot.commands.cli import PATIENCE_SECONDS, Cli, fill, keep_photo
from tests.pages import ROOT, parse
from tests.web.world import open_world
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


@pytest.mark.parametrize("name", ["backup.sh", "muster", "wheels.sh"])
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
    assert "--require-hashes" in install and '-r "/tmp/requirements${EXTRA:+-$EXTRA}.lock"' in install
    assert "COPY requirements.lock requirements-scale.lock /tmp/" in steps
    kept_out, *let_in = text("Dockerfile.dockerignore").split()
    assert kept_out == "*" and "!config.toml" not in let_in
    copied = {word for step in steps if re.match("COPY (?!--)", step) for word in step.split()[1:-1]}
    assert copied == {one[1:] for one in let_in if one.startswith("!")}
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


# ── Several processes ───────────────────────────────────────────────────────────────────────────


def service(name: str) -> str:
    """One service of the composition of several processes, or one of its networks."""
    found = re.search(rf"(?ms)^  {name}:.*?(?=^  \S|^\S|\Z)", text("compose.scale.yaml"))
    assert found, name
    return found[0]


def test_several_processes_are_a_web_two_workers_and_one_that_brings_the_schema_up_first() -> None:
    said = {
        name: parse(json.loads(re.findall(r"(?m)^    command: (\[.*\])$", service(name))[0]))
        for name in ("migrate", "web", "worker")
    }
    assert said == {"migrate": ["migrate"], "web": ["run"], "worker": ["run"]}
    assert '"--role", "web"' in service("web") and '"--role", "worker"' in service("worker")
    assert "replicas: 2" in service("worker") and 'restart: "no"' in service("migrate")
    assert "EXTRA: scale" in service("migrate")
    assert "service_completed_successfully" in service("web") and "depends_on: *ready" in service("worker")


def test_of_several_processes_only_the_proxy_is_open_and_the_database_has_no_way_out() -> None:
    body = text("compose.scale.yaml")
    assert "\t" not in body and all((len(one) - len(one.lstrip())) % 2 == 0 for one in body.splitlines())
    assert body.count("ports:") == 1 and "ports:" in service("caddy")
    assert re.findall(r"(?m)^      - (\w+)$", service("database").partition("networks:")[2]) == ["back"]
    assert "internal: true" in service("back")
    [proxy_at] = re.findall(r"ipv4_address: ([\d.]+)", service("caddy"))
    assert f'trusted_proxies = ["{proxy_at}"]' in (DEPLOY / "compose.scale.yaml").read_text("utf-8")
    for promise in ("read_only: true", "no-new-privileges:true", "- ALL", "stop_grace_period: 30s"):
        assert promise in body.partition("services:")[0]


def test_no_secret_is_written_into_a_composition_and_every_one_it_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)(?::\?)\}", text("compose.scale.yaml")))
    assert asked == set(re.findall(r"(?m)^(\w+)=", text("compose.env.example")))
    assert re.search(r"(?m)^DATABASE_PASSWORD=$", text("compose.env.example"))
    assert not re.search(r"(?i)(password|secret|token)\w*: (?!\$\{)\S", text("compose.scale.yaml"))


def test_the_other_proxy_keeps_the_same_promises() -> None:
    body = text("Caddyfile")
    assert body.count("{") == body.count("}")
    assert "respond @figures 404" in body and "@figures path /metrics" in body
    assert "flush_interval -1" in body and "header_up -Forwarded" in body
    assert not re.search(r"trusted_proxies|header_up X-Forwarded|read_timeout|write_timeout", body)
    assert "request>uri delete" in body and "auto_https disable_certs" in body
    [most] = re.findall(r"max_size (\d+)MiB", body)
    assert int(most) * 1024 * 1024 > CHAT_BYTES_MAX
    assert "health_uri /readyz" in body and "MUSTER_HOST" in service("caddy")
    [behind] = re.findall(r"\{\$MUSTER_WEB:(\w+):8080\}", body)
    assert service(behind)


# ── Watching ────────────────────────────────────────────────────────────────────────────────────


def rules() -> list[str]:
    """What each rule for Prometheus asks."""
    body = text("prometheus-rules.yml")
    asked = re.findall(r"(?m)^        expr: (.+)$", body)
    assert len(asked) == body.count("- alert: ") == body.count("severity: ") == body.count("summary: ")
    return asked


def panels() -> list[dict[str, object]]:
    return list(json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))["panels"])


def drawn() -> list[str]:
    """What each line of the dashboard asks."""
    return re.findall(r'"expr": "((?:[^"\\]|\\.)+)"', json.dumps(panels(), ensure_ascii=False))


async def test_rules_and_dashboard_ask_only_for_figures_and_labels_the_desk_gives(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        async with world.door.open() as desk:
            await record(desk, [Finding("letters")])
        told = (await world.client().get("/metrics")).text
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    given = {re.split(r"[{ ]", line)[0] for line in lines}
    labels = {(name, value) for line in lines for name, value in re.findall(r'(\w+)="([^"]*)"', line)}
    asked = [one.replace('\\"', '"') for one in (*rules(), *drawn())]
    figures = {name for one in asked for name in re.findall(r"\b(?:muster|process)_\w+", one)}
    assert len(figures) > 10 and figures - given == set()
    assert {name for name in given if name.startswith("muster_")} - figures == set()
    for one in asked:
        for label, values in re.findall(r'(\w+)=~?"([^"]+)"', one):
            wanted = {(label, value) for value in values.split("|")}
            assert label == "job" or wanted <= labels, one
        for kind in re.findall(r"by \((\w+)\)", one):
            assert kind == "instance" or kind in {label for label, _ in labels}, one


def test_the_dashboard_has_a_place_of_its_own_for_every_panel() -> None:
    places = [
        (x, y)
        for panel in panels()
        for at in [dict(panel["gridPos"])]  # type: ignore[call-overload]  # Read from JSON.
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in panels()}) == len(panels()) > 8


def test_the_thresholds_of_the_rules_are_those_on_the_operators_page() -> None:
    page = (ROOT / "docs" / "operator.md").read_text("utf-8")
    for figure, limit in (("oldest_due", 60), ("audit_age", 120), ("invariant_age", 120)):
        assert any(f"muster_{figure}_seconds" in one and f"> {limit}" in one for one in rules())
        assert re.search(rf"`muster_{figure}_seconds.*大于 {limit}", page)


def test_logs_are_turned_over_and_the_proxys_files_are_those_it_writes() -> None:
    turned = set(re.findall(r"/var/log/\S+", text("logrotate.conf").partition("{")[0]))
    written = re.findall(r"/var/log/\S+", " ".join(proxy()["access_log"] + proxy()["error_log"]))
    assert turned == set(written)
    assert {"SystemMaxUse=2G", "Storage=persistent"} <= set(text("journald.conf").split())
    assert text("compose.scale.yaml").count("logging: ") == 3
