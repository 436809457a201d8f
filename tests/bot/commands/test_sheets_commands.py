"""`import` takes a file whole or not at all, and `export` writes what is there."""

import csv
from pathlib import Path

import pytest

from roster.model import Officer, Unit
from tests.bot.commands.cli import Cli, fill

UNITS = "名称,上级,纬度,经度\n小榄镇,,22.66,113.25\n古镇镇,,22.61,113.19\n"
PEOPLE = (
    "姓名,手机,单位,职务,角色,企业微信,Telegram\n"
    "陈值班,199-0000-2001,小榄镇,科员,值班员,,\n"
    "李带班,199-0000-2002,小榄镇,副镇长,带班领导,,4211\n"
)


def put(cli: Cli, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = cli.folder / name
    path.write_text(text, encoding)
    return path


async def count(cli: Cli, kind: type[Officer] | type[Unit]) -> int:
    async with cli.office() as office, office.door.read() as store:
        return await store.count(kind)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
async def test_units_and_people_are_imported_from_their_files(cli: Cli, encoding: str) -> None:
    put(cli, "units.csv", UNITS, encoding)
    put(cli, "people.csv", PEOPLE, encoding)
    tried = cli.process("import", "units", "units.csv", "--dry-run")
    assert tried.code == 0 and tried.out and await count(cli, Unit) == 0
    assert cli.process("import", "units", "units.csv").code == 0 and await count(cli, Unit) == 2
    done = cli("import", "people", "people.csv")
    assert done.code == 0 and done.err == "" and await count(cli, Officer) == 2


async def test_files_are_named_as_seen_from_where_run_py_was_called(cli: Cli, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "units.csv").write_text(UNITS, "utf-8")
    for words, code in (
        (("import", "units", "./units.csv"), 0),
        (("import", "units", str(there / "units.csv")), 0),
        (("export", "people", "people.csv"), 0),
        (("backup", "../copy"), 0),
        (("verify", "--backup", "../copy"), 0),
        (("restore", "../copy"), 0),
        (("import", "people", "config.toml"), 1),  # That one is in the desk's own folder.
    ):
        done = cli(*words, MUSTER_CALLED_FROM=str(there))
        assert done.code == code, (words, done.err)
    assert await count(cli, Unit) == 2
    assert (there / "people.csv").exists() and (tmp_path / "copy").is_dir()


async def test_one_bad_row_stops_the_whole_file_and_is_named_with_its_number(cli: Cli) -> None:
    put(cli, "units.csv", UNITS)
    put(cli, "people.csv", PEOPLE + "王信息,199-0000,小榄镇,,信息员,,\n")
    assert cli("import", "units", "units.csv").code == 0
    done = cli("import", "people", "people.csv")
    assert done.code == 1 and done.out == ""
    assert "199-0000" in done.err and "4" in done.err and "B 手机" in done.err
    assert await count(cli, Officer) == 0


def test_a_file_that_is_not_there_is_one_sentence(cli: Cli) -> None:
    for what in ("units", "people", "roster"):
        done = cli("import", what, "nowhere.xlsx")
        assert done.code == 1 and "nowhere.xlsx" in done.err and done.out == ""


async def test_people_are_exported_and_come_in_again_unchanged(cli: Cli) -> None:
    await fill(cli)
    done = cli.process("export", "people", "out.csv")
    assert done.code == 0 and done.out
    rows = list(csv.reader((cli.folder / "out.csv").read_text("utf-8-sig").splitlines()))
    assert len(rows) == 4 and any("陈值班" in cell for cell in rows[1] + rows[2] + rows[3])
    assert cli("import", "people", "out.csv").code == 0
    assert await count(cli, Officer) == 3


def test_a_format_that_does_not_exist_is_one_sentence(cli: Cli) -> None:
    done = cli("export", "people", "out.docx")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and not (cli.folder / "out.docx").exists()
