"""Which open incidents are suggested as the same event."""

from datetime import timedelta

import pytest

from incidents.duplicates import likely
from incidents.model import Category, Incident, Place, State
from tests.incidents.samples import MINUTE, NOW, TICK, incident

HERE = Place(22.6741, 113.2402)
METRES_300 = 300 / 111_195.08
FIRE = {"kind": "火灾", "category": Category.accident}
NEW = incident(id="new", place=HERE, title="绩东一五金铺着火", **FIRE)


def north(metres: float) -> Place:
    return Place(22.6741 + metres / 111_195.08, 113.2402)


def found(other: Incident, new: Incident = NEW) -> str:
    hits = likely(new, [other], window=30 * MINUTE, within_metres=300)
    return hits[0][1] if hits else ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"place": HERE, **FIRE}, "near_same_kind"),
        ({"place": north(299.9), **FIRE}, "near_same_kind"),
        ({"place": north(300.1), **FIRE}, ""),
        ({"place": HERE}, "near"),
        ({"place": HERE, "kind": "道路交通事故", "category": Category.accident, "title": "两车追尾"}, ""),
        ({"place": HERE, "received_at": NOW - 30 * MINUTE, **FIRE}, "near_same_kind"),
        ({"place": HERE, "received_at": NOW - 30 * MINUTE - TICK, **FIRE}, ""),
        ({"place": HERE, "state": State.closed, **FIRE}, ""),
        ({"place": HERE, "drill": True, **FIRE}, ""),
        ({"place": HERE, "id": "new", **FIRE}, ""),
        ({"title": "绩东一那边五金铺着火", **FIRE}, "alike"),
        ({"title": "绩东一那边五金铺着火", "unit_id": "sq", **FIRE}, ""),
        ({"title": "沙口仓库冒烟", **FIRE}, ""),
    ],
)
def test_the_same_event_is_near_in_place_time_and_kind(changes: dict, reason: str) -> None:
    assert found(incident(**{"id": "old", **changes})) == reason


def test_the_likeliest_comes_first_and_nothing_changes() -> None:
    others = [
        incident(id="unclear", place=HERE),
        incident(id="far", place=north(200), **FIRE),
        incident(id="close", place=north(20), **FIRE),
    ]
    hits = likely(NEW, others, window=timedelta(hours=1), within_metres=300)
    assert [(one.id, reason) for one, reason in hits] == [
        ("close", "near_same_kind"),
        ("far", "near_same_kind"),
        ("unclear", "near"),
    ]
    assert all(one.state is State.received and not one.merged_into for one, _reason in hits)
