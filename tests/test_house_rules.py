"""The house rules that no linter knows, read from every tracked file."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bot", "handlers", "web", "desk", "incidents", "roster")
LINES_MAX = 300
FUNCTION_LINES_MAX = 70
GENERATED = {".lock", ".json", ".geojson", ".csv", ".svg"}
LEFT_OUT = {".git", ".venv", "data", "dist", "__pycache__", "node_modules"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every tracked file, relative to the checkout; in an unpacked archive, every file that would be."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return tuple(Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in LEFT_OUT and not name.endswith("_cache")]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names]
    return tuple(found)


@cache
def texts() -> dict[Path, str]:
    """The tracked files that are text, by path."""
    read: dict[Path, str] = {}
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            read[path] = content.decode("utf-8", errors="replace")
    return read


@cache
def modules() -> dict[Path, ast.Module]:
    """The tracked Python files, parsed."""
    return {path: ast.parse(text) for path, text in texts().items() if path.suffix == ".py"}


def in_rooms(path: Path) -> bool:
    return path.parts[0] in ROOMS


def lines_with(pattern: str, *, python_only: bool = True, rooms_only: bool = False) -> list[str]:
    """Every `file:line: text` that matches, this file apart where it could only find itself."""
    wanted = re.compile(pattern)
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts().items()
        if (path.suffix == ".py" or not python_only) and (in_rooms(path) or not rooms_only)
        for number, line in enumerate(text.splitlines(), 1)
        if wanted.search(line)
    ]


def test_the_checkout_is_seen() -> None:
    assert {Path("run.py"), Path("pyproject.toml"), Path("tests/test_house_rules.py")} <= set(tracked())


def test_no_file_is_long_without_a_reason_on_its_first_line() -> None:
    long = [
        f"{path}: {text.count(chr(10))} lines"
        for path, text in texts().items()
        if text.count("\n") > LINES_MAX
        and path.parts[0] != "tests"
        and "static" not in path.parts
        and path.suffix not in GENERATED
        and not re.search(r"over 300 lines: \S", text.partition("\n")[0], re.IGNORECASE)
    ]
    assert not long, "Split these, or begin the first line's reason with `Over 300 lines: `"


def test_no_function_is_longer_than_a_reader_can_hold() -> None:
    long = [
        f"{path}:{node.lineno}: {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for path, tree in modules().items()
        if path.parts[0] != "tests"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not long


def test_every_module_begins_with_one_line_that_names_it() -> None:
    wordless = []
    for path, tree in modules().items():
        first = tree.body[0] if tree.body else None
        named = (
            isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and ast.get_docstring(tree)
        )
        lines = (first.lineno, first.end_lineno) if first else (0, 0)
        starts_at = 2 if texts()[path].startswith("#!") else 1
        # A fake server may go on to tell what it enforces; an empty __init__.py has nothing to name.
        one_line = lines == (starts_at, starts_at) or (path.parts[0] == "tests" and lines[0] == starts_at)
        if texts()[path].strip() and not (named and one_line):
            wordless.append(str(path))
    assert not wordless, "These need a one-line docstring as their first line"


def test_no_registry_or_machine_is_named() -> None:
    # In pieces, so that this file does not hold what it looks for.
    hosts = [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("npmmirror", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("mirrors", "aliyun", "com"),
        ("mirrors", "cloud", "tencent", "com"),
        ("tuna", "tsinghua", "edu", "cn"),
    ]
    places = ["/" + "/".join(("work", room)) for room in ("main", "helpers", "shared")] + ["/opt" + "/pypi"]
    options = ["--" + "index-url", "--extra" + "-index-url", "--find" + "-links"]
    found = lines_with(
        "|".join(re.escape(word) for word in [".".join(host) for host in hosts] + places + options),
        python_only=False,
    )
    # How a lock was made says that no registry is written into it.
    assert [line for line in found if "--no-emit" + "-index-url" not in line] == []


def test_only_the_clock_reads_the_clock() -> None:
    found = lines_with(r"\b(datetime|date)\s*\.\s*(now|utcnow|today)\s*\(", rooms_only=True)
    assert [line for line in found if not line.startswith("bot/clock.py:")] == []


def test_no_test_is_left_out() -> None:
    words = [
        r"pytest\.skip",
        r"mark\.skip",
        r"mark\.xfail",
        r"pytest\.xfail",
        "importor" + "skip",
        "Skip" + "Test",
    ]
    words += [r"unittest\.skip", "pytest" + r"mark\s*=.*skip"]
    found = lines_with("|".join(rf"{word}\w*\b" for word in words))
    assert [line for line in found if not line.startswith("tests/test_house_rules.py:")] == []


def test_nothing_is_left_for_later() -> None:
    assert lines_with("|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"))) == []


def test_every_exception_to_a_tool_has_its_reason_on_the_line() -> None:
    bare = []
    for line in lines_with(r"#\s*(noqa|type:\s*ignore)"):
        mark = re.search(r"#\s*(noqa:\s*[A-Z0-9, ]+|type:\s*ignore\[[\w, -]+\])(?P<rest>.*)$", line)
        if not line.startswith("tests/test_house_rules.py:") and not (
            mark and re.search(r"\w{2}", mark["rest"])
        ):
            bare.append(line)
    assert not bare, "Say after the mark why the exception is right"


def requirements(lock: str) -> Iterator[tuple[Requirement, int]]:
    """Each requirement of a lock, with the number of its hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield Requirement(line.partition("--hash=")[0].strip()), line.count("--hash=sha256:")


def pins(lock: str) -> dict[str, str]:
    """The one version of each package in a lock."""
    return {canonicalize_name(need.name): str(need.specifier) for need, _ in requirements(lock)}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-scale.lock", "requirements-dev.lock"])
def test_a_lock_pins_every_requirement_with_hashes(lock: str) -> None:
    assert len(pins(lock)) > 40
    loose = [
        str(need)
        for need, hashes in requirements(lock)
        if not hashes or not str(need.specifier).startswith("==")
    ]
    assert loose == []


def test_each_lock_holds_all_of_the_smaller_one() -> None:
    one, several, tests = (pins(f"requirements{part}.lock").items() for part in ("", "-scale", "-dev"))
    assert one < several < tests


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", []),
        ("requirements-scale.lock", ["scale"]),
        ("requirements-dev.lock", ["scale", "dev"]),
    ],
)
def test_a_lock_answers_every_dependency_of_the_project(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(line) for line in project["dependencies"]]
    asked += [Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]]
    pinned = pins(lock)
    unanswered = [
        str(need)
        for need in asked
        if need.name != project["name"]
        and not need.specifier.contains(
            pinned.get(canonicalize_name(need.name), "==").removeprefix("==") or "0"
        )
    ]
    assert not unanswered, f"Write {lock} again with the command on its second line"


def test_ci_runs_the_same_command_as_a_person() -> None:
    ci = ROOT / ".ci" / "run"
    commands = [
        line for line in ci.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec python3 run.py test"]
    assert os.access(ci, os.X_OK)
