"""Adjustments: what staff propose about an account's balance, and how it is carried out.

Source: rules.md, "Money": a reason, a second person's approval, and a transfer like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.kit.approval import Proposal
from services.kit.approvals import Execute
from services.kit.errors import Failure
from services.kit.ids import scoped
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.acceptance import AccountState
from services.trading.annulments import Annulments, Days
from services.trading.book import Account
from services.trading.moving import Moved, TransferRequest, check_balance, check_currency
from services.trading.posting import SystemAccount
from services.trading.writer import Writer

ADJUSTMENT = "adjustment"
"""The kind of the proposal."""


class Adjustment(NamedTuple):
    """A correction of a balance: what the account receives, or pays where it is negative."""

    account_id: UUID
    amount: Money
    annulled: Days | None = None
    """The days whose results it takes back, if it does."""

    def content(self) -> dict[str, str | int]:
        """Return it as the content of a proposal."""
        content: dict[str, str | int] = {
            "account_id": str(self.account_id),
            "minor_units": self.amount.minor_units,
            "currency": self.amount.currency,
        }
        if self.annulled is not None:
            content["first_date"] = self.annulled.first.isoformat()
            content["last_date"] = self.annulled.last.isoformat()
        return content


def adjustment_of(proposal: Proposal) -> Adjustment:
    """Return what a proposal of the kind `adjustment` is about."""
    content = proposal.content
    amount = Money(int(content["minor_units"]), str(content["currency"]))
    return Adjustment(UUID(str(content["account_id"])), amount, _annulled(content))


def _annulled(content: Mapping[str, str | int]) -> Days | None:
    if "first_date" not in content:
        return None
    first, last = (date.fromisoformat(str(content[name])) for name in ("first_date", "last_date"))
    return Days(first, last)


def check_adjustment(adjustment: Adjustment, account: Account | None) -> None:
    """Refuse what could never be carried out, before anybody is asked to approve it.

    Failures: ACCOUNT_NOT_FOUND, ACCOUNT_CLOSED, CURRENCY_MISMATCH, INVALID_TRANSFER,
    BALANCE_LIMIT.
    """
    if account is None:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
    if account.state == AccountState.CLOSED:
        raise Failure(Reason.ACCOUNT_CLOSED, "The account is closed.")
    check_currency(account, adjustment.amount)
    if adjustment.amount.minor_units == 0:
        raise Failure(Reason.INVALID_TRANSFER, "An adjustment moves something.")
    check_balance(account, adjustment.amount.minor_units)


def adjusting(book: str, writer: Writer, annulments: Annulments) -> Execute:
    """Return how a book carries adjustments out: a transfer under the proposal's id."""

    async def transfer(proposal: Proposal) -> str:
        adjustment = adjustment_of(proposal)
        if adjustment.annulled is not None:
            # Of two that were proposed at one moment, the first stands.
            await annulments.require_first(
                adjustment.account_id, adjustment.annulled, before=proposal.proposal_id
            )
        command = TransferRequest(
            account_id=adjustment.account_id,
            request_id=proposal.proposal_id,
            system=SystemAccount.ADJUSTMENT,
            amount=adjustment.amount,
            note=proposal.reason,
        )
        moved: Moved = await writer.submit(command)
        return scoped(book, moved.transfer.transfer_id)

    return transfer
