"""The terms as they are read: by traders and by replicas that do not lead."""

from __future__ import annotations

from sqlalchemy import text

from services.kit.database import Database
from services.trading.terms import Terms

_COLUMNS = ", ".join(Terms._fields)
_CURRENT = f"""
    SELECT DISTINCT ON (instrument) {_COLUMNS} FROM terms
    WHERE instrument > :after AND (CAST(:instrument AS text) IS NULL OR instrument = :instrument)
    ORDER BY instrument, version DESC LIMIT :limit
"""


class TermsTable:
    """Reads one book's terms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, instrument: str | None, after: str, limit: int) -> list[Terms]:
        """Return the newest terms of instruments after a symbol, in order of symbols."""
        parameters = {"instrument": instrument, "after": after, "limit": limit}
        async with self._database.connection() as connection:
            return [Terms(*row) for row in await connection.execute(text(_CURRENT), parameters)]
