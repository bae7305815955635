"""What an export has said so far, as far as something later must agree with it.

It lies in a temporary database of its own, so that a file of any length needs the same memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from veritick.trading.v1.order_pb2 import Order

# Nobody else reads it and nothing of it outlives the process, so nothing has to be made safe.
_SCHEMA = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE receipt (
        order_id TEXT PRIMARY KEY, sequence INTEGER, stake INTEGER, returned INTEGER,
        outcome INTEGER, opening TEXT, closing TEXT, open_time TEXT, close_time TEXT
    ) WITHOUT ROWID;
    CREATE TABLE closed (order_id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE fixing (
        time TEXT, instrument TEXT, digest BLOB, PRIMARY KEY (time, instrument)
    ) WITHOUT ROWID;
    BEGIN
"""


class Close(NamedTuple):
    """What a receipt says about the entries of its order. Amounts are in minor units."""

    stake: int
    returned: int
    outcome: Order.Outcome.ValueType
    opening_transfer: str
    closing_transfer: str
    open_time: str
    close_time: str


class Known:
    """Receipts, fixings and closes, by what identifies them.

    Every method raises OSError when there is no room left.
    """

    def __init__(self) -> None:
        # Without a name it is a file that has none either, and only what is used is in memory.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)

    def add_receipt(self, order_id: str, sequence: int, close: Close) -> bool:
        """Remember a receipt; False when the order has one already."""
        added = self._do(
            "INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (order_id, sequence, *close),
        )
        return added.rowcount == 1

    def receipt(self, order_id: str) -> Close | None:
        """Return what the receipt of an order says, if it has one."""
        row = self._do(
            "SELECT stake, returned, outcome, opening, closing, open_time, close_time"
            " FROM receipt WHERE order_id = ?",
            (order_id,),
        ).fetchone()
        return Close(*row) if row else None

    def fixing(self, instrument: str, time: str, digest: bytes) -> bytes:
        """Return the digest of the first fixing of a point, which is this one if there is none."""
        point = (time, instrument)
        self._do("INSERT OR IGNORE INTO fixing VALUES (?, ?, ?)", (*point, digest))
        row = self._do(
            "SELECT digest FROM fixing WHERE time = ? AND instrument = ?", point
        ).fetchone()
        return bytes(row[0])

    def close(self, order_id: str) -> None:
        """Remember that the ledger closed an order."""
        self._do("INSERT OR IGNORE INTO closed VALUES (?)", (order_id,))

    def closed(self, order_id: str) -> bool:
        """Tell whether the ledger closed an order."""
        row = self._do("SELECT 1 FROM closed WHERE order_id = ?", (order_id,)).fetchone()
        return row is not None

    def first_not_closed(self) -> str | None:
        """Return the order of the first receipt that no entries of the ledger close."""
        row = self._do(
            "SELECT order_id FROM receipt WHERE order_id NOT IN (SELECT order_id FROM closed)"
            " ORDER BY sequence LIMIT 1"
        ).fetchone()
        return None if row is None else str(row[0])

    def _do(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise OSError(f"what the file says cannot be remembered: {error}") from error
