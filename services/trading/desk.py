"""One book with everything that runs on it: what the faces talk to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from services.kit.approvals import Approvals
from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.ids import Ids
from services.kit.journal import Journal
from services.kit.leader import Leadership
from services.kit.reason import Reason
from services.trading.acceptance import Offer, offer
from services.trading.adjusting import ADJUSTMENT, adjusting
from services.trading.annulments import Annulments
from services.trading.book import Account, Book
from services.trading.closing import CloseAccounts, Closing, Obstacle, obstacles
from services.trading.cohorts import Cohorts
from services.trading.commit import Batch
from services.trading.holding import EndHold, ExpireHolds, Holding, HoldRequest
from services.trading.ledger import Ledger
from services.trading.market import MarketView
from services.trading.moving import (
    OpenAccount,
    Opening,
    RefillRequest,
    TransferRequest,
    Transferring,
)
from services.trading.order import OrderRequest
from services.trading.origins import Origins
from services.trading.payout import POLICIES
from services.trading.payouts import Payouts
from services.trading.placing import Placing
from services.trading.profits import Profits
from services.trading.protecting import Protect, Protecting
from services.trading.protections import Protections
from services.trading.recording import Recorder
from services.trading.setting_terms import SetTerms, SettingTerms
from services.trading.settling import SettleOrders, Settling
from services.trading.tables import Exposure, TermsBook
from services.trading.terms import TermsDefaults
from services.trading.terms_table import TermsTable
from services.trading.wire import BookWire
from services.trading.writer import Writer, unavailable

_TERMS_EVERY_SECONDS = 0.5
_HOLDS_EVERY_SECONDS = 1.0
_APPROVALS_EVERY_SECONDS = 5.0
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class BookRules:
    """What distinguishes one book from another."""

    kind: str
    """`REAL`, `DEMO` or `TOURNAMENT`."""

    currency: str
    initial: int
    """Chips of a new account, in minor units; a demo account is refilled to them."""

    terms: TermsDefaults

    limits: bool = True
    """Whether users' own limits on losses and stakes count here; breaks count in every book."""

    payout_policy: str = "fixed"
    """The name of one of payout.POLICIES."""


class Desk:
    """Serves one book: reads, and the writer through which every change goes."""

    def __init__(
        self,
        name: str,
        rules: BookRules,
        database: Database,
        market: MarketView,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Put a book together from its database and the market it trades on."""
        self.name = name
        self.rules = rules
        self.market = market
        self.wire = BookWire(name, rules.kind)
        self.book = Book(name, database)
        self.ledger = Ledger(database)
        self.profits = Profits(database)
        self.protections = Protections(database)
        self.origins = Origins(name, database, clock)
        self.cohorts = Cohorts(name, database, market)
        self.terms = TermsTable(database)
        self.journal = Journal(name, database)
        self._live_terms = TermsBook()
        self.writer = Writer(
            name, database, Leadership(database, "writer", clock, ids), self._batches(ids)
        )
        self.annulments = Annulments(database, market.now)
        self.approvals = Approvals(
            database=database,
            journal=self.journal,
            ids=ids,
            now=market.now,
            kinds={ADJUSTMENT: adjusting(name, self.writer, self.annulments)},
            spell=self.wire.id,
        )
        self.payouts = Payouts(
            database=database,
            writer=self.writer,
            terms=self._live_terms,
            market=market,
            name=rules.payout_policy,
            policy=POLICIES[rules.payout_policy],
        )

    def _batches(self, ids: Ids) -> Mapping[type, Batch]:
        exposure, recorder, wire = Exposure(), Recorder(self.journal), self.wire
        market, terms = self.market, self._live_terms
        transferring = Transferring(market=market, ids=ids, recorder=recorder, wire=wire)
        holding = Holding(market=market, ids=ids, recorder=recorder, wire=wire)
        return {
            OrderRequest: Placing(
                market=market, ids=ids, terms=terms, exposure=exposure, recorder=recorder, wire=wire
            ),
            SettleOrders: Settling(
                market=market, ids=ids, exposure=exposure, recorder=recorder, wire=wire
            ),
            OpenAccount: Opening(market=market, ids=ids, recorder=recorder, wire=wire),
            TransferRequest: transferring,
            RefillRequest: transferring,
            HoldRequest: holding,
            EndHold: holding,
            ExpireHolds: holding,
            CloseAccounts: Closing(
                market=market,
                ids=ids,
                recorder=recorder,
                wire=wire,
                real=self.rules.kind == "REAL",
            ),
            Protect: Protecting(market=market, recorder=recorder),
            SetTerms: SettingTerms(market=market, terms=terms, recorder=recorder, wire=wire),
        }

    def ready(self) -> bool:
        """Tell whether orders can be placed: this process leads, and knows market and terms."""
        known = all(self._live_terms.current(symbol) for symbol in self.market.instruments)
        return self.writer.leading and self.market.complete and known

    async def account(self, account_id: UUID, user_id: UUID) -> Account:
        """Return a user's account; ACCOUNT_NOT_FOUND for another's, as if it did not exist."""
        account = await self.book.account(account_id)
        if account is None or account.user_id != user_id:
            raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
        return account

    async def open_account(self, user_id: UUID) -> Account:
        """Open a user's account, or return the one there is."""
        command = OpenAccount(user_id, self.rules.currency, self.rules.initial)
        account: Account = await self.writer.submit(command)
        return account

    async def protect(self, command: Protect) -> None:
        """Hold a user's orders to what protects him, from now on."""
        limits = command.limits if self.rules.limits else ()
        await self.writer.submit(command._replace(limits=limits))

    async def obstacles(self, user_id: UUID) -> list[Obstacle]:
        """Return why a user's accounts can not be closed now."""
        accounts = await self.book.accounts_of(user_id)
        return obstacles(accounts, real=self.rules.kind == "REAL")

    async def close_accounts(self, user_id: UUID, *, closed: bool = True) -> list[Obstacle]:
        """Close a user's accounts, or open them again; return why that can not be."""
        found: list[Obstacle] = await self.writer.submit(CloseAccounts(user_id, closed))
        return found

    def propose(self, request: OrderRequest) -> Offer:
        """Return what an order would get now, without the checks of money and limits.

        Failure UNAVAILABLE where the book is not written: there its terms are not known.
        """
        if not self.writer.leading:
            raise unavailable()
        terms = self._live_terms.current(request.instrument)
        return offer(request, terms, self.market, self.market.now())

    async def keep_terms(self) -> None:
        """Give every instrument that has none the terms it begins with, for ever."""
        while True:
            if self.writer.leading and self.market.complete:
                await self._add_missing_terms()
            await asyncio.sleep(_TERMS_EVERY_SECONDS)

    async def keep_holds(self) -> None:
        """End the holds whose time is over, for ever."""
        while True:
            if self.writer.leading:
                await self._submit_if_leading(ExpireHolds())
            await asyncio.sleep(_HOLDS_EVERY_SECONDS)

    async def keep_approvals(self) -> None:
        """Carry out what was approved and had to wait, for ever."""
        while True:
            if self.writer.leading:
                try:
                    await self.approvals.carry_on()
                except DatabaseUnavailable as error:
                    _log.warning("approvals wait", book=self.name, reason=str(error))
            await asyncio.sleep(_APPROVALS_EVERY_SECONDS)

    async def _add_missing_terms(self) -> None:
        for symbol in list(self.market.instruments):
            if self._live_terms.current(symbol) is None:
                first = self.rules.terms.for_instrument(symbol)
                command = SetTerms(first._replace(version=0), changed_by="service:trading")
                await self._submit_if_leading(command)

    async def _submit_if_leading(self, command: object) -> None:
        """Submit what will be submitted again anyway, should this process stop to lead."""
        try:
            await self.writer.submit(command)
        except Failure as failure:
            if failure.reason not in {Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN}:
                raise
