"""GCJ-02, the shifted coordinates of Chinese maps and chat apps, to and from WGS-84."""

import math

# The shift is only applied within this box; outside it both are the same.
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_AXIS_METRES = 6378245.0  # Krasovsky 1940, which the shift is computed on.
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_ROUNDS = 12  # Each takes about three digits off the error; the last figures of a double are reached in five.
_MARGIN_DEGREES = 0.1  # More than the greatest shift.
_GOOD_DEGREES = 1e-10  # A hundredth of a millimetre.


def to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    """The GCJ-02 figures of a WGS-84 place; outside China the same."""
    if not _is_shifted(lat, lon):
        return lat, lon
    north, east = _shift(lat, lon)
    return lat + north, lon + east


def to_wgs84(lat: float, lon: float) -> tuple[float, float]:
    """The WGS-84 place of GCJ-02 figures, to far less than a metre; outside China the same."""
    there = lat, lon
    if not _is_shifted(lat, lon, _MARGIN_DEGREES):
        return there
    for _ in range(_ROUNDS):
        north, east = _shift(*there)
        better = lat - north, lon - east
        is_good = max(abs(better[0] - there[0]), abs(better[1] - there[1])) < _GOOD_DEGREES
        there = better
        if is_good:
            break
    return there if _is_shifted(*there) else (lat, lon)


def _is_shifted(lat: float, lon: float, margin: float = 0.0) -> bool:
    return _SOUTH - margin <= lat <= _NORTH + margin and _WEST - margin <= lon <= _EAST + margin


def _shift(lat: float, lon: float) -> tuple[float, float]:
    """How far north and east the figures are moved at a place, in degrees."""
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    ripple = 20.0 * math.sin(6.0 * math.pi * x) + 20.0 * math.sin(2.0 * math.pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + _waves(y, (20.0, 1.0), (40.0, 3.0)) + _waves(y, (160.0, 12.0), (320.0, 30.0))) * 2 / 3
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + _waves(x, (20.0, 1.0), (40.0, 3.0)) + _waves(x, (150.0, 12.0), (300.0, 30.0))) * 2 / 3
    radians = math.radians(lat)
    flat = 1 - _ECCENTRICITY_SQUARED * math.sin(radians) ** 2
    along_meridian = _AXIS_METRES * (1 - _ECCENTRICITY_SQUARED) / (flat * math.sqrt(flat))
    along_parallel = _AXIS_METRES / math.sqrt(flat) * math.cos(radians)
    return math.degrees(north / along_meridian), math.degrees(east / along_parallel)


def _waves(at: float, *waves: tuple[float, float]) -> float:
    """The sum of sine waves (height, wave number's divisor) at a place."""
    return sum(height * math.sin(at / divisor * math.pi) for height, divisor in waves)
