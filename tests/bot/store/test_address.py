"""Addresses of PostgreSQL: of one host or of several, and what is refused in one sentence."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.store import StoreRefused, address
from bot.store.opening import is_shared, place_of
from bot.store.postgres import conninfo


@pytest.mark.parametrize(
    ("written", "host", "port", "attributes"),
    [
        ("u:pw@a:5432,b:5433/m", "a,b", "5432,5433", "read-write"),
        ("u:pw@a,b:5433,c/m", "a,b,c", ",5433,", "read-write"),
        ("u:pw@a:1,b:2/m?target_session_attrs=primary&sslmode=require", "a,b", "1,2", "primary"),
        ("u:pw@[::1]:1,[::2]:2/m", "::1,::2", "1,2", "read-write"),
        ("u:pw@/m?host=a,b&port=1,2", "a,b", "1,2", "read-write"),
        ("u:pw@a:5433/m", "a", "5433", None),
        ("u:pw@/m?host=%2Ftmp%2Fx", "/tmp/x", None, None),
    ],
)
def test_an_address_says_which_hosts_and_that_of_several_only_the_primary_is_wanted(
    written: str, host: str, port: str | None, attributes: str | None
) -> None:
    url = f"postgresql+psycopg://{written}"
    found = conninfo_to_dict(conninfo(url))
    assert (found["host"], found.get("port"), found.get("target_session_attrs")) == (host, port, attributes)
    assert (found["user"], found["password"], found["dbname"]) == ("u", "pw", "m")
    assert is_shared(url)
    shown = place_of(url)
    assert ":pw@" not in shown
    assert written.partition("@")[2].partition("/")[0] in shown


@pytest.mark.parametrize("password", ["p%40%3A%2Fw", "p:w", "a,b", "p/w"])
def test_a_password_of_several_hosts_is_read_as_that_of_one(password: str) -> None:
    one, several = (
        conninfo_to_dict(conninfo(f"postgresql+psycopg://u:{password}@{hosts}/m")) for hosts in ("a", "a,b")
    )
    assert one["password"] == several["password"]


def test_several_hosts_share_the_time_that_one_has() -> None:
    seconds = [
        conninfo_to_dict(conninfo(f"postgresql+psycopg://{hosts}/m"))["connect_timeout"]
        for hosts in ("a", "a,b", "a,b,c")
    ]
    assert [int(str(one)) for one in seconds] == [4, 2, 2]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:k3Zq@a:5432,b:x/m",
        "postgresql+psycopg://u:k3Zq@a:5432,/m",
        "postgresql+psycopg://u:k3Zq@a:5432,b:99999/m",
        "postgresql+psycopg://u:k3Zq@a,b",
        "postgresql+psycopg://u:k3Zq@a,b/m?host=c",
        "postgresql+psycopg://u:k3Zq@/m?host=a:5432&host=b:5432",  # SQLAlchemy's way: libpq would take the last alone.
        "postgresql+psycopg://u:k3Zq@/m?host=a:5432",
        "postgresql+psycopg://u:k3Zq@a,b/m?target_session_attrs=standby",
        "postgresql+psycopg://u:k3Zq@a:x/m",
        "postgresql+psycopg://u:k3Zq@a,b/m?target_sesion_attrs=primary",
    ],
)
def test_a_bad_address_is_refused_in_one_sentence_with_the_cure_and_without_its_password(url: str) -> None:
    with pytest.raises(StoreRefused, match="host1:5432,host2:5432") as refused:
        conninfo(url)
    assert "k3Zq" not in str(refused.value)


def test_what_is_no_address_of_postgresql_is_no_shared_database() -> None:
    with pytest.raises(address.BadAddress):
        address.read("mysql://a/m")
    assert not is_shared("sqlite+aiosqlite:///data/muster.db")
