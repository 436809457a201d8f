"""What is stored comes back as it was: every kind of record, every value a phone can send."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store import AlreadyStored
from bot.store.criteria import key_of
from bot.store.tables import TABLES
from desk.model import Choice, InboxRow, Lane, Letter, Rendered
from desk.ports import Stale, Store, Transactions
from incidents.model import Casualties, Incident, Ladder, LogLine, Place, Report, Severity, Step
from roster.model import Answer, Draw, Officer, RollCall, Unit
from tests.bot.store.samples import NOON, answer, any_of, at, event, incident, officer, report, roll_call

one_store_for_all = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Undone(Exception):
    """Ends a transaction without a trace."""


@asynccontextmanager
async def undone(database: Transactions) -> AsyncIterator[Store]:
    """A transaction that leaves nothing, so that one store serves many examples."""
    try:
        async with database.begin() as store:
            yield store
            raise Undone
    except Undone:
        pass


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
@one_store_for_all
@given(data=st.data())
async def test_any_record_comes_back_as_it_was(
    database: Transactions, kind: type[Any], data: st.DataObject
) -> None:
    record = data.draw(any_of(kind))
    async with undone(database) as store:
        await store.add(record)
        key = getattr(record, key_of(kind))
        assert await store.get(kind, key) == record
        assert await store.find(kind, **{key_of(kind): key}) == [record]


@pytest.mark.parametrize(
    "kind", [kind for kind in TABLES if kind is not LogLine], ids=lambda kind: kind.__name__
)
@one_store_for_all
@given(data=st.data())
async def test_any_change_of_any_record_comes_back_as_it_was(
    database: Transactions, kind: type[Any], data: st.DataObject
) -> None:
    before = replace(data.draw(any_of(kind)), **({"version": 1} if hasattr(kind, "version") else {}))
    other = data.draw(any_of(kind))
    names = [one.name for one in fields(kind) if one.name not in ("id", "version")]
    changed = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    async with undone(database) as store:
        await store.add(before)
        after = await store.change(before, **{name: getattr(other, name) for name in changed})
        assert all(getattr(after, name) == getattr(other, name) for name in changed)
        assert await store.get(kind, before.id) == after


async def test_nested_values_come_back_as_their_own_types(database: Transactions) -> None:
    ladder = Ladder("火情", (Step(0, ("post:duty_officer",)), Step(5.5, ("role:office",), ("telegram",))))
    told = incident(
        "i1",
        place=Place(22.5176, 113.3926, "石岐街道", "gcj02", 22.52, 113.4, 15.0),
        casualties=Casualties(deaths=0, injuries=3, loss_yuan=1e5, nobody=False),
        ladder=replace(ladder, severities=(Severity.major,)),
        potential=Severity.serious,
        heard_by=("o1", "o2"),
    )
    words = Rendered("点名", (("到", "answer:r1"), ("请假", "excuse:r1")))
    letter = Letter(
        "l1", "roll", {"a": [1, None]}, (Choice("here", "r1"),), Lane.urgent, NOON, rendered=words
    )
    draw = Draw("早/2026-11-23", "早", "2026-11-23", (at(1), at(2)))
    async with database.begin() as store:
        await store.add(told, letter, draw)
    async with database.read() as store:
        assert await store.get(Incident, "i1") == told
        assert await store.get(Letter, "l1") == letter
        found = await store.get(Draw, draw.id)
    assert found == draw
    assert isinstance(found.moments, tuple)


async def test_what_a_caller_does_to_a_value_it_read_stays_with_the_caller(database: Transactions) -> None:
    facts = {"names": ["陈一"]}
    async with database.begin() as store:
        await store.add(Letter("l1", "roll", facts, (), Lane.bulk, NOON))
    facts["names"].append("after")
    for _ in range(2):
        async with database.read() as store:
            letter = await store.get(Letter, "l1")
        assert letter is not None and letter.facts == {"names": ["陈一"]}
        letter.facts["names"].append("read")


async def test_a_moment_comes_back_aware_and_in_utc(database: Transactions) -> None:
    local = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    async with database.begin() as store:
        await store.add(incident("i1", received_at=local))
    async with database.read() as store:
        (found,) = await store.find(Incident)
    assert found.received_at == local
    assert found.received_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("attempt", ["add", "change", "find"])
async def test_a_moment_without_a_zone_is_refused(database: Transactions, attempt: str) -> None:
    naive = NOON.replace(tzinfo=None)

    async def attempt_it() -> None:
        async with database.begin() as store:
            if attempt == "add":
                await store.add(incident("i1", received_at=naive))
            elif attempt == "find":
                await store.find(Incident, received_at_to=naive)
            else:
                await store.add(incident("i1"))
                await store.change(incident("i1"), occurred_at=naive)

    with pytest.raises(ValueError, match="time zone"):
        await attempt_it()
    async with database.read() as store:
        assert await store.count(Incident) == 0


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
async def test_a_figure_that_is_no_number_is_refused(database: Transactions, figure: float) -> None:
    for record in (
        Unit("u1", "石岐", lat=figure),
        incident("i1", place=Place(lat=figure)),
        Letter("l1", "roll", {"share": figure}, (), Lane.bulk, NOON),
    ):
        with pytest.raises(ValueError, match=r"finite|JSON"):
            async with database.begin() as store:
                await store.add(record)
    async with database.read() as store:
        assert [await store.count(kind) for kind in (Unit, Incident, Letter)] == [0, 0, 0]


async def test_nul_and_lone_surrogates_become_the_replacement_character(database: Transactions) -> None:
    dirty, cleaned = "a\x00b\ud83dc😀\\u0000", "a\ufffdb\ufffdc😀\\u0000"
    async with database.begin() as store:
        await store.add(officer("o1", dirty), incident("i1", place=Place(text=dirty)))
        await store.add(Letter("l1", dirty, {dirty: [dirty]}, (), Lane.bulk, NOON, tried=(dirty,)))
        assert await store.count(Officer, name=dirty) == 1
        assert await store.count(Officer, name_has=dirty[:2]) == 1
        assert await store.count(Officer, name_in=[dirty, "x"]) == 1
        assert await store.get(Officer, dirty) is None
    async with database.read() as store:
        person, what, letter = (
            await store.get(Officer, "o1"),
            await store.get(Incident, "i1"),
            await store.get(Letter, "l1"),
        )
    assert person and person.name == cleaned
    assert what and what.place and what.place.text == cleaned
    assert letter and (letter.kind, letter.facts, letter.tried) == (cleaned, {cleaned: [cleaned]}, (cleaned,))


async def test_bytes_are_kept_as_they_came(database: Transactions) -> None:
    raw = bytes(range(256))
    async with database.begin() as store:
        await store.add(replace(event("t/1"), raw=raw))
    async with database.read() as store:
        assert [row.raw for row in await store.find(InboxRow)] == [raw]


async def test_what_is_there_already_is_not_added_again(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1", "陈一"), roll_call("r1", "08:00"))
    for again in (officer("o1", "李二"), roll_call("r2", "08:00")):
        with pytest.raises(AlreadyStored):
            async with database.begin() as store:
                await store.add(officer("o2"), again)
    async with database.read() as store:
        assert [one.name for one in await store.find(Officer)] == ["陈一"]
        assert await store.count(RollCall) == 1


async def test_a_transaction_in_which_an_add_failed_can_only_be_undone(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))

    async def go_on_after_the_clash() -> None:
        async with database.begin() as store:
            await store.add(officer("o2"))
            with suppress(AlreadyStored):
                await store.add(officer("o3"), officer("o1"))

    with pytest.raises(AlreadyStored):
        await go_on_after_the_clash()
    async with database.read() as store:
        assert [one.id for one in await store.find(Officer)] == ["o1"]


async def test_many_records_of_many_kinds_are_added_in_one_call(database: Transactions) -> None:
    people = [officer(f"o{number:04}") for number in range(1500)]
    async with database.begin() as store:
        await store.add(*people, event("t/1"), incident("i1"))
        await store.add()
    async with database.read() as store:
        assert await store.find(Officer) == people
        assert await store.count(Incident) == 1


async def test_add_new_says_which_were_new(database: Transactions) -> None:
    async with database.begin() as store:
        assert await store.add_new(event("t/1")) == [True]
        assert await store.add_new(event("t/1")) == [False]
    async with database.begin() as store:
        assert await store.add_new() == []
        assert await store.add_new(event("t/2"), event("t/1"), event("t/3"), event("t/2")) == [
            True,
            False,
            True,
            False,
        ]
        assert await store.add_new(event("t/1"), event("t/2")) == [False, False]
        assert await store.add_new(event("t/3"), officer("o1"), event("t/4")) == [False, True, True]
        assert await store.count(InboxRow) == 4


@one_store_for_all
@given(st.lists(st.integers(0, 40), max_size=60), st.sets(st.integers(0, 40)))
async def test_add_new_de_duplicates_any_batch(
    database: Transactions, batch: list[int], there: set[int]
) -> None:
    async with undone(database) as store:
        await store.add_new(*(event(f"t/{number}") for number in there))
        expected = [number not in there and number not in batch[:place] for place, number in enumerate(batch)]
        assert await store.add_new(*(event(f"t/{number}") for number in batch)) == expected
        assert await store.count(InboxRow) == len(there | set(batch))


async def test_add_new_leaves_alone_what_is_there(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1", "陈一"))
        await store.add_new(officer("o1", "李二"), officer("o2", "赵三"))
        assert [one.name for one in await store.find(Officer)] == ["陈一", "赵三"]


async def test_add_new_goes_by_the_unique_columns_too(database: Transactions) -> None:
    async with database.begin() as store:
        assert await store.add_new(roll_call("r1", "08:00"), roll_call("r2", "08:00")) == [True, False]
        assert await store.add_new(answer("a1", "r1", "o1"), answer("a2", "r1", "o2")) == [True, True]
        assert await store.add_new(answer("a3", "r1", "o1"), answer("a4", "r2", "o1")) == [False, True]
        assert [one.id for one in await store.find(Answer)] == ["a1", "a2", "a4"]


async def test_a_unique_column_may_be_empty_many_times_where_it_says_so(database: Transactions) -> None:
    async with database.begin() as store:
        assert await store.add_new(report("p1"), report("p2"), report("p3", "k"), report("p4", "k")) == [
            True,
            True,
            True,
            False,
        ]
        assert await store.count(Report) == 3


async def test_get_finds_by_id_or_nothing(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))
        assert await store.get(Officer, "o1") == officer("o1")
        assert await store.get(Officer, "O1") is None
        assert await store.get(Incident, "o1") is None


async def test_a_change_counts_the_version_up(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))
        first = await store.change(officer("o1"), name="李二")
        second = await store.change(first, name="赵三", active=False)
        assert second == officer("o1", "赵三", active=False, version=3)
    async with database.read() as store:
        assert await store.get(Officer, "o1") == second


async def test_a_change_of_what_somebody_else_changed_is_stale(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))
        await store.change(officer("o1"), name="李二")
    with pytest.raises(Stale):
        async with database.begin() as store:
            await store.change(officer("o1"), name="赵三")
    with pytest.raises(Stale):
        async with database.begin() as store:
            await store.change(officer("nobody"), name="赵三")
    async with database.read() as store:
        assert [one.name for one in await store.find(Officer)] == ["李二"]


async def test_many_records_take_each_its_own_changes_or_none_of_them_any(database: Transactions) -> None:
    people = [officer(f"o{number}") for number in range(3)]
    async with database.begin() as store:
        await store.add(*people)
        changed = await store.change_each(
            [(people[0], {"name": "李二"}), (people[1], {"name": "赵三"}), (people[2], {"active": False})]
        )
        assert await store.find(Officer) == changed
        assert [(one.name, one.active, one.version) for one in changed] == [
            ("李二", True, 2),
            ("赵三", True, 2),
            ("陈一", False, 2),
        ]
        assert await store.get(Officer, "o1") == changed[1]
        assert await store.change_each([]) == []
    with pytest.raises(Stale):
        async with database.begin() as store:
            await store.change_each([(changed[0], {"name": "周四"}), (people[1], {"name": "周四"})])
    async with database.read() as store:
        assert await store.find(Officer) == changed


async def test_after_stale_the_transaction_goes_on(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1", version=2))
        with pytest.raises(Stale):
            await store.change(officer("o1"), name="李二")
        await store.add(officer("o2"))
    async with database.read() as store:
        assert await store.count(Officer) == 2


async def test_a_change_may_not_take_another_records_unique_columns(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(roll_call("r1", "08:00"), roll_call("r2", "09:00"))
    with pytest.raises(AlreadyStored):
        async with database.begin() as store:
            await store.change(roll_call("r2", "09:00"), slot="08:00")
    async with (
        database.begin() as store
    ):  # What was given up is free again, inside the transaction and after it.
        moved = await store.change(roll_call("r1", "08:00"), slot="10:00")
        await store.change(roll_call("r2", "09:00"), slot="08:00")
        await store.change(moved, slot="09:00")
    async with database.begin() as store:
        assert await store.add_new(roll_call("r3", "10:00"), roll_call("r4", "08:00")) == [True, False]


@pytest.mark.parametrize("changes", [{"id": "o2"}, {"version": 9}, {"nonsense": 1}], ids=str)
async def test_the_key_and_the_version_are_not_changed_by_hand(
    database: Transactions, changes: dict[str, Any]
) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))
        with pytest.raises(TypeError):
            await store.change(officer("o1"), **changes)
        assert await store.find(Officer) == [officer("o1")]


async def test_what_is_removed_is_gone_and_may_come_again(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(roll_call("r1", "08:00"), roll_call("r2", "09:00"))
    async with database.begin() as store:
        await store.remove(RollCall, ["r1", "never there"])
        await store.remove(RollCall, [])
        assert [one.id for one in await store.find(RollCall)] == ["r2"]
        assert await store.add_new(roll_call("r3", "08:00")) == [True]
        await store.remove(RollCall, ["r3"])
    async with database.begin() as store:
        assert await store.add_new(roll_call("r1", "08:00")) == [True]


async def test_what_is_no_record_is_refused(database: Transactions) -> None:
    async with database.begin() as store:
        with pytest.raises(TypeError, match="no record"):
            await store.add(Place())
        with pytest.raises(TypeError, match="no record"):
            await store.find(Step)
        assert await store.find(Officer, limit=0) == []


async def test_moments_far_apart_keep_their_order(database: Transactions) -> None:
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (999, 1970, 2026, 9999)]
    async with database.begin() as store:
        await store.add(
            *(incident(f"i{place}", received_at=one) for place, one in enumerate(reversed(moments)))
        )
        found = await store.find(Incident, order=("received_at",))
    assert [one.received_at for one in found] == moments
