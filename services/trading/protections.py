"""The table `protection`: what protects users, and what of their limits is used up.

Only the book's writer writes it. What is used up is one value that is written as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import text

from services.kit.arrays import texts, uuids
from services.kit.database import Database
from services.kit.values import Period
from services.trading.protection import Kind, Limit, Protection, Used
from services.trading.statement import Part, Statement

STORE_PROTECTION = Part(
    """
    protection_stored AS (
        INSERT INTO protection (user_id, version, limits, break_until, excluded_until, used)
        VALUES (%(protection.user_id)s, %(protection.version)s, %(protection.limits)s::jsonb,
            %(protection.break_until)s, %(protection.excluded_until)s,
            %(protection.used)s::jsonb)
        ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, limits = excluded.limits,
            break_until = excluded.break_until, excluded_until = excluded.excluded_until
    )
    """
)
"""Stores what protects a user; what is used up stays as it is, if it is known."""

_USE = Part(
    """
    protection_used AS (
        UPDATE protection p SET used = v.used::jsonb
        FROM unnest(%(used.user_id)s::uuid[], %(used.used)s::text[]) AS v (user_id, used)
        WHERE p.user_id = v.user_id
        RETURNING 1
    )
    """,
    """require(
        (SELECT count(*) FROM protection_used) = cardinality(%(used.user_id)s::uuid[]),
        'protection gone'
    )""",
)

READ_PROTECTION: LiteralString = """
    SELECT to_jsonb(p) FROM protection p WHERE user_id = %(user_id)s
"""

READ_USED: LiteralString = """
    SELECT (SELECT coalesce(sum(stake), 0) FROM open_order
            WHERE account_id IN (SELECT account_id FROM account WHERE user_id = %(user_id)s)
           )::bigint,
           coalesce(sum(stakes) FILTER (WHERE day >= %(day)s), 0)::bigint,
           coalesce(sum(stakes) FILTER (WHERE day >= %(week)s), 0)::bigint,
           coalesce(sum(stakes) FILTER (WHERE day >= %(month)s), 0)::bigint,
           coalesce(sum(returned) FILTER (WHERE day >= %(day)s), 0)::bigint,
           coalesce(sum(returned) FILTER (WHERE day >= %(week)s), 0)::bigint,
           coalesce(sum(returned) FILTER (WHERE day >= %(month)s), 0)::bigint
    FROM account_statistics
    WHERE account_id IN (SELECT account_id FROM account WHERE user_id = %(user_id)s)
      AND day >= least(%(week)s, %(month)s)
"""
"""What a user has open, and what closed in the periods that `used_parameters` names."""


class Protections:
    """Reads what protects users, outside the writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: UUID) -> Protection | None:
        """Return what protects a user, if anything."""
        query = text("SELECT to_jsonb(p) FROM protection p WHERE user_id = :user_id")
        async with self._database.connection() as connection:
            row = (await connection.execute(query, {"user_id": user_id})).first()
        return protection_of(row[0]) if row else None


def protection_of(stored: Mapping[str, Any]) -> Protection:
    """Return the protection in a row of the table as JSON."""
    return Protection(
        user_id=UUID(stored["user_id"]),
        version=stored["version"],
        limits=tuple(map(_limit, stored["limits"])),
        break_until=_moment(stored["break_until"]),
        excluded_until=_moment(stored["excluded_until"]),
        used=_used(stored["used"]),
    )


def protection_parameters(protection: Protection) -> dict[str, Any]:
    """Return the parameters of STORE_PROTECTION."""
    return {
        "protection.user_id": protection.user_id,
        "protection.version": protection.version,
        "protection.limits": json.dumps([_stored_limit(limit) for limit in protection.limits]),
        "protection.break_until": protection.break_until,
        "protection.excluded_until": protection.excluded_until,
        "protection.used": _stored_used(protection.used),
    }


def used_parameters(user_id: UUID, day: date) -> dict[str, Any]:
    """Return the parameters of READ_USED as of a day."""
    periods = {period.name.lower(): period.start(day) for period in Period}
    return {"user_id": user_id, **periods}


def used_on(day: date, row: tuple[int, ...]) -> Used:
    """Return what a row of READ_USED says."""
    open_stakes, staked, returned = row[0], row[1:4], row[4:7]
    day_lost, week_lost, month_lost = (
        stake - back for stake, back in zip(staked, returned, strict=True)
    )
    return Used(day, open_stakes, (row[1], row[2], row[3]), (day_lost, week_lost, month_lost))


def use(used: Mapping[UUID, Used]) -> list[Statement]:
    """Return what stores what these users have used up: nothing when there are none."""
    if not used:
        return []
    stored = [_stored_used(value) for value in used.values()]
    return [(_USE, {"used.user_id": uuids(list(used)), "used.used": texts(stored)})]


def _stored_used(used: Used) -> str:
    return json.dumps(used._asdict() | {"day": used.day.isoformat()})


def _used(stored: Mapping[str, Any]) -> Used:
    day_staked, week_staked, month_staked = stored["staked"]
    day_lost, week_lost, month_lost = stored["lost"]
    return Used(
        date.fromisoformat(stored["day"]),
        stored["open_stakes"],
        (day_staked, week_staked, month_staked),
        (day_lost, week_lost, month_lost),
    )


def _stored_limit(limit: Limit) -> dict[str, object]:
    next_at = limit.next_at.isoformat() if limit.next_at else None
    return limit._asdict() | {"period": limit.period.name, "next_at": next_at}


def _limit(stored: Mapping[str, Any]) -> Limit:
    return Limit(
        Kind(stored["kind"]),
        Period[stored["period"]],
        stored["value"],
        _moment(stored["next_at"]),
        stored["next_value"],
    )


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
