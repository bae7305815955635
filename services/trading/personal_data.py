"""What a book keeps about a person, as files for that person: CSV, and JSON line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from services.trading import export
from services.trading.acceptance import AccountState
from services.trading.book import Account, OrderFilter
from services.trading.desk import Desk
from services.trading.ledger import EntryFilter
from services.trading.origins import OrderOrigin

_PAGE = 1_000
_ACCOUNTS = "The accounts, with their balances in minor units, such as cents."
_ORDERS = "Every order of the account; the receipt of a closed one is public under its order_id."
_ENTRIES = "Every movement of the account's money, and the balance after it."
_ORIGINS = "From where orders were placed: address, device and program, for as long as it is kept."


class Piece(NamedTuple):
    """What comes next in a file."""

    file_name: str
    about: str
    data: bytes


async def personal_data(desk: Desk, user_id: UUID) -> AsyncIterator[Piece]:
    """Yield everything that a book keeps about a user, file after file; nothing of who has none."""
    accounts = await desk.book.accounts_of(user_id)
    if not accounts:
        return
    own = (_account(desk, account) for account in accounts)
    yield Piece(f"{desk.name}/accounts.jsonl", _ACCOUNTS, _lines(own))
    for account in accounts:
        name = f"{desk.name}/{desk.wire.id(account.account_id)}"
        async for data in export.orders(desk.book, account.account_id, OrderFilter()):
            yield Piece(f"{name}-orders.csv", _ORDERS, data)
        entries = export.entries(desk.ledger, desk.name, account.account_id, EntryFilter())
        async for data in entries:
            yield Piece(f"{name}-entries.csv", _ENTRIES, data)
    before = None
    while page := await desk.origins.page(user_id, None, before, _PAGE):
        origins = (_origin(desk, origin) for origin in page)
        yield Piece(f"{desk.name}/order_origins.jsonl", _ORIGINS, _lines(origins))
        before = page[-1].order_id


def _lines(values: Iterable[Mapping[str, object]]) -> bytes:
    """Return each value as a line of JSON."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _account(desk: Desk, account: Account) -> Mapping[str, object]:
    return {
        "account_id": desk.wire.id(account.account_id),
        "book": desk.rules.kind,
        "currency": account.currency,
        "posted": account.posted,
        "held": account.held,
        "state": AccountState(account.state).name,
        "opened_at": account.opened_at.isoformat(),
    }


def _origin(desk: Desk, origin: OrderOrigin) -> Mapping[str, object]:
    return {
        "order_id": desk.wire.id(origin.order_id),
        "address": origin.address,
        "device": origin.device,
        "agent": origin.agent,
        "opened_at": origin.opened_at.isoformat(),
    }
