"""A copy of a whole database is of one moment, whoever writes meanwhile, and a difference is found."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.copying import Differs, NotEmpty, compare_all, copy_all, counts_of
from bot.store.server import ServerDatabase
from bot.store.sql import Database
from roster.model import Officer
from tests.bot.store.conftest import url
from tests.bot.store.samples import entry, officer


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(url(tmp_path / "copy"))
    await database.start()
    yield database
    await database.close()


async def write(database: ServerDatabase | Database, *names: str) -> None:
    async with database.begin() as store:
        await store.add(*(officer(name) for name in names))
        await store.append_log([entry()])


@pytest.mark.postgresql
async def test_a_copy_of_a_server_is_of_the_moment_it_began(shared: ServerDatabase, target: Database) -> None:
    await write(shared, *(f"o{number:04}" for number in range(4_500)))  # Of three pages.
    async with shared.read() as old:
        assert await old.count(Officer) == 4_500
        await write(shared, "a", "z")
        async with target.begin() as new:
            assert await copy_all(old, new) == 4_501
            await compare_all(old, new)
    async with target.read() as store:
        assert await store.get(Officer, "a") is None
    assert counts_of(target.path)["officers"] == 4_500 and counts_of(target.path)["duty_log"] == 1


async def test_records_are_not_mixed_with_others(sqlite: Database, target: Database) -> None:
    await write(sqlite, "o1")
    await write(target, "o2")
    async with sqlite.read() as old, target.begin() as new:
        with pytest.raises(NotEmpty):
            await copy_all(old, new)


@pytest.mark.parametrize("harm", ["changed", "more", "fewer", "number"])
async def test_every_difference_is_found(sqlite: Database, target: Database, harm: str) -> None:
    await write(sqlite, "o1", "o2")
    async with sqlite.read() as old, target.begin() as new:
        await copy_all(old, new)
        await compare_all(old, new)
        if harm == "changed":
            await new.change(officer("o2"), name="别人")
        elif harm == "more":
            await new.add(officer("o3"))
        elif harm == "fewer":
            await new.remove(Officer, ["o2"])
        else:
            await new.next_sequence("reports")
        with pytest.raises(Differs, match="counters" if harm == "number" else "officers"):
            await compare_all(old, new)
