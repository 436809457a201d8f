"""Make the environment, then run the desk or all that CI runs. Over 300 lines: one file that needs only Python."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "muster-stamp.json"
UNFINISHED = VENV / "muster-unfinished"
TURN = VENV / "muster-turn"
SCALE = VENV / "muster-scale"
LOCK, SCALE_LOCK, DEV_LOCK = "requirements.lock", "requirements-scale.lock", "requirements-dev.lock"
WHEELS = HERE / "wheels"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHEEL_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
LAST_WORDS_SECONDS = 10
TEST_WORKERS_MAX = 8  # Each takes up to half a gigabyte.
USAGE = """点到 Muster
  python3 run.py [--config FILE]         启动值班台；没有配置时为演示镇 / the desk, or the demonstration town
  python3 run.py check | import | …      值班台的其他命令 / the desk's other commands: run.py check --help
  python3 run.py test [pytest args]      CI 的全部检查 / everything CI runs"""


class CannotGoOn(Exception):
    """A fault and its cure, one sentence in each language."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(f"{chinese}\n{english}")


def main(words: list[str]) -> int:
    """Does what the words on the command line ask; the answer is the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Compiling all anew costs each start two seconds.
    try:
        check_machine(sys.version_info[:2], os.name)
        if words[:1] in (["-h"], ["--help"]):
            print(USAGE)
            return 0
        if words[:1] == ["test"]:
            return test(words[1:])
        run_desk(desk_arguments(words, Path.cwd()))
    except CannotGoOn as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as trouble:
        say(f"无法完成：{trouble}；请检查磁盘空间与权限", "check disk space and permissions.")
        return 1
    except KeyboardInterrupt:
        say("已中断", "interrupted")
        return 128 + signal.SIGINT


def check_machine(version: tuple[int, ...], system: str) -> None:
    """Refuses a Python or a system on which the desk cannot run."""
    if version < (3, 11):
        found = "{}.{}".format(*version)
        raise CannotGoOn(
            f"点到需要 Python 3.11 或更新版本，现在是 {found}：请安装后用 python3.11 run.py 启动",
            f"Muster needs Python 3.11 or newer and this is {found}: install one and run python3.11 run.py.",
        )
    if system == "nt":
        raise CannotGoOn(
            "点到在 Linux 或 macOS 上运行：请在 WSL 中执行同一条命令",
            "Muster runs on Linux or macOS: use the same command inside WSL.",
        )


def run_desk(arguments: list[str]) -> NoReturn:
    """Becomes the desk: the same process, so a signal arrives once and the exit code is the desk's own."""
    prepare(desk_lock())
    os.environ["MUSTER_CALLED_FROM"] = os.getcwd()  # Files are named as seen from there.
    os.chdir(HERE)
    os.execv(PYTHON, [str(PYTHON), "-m", "bot", *arguments])  # noqa: S606  # No shell is the point.


def desk_arguments(words: list[str], standing_in: Path) -> list[str]:
    """The words for `python -m bot`: `run` unless a command is named; `--config` as seen by the caller."""
    arguments: list[str] = []
    others: list[str] = []
    for word in words:
        if arguments[-1:] == ["--config"]:
            word = str(standing_in / word)
        elif word.startswith("--config="):
            word = "--config=" + str(standing_in / word[len("--config=") :])
        elif word != "--config":
            others.append(word)
        arguments.append(word)
    named = others and not others[0].startswith("-")
    return arguments if named else ["run", *arguments]


def test(pytest_words: list[str]) -> int:
    """Everything CI runs, every step even after a failure; 0 when all hold."""
    find_browser()
    prepare(DEV_LOCK)
    failed = []
    for name, command in test_steps(pytest_words):
        say(f"{name} 开始", "started")
        began = time.monotonic()
        code = call(command)
        if code and name == "tests" and not pytest_words:
            say("与别的测试同时跑没通过的，再单独跑一次", "what failed beside others is run once more alone")
            code = call([str(PYTHON), "-m", "pytest", "-q", "--last-failed", "-m", "not chaos"])
        spent = f"{time.monotonic() - began:.1f} s"
        if code:
            failed.append(name)
            say(f"{name} 未通过，用时 {spent}", f"failed with {code}")
        else:
            say(f"{name} 通过，用时 {spent}", "passed")
    if failed:
        say(f"未通过：{'、'.join(failed)}，原因见上", "some checks failed, see above")
        return 1
    say("全部通过", "all checks passed")
    return 0


def test_steps(pytest_words: list[str]) -> list[tuple[str, list[str]]]:
    """The steps of CI, quickest first: name and command."""
    # Modules, not the scripts in .venv/bin: those break when the checkout is moved.
    imports = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return [
        ("format", [str(PYTHON), "-m", "ruff", "format", "--check", "."]),
        ("lint", [str(PYTHON), "-m", "ruff", "check", "."]),
        ("imports", [str(PYTHON), "-c", imports]),
        ("types", [str(PYTHON), "-m", "mypy"]),
        *((name, [str(PYTHON), "-m", "pytest", *words]) for name, words in pytest_runs(pytest_words)),
    ]


def pytest_runs(words: list[str]) -> list[tuple[str, list[str]]]:
    """What pytest is asked: all but the nights of kills side by side, then these by threes; or the given words."""
    if words:
        return [("tests", words)]
    # Most tests wait more than they work: two to a core.
    workers = min(TEST_WORKERS_MAX, 2 * (os.cpu_count() or 1))
    spread = ["-n", str(workers), "--dist", "loadfile"]
    return [("tests", ["-q", "-m", "not chaos", *spread]), ("kills", ["-q", "-m", "chaos", "-n", "3"])]


def find_browser() -> None:
    """Makes sure that the browser tests have a Chromium; root on Debian gets it installed."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    get = ["apt-get", "-qq", "-y"]
    if os.geteuid() == 0 and shutil.which("apt-get") and Path("/etc/debian_version").exists():
        say("安装测试用浏览器", "installing the browser for the tests")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        if not call([*get, "update"]) and not call([*get, "install", "chromium", "fonts-noto-cjk"]):
            return
    raise CannotGoOn(
        "浏览器测试需要 Chromium：请运行 sudo apt install chromium fonts-noto-cjk",
        "The browser tests need Chromium: run sudo apt install chromium fonts-noto-cjk.",
    )


def prepare(lock: str) -> None:
    """Makes .venv hold exactly what the lock asks; does nothing when the stamp says it already does."""
    wanted = stamp_for(lock)
    if is_ready(wanted):
        return
    VENV.mkdir(exist_ok=True)
    with own_turn():
        if not is_ready(wanted):
            build(lock, wanted)


def desk_lock() -> str:
    """The desk's lock: with PostgreSQL's packages once MUSTER_EXTRA=scale has asked for them, upgrades included."""
    if os.environ.get("MUSTER_EXTRA") == "scale":
        VENV.mkdir(exist_ok=True)
        SCALE.touch()
    return SCALE_LOCK if SCALE.exists() else LOCK


def stamp_for(lock: str) -> dict[str, str]:
    """What a finished install of the lock leaves: the Python, and the digest of every lock it covers."""
    locks = [LOCK, SCALE_LOCK, DEV_LOCK]  # Each holds the one before it.
    covered = locks[: locks.index(lock) + 1]
    stamp = {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in covered}
    return {"python": "{}.{}".format(*sys.version_info[:2]), **stamp}


def is_ready(wanted: dict[str, str]) -> bool:
    """Whether a finished install left everything wanted."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    try:
        have = json.loads(STAMP.read_text(encoding="utf-8"))
        return all(have.get(name) == value for name, value in wanted.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def own_turn() -> Iterator[None]:
    """Holds the environment alone, so that two starts at once do not install over each other."""
    import fcntl

    with TURN.open("w") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("另一个 run.py 正在安装，等待", "waiting for another run.py to finish installing")
            fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def build(lock: str, stamp: dict[str, str]) -> None:
    """Installs the lock; until it has ended well, a mark says unfinished and the next start begins afresh."""
    began = time.monotonic()
    uv = shutil.which("uv")
    if UNFINISHED.exists() or not is_of_use(stamp["python"], uv):
        if not uv and not importlib.util.find_spec("ensurepip"):
            raise no_ensurepip()
        say(f"创建运行环境 .venv（Python {stamp['python']}）", "making the environment")
        empty_venv()
        UNFINISHED.touch()
        # A virtual environment's own interpreter may just have gone: ask the one beneath it.
        base = getattr(sys, "_base_executable", None) or sys.executable
        if call([base, "-m", "venv", *(["--without-pip"] if uv else []), str(VENV)]):
            raise no_ensurepip()
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    install(lock, uv)
    UNFINISHED.unlink()
    whole = STAMP.with_suffix(".new")
    whole.write_text(json.dumps(stamp), encoding="utf-8")
    whole.replace(STAMP)
    say(f"运行环境就绪，用时 {time.monotonic() - began:.0f} 秒", "environment ready")


def no_ensurepip() -> CannotGoOn:
    """The one package that is missing, by the name this Python's distribution gives it."""
    stock = os.path.realpath("/usr/bin/python3") == os.path.realpath(sys.executable)
    package = "python3-venv" if stock else "python{}.{}-venv".format(*sys.version_info[:2])
    return CannotGoOn(
        f"缺少系统软件包 {package}：请运行 sudo apt install {package} 后重试",
        f"The system package {package} is missing: run sudo apt install {package}, then try again.",
    )


def is_of_use(version: str, uv: str | None) -> bool:
    """Whether .venv holds a running Python of this version, with pip when there is no uv."""
    if not PYTHON.exists():
        return False
    ask = "import sys; print('{}.{}'.format(*sys.version_info[:2]))" + ("" if uv else "; import pip")
    answer = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == version


def empty_venv() -> None:
    """Clears .venv but for the file that holds our turn and the one that says what was asked for."""
    for entry in VENV.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry not in (TURN, SCALE):
            entry.unlink()


def install(lock: str, uv: str | None) -> None:
    """Installs exactly what the lock names, checked by hash: with uv when there is one, else with pip."""
    say(f"安装依赖（{'uv' if uv else 'pip，首次约一分钟'}）", f"installing {lock}")
    exact = ["--require-hashes", "--no-deps", "-r", str(HERE / lock)]
    if WHEELS.is_dir():
        say("只用 wheels/ 里的安装包，不联网", "from wheels/ only, no network")
        # By the environment, which pip and uv read alike; as an address, since a list is cut at spaces and commas.
        for tool in ("PIP", "UV"):
            os.environ |= {f"{tool}_NO_INDEX": "1", f"{tool}_FIND_LINKS": WHEELS.as_uri()}
    if platform.machine().lower() in WHEEL_MACHINES:
        # Every package has a wheel for these machines; elsewhere some must be built from source.
        exact = ["--only-binary", ":all:", *exact]
    if uv:
        command = [uv, "pip", "install", "--compile-bytecode", "--python", str(PYTHON), *exact]
    else:
        os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar", "off", *exact]
    if call(command, told_briefly=not uv):
        if WHEELS.is_dir():
            raise CannotGoOn(
                "依赖安装失败（原因见上）：请在同样的机器上用 deploy/wheels.sh 重做 wheels/",
                "Installing failed (see above): make wheels/ again with deploy/wheels.sh on a machine like this.",
            )
        raise CannotGoOn(
            "依赖安装失败（原因见上）：请检查网络，或以 PIP_INDEX_URL（uv：UV_DEFAULT_INDEX）指定镜像",
            "Installing failed (see above): check the network, or set PIP_INDEX_URL (uv: UV_DEFAULT_INDEX).",
        )


def call(command: list[str], told_briefly: bool = False) -> int:
    """Runs a command to its end and gives its exit code; of pip's talk only progress and errors are shown."""
    pipe, both = (subprocess.PIPE, subprocess.STDOUT) if told_briefly else (None, None)
    child = subprocess.Popen(command, cwd=HERE, text=True, errors="replace", stdout=pipe, stderr=both)
    try:
        collected, in_error = 0, False
        for line in child.stdout or ():
            in_error = in_error or line.startswith("ERROR")
            if line.startswith("Collecting "):
                collected += 1
                line = f"  … {collected} {line.split()[1]}\n" if collected % 10 == 0 else ""
            if in_error or line.startswith("  …"):
                print(line, end="", file=sys.stderr, flush=True)
        return child.wait()
    except BaseException as stop:
        # Ctrl-C reaches the child from the terminal as well: a second SIGINT would cut its tidying short.
        if not isinstance(stop, KeyboardInterrupt):
            child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LAST_WORDS_SECONDS)
        child.kill()
        raise


def say(chinese: str, english: str) -> None:
    """One short line for the person who started this, beside the output of the desk itself."""
    print(f"点到：{chinese} / {english}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
