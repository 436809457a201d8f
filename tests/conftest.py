"""What every test keeps to: traffic on this machine only, and Hypothesis unhurried on a busy one."""

import ipaddress
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.postgresql import Server, server

# Two cores run a browser, a database and the tests: a slow example is not a wrong one.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def stay_here(event: str, facts: tuple[Any, ...]) -> None:
    """Refuses a connection to any address but this machine's own."""
    if event != "socket.connect" or not isinstance(facts[1], tuple):
        return
    host = str(facts[1][0]).partition("%")[0]
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if not here:
        raise PermissionError(f"A test reached for {host}: tests talk to loopback only.")


sys.addaudithook(stay_here)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One PostgreSQL for all tests of this process."""
    with server() as found:
        yield found


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """The address of a database of one's own, at our schema."""
    with postgresql.prepared() as url:
        yield url
