"""Starts desks quickly: every module is imported once, and each life is a fork of this that runs the command line.

Reads `start CONFIG LOG ROLE NAME=VALUE…` and `reap PID`, a line each; answers with the process id, or how it ended."""

import importlib
import os
import signal
import sys
import traceback

WARM = (
    "bot.commands.desk",
    "bot.app",
    "uvicorn.protocols.http.httptools_impl",
    "alembic.command",
    "bot.replicas.relay",
    "bot.queue.procrastinate",
    "bot.store.server",
)


def main() -> None:
    """Serve until the pipe closes."""
    from bot.__main__ import main as command_line

    for name in WARM:
        importlib.import_module(name)
    print("warm", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["start", config, log, role, *settings]:
                child = os.fork()
                if child == 0:
                    os.environ.update({one.partition("=")[0]: one.partition("=")[2] for one in settings})
                    _live(command_line, log, ["run", "--config", config, "--role", role])
                print(child, flush=True)
            case ["reap", pid]:
                _, status = os.waitpid(int(pid), 0)
                print(os.waitstatus_to_exitcode(status), flush=True)


def _live(command_line, log: str, words: list[str]) -> None:  # type: ignore[no-untyped-def]  # Imported when it runs.
    """Be the desk, as `python -m bot run` is, and never come back."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = command_line(words)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
