"""What every command shares: its configuration, its words, and an end with one sentence instead of a traceback."""

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TextIO

import typer

from bot.config import Config, load
from bot.config.faults import nearest
from bot.logging import Redaction

FIRST = "zh-CN"
DEFAULT_FILE = Path("config.toml")
DONE, FAULTS, USAGE = 0, 1, 2


class Stop(Exception):
    """The command cannot go on; the text is what a person reads, the code what a script reads."""

    def __init__(self, text: str, code: int = FAULTS) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Invocation:
    """One call of the command line; `path` is set once the words are read."""

    path: Path | None = None  # As given by --config.
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigFaults."""
        path = self.path or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
        return load(path, self.environ)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be printed, as far as it is known by now."""
        return self.config.secrets if "config" in vars(self) else ()

    @property
    def language(self) -> str:
        """The office's language, the first one while that is not known."""
        if "config" in vars(self):
            return self.config.office.language
        return self.environ.get("MUSTER_OFFICE__LANGUAGE", FIRST)

    def say(self, kind: str, **facts: Any) -> str:
        """A sentence in the office's language."""
        return say(self.language, kind, **facts)

    def stop(self, kind: str, code: int = FAULTS, **facts: Any) -> Stop:
        """The end of the command, to be raised."""
        return Stop(self.say(kind, **facts), code)

    def nearest(self, word: str, known: Iterable[str]) -> str:
        """A did-you-mean, or nothing."""
        meant = nearest(word, known)
        return self.say("hint", word=meant) if meant else ""


def invocation(context: typer.Context) -> Invocation:
    """The call a command belongs to."""
    found = context.find_root().obj
    if not isinstance(found, Invocation):
        raise TypeError("the command was not started by bot.__main__")
    return found


def show(*lines: str, to: TextIO | None = None) -> None:
    """Lines for the person or the program that called, on stdout unless said otherwise."""
    for line in lines:
        print(line, file=to or sys.stdout, flush=True)


def complain(*lines: str, secrets: Iterable[str] = ()) -> None:
    """Lines about what is wrong, on stderr, without secrets and telephone numbers."""
    redaction = Redaction(list(secrets))
    for line in lines:
        print(redaction.text(line), file=sys.stderr, flush=True)


def say(language: str, kind: str, **facts: Any) -> str:
    """A sentence of the command line, Chinese when the language is unknown."""
    table = _table()
    text = table.get(language, table[FIRST])[kind].format(**facts)
    return text.replace("？：", "？").replace("?:", "?")  # A did-you-mean brings its own mark.


def callers_path(word: str) -> Path:
    """A file as seen by whoever called `run.py`, which itself works in its own folder."""
    return Path(os.environ.get("MUSTER_CALLED_FROM", ""), word)


def help_text(kind: str) -> str:
    """What a command or option is for, in both languages: no configuration is read to tell it."""
    return " / ".join(words[f"help_{kind}"] for words in _table().values())


@cache
def _table() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
