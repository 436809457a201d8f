"""How far apart two points of the earth are."""

from math import asin, cos, radians, sin, sqrt

# `incidents.places` has its own: the two rooms may not see each other.
EARTH_RADIUS_METRES = 6_371_008.8  # Mean radius, IUGG.


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Great-circle metres between two WGS-84 points; NaN when either point is."""
    north = sin(radians(other_lat - lat) / 2) ** 2
    east = sin(radians(other_lon - lon) / 2) ** 2
    chord = north + cos(radians(lat)) * cos(radians(other_lat)) * east
    return 2 * EARTH_RADIUS_METRES * asin(sqrt(min(1.0, chord) if chord == chord else chord))
