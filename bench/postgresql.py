"""A PostgreSQL for figures: the one of TEST_DATABASE_URL, else one of its own that keeps its promises to the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgresql import Server, started


@contextmanager
def server() -> Iterator[Server]:
    """A server that flushes what it commits (`fsync` and `synchronous_commit` as they come), for the block."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Server(given)
        return
    with started() as one:
        yield Server(one.get_uri())


@contextmanager
def database() -> Iterator[str]:
    """The address of an empty database."""
    with server() as found, found.empty() as url:
        yield url
