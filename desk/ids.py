"""Ids of records: they sort by time, and nobody guesses them."""

import secrets
from datetime import datetime

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]
_RANDOM_BITS = 80


def ulid(at: datetime) -> str:
    """A ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits, in Crockford's base 32."""
    return written(fresh(at))


def fresh(at: datetime) -> int:
    """The number of a new ULID."""
    return (int(at.timestamp() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)


def after(last: int, at: datetime) -> int:
    """The number of a new ULID that sorts behind one made in the same millisecond, by a step nobody guesses."""
    number = fresh(at)
    if number >> _RANDOM_BITS == last >> _RANDOM_BITS:
        return last + 1 + secrets.randbits(_RANDOM_BITS - 20)
    return number


def written(number: int) -> str:
    """The 26 characters of a ULID's number."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
