"""An address of PostgreSQL, of one host or of several: what libpq must know of it, and what may be shown."""

import re
from dataclasses import dataclass

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+psycopg://"
WRITABLE = ("read-write", "primary")  # What target_session_attrs may be: the desk writes.
_SEVERAL = re.compile(r"(postgresql\+psycopg://(?:[^:/@]*(?::[^@]*)?@)?+)([^/?@]*,[^/?@]*)(.*)", re.DOTALL)
_HOST = re.compile(r"([^:/?@,\[\]\s]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?")
_PLACE = "several.invalid"  # Stands for several hosts, which SQLAlchemy cannot read.


class BadAddress(ValueError):
    """Not an address of a PostgreSQL to write to; it does not tell what is wrong, because of the password."""


@dataclass(frozen=True)
class Address:
    """One database on one server, or on a server and its standbys."""

    url: URL  # Without the hosts where there are several.
    several: str  # The hosts as they were written, empty when there is one.
    hosts: tuple[str, ...]
    ports: tuple[str, ...]  # Beside the hosts where there are several; an empty one is the usual one.

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self.url.render_as_string().replace(_PLACE, self.several, 1)

    @property
    def plain(self) -> str:
        """The address of libpq's own kind, its password in it; without the hosts where there are several."""
        place = self.url.set(drivername="postgresql", host=None) if self.several else self.url
        return place.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def parameters(self) -> dict[str, str]:
        """What libpq must know besides: the hosts, and that of several only the one that takes writes is ours."""
        found = {"host": ",".join(self.hosts), "port": ",".join(self.ports)} if self.several else {}
        if len(self.hosts) > 1 and "target_session_attrs" not in self.url.query:
            found["target_session_attrs"] = WRITABLE[0]
        return found


def read(url: str) -> Address:
    """The address as config.toml has it: postgresql+psycopg://user:password@host1:5432,host2:5432/database.

    Raises BadAddress."""
    written = _SEVERAL.fullmatch(url)
    try:
        parts = make_url(f"{written[1]}{_PLACE}{written[3]}" if written else url)
    except (ArgumentError, ValueError):
        raise BadAddress from None
    if not url.startswith(DRIVER) or not parts.database:
        raise BadAddress
    query = parts.query
    if any(not isinstance(value, str) for value in query.values()):  # Of repeated ones libpq takes the last.
        raise BadAddress
    if query.get("target_session_attrs", WRITABLE[0]) not in WRITABLE:
        raise BadAddress
    asked = str(query.get("host", ""))
    if ("host" in query and written) or (":" in asked and not asked.startswith("/")):
        raise BadAddress
    if not written:
        return Address(parts, "", tuple(asked.split(",")) if asked else (parts.host or "",), ())
    found = [_HOST.fullmatch(one) for one in written[2].split(",")]
    if not all(one and 0 < int(one[2] or 1) < 65_536 for one in found):
        raise BadAddress
    hosts = tuple(one[1].strip("[]") for one in found if one)
    return Address(parts, written[2], hosts, tuple(one[2] or "" for one in found if one))
