"""Opening accounts, refills and transfers: the movements that no order makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import uuids
from services.kit.audit import By
from services.kit.database import RawConnection
from services.kit.errors import Failure
from services.kit.ids import Ids
from services.kit.journal import NewEvent
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.acceptance import AccountState, Funds, check_account
from services.trading.book import ACCOUNT_COLUMNS, Account
from services.trading.commit import Transaction
from services.trading.ledger import TRANSFER_COLUMNS, Transfer
from services.trading.market import MarketView
from services.trading.on_record import money_moved
from services.trading.posting import Entry, EntryKind, SystemAccount
from services.trading.recording import Recorder
from services.trading.statement import Statement
from services.trading.tables import (
    ACCOUNT_ENCODERS,
    INSERT_ACCOUNTS,
    INSERT_TRANSFERS,
    READ_ACCOUNTS,
    TRANSFER_ENCODERS,
    UPDATE_ACCOUNTS,
    balance_parameters,
    change,
    columns,
)
from services.trading.wire import BookWire

BALANCE_MAX = 10**15
"""Minor units that an account may come to by transfers: so much that sums over all accounts, and
what may be won with it, still fit the 64 bits of the ledger."""

_READ_USERS: LiteralString = f"""
    SELECT {ACCOUNT_COLUMNS} FROM account
    WHERE user_id = %(user_id)s AND currency = %(currency)s
"""


class OpenAccount(NamedTuple):
    """Open a user's account, filled with its first chips if the book gives any."""

    user_id: UUID
    currency: str
    chips: int
    """What the account starts with, in minor units."""


class TransferRequest(NamedTuple):
    """Move money between a user's account and a system account."""

    account_id: UUID
    request_id: UUID
    system: SystemAccount
    amount: Money
    """What the user's account receives; negative: what it pays."""

    note: str = ""
    by: By | None = None
    """The person who moves it, if it is one: it goes on record."""

    def digest(self) -> bytes:
        """Return a hash of what was asked for; the note takes no part."""
        text = f"transfer.1\n{int(self.system)}\n{self.amount.minor_units} {self.amount.currency}"
        return hashlib.sha256(text.encode()).digest()


class RefillRequest(NamedTuple):
    """Fill a demo account up to its initial balance."""

    account_id: UUID
    user_id: UUID
    request_id: UUID
    initial: int
    """The initial balance, in minor units."""

    def digest(self) -> bytes:
        """Return a hash of what was asked for: a refill is always the same."""
        return hashlib.sha256(b"refill.1").digest()


READ_TRANSFER: LiteralString = f"""
    SELECT {TRANSFER_COLUMNS} FROM transfer
    WHERE account_id = %(account_id)s AND request_id = %(request_id)s
"""


class Moved(NamedTuple):
    """What a caller is told: the transfer, the account now, and whether it was there before."""

    transfer: Transfer
    account: Account
    replay: bool


class Moving:
    """What the movements of a book that no order makes have in common."""

    size_max = 1
    ahead = False

    def __init__(self, *, market: MarketView, ids: Ids, recorder: Recorder, wire: BookWire) -> None:
        self._market = market
        self._ids = ids
        self._recorder = recorder
        self._wire = wire

    async def load(self, connection: RawConnection) -> None:
        """Read where the seals of the book end; nothing else is kept in memory."""
        await self._recorder.load(connection)

    async def _record(
        self,
        transaction: Transaction,
        changes: Sequence[Statement],
        entries: Sequence[Entry],
        after: Account,
        now: datetime,
        on_record: Sequence[NewEvent] = (),
    ) -> None:
        """Write what changed one account, and tell it."""
        events = [self._wire.balance_changed(after), *on_record]
        await self._recorder.record(transaction, changes, entries, events, now)


class Opening(Moving):
    """The batch of OpenAccount: idempotent by user and currency."""

    kind = "open"

    async def commit(
        self, commands: Sequence[OpenAccount], transaction: Transaction
    ) -> Sequence[Account]:
        """Open the accounts that do not exist; answer those that do."""
        return [await self._open(command, transaction) for command in commands]

    async def _open(self, command: OpenAccount, transaction: Transaction) -> Account:
        owner = {"user_id": command.user_id, "currency": command.currency}
        if rows := await transaction.read(_READ_USERS, owner):
            return Account(*rows[0])
        now = self._market.now()
        account = Account(
            account_id=self._ids(),
            user_id=command.user_id,
            currency=command.currency,
            posted=command.chips,
            held=0,
            state=int(AccountState.OPEN),
            open_orders=0,
            opened_at=now,
        )
        issue = SystemAccount.ISSUE
        chips = entry_of(self._ids(), EntryKind.OPENING, issue, account, command.chips, now)
        changes = [(INSERT_ACCOUNTS, columns("account", ACCOUNT_ENCODERS, [account]))]
        await self._record(transaction, changes, [chips] if command.chips else [], account, now)
        return account


class Transferring(Moving):
    """The batch of TransferRequest and RefillRequest: idempotent by account and request id."""

    kind = "transfer"

    async def commit(
        self, commands: Sequence[TransferRequest | RefillRequest], transaction: Transaction
    ) -> Sequence[Moved | Failure]:
        """Make the transfers, each alone."""
        results: list[Moved | Failure] = []
        for command in commands:
            try:
                results.append(await self._transfer(command, transaction))
            except Failure as failure:
                results.append(failure)
        return results

    async def _transfer(
        self, command: TransferRequest | RefillRequest, transaction: Transaction
    ) -> Moved:
        rows = await transaction.read(READ_ACCOUNTS, {"accounts": uuids([command.account_id])})
        account = _owned(Account(*rows[0]) if rows else None, command)
        key = {"account_id": command.account_id, "request_id": command.request_id}
        if earlier := await transaction.read(READ_TRANSFER, key):
            return _replay(Transfer(*earlier[0]), account, command)
        kind, system, amount = _movement(command, account)
        _check_reach(account, system)
        _check_amount(account, amount)
        now = self._market.now()
        after = account._replace(posted=account.posted + amount.minor_units)
        transfer = Transfer(
            transfer_id=self._ids(),
            account_id=account.account_id,
            request_id=command.request_id,
            request_hash=command.digest(),
            kind=int(kind),
            system=int(system),
            amount=amount.minor_units,
            currency=amount.currency,
            balance=after.posted,
            note=command.note if isinstance(command, TransferRequest) else "",
            time=now,
        )
        entry = entry_of(transfer.transfer_id, kind, system, after, transfer.amount, now)
        changes: list[Statement] = [
            (UPDATE_ACCOUNTS, balance_parameters([change(account, after)])),
            (INSERT_TRANSFERS, columns("transfer", TRANSFER_ENCODERS, [transfer])),
        ]
        told = self._told(command, account, after, transfer)
        await self._record(transaction, changes, [entry], after, now, told)
        return Moved(transfer, after, replay=False)

    def _told(
        self,
        command: TransferRequest | RefillRequest,
        before: Account,
        after: Account,
        transfer: Transfer,
    ) -> list[NewEvent]:
        if isinstance(command, RefillRequest) or command.by is None:
            return []
        account_id, system = self._wire.id(after.account_id), transfer.system
        words = (system, transfer.time, transfer.note)
        return [money_moved(command.by, "ledger.transfer", account_id, before, after, *words)]


def _owned(account: Account | None, command: TransferRequest | RefillRequest) -> Account:
    """Services may move money of any account, users refill only their own."""
    foreign = isinstance(command, RefillRequest) and (
        account is not None and account.user_id != command.user_id
    )
    if account is None or foreign:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
    return account


def _replay(earlier: Transfer, account: Account, command: TransferRequest | RefillRequest) -> Moved:
    if earlier.request_hash != command.digest():
        metadata = {"request_id": str(command.request_id)}
        message = "This request id was used for another transfer."
        raise Failure(Reason.REQUEST_ID_REUSED, message, metadata=metadata)
    return Moved(earlier, account, replay=True)


def _movement(
    command: TransferRequest | RefillRequest, account: Account
) -> tuple[EntryKind, SystemAccount, Money]:
    if isinstance(command, TransferRequest):
        adjusts = command.system is SystemAccount.ADJUSTMENT
        kind = EntryKind.ADJUSTMENT if adjusts else EntryKind.TRANSFER
        return kind, command.system, command.amount
    missing = command.initial - account.available
    if missing <= 0:
        metadata = {"initial_minor_units": str(command.initial)}
        message = "The account is full."
        raise Failure(Reason.REFILL_NOT_ALLOWED, message, metadata=metadata)
    return EntryKind.REFILL, SystemAccount.ISSUE, Money(missing, account.currency)


def check_participation(account: Account) -> None:
    """Refuse for an account that takes no part. Failures: ACCOUNT_CLOSED, ACCOUNT_FROZEN."""
    state = AccountState(account.state)
    check_account(Funds(account.currency, state, account.posted, account.held, 0))


def _check_reach(account: Account, system: SystemAccount) -> None:
    """Refuse for an account that takes no part, but let staff put a frozen one right."""
    frozen = account.state == AccountState.FROZEN
    if not (frozen and system is SystemAccount.ADJUSTMENT):
        check_participation(account)


def _check_amount(account: Account, amount: Money) -> None:
    check_currency(account, amount)
    if amount.minor_units == 0:
        raise Failure(Reason.INVALID_TRANSFER, "A transfer moves something.")
    check_available(account, -amount.minor_units)
    check_balance(account, amount.minor_units)


def check_currency(account: Account, amount: Money) -> None:
    """Refuse an amount in another currency than the account's. Failure CURRENCY_MISMATCH."""
    if amount.currency != account.currency:
        metadata = {"currency_code": account.currency}
        message = f"The account holds {account.currency}."
        raise Failure(Reason.CURRENCY_MISMATCH, message, metadata=metadata)


def check_balance(account: Account, received: int) -> None:
    """Refuse what would bring an account to more than BALANCE_MAX. Failure BALANCE_LIMIT."""
    if received > 0 and account.posted + received > BALANCE_MAX:
        metadata = {"balance_max_minor_units": str(BALANCE_MAX)}
        message = "An account does not hold that much."
        raise Failure(Reason.BALANCE_LIMIT, message, metadata=metadata)


def check_available(account: Account, wanted: int) -> None:
    """Refuse what would take available below zero. Failure INSUFFICIENT_FUNDS."""
    if account.available < wanted:
        metadata = {"available_minor_units": str(account.available)}
        message = "The available balance is smaller than the amount."
        raise Failure(Reason.INSUFFICIENT_FUNDS, message, metadata=metadata)


def entry_of(
    transfer_id: UUID,
    kind: EntryKind,
    system: SystemAccount,
    after: Account,
    amount: int,
    now: datetime,
) -> Entry:
    """Return the entry that moves an amount between a system account and a user's."""
    return Entry(
        transfer_id=transfer_id,
        kind=int(kind),
        account_id=after.account_id,
        contra_account_id=system.account_id,
        amount=amount,
        currency=after.currency,
        balance=after.posted,
        order_id=None,
        time=now,
    )
