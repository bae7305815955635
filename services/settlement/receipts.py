"""Receipts as they are stored: one chain per book."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import Array, bigints, integers, smallints, texts, timestamps, uuids
from services.kit.database import Database, RawConnection
from services.kit.leader import FENCED, Term, fenced
from services.settlement.decisions import FINISH, Chunk, Outstanding, finish_parameters
from services.settlement.fixing import Fixing
from services.settlement.outcome import Direction, Outcome
from services.settlement.receipt import GENESIS, Closed, Link, Receipt, chain
from services.settlement.wire import from_evidence

_CLOSED = Closed._fields
_PLACE = ("rule_version", "sequence", "previous_hash", "hash")
_COLUMNS = ", ".join((*_CLOSED, *_PLACE))

_HEAD: LiteralString = """
    SELECT sequence, hash FROM receipt WHERE book = %(book)s ORDER BY sequence DESC LIMIT 1
"""
_ISSUED: LiteralString = "SELECT order_id FROM receipt WHERE order_id = ANY (%(orders)s::uuid[])"
_LAST: LiteralString = "SELECT max(sequence) FROM receipt WHERE book = %(book)s"
_ENCODERS: Mapping[str, tuple[str, Callable[[Sequence[Any]], Array]]] = {
    "order_id": ("uuid", uuids),
    "instrument": ("text", texts),
    "direction": ("smallint", smallints),
    "stake": ("bigint", bigints),
    "currency": ("text", texts),
    "payout_bp": ("integer", integers),
    "terms_version": ("bigint", bigints),
    "opened_at": ("timestamptz", timestamps),
    "expires_at": ("timestamptz", timestamps),
    "entry_number": ("bigint", bigints),
    "entry_price": ("bigint", bigints),
    "price_scale": ("smallint", smallints),
    "entry_time": ("timestamptz", timestamps),
    "entry_source_time": ("timestamptz", timestamps),
    "outcome": ("smallint", smallints),
    "returned": ("bigint", bigints),
    "closed_at": ("timestamptz", timestamps),
    "stake_transfer_id": ("uuid", uuids),
    "close_transfer_id": ("uuid", uuids),
    "rule_version": ("integer", integers),
    "sequence": ("bigint", bigints),
    "previous_hash": ("text", texts),
    "hash": ("text", texts),
}
"""The columns of a receipt after its book, each with its type, and how it is packed."""

_ARRAYS = ", ".join(f"%({name})s::{kind}[]" for name, (kind, _) in _ENCODERS.items())
_ISSUE = f"""
    WITH {FENCED}, issued AS (
        INSERT INTO receipt (book, {_COLUMNS})
        SELECT %(book)s, r.* FROM fenced, unnest({_ARRAYS}) AS r
    ), {FINISH}
    SELECT count(*) FROM fenced
"""
_EVIDENCE = """
    SELECT evidence FROM fixing
    WHERE fixing.instrument = receipt.instrument AND fixing.time = receipt.expires_at
"""
_GET = f"""
    SELECT {_COLUMNS}, ({_EVIDENCE}) FROM receipt WHERE order_id = %(order)s AND book = %(book)s
"""
_LIST = f"""
    SELECT {_COLUMNS}, ({_EVIDENCE}) FROM receipt
    WHERE book = %(book)s AND sequence > %(after)s ORDER BY sequence LIMIT %(limit)s
"""


# From one receipt to the signed head: the links alone, by the index, as far as is looked at.
_BROKEN: LiteralString = """
    SELECT min(sequence) FROM (
        SELECT sequence, previous_hash, lag(hash) OVER w AS hash_before,
               lag(sequence) OVER w AS sequence_before
        FROM receipt
        WHERE book = %(book)s AND sequence BETWEEN %(first)s AND %(last)s
        WINDOW w AS (ORDER BY sequence)
    ) links
    WHERE sequence > %(first)s
      AND (previous_hash, sequence_before + 1) IS DISTINCT FROM (hash_before, sequence)
"""
_HASH: LiteralString = "SELECT hash FROM receipt WHERE book = %(book)s AND sequence = %(sequence)s"


class Proof(NamedTuple):
    """A receipt, with the fixing that it rests on."""

    receipt: Receipt
    fixing: Fixing


class Carried(NamedTuple):
    """A decision that was carried out, and the order as its book closed it."""

    outstanding: Outstanding
    closed: Closed


class Receipts:
    """The receipts of all books."""

    def __init__(self, database: Database) -> None:
        """Keep them in this database."""
        self._database = database
        self._ends: dict[str, tuple[Term, Link]] = {}
        """Where the chain of a book ends, for the leader of whose term this is known."""

    async def issue(
        self, term: Term, book: str, chunk: Chunk, carried: Sequence[Carried]
    ) -> list[Receipt]:
        """Store the receipts of closed orders, chained in this order, and return the new ones.

        An order that has a receipt gets no second one. What was carried out of the chunk is
        outstanding no more. Errors: LeadershipLost, DatabaseUnavailable.
        """
        async with self._database.raw() as connection:
            await connection.set_autocommit(True)
            missing = carried if chunk.new else await _without_receipt(connection, carried)
            end = await self._end(connection, term, book)
            receipts = list(chain(book, end, [_content(item) for item in missing]))
            done = {item.closed.order_id for item in carried}
            parameters = _columns(receipts) | finish_parameters(chunk, done) | {"book": book}
            # Nobody but the leader adds to the chain; whether this was added is known only after.
            self._ends.pop(book, None)
            await fenced(connection, term, _ISSUE, parameters)
            last = Link(receipts[-1].sequence, receipts[-1].hash) if receipts else end
            self._ends[book] = term, last
        return receipts

    async def _end(self, connection: RawConnection, term: Term, book: str) -> Link:
        known = self._ends.get(book)
        return known[1] if known and known[0] is term else await _head(connection, book)

    async def get(self, book: str, order_id: UUID) -> Proof | None:
        """Return an order's receipt with the fixing it rests on, if it has one."""
        async with self._database.raw() as connection:
            cursor = await connection.execute(_GET, {"order": order_id, "book": book})
            row = await cursor.fetchone()
        return _proof(row) if row else None

    async def hash_at(self, book: str, sequence: int) -> str | None:
        """Return the hash of a book's receipt, as it is stored."""
        key = {"book": book, "sequence": sequence}
        async with self._database.raw() as connection:
            row = await (await connection.execute(_HASH, key)).fetchone()
        return row[0] if row else None

    async def broken_at(self, book: str, first: int, last: int) -> int | None:
        """Return the first receipt after `first`, up to `last`, that does not follow its one."""
        span = {"book": book, "first": first, "last": last}
        async with self._database.raw() as connection:
            row = await (await connection.execute(_BROKEN, span)).fetchone()
        return row[0] if row else None

    async def after(self, book: str, sequence: int, limit: int) -> tuple[list[Proof], int]:
        """Return a book's receipts after a sequence, in order, and the book's last sequence."""
        key = {"book": book, "after": sequence, "limit": limit}
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_LIST, key)).fetchall()
            last = await (await connection.execute(_LAST, key)).fetchone()
        return [_proof(row) for row in rows], (last[0] if last else None) or 0


async def _without_receipt(connection: RawConnection, carried: Sequence[Carried]) -> list[Carried]:
    orders = uuids([item.closed.order_id for item in carried])
    rows = await (await connection.execute(_ISSUED, {"orders": orders})).fetchall()
    issued = {row[0] for row in rows}
    return [item for item in carried if item.closed.order_id not in issued]


async def _head(connection: RawConnection, book: str) -> Link:
    row = await (await connection.execute(_HEAD, {"book": book})).fetchone()
    return Link(*row) if row else Link(0, GENESIS)


def _content(item: Carried) -> tuple[Closed, Fixing, int]:
    return item.closed, item.outstanding.fixing, item.outstanding.decision.rule_version


def _columns(receipts: Sequence[Receipt]) -> dict[str, object]:
    """Return the parameters of _ISSUE about the receipts, one array for each column."""
    rows = [(*closed, *place) for closed, *place in receipts]
    values = zip(*rows, strict=True) if rows else [()] * len(_ENCODERS)
    columns = zip(_ENCODERS.items(), values, strict=True)
    return {name: encode(column) for (name, (_, encode)), column in columns}


def _proof(row: tuple[Any, ...]) -> Proof:
    return Proof(_receipt(row[:-1]), from_evidence(row[-1]))


def _receipt(row: tuple[Any, ...]) -> Receipt:
    values = dict(zip(_CLOSED, row, strict=False))
    values["direction"] = Direction(values["direction"])
    values["outcome"] = Outcome(values["outcome"])
    return Receipt(Closed(**values), *row[len(_CLOSED) :])
