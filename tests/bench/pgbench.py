"""The other side of P1, P2, P4 and P5: one order per commit, by hand, run by pgbench."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import psycopg

from services.local.postgres import embedded_binaries

CLIENTS = 8
SECONDS = 4

# The same rows as PlaceOrder writes, in one statement. Positions come from a sequence: the
# journal's own counter would make eight clients wait for each other's commits.
ORDER = """
\\set n random(1, {accounts})
WITH paid AS (
    UPDATE account SET posted = posted - 100, open_orders = open_orders + 1
    WHERE account_id = ('00000000-0000-7000-8000-' || lpad(:n::text, 12, '0'))::uuid
      AND posted - held >= 100 AND open_orders < 1000000000
    RETURNING account_id, posted
), opened AS (
    INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument, direction,
        stake, currency, payout_bp, terms_version, price_scale, entry_number, entry_price,
        entry_time, entry_source_time, opened_at, expires_at)
    SELECT uuidv7(), account_id, uuidv4(), decode(repeat('00', 32), 'hex'), 'BTCUSD', 1, 100, 'USD',
        8500, 1, 2, 1, 10000, now(), now(), now(), now() + interval '1 hour'
    FROM paid
    RETURNING order_id, account_id
), entered AS (
    INSERT INTO entry (entry_id, seal_id, transfer_id, kind, account_id, contra_account_id, amount,
        currency, balance, order_id, time)
    SELECT nextval('bench_position'), 0, order_id, 3, account_id,
        '00000000-0000-0000-0000-000000000001', -100, 'USD', posted, order_id, now()
    FROM opened JOIN paid USING (account_id)
), counted AS (
    INSERT INTO journal_subject AS s (subject, sequence)
    SELECT concat('account', chr(58), 'demo_', account_id), 2 FROM opened
    ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + 2
    RETURNING subject, sequence
)
INSERT INTO journal (position, subject, sequence, type, payload, time)
SELECT nextval('bench_position'), subject, sequence - 1 + nth,
       (ARRAY['order.opened.v1', 'balance.changed.v1'])[nth + 1],
       decode(repeat('00', (ARRAY[250, 130])[nth + 1]), 'hex'), now()
FROM counted, generate_series(0, 1) AS nth;
"""
# What an order does to the one row that all orders of an account meet at, and nothing else.
HOT_ROW = """
UPDATE account SET posted = posted - 100, open_orders = open_orders + 1
WHERE account_id = '00000000-0000-7000-8000-000000000001'
  AND posted - held >= 100 AND open_orders < 1000000000;
"""
_RATE = re.compile(r"tps = ([0-9.]+)")


def prepare(url: str, accounts: int) -> None:
    """Give a database the accounts that the script pays from, as its owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE bench_position START 1000000000")
        connection.execute(
            "INSERT INTO account (account_id, user_id, currency, posted, opened_at) "
            "SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, "
            "gen_random_uuid(), 'USD', 1000000000000, now() FROM generate_series(1, %s) n",
            [accounts],
        )


async def orders_per_second(url: str, folder: Path, accounts: int) -> float:
    """Return how many orders a second 8 clients commit."""
    return await _commits_per_second(url, folder, ORDER.format(accounts=accounts))


async def hot_row_updates_per_second(url: str, folder: Path) -> float:
    """Return how often a second 8 clients change the balance of one account."""
    return await _commits_per_second(url, folder, HOT_ROW)


async def _commits_per_second(url: str, folder: Path, text: str) -> float:
    script = folder / "commit.sql"
    script.write_text(text)
    process = await asyncio.create_subprocess_exec(
        embedded_binaries() / "pgbench",
        *("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=2"),
        *(f"--time={SECONDS}", f"--file={script}", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    found = _RATE.search(output.decode())
    if found is None:
        raise RuntimeError(errors.decode() + output.decode())
    return float(found.group(1))
