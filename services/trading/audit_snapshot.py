"""What the auditor looks at: one state of a book."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trading import audit_queries
from services.trading.terms import Terms


class Snapshot:
    """One state of a book, read while the book goes on."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, query: str, **parameters: object) -> Sequence[Any]:
        """Return the rows of a query."""
        return (await self._connection.execute(text(query), parameters)).fetchall()

    async def terms(self) -> dict[tuple[str, int], Terms]:
        """Return every version of the terms, by instrument and version."""
        every = [Terms(*row) for row in await self.rows(audit_queries.TERMS)]
        return {(terms.instrument, terms.version): terms for terms in every}
