"""What the pages say, taken apart for the tests: code, buttons, quotations, links, command lines."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import run
from bot.__main__ import app, config_first

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PEOPLE = ("information-officer", "duty-officer", "leader")
PAGES = (*PEOPLE, "operator")
STARTS = (["python3", "run.py"], ["python", "-m", "bot"], ["sudo", "muster"])

_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def read(name: str) -> str:
    """A page of docs/ by its name, or a file beside it by its path."""
    path = ROOT / name if "." in name else DOCS / f"{name}.md"
    return path.read_text("utf-8")


def fences(text: str) -> list[tuple[str, str]]:
    """The fenced blocks: what stands behind the fence, and what is inside."""
    return [(found[1].strip(), found[2]) for found in _FENCE.finditer(text)]


def indented(text: str) -> list[str]:
    """The indented lines that are code, each without what a comment says; list items are none."""
    prose = _FENCE.sub("", text).splitlines()
    found, is_code = [], False
    for above, line in zip(["", *prose], prose, strict=False):
        is_code = line.startswith("    ") and (is_code or not above.strip())
        if is_code:
            found.append(re.sub(r"\s+#.*", "", line).strip())
    return found


def spans(text: str) -> list[str]:
    """What stands in backticks within sentences."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def between(text: str, opening: str, closing: str) -> set[str]:
    """What stands between two marks on one line."""
    return set(re.findall(f"{opening}([^{closing}\n]+){closing}", text))


def links(text: str) -> list[str]:
    """Where the page's links and pictures point, without those to other hosts."""
    found = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text))
    return [one for one in found if not re.match(r"[a-z]+:", one)]


def command_lines(text: str) -> list[list[str]]:
    """What `python -m bot` is given by each line of a page that begins with it, with run.py or with `sudo muster`.

    `import people …` alone, as in a list of commands, counts as well; `run.py test` and `…` do not."""
    found: list[list[str]] = []
    for line in [*indented(text), *spans(text)]:
        words = [one for one in shlex.split(line, comments=True) if "=" not in one or one.startswith("-")]
        for start in STARTS:
            for at in range(len(words)):
                if words[at : at + len(start)] == start:
                    given = words[at + len(start) :]
                    found.append(run.desk_arguments(given, ROOT) if "run.py" in start else given)
    for line in spans(text):
        words = line.split()
        if any(words[: len(leaf)] == leaf and len(words) > len(leaf) for leaf in leaves()):
            found.append(words)
    return [words for words in found if words[:1] != ["test"] and "…" not in words]


def leaves() -> Iterator[list[str]]:
    """Every command by its words."""
    whole: Any = typer.main.get_command(app)
    for name, command in whole.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield [name]
        else:
            yield from ([name, one] for one in inner)


def parse(words: list[str]) -> list[str]:
    """The command that words name; raises what the command line would say against them."""
    command: Any = typer.main.get_command(app)
    rest, named = config_first(words), list[str]()
    parent: Any = None
    while True:
        inner = getattr(command, "commands", None)
        if not inner and "--help" in rest:
            return named
        parent = command.make_context(named[-1] if named else "muster", list(rest), parent=parent)
        if not inner:
            return named
        name, command, rest = command.resolve_command(parent, [*parent._protected_args, *parent.args])
        named.append(name)


def options() -> set[str]:
    """Every option of every command."""
    found: set[str] = set()

    def collect(command: Any) -> None:
        for parameter in command.params:
            found.update(one for one in parameter.opts if one.startswith("--"))
        for inner in getattr(command, "commands", {}).values():
            collect(inner)

    collect(typer.main.get_command(app))
    return found
