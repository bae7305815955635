"""`veritick verify` with a ledger: no entry can be changed, moved, left out or added unnoticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.trading.posting import Entry, EntryKind, SystemAccount
from tests.ledger_proof import (
    CHIPS,
    USERS,
    Commits,
    commits_of,
    exported_ledger,
    items,
    sealed_of,
    signed_ledger,
)
from tests.proof import KEY_ID, altered, at, changed, file_of, leaves, unreadable, untrue
from veritick.__main__ import main
from veritick.proof.verify import Untrue, verify

HONEST = exported_ledger()
ENTRIES = [n for n, line in enumerate(HONEST, start=1) if "entry" in line]
SEALS = [n for n, line in enumerate(HONEST, start=1) if "seal" in line]
(HEAD,) = [n for n, line in enumerate(HONEST, start=1) if "head" in line]


def test_an_honest_ledger_is_right() -> None:
    seen = verify(file_of(HONEST), KEY_ID, KEY_ID)
    assert seen.ledger is not None
    assert (seen.ledger.entries, seen.ledger.seal_id) == (len(ENTRIES), len(SEALS))
    assert seen.ledger.open_orders == 1
    balances = {name: amount for (name, _), amount in seen.ledger.system.items()}
    assert sum(balances.values()) == 0
    assert (balances["ESCROW"], balances["ADJUSTMENT"]) == (1_001, -700)
    assert balances["ISSUE"] == -2 * CHIPS - 300
    assert (seen.ledger_key_id, seen.ledger_sign_time[:16]) == (KEY_ID, "2026-11-23T12:02")
    assert seen.heads == {KEY_ID: 1}


# ---- a file that was tampered with --------------------------------------------------------------


def seal_behind(line: int) -> int:
    return next(seal for seal in SEALS if seal > line)


def begin_of(line: int) -> int:
    """Return the line of the first entry under the same seal."""
    return max(seal + 1 for seal in (ENTRIES[0] - 1, *SEALS) if seal < line)


NAMED = Counter(HONEST[n - 1]["entry"].get("orderId") for n in ENTRIES)
(OPEN,) = [n for n in ENTRIES if NAMED[HONEST[n - 1]["entry"].get("orderId")] == 1]
"""The stake of the order that is open: no other entry names it."""

KINDS = {HONEST[n - 1]["entry"]["kind"]: n for n in ENTRIES}
"""An entry of each kind, by its line."""

FIELDS = [(n, path) for n in KINDS.values() for path in leaves(HONEST[n - 1])]


@pytest.mark.parametrize(("line", "path"), FIELDS, ids=str)
def test_an_entry_with_one_field_changed_is_named(line: int, path: tuple[Any, ...]) -> None:
    change = {"kind": lambda _: "REFUND", "currencyCode": lambda _: "EUR"}.get(path[-1], changed)
    if at(HONEST, line, path) == "REFUND":
        change = lambda _: "PAYOUT"  # noqa: E731
    found = untrue(altered(HONEST, line, path, change))
    assert begin_of(line) <= found.line <= seal_behind(line)


IDS = ["transferId", "accountId", "contraAccountId", "orderId"]


@pytest.mark.parametrize("field", IDS)
@pytest.mark.parametrize(
    "written",
    ["demo_{{{number}}}", "demo_urn:uuid:{number}", "demo_demo_{number}", "real_{number}"],
)
def test_an_id_written_otherwise_is_named_although_its_hash_is_the_same(
    field: str, written: str
) -> None:
    line = OPEN if field == "orderId" else ENTRIES[0]
    number = HONEST[line - 1]["entry"][field].removeprefix("demo_")
    forged = altered(HONEST, line, ("entry", field), lambda _: written.format(number=number))
    assert (untrue(forged).line, untrue(forged).difference.what) == (line, f"entry.{field}")


@pytest.mark.parametrize("line", KINDS.values())
def test_an_entry_that_is_left_out_is_named(line: int) -> None:
    found = untrue([item for n, item in enumerate(HONEST, start=1) if n != line])
    assert begin_of(line) <= found.line <= seal_behind(line)


@pytest.mark.parametrize("line", KINDS.values())
def test_an_entry_that_stands_twice_is_named(line: int) -> None:
    found = untrue([*HONEST[:line], HONEST[line - 1], *HONEST[line:]])
    assert found.line <= seal_behind(line) + 1


SEAL_FIELDS = [(n, path) for n in SEALS[:3] for path in leaves(HONEST[n - 1])]


@pytest.mark.parametrize(("line", "path"), SEAL_FIELDS, ids=str)
def test_a_seal_with_one_field_changed_is_named(line: int, path: tuple[Any, ...]) -> None:
    assert untrue(altered(HONEST, line, path, changed)).line == line


@pytest.mark.parametrize("line", SEALS[:-1:4])
def test_a_seal_that_is_left_out_is_found(line: int) -> None:
    found = untrue([item for n, item in enumerate(HONEST, start=1) if n != line])
    assert line < found.line <= seal_behind(line)


def test_entries_under_no_seal_are_found() -> None:
    last = SEALS[-1]
    found = untrue([item for n, item in enumerate(HONEST, start=1) if n != last])
    assert (found.difference.what, found.difference.found) == ("seal", "none")


SIGNED = [path for path in leaves(HONEST[HEAD - 1]) if path[-1] != "publicKey"]


@pytest.mark.parametrize("path", SIGNED, ids=".".join)
def test_a_change_of_a_head_that_was_signed_on_the_way_is_found(path: tuple[Any, ...]) -> None:
    change = (lambda text: "A" * 8 + text[8:]) if path[-1] == "signature" else changed
    found = untrue(altered(HONEST, HEAD, path, change))
    assert (found.line, found.difference.what[:5]) == (HEAD, "head.")


def test_a_head_behind_another_seal_or_a_second_time_is_found() -> None:
    head = HONEST[HEAD - 1]
    for place in (SEALS[0], HEAD):
        forged = [*HONEST[:place], head, *HONEST[place:]]
        assert (untrue(forged).line, untrue(forged).difference.what) == (place + 1, "head.sealId")


def test_a_head_between_entries_that_no_seal_covers_yet_is_found() -> None:
    forged = [*HONEST[: HEAD - 1], HONEST[HEAD], HONEST[HEAD - 1], *HONEST[HEAD + 1 :]]
    assert "entry" in HONEST[HEAD]
    assert (untrue(forged).line, untrue(forged).difference.what) == (HEAD + 1, "head")


def test_a_past_that_was_written_again_does_not_fit_what_was_signed_meanwhile() -> None:
    """Whoever holds the book's key now may sign the new end, but has no time machine."""
    other = commits_of(items())
    other[OPENED][0] = other[OPENED][0]._replace(time=other[OPENED][0].time + timedelta(seconds=1))
    forged = exported_ledger(commits=other)
    forged = [HONEST[HEAD - 1] if "head" in line else line for line in forged]
    found = untrue(forged)
    assert (found.line, found.difference.what) == (HEAD, "head.hash")


LEDGER = [path for path in leaves(HONEST[-1]) if path[1] == "ledger" and path[-1] != "publicKey"]


@pytest.mark.parametrize("path", LEDGER, ids=".".join)
def test_a_change_of_the_signed_head_is_found(path: tuple[Any, ...]) -> None:
    change = (lambda text: "A" * 8 + text[8:]) if path[-1] == "signature" else changed
    found = untrue(altered(HONEST, len(HONEST), path, change))
    assert (found.line, found.difference.what[:7]) == (len(HONEST), "ledger.")


def test_a_ledger_without_a_signed_head_is_found() -> None:
    forged = deepcopy(HONEST)
    del forged[-1]["end"]["ledger"]
    assert untrue(forged).difference.what == "ledger"


def test_another_key_is_found_by_whoever_names_the_right_one() -> None:
    assert untrue(HONEST, ledger_key_id="0" * 64).difference.what == "ledger.keyId"


def test_a_receipt_behind_the_ledger_cannot_be_read() -> None:
    last = ENTRIES[0] - 2
    found = unreadable([*HONEST[:last], *HONEST[last + 1 : -1], HONEST[last], HONEST[-1]])
    assert found.why == "is a receipt behind the ledger"


# ---- a book that lies, and hashes and signs its lies --------------------------------------------


def lying(change: Callable[[Commits], object]) -> Untrue:
    """Return what is found when a book writes this, with the right hashes."""
    commits = commits_of(items())
    change(commits)
    return untrue(exported_ledger(commits=commits))


def entry(number: int, **changes: Any) -> Callable[[Commits], object]:
    """Change the entry that a commit begins with."""

    def change(commits: Commits) -> None:
        commits[number][0] = commits[number][0]._replace(**changes)

    return change


OPENED, STAKED, MOVED, WON, LOST, DRAWN, VOID, ADJUSTED = 0, 2, 7, 8, 9, 11, 12, 13
ESCROW, HOUSE = SystemAccount.ESCROW.account_id, SystemAccount.HOUSE.account_id


def paid_to(user: UUID) -> Callable[[Commits], object]:
    def change(commits: Commits) -> None:
        paid = commits[WON][1]
        commits[WON][1] = paid._replace(account_id=user, balance=CHIPS + paid.amount - 2_002)

    return change


def twice(number: int) -> Callable[[Commits], object]:
    return lambda commits: commits.insert(number, list(commits[number]))


def without(number: int) -> Callable[[Commits], object]:
    return lambda commits: commits.pop(number)


def invented(commits: Commits) -> None:
    profit = Entry(
        UUID(int=1),
        EntryKind.PROFIT,
        ESCROW,
        HOUSE,
        5,
        "USD",
        None,
        UUID(int=77),
        commits[0][0].time,
    )
    commits.append([profit])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (entry(OPENED, amount=CHIPS + 1, balance=CHIPS + 1), "entry.balance"),
        (entry(OPENED, balance=CHIPS + 1), "entry.balance.minorUnits"),
        (entry(OPENED, amount=-1, balance=-1), "entry.amount.minorUnits"),
        (entry(OPENED, contra_account_id=HOUSE), "entry accounts"),
        (entry(OPENED, contra_account_id=USERS[1]), "entry accounts"),
        (entry(STAKED, amount=-1_000, balance=CHIPS - 1_000), "entry.amount.minorUnits"),
        (entry(STAKED, transfer_id=UUID(int=5)), "entry.transferId"),
        (entry(STAKED, time=commits_of(items())[0][0].time), "entry.time"),
        (entry(STAKED, order_id=None), "entry.orderId"),
        (entry(MOVED, contra_account_id=ESCROW), "entry accounts"),
        (entry(MOVED, order_id=UUID(int=1)), "entry.orderId"),
        (entry(MOVED, amount=-2 * CHIPS, balance=-CHIPS - 3_003), "entry.balance"),
        (entry(MOVED, kind=99), "entry.kind"),
        (entry(WON, amount=851), "entries of the close"),
        (entry(LOST, amount=1_002), "entries of the close"),
        (entry(DRAWN, kind=EntryKind.PAYOUT), "entries of the close"),
        (entry(VOID, transfer_id=UUID(int=5)), "entry.transferId"),
        (entry(VOID, time=commits_of(items())[0][0].time), "entry.time"),
        (entry(ADJUSTED, contra_account_id=SystemAccount.CLEARING.account_id), "entry accounts"),
        (paid_to(USERS[1]), "entry.accountId"),
        (twice(STAKED), "entry."),
        (twice(LOST), "entry.orderId"),
        (without(LOST), "entries"),
        (without(WON), "entry.balance.minorUnits"),
        (invented, "entry.orderId"),
    ],
)
def test_a_lie_with_the_right_hash_and_signature_is_found(
    change: Callable[[Commits], object], what: str
) -> None:
    found = lying(change)
    assert found.difference.what.startswith(what), found


def test_an_order_with_a_receipt_that_the_ledger_does_not_know_is_found() -> None:
    commits = [
        commit
        for commit in commits_of(items())
        if all(line.order_id != items()[1][0].order_id for line in commit)
    ]
    # The balances of its owner follow on as if it had never been.
    for n, commit in enumerate(commits):
        commits[n] = [
            line._replace(balance=line.balance + 1_001)
            if line.balance is not None and line.account_id == USERS[1] and n > 1
            else line
            for line in commit
        ]
    found = untrue(exported_ledger(commits=commits))
    assert found.difference == (
        "entries",
        f"those that close the order demo_{items()[1][0].order_id}",
        "none",
    )


def test_entries_that_were_written_again_after_they_were_signed_are_found() -> None:
    honest, other = commits_of(items()), commits_of(items())
    other[OPENED][0] = other[OPENED][0]._replace(time=other[OPENED][0].time + timedelta(seconds=1))
    _, head = sealed_of(honest)
    found = untrue(exported_ledger(sealed=sealed_of(other)[0], head=signed_ledger(head)))
    assert found.difference.what == "ledger.hash"


# ---- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, f"entries 1 to {len(ENTRIES)} under {len(SEALS)} seals, 2 accounts, 1 open orders"),
        ((), 0, "on the way signed 1 times, 1 of them by that key"),
        (("--ledger-key", KEY_ID), 0, f"key {KEY_ID}, as asked"),
        (("--ledger-key", "0" * 64), 1, "ledger.keyId"),
    ],
)
def test_the_command_tells_about_the_ledger(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    path = tmp_path / "demo.jsonl"
    path.write_bytes(file_of(HONEST).getvalue())
    assert main(["verify", str(path), *arguments]) == code
    out, err = capsys.readouterr()
    assert said in (err if code else out)
