"""Setting terms: each change is a new version, for orders opened from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.kit.audit import By
from services.kit.database import RawConnection
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.commit import Transaction
from services.trading.market import MarketView
from services.trading.on_record import terms_set
from services.trading.recording import Recorder
from services.trading.tables import INSERT_TERMS, TermsBook
from services.trading.terms import Terms
from services.trading.wire import BookWire


class SetTerms(NamedTuple):
    """Make these the terms of their instrument; `terms.version` is the one they replace, or 0.

    Idempotent: when they have just replaced it, that is the answer.
    """

    terms: Terms
    changed_by: str
    inputs: str = "{}"
    """What the change was calculated from, as JSON."""

    by: By | None = None
    """The person who makes the change, if it is one: it goes on record."""


class SettingTerms:
    """The batch of SetTerms."""

    kind = "terms"
    size_max = 1
    ahead = False

    def __init__(
        self, *, market: MarketView, terms: TermsBook, recorder: Recorder, wire: BookWire
    ) -> None:
        self._market = market
        self._terms = terms
        self._recorder = recorder
        self._wire = wire

    async def load(self, connection: RawConnection) -> None:
        """Read the current terms, which placing uses."""
        await self._terms.load(connection)

    async def commit(
        self, commands: Sequence[SetTerms], transaction: Transaction
    ) -> Sequence[Terms | Failure]:
        """Store each version, publish it, and use it from the next batch on."""
        return [await self._set(command, transaction) for command in commands]

    async def _set(self, command: SetTerms, transaction: Transaction) -> Terms | Failure:
        current = self._terms.current(command.terms.instrument)
        version = current.version if current else 0
        terms = command.terms._replace(version=command.terms.version + 1)
        if current == terms:
            return current
        if command.terms.version != version:
            metadata = {"version": str(version)}
            return Failure(Reason.TERMS_CHANGED, "The terms have changed.", metadata=metadata)
        now = self._market.now()
        stored = {f"terms.{name}": value for name, value in terms._asdict().items()} | {
            "terms.changed_by": command.changed_by,
            "terms.changed_at": now,
            "terms.inputs": command.inputs,
        }
        events = [self._wire.payout_changed(terms)]
        if command.by is not None:
            events.append(terms_set(command.by, current, terms, now))
        await self._recorder.record(transaction, [(INSERT_TERMS, stored)], [], events, now)
        self._terms.set(terms)
        return terms
