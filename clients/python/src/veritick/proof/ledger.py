"""What the entries of a ledger must say, by the published rules (rules.md, "Money", "Outcome").

Every entry moves money between two accounts, so none can be out of balance; a user's balance
follows from the one before it. An order's stake goes to escrow when it opens, and comes out of it
when it closes, to whom the outcome says. Orders that have a receipt are held to it; those that are
open or closed later are held to the shape of a close.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from veritick.proof.canonical import is_id_of, name_of, time_text
from veritick.proof.known import Close, Known
from veritick.proof.rules import Difference
from veritick.proof.seals import NO_HASH, seal_hash
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.audit_service_pb2 import Seal, SealedEntry
from veritick.trading.v1.ledger_service_pb2 import SystemAccount
from veritick.trading.v1.order_pb2 import Order

_CLOSING = {Entry.PAYOUT, Entry.REFUND, Entry.LOST_STAKE, Entry.PROFIT}
_OF_ORDERS = {Entry.STAKE, *_CLOSING}
USER = "a user's account"
"""Whose side of an entry is no system account's."""


class _Path(NamedTuple):
    """Between which accounts a kind of entry moves money, and in which direction it may."""

    account: str
    contra: frozenset[str]
    signs: frozenset[int]


_GAINS, _PAYS = frozenset({1}), frozenset({-1})
_EITHER = _GAINS | _PAYS
_PATHS: Mapping[Entry.Kind.ValueType, _Path] = {
    Entry.OPENING: _Path(USER, frozenset({"ISSUE"}), _GAINS),
    Entry.REFILL: _Path(USER, frozenset({"ISSUE"}), _GAINS),
    Entry.STAKE: _Path(USER, frozenset({"ESCROW"}), _PAYS),
    Entry.PAYOUT: _Path(USER, frozenset({"ESCROW"}), _GAINS),
    Entry.REFUND: _Path(USER, frozenset({"ESCROW"}), _GAINS),
    Entry.TRANSFER: _Path(USER, frozenset({"CLEARING", "HOUSE", "ISSUE"}), _EITHER),
    Entry.LOST_STAKE: _Path("HOUSE", frozenset({"ESCROW"}), _GAINS),
    Entry.PROFIT: _Path("ESCROW", frozenset({"HOUSE"}), _GAINS),
    Entry.ADJUSTMENT: _Path(USER, frozenset({"ADJUSTMENT"}), _EITHER),
}


class Located(NamedTuple):
    """An entry, and the line of the file it stands in."""

    line: int
    entry: SealedEntry


class Found(NamedTuple):
    """Something that is not as it must be, and where."""

    line: int
    order_id: str | None
    difference: Difference


class _Stake(NamedTuple):
    account_id: str
    minor_units: int


class Ledger:
    """A ledger as far as it was read: where its chain is, what everybody has, what is staked."""

    def __init__(self, book: str, known: Known) -> None:
        self.seal_id = 0
        self.hash = NO_HASH
        self.entries = 0
        self.balances: dict[str, int] = {}
        self.system: Counter[tuple[str, str]] = Counter()
        """What system accounts have, by name and currency, in minor units."""

        self._book = book
        self._currencies: dict[str, str] = {}
        self._known = known
        self._staked: dict[str, _Stake] = {}

    def seal(self, line: int, seal: Seal, located: Sequence[Located]) -> Iterator[Found]:
        """Yield whatever is wrong with the next seal and the entries it covers."""
        for number, item in enumerate(located, start=self.entries + 1):
            yield from self._entry(item, number)
        yield from self._closes(located)
        for difference in self._chain(seal, located):
            yield Found(line, None, difference)
        self.seal_id, self.hash = seal.seal_id, seal.hash
        self.entries = seal.last_entry_id

    def end(self) -> Iterator[Difference]:
        """Yield whatever is missing at the end of the ledger."""
        if (order_id := self._known.first_not_closed()) is not None:
            yield Difference("entries", f"those that close the order {order_id}", "none")

    @property
    def open_orders(self) -> int:
        """Orders whose stakes are still in escrow."""
        return len(self._staked)

    def _chain(self, seal: Seal, located: Sequence[Located]) -> Iterator[Difference]:
        yield from _said("seal.sealId", self.seal_id + 1, seal.seal_id)
        yield from _said("seal.previousHash", self.hash, seal.previous_hash)
        yield from _said("seal.entries", len(located), seal.entries)
        yield from _said("seal.lastEntryId", self.entries + len(located), seal.last_entry_id)
        try:
            wanted = seal_hash(seal, [item.entry for item in located])
        except ValueError as error:
            yield Difference("seal", "entries that a ledger can hold", str(error))
        else:
            yield from _said("seal.hash", wanted, seal.hash)

    def _entry(self, item: Located, number: int) -> Iterator[Found]:
        entry = item.entry
        differences = [
            *_said("entry.entryId", number, entry.entry_id),
            *self._ids(entry),
            *self._sides(entry),
            *self._order_of(entry),
            *self._balance(entry),
        ]
        for difference in differences:
            yield Found(item.line, entry.order_id or None, difference)

    def _ids(self, entry: SealedEntry) -> Iterator[Difference]:
        ids = {
            "transferId": entry.transfer_id,
            "accountId": entry.account_id,
            "contraAccountId": entry.contra_account_id,
        }
        ids |= {"orderId": entry.order_id} if entry.HasField("order_id") else {}
        for what, text in ids.items():
            if not is_id_of(self._book, text):
                yield Difference(f"entry.{what}", f"an id of the book {self._book}", text)

    def _sides(self, entry: SealedEntry) -> Iterator[Difference]:
        amount, currency = entry.amount.minor_units, entry.amount.currency_code
        self.system[_holder(entry.contra_account_id), currency] -= amount
        self.system[_holder(entry.account_id), currency] += amount
        if _holder(entry.account_id) == USER:
            usual = self._currencies.setdefault(entry.account_id, currency)
            yield from _said("entry.amount.currencyCode", usual, currency)
        yield from _path(entry)

    def _balance(self, entry: SealedEntry) -> Iterator[Difference]:
        if _holder(entry.account_id) != USER:
            if entry.HasField("balance"):
                yield Difference("entry.balance", "none, of a system account", "one")
            return
        balance = self.balances.get(entry.account_id, 0) + entry.amount.minor_units
        self.balances[entry.account_id] = balance
        found = entry.balance.minor_units if entry.HasField("balance") else "none"
        yield from _said("entry.balance.minorUnits", balance, found)
        yield from _said(
            "entry.balance.currencyCode", entry.amount.currency_code, entry.balance.currency_code
        )
        if balance < 0:
            yield Difference("entry.balance.minorUnits", "0 or more", str(balance))

    def _order_of(self, entry: SealedEntry) -> Iterator[Difference]:
        """Check that an order is named where it must be, and take in its stake."""
        named, kind = entry.HasField("order_id"), name_of(Entry.Kind.DESCRIPTOR, entry.kind)
        if named is not (entry.kind in _OF_ORDERS):
            yield Difference("entry.orderId", f"as of {kind}", "one" if named else "none")
        if entry.kind != Entry.STAKE:
            return
        if entry.order_id in self._staked or self._known.closed(entry.order_id):
            yield Difference("entry.orderId", "an order that was not paid for yet", entry.order_id)
        self._staked[entry.order_id] = _Stake(entry.account_id, -entry.amount.minor_units)
        if (known := self._known.receipt(entry.order_id)) is not None:
            yield from _said("entry.amount.minorUnits", -known.stake, entry.amount.minor_units)
            yield from _said("entry.transferId", known.opening_transfer, entry.transfer_id)
            yield from _said("entry.time", known.open_time, time_text(entry.time))

    def _closes(self, located: Sequence[Located]) -> Iterator[Found]:
        """Check the orders that close under one seal: all entries of a close are one commit."""
        closing: dict[str, list[Located]] = {}
        for item in located:
            if item.entry.kind in _CLOSING:
                closing.setdefault(item.entry.order_id, []).append(item)
        for order_id, items in closing.items():
            stake = self._staked.pop(order_id, None)
            self._known.close(order_id)
            if stake is None:
                wrong = Difference("entry.orderId", "an order that is open", order_id)
                yield Found(items[0].line, order_id, wrong)
            else:
                yield from _close(order_id, stake, self._known.receipt(order_id), items)


def _close(
    order_id: str, stake: _Stake, known: Close | None, items: Sequence[Located]
) -> Iterator[Found]:
    entries = [item.entry for item in items]
    found = [(entry.kind, entry.amount.minor_units) for entry in entries]
    wanted = _shape(stake, entries) if known is None else _moves(known)
    if found != wanted:
        wrong = Difference("entries of the close", _words(wanted), _words(found))
        yield Found(items[0].line, order_id, wrong)
    for line, entry in items:
        for difference in _closing(entry, stake, known):
            yield Found(line, order_id, difference)


def _closing(entry: SealedEntry, stake: _Stake, known: Close | None) -> Iterator[Difference]:
    if _holder(entry.account_id) == USER:
        yield from _said("entry.accountId", stake.account_id, entry.account_id)
    if known is not None:
        yield from _said("entry.transferId", known.closing_transfer, entry.transfer_id)
        yield from _said("entry.time", known.close_time, time_text(entry.time))


Moves = list[tuple[Entry.Kind.ValueType, int]]


def _moves(known: Close) -> Moves:
    """Return what closing an order moves, as its receipt says it closed."""
    if known.outcome == Order.LOSS:
        return [(Entry.LOST_STAKE, known.stake)]
    if known.outcome != Order.WIN:
        return [(Entry.REFUND, known.stake)]
    return _won(known.stake, known.returned - known.stake)


def _shape(stake: _Stake, entries: Sequence[SealedEntry]) -> Moves:
    """Return what closing an order moves, if it closed in the way that its entries claim."""
    kinds = {entry.kind for entry in entries}
    if Entry.LOST_STAKE in kinds:
        return [(Entry.LOST_STAKE, stake.minor_units)]
    if Entry.REFUND in kinds:
        return [(Entry.REFUND, stake.minor_units)]
    profit = sum(entry.amount.minor_units for entry in entries if entry.kind == Entry.PROFIT)
    return _won(stake.minor_units, profit)


def _won(stake: int, profit: int) -> Moves:
    # A stake so small that its profit floors to nothing moves nothing from the house.
    return [*([(Entry.PROFIT, profit)] if profit else []), (Entry.PAYOUT, stake + profit)]


def _path(entry: SealedEntry) -> Iterator[Difference]:
    """Check that money moves between the accounts, and in the direction, that the kind says."""
    kind, path = name_of(Entry.Kind.DESCRIPTOR, entry.kind), _PATHS.get(entry.kind)
    if path is None:
        yield Difference("entry.kind", "a kind that is known", kind)
        return
    sides = (_holder(entry.account_id), _holder(entry.contra_account_id))
    if sides[0] != path.account or sides[1] not in path.contra:
        wanted = f"{path.account} and {' or '.join(sorted(path.contra))}, as of {kind}"
        yield Difference("entry accounts", wanted, f"{sides[0]} and {sides[1]}")
    amount = entry.amount.minor_units
    if (amount > 0) - (amount < 0) not in path.signs:
        yield Difference("entry.amount.minorUnits", f"what {kind} can move", str(amount))


def _holder(account_id: str) -> str:
    """Return whose account it is: the name of a system account, or that it is a user's."""
    try:
        number = UUID(account_id.rpartition("_")[2]).int
    except ValueError:
        return "nobody"
    return _SYSTEM.get(number, USER)


_SYSTEM = {value.number: value.name for value in SystemAccount.DESCRIPTOR.values if value.number}


def _words(moves: Moves) -> str:
    named = [f"{name_of(Entry.Kind.DESCRIPTOR, kind)} {amount}" for kind, amount in moves]
    return " and ".join(named) or "none"


def _said(what: str, expected: object, found: object) -> Iterator[Difference]:
    if expected != found:
        yield Difference(what, str(expected), str(found))
