"""What people do to a book, for the audit trail: terms they set, money they move.

What programs do by rule (payout policies, payments) has a history of its own and is not recorded
here again.
"""

from __future__ import annotations

from datetime import datetime

from services.kit.audit import By, audited
from services.kit.journal import NewEvent
from services.trading.book import Account
from services.trading.posting import SystemAccount
from services.trading.terms import Terms


def terms_set(by: By, before: Terms | None, after: Terms, time: datetime) -> NewEvent:
    """Return the record that somebody set an instrument's terms."""
    return audited(
        "terms.update",
        f"instrument:{after.instrument}",
        time,
        by=by,
        before=before._asdict() if before else None,
        after=after._asdict(),
    )


def money_moved(
    by: By,
    action: str,
    account_id: str,
    before: Account,
    after: Account,
    system: int,
    time: datetime,
    note: str,
) -> NewEvent:
    """Return the record that somebody moved or held money of an account, and in what words."""
    return audited(
        action,
        f"account:{account_id}",
        time,
        by=by,
        before={"posted": before.posted, "held": before.held},
        after={
            "posted": after.posted,
            "held": after.held,
            "currency": after.currency,
            "systemAccount": SystemAccount(system).name,
        },
        reason=note,
    )
