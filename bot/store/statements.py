"""Every statement of the store, built once per shape by SQLAlchemy and kept as text for the driver."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import Text, TypeDecorator

from bot.store import many_rows
from bot.store.columns import clean
from bot.store.criteria import has_version, key_of, meant, order_of, parse
from bot.store.rows import RowCodec
from bot.store.statement import Bind, Statement
from bot.store.tables import TABLES, counters

Turns = dict[str, Bind | None]

LOG_TURN = 0x4D535452  # The advisory lock of whoever appends to the duty log.


class Statements:
    """The statements of one dialect; the same shape gives the same object."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._is_postgresql = dialect.name == "postgresql"
        self._codecs: dict[type[Any], RowCodec] = {}
        self._kept: dict[Any, Statement] = {}
        self._lists: dict[type[Any], many_rows.Lists] = {}

    def codec(self, kind: type[Any]) -> RowCodec:
        """The row codec of a kind."""
        found = self._codecs.get(kind)
        if found is None:
            if kind not in TABLES:
                raise TypeError(f"{kind.__name__} is no record of the store.")
            found = self._codecs[kind] = RowCodec(kind, self.dialect)
        return found

    def insert(self, kind: type[Any]) -> Statement:
        """Values in the codec's order."""

        def build() -> ClauseElement:
            return insert(TABLES[kind]).values({name: bindparam(name) for name in self.codec(kind).names})

        return self._keep((kind, "insert"), build, dict)

    def insert_all(self, kind: type[Any], rows: list[list[Any]]) -> tuple[str, list[list[Any]]]:
        """A statement for rows in the codec's order, and the values of each of its runs."""
        sql = self.insert(kind).sql
        if not self._is_postgresql or len(rows) == 1:
            return sql, rows
        sql, values = self._of_many(kind, sql, rows)
        return sql, [values]

    def insert_missing(self, kind: type[Any], rows: list[list[Any]]) -> tuple[str, list[Any]]:
        """Rows in the codec's order; passes over what is there already."""

        def build() -> ClauseElement:
            return self._unless_there(kind)

        return self._of_many(kind, self._keep((kind, "insert_missing"), build, dict).sql, rows)

    def insert_new(self, kind: type[Any], rows: list[list[Any]]) -> tuple[str, list[Any]]:
        """The same, and returns the keys of the new ones."""

        def build() -> ClauseElement:
            return self._unless_there(kind).returning(TABLES[kind].c[key_of(kind)])

        return self._of_many(kind, self._keep((kind, "insert_new"), build, dict).sql, rows)

    def _of_many(self, kind: type[Any], sql: str, rows: list[list[Any]]) -> tuple[str, list[Any]]:
        if not self._is_postgresql:
            return many_rows.repeated(sql, rows)
        lists = self._lists.get(kind)
        if lists is None:
            lists = self._lists[kind] = many_rows.Lists(TABLES[kind], self.dialect)
        return lists.of(sql, rows)

    def _unless_there(self, kind: type[Any]) -> sqlite.Insert | postgresql.Insert:
        values: dict[str, Any] = {name: bindparam(name) for name in self.codec(kind).names}
        return self._upsert(TABLES[kind]).values(values).on_conflict_do_nothing()

    def _upsert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return postgresql.insert(table) if self._is_postgresql else sqlite.insert(table)

    def get(self, kind: type[Any]) -> Statement:
        """One row by its key."""
        column = TABLES[kind].c[key_of(kind)]
        return self._keep((kind, "get"), lambda: select(TABLES[kind]).where(column == bindparam("key")), dict)

    def change(self, kind: type[Any], names: Sequence[str]) -> Statement:
        """Sets these fields where key, and version if there is one, are as they were read."""
        codec = self.codec(kind)

        def build() -> ClauseElement:
            table = TABLES[kind]
            wheres = [table.c[key_of(kind)] == bindparam("was_key")]
            if has_version(kind):
                wheres.append(table.c.version == bindparam("was_version"))
            return update(table).where(*wheres).values({name: bindparam(f"now_{name}") for name in names})

        def turns() -> Turns:
            return {f"now_{name}": codec.encoders[name] for name in names}

        return self._keep((kind, "change", tuple(names)), build, turns)

    def remove(self, kind: type[Any]) -> Statement:
        """Deletes by a list of keys."""
        column = TABLES[kind].c[key_of(kind)]
        return self._keep(
            (kind, "remove"),
            lambda: delete(TABLES[kind]).where(self._among(column, "keys")),
            lambda: {"keys": self._list_turn(None)},
        )

    def remove_one(self, kind: type[Any]) -> Statement:
        """Deletes by its key."""
        column = TABLES[kind].c[key_of(kind)]
        return self._keep(
            (kind, "remove_one"), lambda: delete(TABLES[kind]).where(column == bindparam("key")), dict
        )

    def find(self, kind: type[Any], order: Sequence[str], limited: bool, names: Sequence[str]) -> Statement:
        """Whole rows that match these criteria."""

        def build() -> ClauseElement:
            found = self._where(select(TABLES[kind]), kind, names)
            is_vague = bool(self._vague(kind, names))
            found = found.order_by(*(self._order(kind, part, is_vague) for part in order))
            return found.limit(bindparam("limit_")) if limited else found

        return self._keep(
            (kind, "find", tuple(order), limited, tuple(names)), build, lambda: self._turns(kind, names)
        )

    def count(self, kind: type[Any], names: Sequence[str]) -> Statement:
        """How many rows match these criteria."""
        return self._keep(
            (kind, "count", tuple(names)),
            lambda: self._where(select(func.count()).select_from(TABLES[kind]), kind, names),
            lambda: self._turns(kind, names),
        )

    def counter(self) -> Statement:
        """A counter as it stands elsewhere."""
        values: dict[str, Any] = {name: bindparam(name) for name in ("name", "value")}
        return self._keep("counter", lambda: insert(counters).values(values), dict)

    def next_sequence(self) -> Statement:
        """Counts one up and returns the number."""

        def build() -> ClauseElement:
            filled = self._upsert(counters).values(name=bindparam("name"), value=1)
            return filled.on_conflict_do_update(
                index_elements=[counters.c.name], set_={"value": counters.c.value + 1}
            ).returning(counters.c.value)

        return self._keep("next_sequence", build, dict)

    def hold(self, kind: type[Any]) -> Statement:
        """Rows by a list of keys, in the keys' order, locked where others may write."""
        column = TABLES[kind].c[key_of(kind)]

        def build() -> ClauseElement:
            found = select(TABLES[kind]).where(self._among(column, "keys")).order_by(column)
            return found.with_for_update(key_share=True) if self._is_postgresql else found

        return self._keep((kind, "hold"), build, lambda: {"keys": self._list_turn(None)})

    def log_turn(self) -> str:
        """Waits until nobody else appends to the duty log; nothing where there is one writer."""
        return f"SELECT pg_advisory_xact_lock({LOG_TURN})" if self._is_postgresql else ""

    def _keep(
        self, shape: Any, build: Callable[[], ClauseElement], turns_of: Callable[[], Turns]
    ) -> Statement:
        found = self._kept.get(shape)
        if found is None:
            turns = turns_of()
            compiled = build().compile(dialect=self.dialect, compile_kwargs={"render_postcompile": True})
            names = tuple(getattr(compiled, "positiontup", None) or ())
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            found = Statement(
                str(compiled),
                names,
                tuple(_constant(constants[name]) if name in constants else turns.get(name) for name in names),
            )
            self._kept[shape] = found
        return found

    def _where(self, query: Select[Any], kind: type[Any], names: Sequence[str]) -> Select[Any]:
        keyed = any(meant(kind, name) in ((key_of(kind), "is"), (key_of(kind), "in")) for name in names)
        vague = self._vague(kind, names)
        return query.where(and_(True, *(self._criterion(kind, name, keyed, vague) for name in names)))

    def _vague(self, kind: type[Any], names: Sequence[str]) -> set[str]:
        """Of what began before and ends after a moment, the beginning: it is true of all the past."""
        bounds = [meant(kind, name) for name in names]
        before, after = ({field for field, how in bounds if how == side} for side in ("to", "from"))
        return before - after if after - before and not self._is_postgresql else set()

    def _criterion(self, kind: type[Any], name: str, keyed: bool, vague: set[str]) -> ColumnElement[bool]:
        """`name` may end in "=none": comparing with nothing is another shape than comparing with a value."""
        criterion, _, none = name.partition("=")
        field, how = parse(kind, criterion)
        column: ColumnElement[Any] = TABLES[kind].c[field]
        if field in vague or (keyed and field != key_of(kind) and not self._is_postgresql):
            # SQLite takes "state = ?" for choosier than a list of ids and reads a whole backlog: "+" hides the index.
            column = _unindexed(column)
        if how == "in":
            return self._among(column, criterion)
        if how == "has":
            position = func.strpos if self._is_postgresql else func.instr
            return position(column, bindparam(criterion, type_=Text())) > 0
        if none:
            return column.is_not(None) if how == "not" else column.is_(None)
        given = bindparam(criterion, type_=column.type)
        if how == "not":
            return column.is_distinct_from(given) if TABLES[kind].c[field].nullable else column != given
        return {"is": column.__eq__, "to": column.__le__, "from": column.__ge__}[how](given)

    def _among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """One shape for lists of any length."""
        if self._is_postgresql:
            kind = Text() if isinstance(column.type, TypeDecorator) else column.type
            return column == any_(bindparam(name, type_=ARRAY(kind)))
        each = func.json_each(bindparam(name, type_=Text())).table_valued("value")
        return column.in_(select(each.c.value))

    def _turns(self, kind: type[Any], names: Sequence[str]) -> Turns:
        turns: Turns = {}
        for name in names:
            field, how = meant(kind, name)
            encoder = self.codec(kind).encoders[field]
            turns[name] = self._list_turn(encoder) if how == "in" else clean if how == "has" else encoder
        return turns

    def _list_turn(self, encoder: Bind | None) -> Bind:
        def turn(given: Any) -> Any:
            values = list(given) if encoder is None else [encoder(one) for one in given]
            return values if self._is_postgresql else json.dumps(values)

        return turn

    def _order(self, kind: type[Any], part: str, is_vague: bool) -> ColumnElement[Any]:
        field, downward = order_of(kind, part)
        column: ColumnElement[Any] = TABLES[kind].c[field]
        if is_vague:  # SQLite would rather read the whole table in order than sort the few that match.
            column = _unindexed(column)
        sorted_ = column.desc() if downward else column.asc()
        if self._is_postgresql and TABLES[kind].c[field].nullable:  # Nothing comes before everything.
            return sorted_.nulls_last() if downward else sorted_.nulls_first()
        return sorted_


def _unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same, by no index of SQLite's."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _constant(value: Any) -> Bind:
    return lambda _: value
