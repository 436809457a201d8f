"""The database behind an address: a file of SQLite for one process, or PostgreSQL for several."""

from importlib.util import find_spec
from typing import Protocol

from bot.store import StoreRefused, address, files
from desk.ports import Transactions

INSTALL = "MUSTER_EXTRA=scale python3 run.py check"


class OpenDatabase(Transactions, Protocol):
    """Transactions that are opened and closed."""

    url: str

    async def start(self) -> None:
        """Opens the database at our schema. Raises StoreRefused, StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Waits for open transactions, then closes it."""
        ...


def is_shared(url: str) -> bool:
    """Whether several processes may work on the database at a time."""
    return url.startswith(address.DRIVER)


def place_of(url: str) -> str:
    """Where the database is, fit to be shown."""
    return address.read(url).shown if is_shared(url) else str(files.path_of(url))


def open_database(url: str, *, auto_migrate: bool = True) -> OpenDatabase:
    """The database, not started yet. Raises StoreRefused."""
    if not is_shared(url):
        from bot.store.sql import Database  # Here, because each kind of desk needs one kind of driver.

        return Database(url, auto_migrate=auto_migrate)
    _check_drivers()
    from bot.store.server import ServerDatabase

    return ServerDatabase(url, auto_migrate=auto_migrate)


async def current(url: str) -> str | None:
    """The revision of the database, or None when there is none yet; StoreRefused when it must not be used."""
    if not is_shared(url):
        return await files.current(url)
    _check_drivers()
    from bot.store import schema

    return await schema.current(url)


async def upgrade(url: str) -> None:
    """Makes the database's tables, or brings them to the newest schema; all of it or nothing."""
    if not is_shared(url):
        await files.upgrade(url)
        return
    _check_drivers()
    from bot.store import schema

    await schema.upgrade(url)


def _check_drivers() -> None:
    missing = [name for name in ("psycopg", "psycopg_pool", "procrastinate") if find_spec(name) is None]
    if missing:
        raise StoreRefused(f"PostgreSQL needs what is not installed ({', '.join(missing)}). Run: {INSTALL}")
