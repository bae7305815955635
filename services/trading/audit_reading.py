"""How the auditor reads a book that goes on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.database import Database


class Snapshot:
    """One state of a book, for what must agree with one another.

    While it lasts Postgres cannot clear away the past of the rows that every commit changes: within
    twenty seconds orders take twice as long. So it is for a moment.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, query: str, **parameters: object) -> Sequence[Any]:
        """Return the rows of a query."""
        return (await self._connection.execute(text(query), parameters)).fetchall()


class Past:
    """What has been written and does not change any more, read bit by bit, holding up nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, query: str, **parameters: object) -> Sequence[Any]:
        """Return the rows of a query. Errors: DatabaseUnavailable."""
        async with self._database.connection() as connection:
            return (await connection.execute(text(query), parameters)).fetchall()
