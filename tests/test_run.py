"""The two commands: what `run.py` installs, starts, passes on and says when it cannot."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 60
LOCKS = ("requirements.lock", "requirements-scale.lock", "requirements-dev.lock")

FAKE_DESK = """
import json, os, signal, sys, time
import tiny
wish = os.environ.get("WISH", "0")
print(json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "tiny": tiny.VERSION,
                  "called_from": os.environ.get("MUSTER_CALLED_FROM")}), flush=True)
if wish.isdigit():
    sys.exit(int(wish))
heard = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: heard.append(number))
print("serving", flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.3)
print(json.dumps([int(number) for number in heard]), flush=True)
sys.exit(0)
"""


def make_wheel(folder: Path, version: str) -> str:
    """A one-line package as a wheel in the folder; answers its line for a lock."""
    name = f"tiny-{version}-py3-none-any.whl"
    files = {
        "tiny.py": f'VERSION = "{version}"\n',
        f"tiny-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"tiny-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"tiny-{version}.dist-info/RECORD"] = record + f"tiny-{version}.dist-info/RECORD,,\n"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return f"./{name} --hash=sha256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n"


def make_checkout(folder: Path) -> Path:
    """A checkout with the real run.py, a desk that tells what it was given, and locks of one tiny wheel."""
    (folder / "bot").mkdir(parents=True)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "run.py", folder / "run.py")
    (folder / "bot" / "__main__.py").write_text(FAKE_DESK)
    for lock in LOCKS:
        (folder / lock).write_text(make_wheel(folder, "1.0"))
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "checkout")


def add_tool(checkout: Path, name: str, script: str) -> None:
    """A program of this name, the only ones on the PATH of `start`; it notes each call in tools/calls."""
    tool = checkout / "tools" / name
    tool.write_text(f'#!/bin/sh\necho "{name} $*" >> "{checkout}/tools/calls"\n{script}\n')
    tool.chmod(0o755)


def calls(checkout: Path) -> list[str]:
    noted = checkout / "tools" / "calls"
    return noted.read_text().splitlines() if noted.exists() else []


def make_ready(checkout: Path, python: str | None = None) -> None:
    """The traces of a finished install, around this Python or around a script that plays one."""
    run = load(checkout)
    run.PYTHON.parent.mkdir(parents=True)
    if python is None:
        # A script and not a symlink, so that the child finds the packages of the real environment.
        python = f'#!/bin/sh\nPYTHONPATH="{checkout}/packages" exec {sys.executable} "$@"\n'
        (checkout / "packages").mkdir()
        (checkout / "packages" / "tiny.py").write_text('VERSION = "ready"\n')
    run.PYTHON.write_text(python)
    run.PYTHON.chmod(0o755)
    run.STAMP.write_text(json.dumps(run.stamp_for("requirements-dev.lock")))


def load(checkout: Path) -> ModuleType:
    """The run.py of this checkout as a module."""
    spec = importlib.util.spec_from_file_location("run_of_a_checkout", checkout / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment(checkout: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PATH": str(checkout / "tools"), **more}


def start(
    checkout: Path, *words: str, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs run.py to its end."""
    return subprocess.run(
        [sys.executable, str(checkout / "run.py"), *words],
        cwd=cwd or checkout,
        env=environment(checkout, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What the fake desk was given."""
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[0]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["run"]),
        (["--config", "town.toml"], ["run", "--config", "/there/town.toml"]),
        (["--config=town.toml"], ["run", "--config=/there/town.toml"]),
        (["--config", "/etc/muster.toml"], ["run", "--config", "/etc/muster.toml"]),
        (["--role", "web"], ["run", "--role", "web"]),
        (["--config", "x", "--role", "web"], ["run", "--config", "/there/x", "--role", "web"]),
        (["run", "--role", "web"], ["run", "--role", "web"]),
        (["check"], ["check"]),
        (["check", "--config", "x"], ["check", "--config", "/there/x"]),
        (["--config", "x", "check", "--json"], ["--config", "/there/x", "check", "--json"]),
        (["--config", "run"], ["run", "--config", "/there/run"]),
        (["import", "people", "人员.xlsx"], ["import", "people", "人员.xlsx"]),
        (["--config"], ["run", "--config"]),
    ],
)
def test_words_become_the_words_of_the_desk(words: list[str], expected: list[str]) -> None:
    assert load(ROOT).desk_arguments(words, Path("/there")) == expected


@pytest.mark.parametrize(
    ("version", "system", "says"),
    [((3, 8), "posix", "3.8"), ((3, 10), "posix", "3.10"), ((3, 12), "nt", "WSL")],
)
def test_a_machine_that_cannot_run_the_desk_is_told_why(
    version: tuple[int, int], system: str, says: str
) -> None:
    run = load(ROOT)
    with pytest.raises(run.CannotGoOn, match=says):
        run.check_machine(version, system)


@pytest.mark.parametrize("version", [(3, 11), (3, 13), (3, 14)])
def test_a_supported_python_is_accepted(version: tuple[int, int]) -> None:
    load(ROOT).check_machine(version, "posix")


def test_python_3_8_can_read_the_file_as_far_as_its_sentence() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_run_uses_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_help_installs_nothing(checkout: Path) -> None:
    done = start(checkout, "--help")
    assert done.returncode == 0
    assert "run.py test" in done.stdout
    assert not (checkout / ".venv").exists()


def change_lock(run: ModuleType) -> None:
    (run.HERE / "requirements.lock").write_text("other==1\n")


def change_python(run: ModuleType) -> None:
    run.STAMP.write_text(run.STAMP.read_text().replace('"python": "3.', '"python": "2.'))


def break_stamp(run: ModuleType) -> None:
    run.STAMP.write_text('{"python"')


def make_stamp_a_list(run: ModuleType) -> None:
    run.STAMP.write_text("[]")


def lose_stamp(run: ModuleType) -> None:
    run.STAMP.unlink()


def leave_unfinished(run: ModuleType) -> None:
    run.UNFINISHED.touch()


def lose_python(run: ModuleType) -> None:
    run.PYTHON.unlink()
    run.PYTHON.symlink_to("/nowhere/python3")


@pytest.mark.parametrize(
    "damage",
    [change_lock, change_python, break_stamp, make_stamp_a_list, lose_stamp, leave_unfinished, lose_python],
)
def test_an_environment_is_not_ready_after(checkout: Path, damage: Callable[[ModuleType], None]) -> None:
    make_ready(checkout)
    run = load(checkout)
    assert run.is_ready(run.stamp_for("requirements.lock"))
    damage(run)
    assert not run.is_ready(run.stamp_for("requirements.lock"))


def test_an_environment_for_the_desk_is_not_yet_one_for_the_tests(checkout: Path) -> None:
    make_ready(checkout)
    run = load(checkout)
    run.STAMP.write_text(json.dumps(run.stamp_for("requirements.lock")))
    assert run.is_ready(run.stamp_for("requirements.lock"))
    assert not run.is_ready(run.stamp_for("requirements-dev.lock"))


def test_two_first_starts_at_once_install_once_with_pip_and_both_serve(checkout: Path) -> None:
    command = [sys.executable, str(checkout / "run.py")]
    starts = [
        subprocess.Popen(
            command, env=environment(checkout), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ends = [start.communicate(timeout=PATIENCE_SECONDS) for start in starts]
    assert [start.returncode for start in starts] == [0, 0], ends
    assert sum("创建运行环境" in errors for _, errors in ends) == 1
    assert all(json.loads(output)["tiny"] == "1.0" for output, _ in ends)

    again = start(checkout)
    assert told(again)["tiny"] == "1.0"
    assert again.stderr == ""

    (checkout / "requirements.lock").write_text(make_wheel(checkout, "2.0"))
    newer = start(checkout)
    assert told(newer)["tiny"] == "2.0"
    assert "创建运行环境" not in newer.stderr

    lock = checkout / "requirements.lock"
    lock.write_text(make_wheel(checkout, "3.0").rpartition(":")[0] + ":" + "0" * 64 + "\n")
    refused = start(checkout)
    assert refused.returncode == 1
    assert "ERROR" in refused.stderr
    assert "依赖安装失败" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def download_wheels(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Runs deploy/wheels.sh on a machine that has this wheel, and then the checkout forgets where it came from."""
    store = checkout.parent / "store"
    store.mkdir()
    digest = make_wheel(store, "4.0").partition(" ")[2]
    for lock in LOCKS:
        (checkout / lock).write_text(f"tiny==4.0 {digest}")
    (checkout / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "wheels.sh", checkout / "deploy")
    done = subprocess.run(
        [str(checkout / "deploy" / "wheels.sh")],
        env={
            **os.environ,
            "MUSTER_PYTHON": str(Path(sys.base_prefix) / "bin" / "python3"),  # Ours may be made without pip.
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(store),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    shutil.rmtree(store)
    return done


def test_a_machine_without_a_network_installs_from_the_folder_of_wheels_by_hash(checkout: Path) -> None:
    done = download_wheels(checkout)
    assert done.returncode == 0, done.stderr
    [wheel] = (checkout / "wheels").iterdir()
    honest = wheel.read_bytes()
    wheel.write_bytes(honest + b"touched on the way")
    refused = start(checkout)
    assert refused.returncode == 1
    assert "ERROR" in refused.stderr and "deploy/wheels.sh" in refused.stderr
    wheel.write_bytes(honest)
    assert told(start(checkout))["tiny"] == "4.0"


def test_with_a_folder_of_wheels_uv_looks_nowhere_else_either(checkout: Path) -> None:
    (checkout / "wheels").mkdir()
    add_tool(checkout, "uv", f'echo "$UV_NO_INDEX $UV_FIND_LINKS" >> "{checkout}/tools/calls"; exit 3')
    refused = start(checkout)
    assert (
        refused.returncode == 1 and "只用 wheels/" in refused.stderr and "deploy/wheels.sh" in refused.stderr
    )
    assert calls(checkout)[-1] == f"1 {(checkout / 'wheels').as_uri()}"


def test_the_packages_of_several_replicas_are_kept_over_an_upgrade_once_asked_for(checkout: Path) -> None:
    add_tool(checkout, "uv", f'/bin/cp "{checkout}"/tiny.py "{checkout}"/.venv/lib/python3.*/site-packages/')
    (checkout / "tiny.py").write_text('VERSION = "any"\n')
    told(start(checkout))
    told(start(checkout, MUSTER_EXTRA="scale"))
    told(start(checkout))
    (checkout / "requirements.lock").write_text(make_wheel(checkout, "2.0"))
    (checkout / ".venv" / "muster-unfinished").touch()
    told(start(checkout))
    named = [call.rpartition("/")[2] for call in calls(checkout)]
    assert named == ["requirements.lock", "requirements-scale.lock", "requirements-scale.lock"]


def test_a_half_finished_install_is_begun_afresh(checkout: Path) -> None:
    add_tool(checkout, "uv", "kill -9 $PPID")
    assert start(checkout).returncode == -signal.SIGKILL
    stray = checkout / ".venv" / "bin" / "half-a-package"
    stray.touch()

    add_tool(checkout, "uv", f'/bin/cp "{checkout}"/tiny.py "{checkout}"/.venv/lib/python3.*/site-packages/')
    (checkout / "tiny.py").write_text('VERSION = "whole"\n')
    done = start(checkout)
    assert told(done)["tiny"] == "whole"
    assert not stray.exists()
    assert len(calls(checkout)) == 2
    assert all("--require-hashes" in call for call in calls(checkout))
    start(checkout)
    assert len(calls(checkout)) == 2


def test_a_failed_install_does_not_look_finished(checkout: Path) -> None:
    add_tool(checkout, "uv", "exit 3")
    for attempt in (1, 2):
        done = start(checkout)
        assert done.returncode == 1
        assert "依赖安装失败" in done.stderr
        assert len(calls(checkout)) == attempt


def test_a_python_without_ensurepip_names_the_one_missing_package(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["ensurepip"] = None\n')
    done = start(checkout, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "sudo apt install python3" in done.stderr
    assert "-venv" in done.stderr
    assert "Traceback" not in done.stderr
    # The mark of a build that never began must not cost a rebuild later.
    assert not (checkout / ".venv" / "muster-unfinished").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(checkout: Path) -> None:
    (checkout / ".venv").write_text("in the way")
    done = start(checkout)
    assert done.returncode == 1
    assert "无法完成" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_the_exit_code_is_the_desks_own(checkout: Path, code: int) -> None:
    make_ready(checkout)
    assert start(checkout, "check", WISH=str(code)).returncode == code


def test_the_desk_runs_in_its_own_folder_and_reads_config_from_the_callers(
    checkout: Path, tmp_path: Path
) -> None:
    make_ready(checkout)
    given = told(start(checkout, "--config", "my.toml", cwd=tmp_path))
    assert given["words"] == ["run", "--config", str(tmp_path / "my.toml")]
    assert given["folder"] == str(checkout) and given["called_from"] == str(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_terminal", [False, True])
def test_a_signal_reaches_the_desk_once_and_its_clean_stop_is_zero(
    checkout: Path, number: signal.Signals, whole_terminal: bool
) -> None:
    make_ready(checkout)
    with subprocess.Popen(
        [sys.executable, str(checkout / "run.py")],
        env=environment(checkout, WISH="serve"),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as desk:
        assert desk.stdout
        for line in desk.stdout:
            if line == "serving\n":
                break
        # A terminal signals every process in front of it; a service manager only the one it started.
        (os.killpg if whole_terminal else os.kill)(desk.pid, number)
        last = desk.stdout.read().splitlines()[-1]
        assert desk.wait(PATIENCE_SECONDS) == 0
    assert json.loads(last) == [number]


STEPS = ["-m ruff format --check .", "-m ruff check .", "-c from importlinter", "-m mypy", "-m pytest"]


@pytest.mark.parametrize("failing", ["", "ruff format", "ruff check", "importlinter", "mypy", "pytest"])
def test_every_step_of_ci_runs_and_one_failure_fails_the_whole(checkout: Path, failing: str) -> None:
    pattern = f"*'{failing}'*" if failing else "nothing"
    make_ready(
        checkout,
        f'#!/bin/sh\necho "$*" >> "{checkout}/tools/calls"\ncase "$*" in {pattern}) exit 4;; esac\n',
    )
    add_tool(checkout, "chromium", "exit 0")
    done = start(checkout, "test", "tests/web", "-k", "board")
    assert done.returncode == (1 if failing else 0)
    ran = calls(checkout)
    assert [line[: len(step)] for line, step in zip(ran, STEPS, strict=True)] == STEPS
    assert ran[-1] == "-m pytest tests/web -k board"
    assert done.stderr.count("用时") == 5
    assert done.stderr.count("未通过，用时") == (1 if failing else 0)


def test_an_interrupted_check_says_so_and_is_not_a_pass(checkout: Path) -> None:
    make_ready(checkout, f'#!/bin/sh\necho "$*" >> "{checkout}/tools/calls"\nexec /bin/sleep 30\n')
    add_tool(checkout, "chromium", "exit 0")
    with subprocess.Popen(
        [sys.executable, str(checkout / "run.py"), "test"],
        env=environment(checkout),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as checks:
        assert checks.stderr
        assert "format" in checks.stderr.readline()
        while not calls(checkout):
            assert checks.poll() is None
        os.killpg(checks.pid, signal.SIGINT)
        assert "已中断" in checks.stderr.read()
        assert checks.wait(PATIENCE_SECONDS) == 130
    assert len(calls(checkout)) == 1


def test_a_missing_browser_is_installed_by_root_on_debian_and_else_named(checkout: Path) -> None:
    make_ready(checkout, "#!/bin/sh\nexit 0\n")
    named = start(checkout, "test")
    assert named.returncode == 1
    assert "sudo apt install chromium fonts-noto-cjk" in named.stderr

    add_tool(checkout, "apt-get", "exit 0")
    done = start(checkout, "test")
    if os.geteuid() == 0 and Path("/etc/debian_version").exists():
        assert done.returncode == 0
        assert calls(checkout) == [
            "apt-get -qq -y update",
            "apt-get -qq -y install chromium fonts-noto-cjk",
        ]
    else:
        assert done.returncode == 1
        assert calls(checkout) == []
