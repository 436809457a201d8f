"""Places go to GCJ-02 and back without moving, and outside China do not move at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gcj02 import to_gcj02, to_wgs84

# Well within the box: at its edge a place outside and one inside may have the same figures.
IN_CHINA = st.tuples(st.floats(3.9, 53.6), st.floats(73.5, 135.1))
OUTSIDE = st.one_of(
    st.tuples(st.floats(-90, 90), st.floats(-180, 71.9)),
    st.tuples(st.floats(-90, 90), st.floats(137.95, 180)),
    st.tuples(st.floats(55.95, 90), st.floats(-180, 180)),
    st.tuples(st.floats(-90, 0.7), st.floats(-180, 180)),
)


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two near places."""
    north = math.radians(one[0] - other[0])
    east = math.radians(one[1] - other[1]) * math.cos(math.radians(one[0]))
    return math.hypot(north, east) * 6_371_000


@given(IN_CHINA)
def test_a_place_in_china_comes_back_within_a_millimetre(place: tuple[float, float]) -> None:
    assert metres(to_wgs84(*to_gcj02(*place)), place) < 0.001
    assert metres(to_gcj02(*to_wgs84(*place)), place) < 0.001


@given(IN_CHINA)
def test_the_shift_is_felt_and_bounded(place: tuple[float, float]) -> None:
    assert 10 < metres(to_gcj02(*place), place) < 1500


@given(OUTSIDE)
def test_outside_china_nothing_moves(place: tuple[float, float]) -> None:
    assert to_gcj02(*place) == to_wgs84(*place) == place


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        ((31.1774276, 121.5272106), (31.17530398, 121.53154186)),  # Shanghai.
        ((22.543847, 113.912316), (22.54079613, 113.91717648)),  # Shenzhen.
        ((39.911954, 116.377817), (39.91334546, 116.38404722)),  # Beijing.
    ],
)
def test_known_places_have_their_known_figures(
    wgs84: tuple[float, float], gcj02: tuple[float, float]
) -> None:
    assert metres(to_gcj02(*wgs84), gcj02) < 1
    assert metres(to_wgs84(*gcj02), wgs84) < 1
