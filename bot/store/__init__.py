"""The store: records in tables, on SQLite, on PostgreSQL or in memory, behind one port."""

from desk.ports import Stale, Unavailable


class StoreUnavailable(Unavailable):
    """The database cannot serve just now (full, locked, read-only, gone); nothing of this transaction is kept."""


class StoreRefused(Exception):
    """The database must not be used as it is (corrupt, newer, not ours); the text names the cure."""


class AlreadyStored(Stale):
    """A record with this id, or with these unique columns, is there already: perhaps since a moment ago."""
