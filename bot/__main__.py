"""The command line: `python -m bot COMMAND`, also installed as `muster`."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.commands import (
    backup,
    check,
    desk,
    invite,
    move,
    people,
    restore,
    roll_call,
    sheets,
    simulate,
    verify,
)
from bot.commands.terminal import FAULTS, USAGE, Invocation, Stop, complain, help_text, invocation
from bot.config import ConfigFaults
from bot.logging import set_up

INTERRUPTED = 130

# Their text is one sentence with its cure already. By name, so that no command loads what it does not use.
OWN_WORDS = (
    "AlreadyRunning",
    "CannotLock",
    "CannotStart",
    "ChannelFault",
    "StoreRefused",
    "StoreUnavailable",
)

app = typer.Typer(
    help=help_text("app"),
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", help=help_text("run"))(desk.run)
app.command("check", help=help_text("check"))(check.check)
app.command("migrate", help=help_text("migrate"))(desk.migrate)
app.add_typer(sheets.import_app, name="import")
app.command("export", help=help_text("export"))(sheets.export_file)
app.command("invite", help=help_text("invite"))(invite.invite)
app.add_typer(people.app, name="people")
app.add_typer(roll_call.app, name="roll-call")
app.command("simulate", help=help_text("simulate"))(simulate.simulate)
app.command("backup", help=help_text("backup"))(backup.backup)
app.command("restore", help=help_text("restore"))(restore.restore)
app.command("move", help=help_text("move"))(move.move)
app.command("verify", help=help_text("verify"))(verify.verify)


@app.callback()
def whole(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(metavar="PATH", help=help_text("config"))] = None,
) -> None:
    """Every command belongs to one configuration."""
    invocation(context).path = config


def main(words: Sequence[str] | None = None) -> int:
    """Does what the words ask; the answer is the exit code: 0 done, 1 found faults, 2 wrong usage or config."""
    given = config_first(sys.argv[1:] if words is None else words) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal that is not UTF-8 still gets every line.
    set_up("warning")  # What a library has to say is cleaned too; `run` sets up the office's own log.
    call = Invocation()
    try:
        command = typer.main.get_command(app)
        code = command.main(given, prog_name="python3 run.py", standalone_mode=False, obj=call)
    except KeyboardInterrupt:
        complain(call.say("interrupted"))
        return INTERRUPTED
    except Exception as error:  # Whatever it is, a person reads one sentence.
        if os.environ.get("MUSTER_DEBUG"):
            complain("".join(traceback.format_exception(error)), secrets=call.secrets)
        return _end(error, call)
    return code if isinstance(code, int) else 0


def config_first(words: Sequence[str]) -> list[str]:
    """The words with --config, wherever it stands, in front of the command's name."""
    first: list[str] = []
    rest: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            return [*first, *rest, *words[number:]]
        is_value = number > 0 and words[number - 1] == "--config"
        (first if is_value or word == "--config" or word.startswith("--config=") else rest).append(word)
    return [*first, *rest]


def _end(error: Exception, call: Invocation) -> int:
    """Say how a command ended that could not do what it should; the answer is the exit code."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, ConfigFaults):
        complain(*error.sentences)
        return USAGE
    if isinstance(error, Stop):
        complain(str(error), secrets=call.secrets)
        return error.code
    if isinstance(error, typer.TyperException):
        return _wrong_usage(error, call)
    if isinstance(error, BrokenPipeError):  # Whoever read our output has enough of it.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif type(error).__name__ in OWN_WORDS:
        complain(str(error), secrets=call.secrets)
    elif isinstance(error, OSError):
        facts = {"path": error.filename or "?", "reason": error.strerror or type(error).__name__}
        complain(call.say("disk_trouble", **facts), secrets=call.secrets)
    else:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        complain(call.say("unexpected", reason=reason), secrets=call.secrets)
    return FAULTS


def _wrong_usage(error: typer.TyperException, call: Invocation) -> int:
    reason = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "python3 run.py"
    complain(call.say("usage", reason=" ".join(reason.split()), command=path))
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
