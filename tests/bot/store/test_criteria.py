"""What `find` and `count` find: every criterion, every order, on every store."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.ports import Transactions
from incidents.model import OPEN_STATES, Casualties, Incident, Severity, State
from roster.model import Officer, Role, Unit
from tests.bot.store.samples import at, incident, officer

ALL = {"i1", "i2", "i3", "i4"}
INCIDENTS = (
    incident(
        "i1", title="山火", received_at=at(1), potential=Severity.major, reports_count=1, signed_at=at(9)
    ),
    incident(
        "i2", title="100% 漏水_二", received_at=at(2), state=State.closed, reports_count=2, sensitive=True
    ),
    incident("i3", title="Fire", received_at=at(2), assigned_to="o1", reports_count=10, signed_at=at(8)),
    incident("i4", title="", received_at=at(4), state=State.merged, casualties=Casualties(deaths=0)),
)


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({}, ALL),
        ({"id": "i2"}, {"i2"}),
        ({"title": "山火"}, {"i1"}),
        ({"title": "fire"}, set()),
        ({"state": State.closed}, {"i2"}),
        ({"state": "closed"}, {"i2"}),
        ({"sensitive": True}, {"i2"}),
        ({"sensitive": False}, ALL - {"i2"}),
        ({"received_at": at(2)}, {"i2", "i3"}),
        ({"potential": None}, ALL - {"i1"}),
        ({"potential": Severity.major}, {"i1"}),
        ({"casualties": Casualties(deaths=0)}, {"i4"}),
        ({"state_in": OPEN_STATES}, {"i1", "i3"}),
        ({"state_in": []}, set()),
        ({"id_in": ["i1", "i1", "i9", 'it\'s "quoted"']}, {"i1"}),
        ({"id_in": {"i3": 1, "i4": 2}.keys()}, {"i3", "i4"}),
        ({"reports_count_in": [2, 10]}, {"i2", "i3"}),
        ({"received_at_in": [at(1), at(4)]}, {"i1", "i4"}),
        ({"sensitive_in": [True, False]}, ALL),
        ({"potential_in": [None, Severity.major]}, {"i1"}),
        ({"state_not": State.closed}, ALL - {"i2"}),
        ({"potential_not": Severity.major}, ALL - {"i1"}),
        ({"potential_not": Severity.serious}, ALL),
        ({"potential_not": None}, {"i1"}),
        ({"signed_at_not": at(9)}, ALL - {"i1"}),
        ({"title_not": ""}, ALL - {"i4"}),
        ({"title_not": None}, ALL),
        ({"received_at_to": at(2)}, {"i1", "i2", "i3"}),
        ({"received_at_from": at(2)}, {"i2", "i3", "i4"}),
        ({"received_at_from": at(2), "received_at_to": at(2)}, {"i2", "i3"}),
        ({"signed_at_to": at(8)}, {"i3"}),
        ({"signed_at_from": at(0)}, {"i1", "i3"}),
        ({"reports_count_from": 2}, {"i2", "i3"}),
        ({"reports_count_to": 1}, {"i1", "i4"}),
        ({"id_from": "i3"}, {"i3", "i4"}),
        ({"title_has": "火"}, {"i1"}),
        ({"title_has": "%"}, {"i2"}),
        ({"title_has": "_"}, {"i2"}),
        ({"title_has": "0% 漏"}, {"i2"}),
        ({"title_has": "FIRE"}, set()),
        ({"title_has": ""}, ALL),
        ({"assigned_to": "o1"}, {"i3"}),
        ({"assigned_to_not": "o1"}, ALL - {"i3"}),
        ({"state_in": OPEN_STATES, "received_at_to": at(1), "title_has": "山"}, {"i1"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else " ".join(sorted(value)),
)
async def test_criteria_find_what_they_say(
    database: Transactions, criteria: dict[str, Any], found: set[str]
) -> None:
    async with database.begin() as store:
        await store.add(*INCIDENTS)
    async with database.read() as store:
        assert {one.id for one in await store.find(Incident, **criteria)} == found
        assert await store.count(Incident, **criteria) == len(found)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (("id",), "i1 i2 i3 i4"),
        (("-id",), "i4 i3 i2 i1"),
        (("received_at", "-id"), "i1 i3 i2 i4"),
        (("-received_at", "id"), "i4 i2 i3 i1"),
        (("reports_count",), "i4 i1 i2 i3"),
        (("-reports_count",), "i3 i2 i1 i4"),
        (("signed_at", "id"), "i2 i4 i3 i1"),
        (("-signed_at", "-id"), "i1 i3 i4 i2"),
        (("sensitive", "-id"), "i4 i3 i1 i2"),
    ],
    ids=str,
)
async def test_order_sorts_up_and_down_and_nothing_comes_before_everything(
    database: Transactions, order: tuple[str, ...], found: str
) -> None:
    async with database.begin() as store:
        await store.add(*INCIDENTS)
    async with database.read() as store:
        assert [one.id for one in await store.find(Incident, order=order)] == found.split()
        assert [one.id for one in await store.find(Incident, order=order, limit=2)] == found.split()[:2]


async def test_text_sorts_by_code_point(database: Transactions) -> None:
    names = ["Z", "a", "é", "一", "\uffff", "😀"]
    async with database.begin() as store:
        await store.add(*(officer(f"o{place}", name) for place, name in enumerate(reversed(names))))
        assert [one.name for one in await store.find(Officer, order=("name",))] == names
        assert [one.name for one in await store.find(Officer, name_from="é", order=("-name",))] == names[
            :1:-1
        ]


async def test_a_limit_larger_than_what_there_is_is_no_error(database: Transactions) -> None:
    async with database.begin() as store:
        await store.add(officer("o1"))
        assert len(await store.find(Officer, limit=10**6)) == 1


async def test_thousands_of_ids_in_one_criterion(database: Transactions) -> None:
    ids = [f"o{number:05}" for number in range(40_000)]
    async with database.begin() as store:
        await store.add(officer(ids[0]), officer(ids[-1]), officer("other"))
        assert [one.id for one in await store.find(Officer, id_in=ids)] == [ids[0], ids[-1]]
        await store.remove(Officer, ids)
        assert [one.id for one in await store.find(Officer)] == ["other"]


@pytest.mark.parametrize(
    "criteria",
    [
        {"nonsense": 1},
        {"name_like": "x"},
        {"name_to": None},
        {"name_from": None},
        {"name_has": None},
        {"_in": []},
    ],
    ids=str,
)
async def test_a_criterion_that_means_nothing_is_refused(
    database: Transactions, criteria: dict[str, Any]
) -> None:
    async with database.begin() as store:
        with pytest.raises(TypeError):
            await store.find(Officer, **criteria)
        with pytest.raises(TypeError):
            await store.find(Officer, order=("nonsense",))
        with pytest.raises(ValueError, match="king"):
            await store.find(Officer, role="king")
        assert await store.count(Officer, role=Role.leader) == 0


figures = st.none() | st.integers(-2, 2).map(float)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(figures, max_size=8), st.integers(-2, 2).map(float))
async def test_comparing_splits_what_has_a_value_in_two(
    database: Transactions, values: list[float | None], wanted: float
) -> None:
    async with database.begin() as store:
        await store.remove(Unit, [one.id for one in await store.find(Unit)])
        await store.add(*(Unit(f"u{place}", "名", lat=value) for place, value in enumerate(values)))
        count = {
            name: await store.count(Unit, **{f"lat{name}": wanted}) for name in ("", "_not", "_to", "_from")
        }
        nothing = await store.count(Unit, lat=None)
    assert nothing == values.count(None)
    assert count[""] + count["_not"] == len(values)
    assert count["_to"] + count["_from"] - count[""] == len(values) - nothing
