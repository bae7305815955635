"""What the commit under way will leave behind: what the next batch is decided on meanwhile.

Everything is said absolutely, as it will be and not by how much it changes. So it makes no
difference whether a read of the database came before or after that commit: what is pending
overrides what was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from services.trading.book import Account, BookedOrder
from services.trading.protection import Used
from services.trading.sealing import Head
from services.trading.tables import Side

RequestKey = tuple[UUID, UUID]
"""An account and the id of a request."""


class Pending(NamedTuple):
    """The accounts, orders, exposure, limits and seal that a commit changes, as it leaves them."""

    accounts: Mapping[UUID, Account]
    orders: Mapping[UUID, BookedOrder]
    requests: Mapping[RequestKey, UUID]
    """The orders it opens, by what asked for them."""

    owed: Mapping[Side, int]
    used: Mapping[UUID, Used]
    """What protected users have used up of their limits."""

    head: Head | None


NOTHING = Pending({}, {}, {}, {}, {}, None)
"""No commit is under way."""
