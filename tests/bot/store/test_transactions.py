"""Transactions on every store: all or nothing, one writer at a time in turn, readers who wait for nobody."""

import asyncio
import random

import pytest

from desk.model import InboxRow
from desk.ports import Store, Transactions
from incidents.model import LogLine
from roster.model import Officer
from tests.bot.store.samples import entry, event, officer


async def names(database: Transactions) -> list[str]:
    async with database.read() as store:
        return [one.id for one in await store.find(Officer)]


async def write(database: Transactions, officer_id: str) -> None:
    async with database.begin() as store:
        await store.add(officer(officer_id))


async def test_an_exception_undoes_everything(database: Transactions) -> None:
    await write(database, "o1")

    async def fail() -> None:
        async with database.begin() as store:
            await store.add(officer("o2"), event("t/1"))
            await store.change(officer("o1"), name="李二")
            await store.remove(Officer, ["o1"])
            await store.next_sequence("reports")
            await store.append_log([entry()])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.begin() as store:
        assert await store.find(Officer) == [officer("o1")]
        assert await store.count(InboxRow) == await store.count(LogLine) == 0
        assert await store.next_sequence("reports") == 1
        assert await store.add_new(officer("o2")) == [True]


async def test_a_transaction_sees_what_it_wrote(database: Transactions) -> None:
    await write(database, "o1")
    async with database.begin() as store:
        await store.add(officer("o2"))
        await store.change(officer("o1"), name="李二")
        assert [one.name for one in await store.find(Officer)] == ["李二", "陈一"]
        await store.remove(Officer, ["o1"])
        assert await store.get(Officer, "o1") is None
        assert await store.count(Officer) == 1


async def test_a_reader_does_not_see_what_is_not_committed(database: Transactions) -> None:
    await write(database, "o1")
    async with database.begin() as store:
        await store.add(officer("o2"))
        await store.change(officer("o1"), name="李二")
        async with asyncio.timeout(5), database.read() as view:  # It does not wait for the writer either.
            assert await view.find(Officer) == [officer("o1")]
    assert await names(database) == ["o1", "o2"]


async def test_a_readers_view_stays_as_it_first_was(database: Transactions) -> None:
    await write(database, "o1")
    async with database.read() as view:
        assert await view.count(Officer) == 1
        await write(database, "o2")
        async with database.begin() as store:
            await store.remove(Officer, ["o1"])
        assert await view.find(Officer) == [officer("o1")]
    assert await names(database) == ["o2"]


async def test_a_reader_cannot_write(database: Transactions) -> None:
    async with database.read() as view:
        for writing in (
            view.add(officer("o1")),
            view.add_new(officer("o1")),
            view.change(officer("o1"), name="x"),
            view.remove(Officer, ["o1"]),
            view.next_sequence("x"),
            view.append_log([entry()]),
        ):
            with pytest.raises(RuntimeError, match="cannot write"):
                await writing
        assert await view.find(Officer) == []


async def test_a_store_is_closed_when_its_transaction_has_ended(database: Transactions) -> None:
    kept: list[Store] = []

    async def fail() -> None:
        async with database.begin() as store:
            kept.append(store)
            raise LookupError

    async with database.begin() as store:
        kept.append(store)
    async with database.read() as store:
        kept.append(store)
    with pytest.raises(LookupError):
        await fail()
    for store in kept:
        with pytest.raises(RuntimeError, match="ended"):
            await store.count(Officer)


async def test_a_transaction_inside_a_transaction_is_refused_instead_of_waiting_for_ever(
    database: Transactions,
) -> None:
    async with database.begin():
        with pytest.raises(RuntimeError, match="writes already"):
            async with database.begin():
                pass
    await write(database, "o1")


async def test_writers_take_turns_first_come_first_served(one_writer: Transactions) -> None:
    served: list[int] = []
    inside = 0

    async def take(number: int) -> None:
        nonlocal inside
        async with one_writer.begin() as store:
            inside += 1
            assert inside == 1
            served.append(number)
            await store.add(officer(f"o{number}"))
            await store.count(Officer)
            inside -= 1

    async with one_writer.begin():
        waiting = [asyncio.create_task(take(number)) for number in range(25)]
        while len(asyncio.all_tasks()) < 26:
            await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert served == list(range(25))


async def test_numbers_have_no_gaps_whatever_is_undone(database: Transactions) -> None:
    given: list[int] = []

    async def take(number: int) -> None:
        try:
            async with database.begin() as store:
                found = await store.next_sequence("reports")
                assert await store.next_sequence(f"other/{number}") == 1
                if number % 3 == 0:
                    raise LookupError
                given.append(found)
        except LookupError:
            pass

    await asyncio.gather(*(take(number) for number in range(20)))
    assert sorted(given) == list(range(1, len(given) + 1))
    async with database.begin() as store:
        assert await store.next_sequence("reports") == len(given) + 1
        assert await store.next_sequence("reports") == len(given) + 2


async def test_tasks_that_share_a_transaction_share_its_fate(database: Transactions) -> None:
    async with database.begin() as store:
        await asyncio.gather(*(store.add(officer(f"o{number}")) for number in range(10)))
    assert len(await names(database)) == 10


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_transactions_leave_everything_usable(database: Transactions, seed: int) -> None:
    """Cancelled anywhere: waiting for the turn, in BEGIN, in a statement, in COMMIT. Each is whole or nothing."""
    chance = random.Random(seed)
    ended: list[str] = []

    async def work(number: int) -> None:
        async with database.begin() as store:
            await store.add(officer(f"o{number:03}/a"))
            await store.add(*(officer(f"o{number:03}/{part}") for part in "bcd"))
            await store.append_log([entry(number=number)])
        ended.append(f"o{number:03}")
        async with database.read() as view:
            await view.find(Officer)

    async with database.begin():
        tasks = [asyncio.create_task(work(number)) for number in range(120)]
        await asyncio.sleep(0)
        for task in chance.sample(tasks, 12):  # While they wait for their turn.
            task.cancel()
    waiting = set(tasks)
    while waiting:
        for _ in range(chance.randint(0, 12)):
            await asyncio.sleep(0)
        _, waiting = await asyncio.wait(waiting, timeout=chance.random() * 0.002)
        if waiting and chance.random() < 0.5:
            chance.choice(sorted(waiting, key=tasks.index)).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [task for task in tasks if task.cancelled()]
    assert 12 <= len(cancelled) < 120

    stored = await names(database)
    written = {one.partition("/")[0] for one in stored}
    assert len(stored) == 4 * len(written)
    assert set(ended) <= written
    await write(database, "after")
    assert "after" in await names(database)
