"""However it is called, the command line answers one sentence with its cure and the right exit code."""

import re
import sqlite3
import subprocess
import tomllib
from pathlib import Path

import pytest

from bot.__main__ import OWN_WORDS, config_first, main
from bot.queue.guard import AlreadyRunning, CannotLock
from bot.serving import CannotStart
from bot.store import StoreRefused, StoreUnavailable
from desk.ports import ChannelFault
from tests.bot.commands.cli import PATIENCE_SECONDS, Cli

WORDS = Path(__file__).resolve().parents[3] / "bot" / "commands" / "words.toml"
COMMANDS = "run check migrate import export invite people roll-call backup restore verify".split()


def test_every_command_of_the_contract_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", listed, re.MULTILINE)
        assert main([command, "--help"]) == 0
        assert "--help" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["chek"], "check"),
        (["check", "--jsn"], "--json"),
        (["restore"], "PATH"),
        (["backup", "a", "b"], "b"),
        (["roll-call"], "command"),
        (["import", "persons", "x"], "import --help"),
        (["export", "peple", "x.csv"], "people"),
        (["run", "--role", "wrker"], "worker"),
        (["run", "--role", "worker"], "PostgreSQL"),
        (["run", "--role", "web"], "PostgreSQL"),
        (["--config"], "--config"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_the_way_on(cli: Cli, words: list[str], what: str) -> None:
    done = cli(*words)
    assert done.code == 2 and done.out == ""
    [line] = done.err.splitlines()
    assert what in line


@pytest.mark.parametrize(
    "command", [["check"], ["migrate"], ["invite"], ["verify"], ["run"], ["roll-call", "list"]]
)
def test_a_bad_configuration_names_every_fault_and_ends_with_2(cli: Cli, command: list[str]) -> None:
    cli.path.write_text("[web]\nport = 'x'\n[offce]\n", "utf-8")
    done = cli(*command)
    assert done.code == 2
    lines = (done.out + done.err).splitlines()
    assert (
        len(lines) == 2
        and any("[web] port" in line for line in lines)
        and any("office" in line for line in lines)
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "x.toml", "roll-call", "list"],
        ["roll-call", "--config", "x.toml", "list"],
        ["roll-call", "list", "--config", "x.toml"],
        ["roll-call", "list", "--config=x.toml"],
    ],
)
def test_the_configuration_is_taken_before_and_after_the_commands_name(cli: Cli, words: list[str]) -> None:
    cli.path.rename(cli.folder / "x.toml")
    (cli.folder / "x.toml").write_text("[[roll_call]]\nname = '只此一个'\ncron = '0 8 * * *'\n", "utf-8")
    assert "只此一个" in cli(*words).out


def test_words_after_a_double_dash_are_left_alone() -> None:
    assert config_first(["invite", "--", "--config", "x"]) == ["invite", "--", "--config", "x"]
    assert config_first(["invite", "a", "--config", "x", "b"]) == ["--config", "x", "invite", "a", "b"]


def test_exit_codes_reach_the_shell(cli: Cli) -> None:
    assert cli.process("migrate").code == 0
    assert cli.process("roll-call", "start", "nothing").code == 1
    assert cli.process("chek").code == 2


def test_the_environment_speaks_the_offices_language(cli: Cli) -> None:
    assert cli("verify", MUSTER_OFFICE__LANGUAGE="en").err.startswith("There is no database")
    assert cli("chek", MUSTER_OFFICE__LANGUAGE="en").err.startswith("Wrong usage")


def test_fault_24_a_database_that_must_not_be_used_is_told_with_its_cure(cli: Cli) -> None:
    database = cli.folder / "data" / "muster.db"
    database.parent.mkdir()
    database.write_bytes(b"no database at all, but somebody's letter" * 100)
    for words in (["migrate"], ["verify"], ["invite"], ["run"], ["roll-call", "list"]):
        done = cli.process(*words) if words == ["run"] else cli(*words)
        assert done.code == 1 and len(done.err.splitlines()) == 1 and "restore" in done.err
    done = cli("check")
    assert done.code == 1 and "✗ database" in done.out and "restore" in done.out


def test_an_unwritable_data_folder_is_told_with_its_cure(cli: Cli) -> None:
    (cli.folder / "data").write_text("a file where the folder should be")
    done = cli("migrate")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and "data" in done.err
    assert "✗ data" in cli("check").out


def test_the_unexpected_ends_in_one_sentence_and_shows_itself_only_on_demand(cli: Cli) -> None:
    assert cli("migrate").code == 0
    with sqlite3.connect(cli.folder / "data" / "muster.db") as database:
        database.execute(
            "INSERT INTO officers (id, name, unit_id, phone, title, role, active, wecom, version)"
            " VALUES ('o1', 'x', 'u', '', '', 'king', 1, '', 1)"
        )
    database.close()
    done = cli("invite")
    assert done.code == 1
    [line] = done.err.splitlines()
    assert "MUSTER_DEBUG=1" in line and "king" in line
    shown = subprocess.run(
        cli.command(["invite"]),
        cwd=cli.folder,
        env=cli.environ({"MUSTER_DEBUG": "1"}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "Traceback" in shown.stderr


def test_the_named_exceptions_are_those_of_the_parts() -> None:
    parts = (CannotStart, AlreadyRunning, CannotLock, StoreRefused, StoreUnavailable, ChannelFault)
    assert sorted(OWN_WORDS) == sorted(part.__name__ for part in parts)


def test_every_sentence_is_said_in_every_language_with_the_same_facts() -> None:
    first, *others = tomllib.loads(WORDS.read_text("utf-8")).values()
    for other in others:
        assert list(other) == list(first)
        for kind, words in first.items():
            assert set(re.findall(r"\{(\w+)\}", words)) == set(re.findall(r"\{(\w+)\}", other[kind])), kind


def test_every_sentence_is_used() -> None:
    code = "".join(path.read_text("utf-8") for path in WORDS.parent.glob("*.py"))
    code += (WORDS.parents[1] / "__main__.py").read_text("utf-8")
    first = next(iter(tomllib.loads(WORDS.read_text("utf-8")).values()))
    families = ("result_", "state_", "log_", "help_", "app_")
    unused = [kind for kind in first if f'"{kind}"' not in code and not kind.startswith(families)]
    assert unused == []
    assert [kind for kind in first if kind.startswith("help_") and f'"{kind[5:]}"' not in code] == []
