"""What the auditor asks a book: pages of rows to look at, and questions about all rows at once.

A question answers (row, problem) for each row that breaks its invariant. `:entry_id`, `:position`
and `:transfer_id` are how far the last audit got; zero, for a full one. Questions that would read
the whole history are asked only then. What is open is looked up in the history one by one (LATERAL
with a LIMIT): a join is free to read the whole of it, and does.
"""

from __future__ import annotations

from typing import NamedTuple

from services.trading.book import CLOSE_COLUMNS, ORDER_COLUMNS
from services.trading.sealing import SEAL_COLUMNS
from services.trading.tables import TERMS_COLUMNS


class Question(NamedTuple):
    """A condition that no row may fulfil."""

    invariant: str
    table: str
    query: str
    full_only: bool = False


PATIENCE = """
    SELECT set_config('statement_timeout', '20min', true),
           set_config('idle_in_transaction_session_timeout', '1min', true),
           set_config('client_connection_check_interval', '1s', true)
"""
"""What is asked about all rows at once takes long in a large book, and who gives way to others may
wait for its turn between two questions. But nothing goes on for an auditor who was killed."""

HEAD = """
    SELECT coalesce((SELECT max(seal_id) FROM seal), 0),
           coalesce((SELECT max(entry_id) FROM entry), 0),
           coalesce((SELECT max(position) FROM journal), 0),
           coalesce((SELECT transfer_id FROM transfer ORDER BY transfer_id DESC LIMIT 1),
                    '00000000-0000-0000-0000-000000000000')
"""
MARK = """
    SELECT audit_id, seal_id, seal_hash, entry_id, position, transfer_id FROM audit
    ORDER BY audit_id DESC LIMIT 1
"""
MARKS_OFF = """
    SELECT a.seal_id, CASE WHEN count(s.seal_id) = 0 THEN 'is gone since it was audited'
                           ELSE 'is another than when it was audited' END
    FROM audit a LEFT JOIN seal s USING (seal_id)
    WHERE a.audit_id >= :audit_id AND a.seal_id > 0 AND s.hash IS DISTINCT FROM a.seal_hash
    GROUP BY a.seal_id ORDER BY a.seal_id
"""
WRITABLE = "SELECT current_setting('transaction_read_only') = 'off'"
INSERT_MARK = """
    INSERT INTO audit (time, seal_id, seal_hash, entry_id, position, transfer_id)
    VALUES (:time, :seal_id, :seal_hash, :entry_id, :position, :transfer_id)
"""
SEALS = f"""
    SELECT {SEAL_COLUMNS} FROM seal WHERE seal_id > :after ORDER BY seal_id LIMIT :limit
"""
ENTRIES = """
    SELECT entry_id, seal_id, transfer_id, kind, account_id, contra_account_id, amount, currency,
           balance, order_id, time
    FROM entry WHERE entry_id > :after AND entry_id <= :until ORDER BY entry_id
"""
ORDERS = f"""
    SELECT {ORDER_COLUMNS}, {", ".join(["NULL"] * 9)} FROM open_order
    WHERE order_id = ANY (:orders)
    UNION ALL
    SELECT {ORDER_COLUMNS}, {CLOSE_COLUMNS} FROM closed_order WHERE order_id = ANY (:orders)
"""
ORIGINS = """
    SELECT account_id, currency, opened_at FROM account WHERE account_id = ANY (:accounts)
"""
MOVEMENTS = """
    SELECT transfer_id, account_id, kind, system, amount, currency, balance, time FROM transfer
    WHERE transfer_id = ANY (:transfers)
"""
BALANCES_BEFORE = """
    SELECT account_id, coalesce(
        (SELECT balance FROM entry e
         WHERE e.account_id = a.account_id AND balance IS NOT NULL AND entry_id <= :after
         ORDER BY entry_id DESC LIMIT 1), 0)
    FROM unnest(CAST(:accounts AS uuid[])) AS a (account_id)
"""
TERMS = f"SELECT {TERMS_COLUMNS} FROM terms"
ORDER_EVENTS = """
    SELECT position, subject, type, payload FROM journal
    WHERE position > :after AND position <= :until AND type = ANY (:types)
    ORDER BY position LIMIT :limit
"""
ACCOUNTS_OFF = """
    SELECT a.account_id, format('has %s posted, its entries make %s', posted, coalesce(balance, 0))
    FROM account a LEFT JOIN LATERAL (
        SELECT balance FROM entry e WHERE e.account_id = a.account_id AND balance IS NOT NULL
        ORDER BY entry_id DESC LIMIT 1
    ) newest ON true
    WHERE posted <> coalesce(balance, 0)
      AND (CAST(:accounts AS uuid[]) IS NULL OR a.account_id = ANY (:accounts))
    ORDER BY a.account_id
"""
OPEN_STAKES = "SELECT currency, sum(stake)::bigint FROM open_order GROUP BY currency"

QUESTIONS = (
    Question(
        "I2",
        "rollup",
        """
        WITH newest AS (SELECT max(last_entry_id) AS last_entry_id FROM rollup), entered AS (
            SELECT account_id, currency, sum(amount) AS balance FROM (
                SELECT account_id, currency, amount FROM entry, newest
                WHERE entry_id <= last_entry_id AND balance IS NULL
                UNION ALL
                SELECT contra_account_id, currency, -amount FROM entry, newest
                WHERE entry_id <= last_entry_id
            ) moved GROUP BY account_id, currency
        )
        SELECT format('%s %s %s', last_entry_id, account_id, currency),
               format('says %s where the entries make %s', r.balance, coalesce(e.balance, 0))
        FROM rollup r JOIN newest USING (last_entry_id)
             LEFT JOIN entered e USING (account_id, currency)
        WHERE r.balance <> coalesce(e.balance, 0)
        """,
        full_only=True,
    ),
    Question(
        "I3",
        "account",
        """
        SELECT account_id, format('has %s available', posted - held) FROM account
        WHERE posted - held < 0
        """,
    ),
    Question(
        "I4",
        "open_order",
        """
        SELECT o.order_id, format('has the request id of the closed order %s', c.order_id)
        FROM open_order o CROSS JOIN LATERAL (
            SELECT order_id FROM closed_order c
            WHERE (c.account_id, c.request_id) = (o.account_id, o.request_id) LIMIT 1
        ) c
        WHERE o.order_id <> c.order_id
        """,
    ),
    Question(
        "I4",
        "closed_order",
        """
        SELECT order_id, format('has a request id that %s closed orders have', orders) FROM (
            SELECT order_id, count(*) OVER (PARTITION BY account_id, request_id) AS orders
            FROM closed_order
        ) counted WHERE orders > 1
        """,
        full_only=True,
    ),
    Question(
        "I5",
        "open_order",
        """
        SELECT o.order_id, 'is open although it has closed'
        FROM open_order o CROSS JOIN LATERAL (
            SELECT FROM closed_order c WHERE c.order_id = o.order_id LIMIT 1
        ) c
        """,
    ),
    Question(
        "I7",
        "entry",
        """
        SELECT entry_id, 'is under no seal' FROM entry
        WHERE entry_id > greatest(:entry_id, (SELECT last_entry_id FROM seal
                                              ORDER BY seal_id DESC LIMIT 1))
        """,
    ),
    Question(
        "I7",
        "ledger_head",
        """
        SELECT h.seal_id, CASE WHEN s.seal_id IS NULL THEN 'was signed, and its seal is gone'
                               ELSE 'was signed otherwise than its seal is' END
        FROM ledger_head h LEFT JOIN seal s USING (seal_id)
        WHERE h.seal_id > :seal_id
          AND (s.last_entry_id, s.hash) IS DISTINCT FROM (h.last_entry_id, h.hash)
        """,
    ),
    Question(
        "I8",
        "journal",
        """
        SELECT position, format('follows position %s', before) FROM (
            SELECT position, lag(position, 1, CAST(:position AS bigint)) OVER (ORDER BY position)
                   AS before
            FROM journal WHERE position > :position
        ) placed WHERE position <> before + 1
        """,
    ),
    Question(
        "I8",
        "journal",
        """
        SELECT j.position, format('is event %s of %s and follows its event %s', j.sequence,
                                  j.subject, coalesce(p.sequence, 0))
        FROM journal j LEFT JOIN LATERAL (
            SELECT sequence, position FROM journal
            WHERE subject = j.subject AND sequence < j.sequence ORDER BY sequence DESC LIMIT 1
        ) p ON true
        WHERE j.position > :position AND (j.sequence <> coalesce(p.sequence, 0) + 1
                                          OR j.position <= coalesce(p.position, 0))
        """,
    ),
    Question(
        "I8",
        "journal_head",
        """
        SELECT journal, format('is at %s, the journal at %s', position, newest)
        FROM journal_head, (SELECT coalesce(max(position), 0) AS newest FROM journal) j
        WHERE position <> newest
        """,
    ),
    Question(
        "I8",
        "journal_subject",
        """
        SELECT s.subject, format('is at %s, its events at %s', s.sequence, newest)
        FROM journal_subject s JOIN (
            SELECT subject, max(sequence) AS newest FROM journal
            WHERE position > :position GROUP BY subject
        ) j USING (subject)
        WHERE s.sequence <> newest
        """,
    ),
    Question(
        "I9",
        "transfer",
        """
        SELECT t.transfer_id, format('has the request id of the transfer %s', o.transfer_id)
        FROM transfer t JOIN transfer o USING (account_id, request_id)
        WHERE t.transfer_id > :transfer_id AND o.transfer_id < t.transfer_id
        """,
    ),
    Question(
        "I10",
        "account",
        """
        SELECT account_id, format('counts %s open orders and has %s', open_orders, there) FROM (
            SELECT account_id, coalesce(a.open_orders, 0) AS open_orders,
                   coalesce(o.orders, 0) AS there
            FROM (SELECT account_id, open_orders FROM account WHERE open_orders <> 0) a
                 FULL JOIN (SELECT account_id, count(*) AS orders FROM open_order
                            GROUP BY account_id) o USING (account_id)
        ) counted WHERE open_orders <> there
        """,
    ),
    Question(
        "I11",
        "open_order",
        """
        SELECT order_id, 'was never paid for' FROM open_order o
        WHERE NOT EXISTS (SELECT FROM entry e WHERE e.order_id = o.order_id AND kind = 3)
        """,
        full_only=True,
    ),
    Question(
        "I11",
        "closed_order",
        """
        SELECT order_id, 'was never paid for' FROM closed_order c
        WHERE NOT EXISTS (SELECT FROM entry e WHERE e.order_id = c.order_id AND kind = 3)
        """,
        full_only=True,
    ),
    Question(
        "I11",
        "closed_order",
        """
        SELECT order_id, 'closed without an entry' FROM closed_order c
        WHERE NOT EXISTS (SELECT FROM entry e WHERE e.order_id = c.order_id
                          AND kind IN (4, 5, 7))
        """,
        full_only=True,
    ),
    Question(
        "I11",
        "transfer",
        """
        SELECT transfer_id, 'moved nothing' FROM transfer t
        WHERE transfer_id > :transfer_id AND NOT EXISTS (
            SELECT FROM entry e WHERE e.transfer_id = t.transfer_id AND e.entry_id > :entry_id)
        """,
    ),
    Question(
        "I11",
        "hold",
        """
        SELECT hold_id, format('is posted by the transfer %s, which does not say so', transfer_id)
        FROM hold h LEFT JOIN transfer t USING (transfer_id)
        WHERE h.transfer_id > :transfer_id
          AND (h.state, h.account_id, -h.amount, h.currency, h.system, h.ended_by)
              IS DISTINCT FROM (2, t.account_id, t.amount, t.currency, t.system, t.request_id)
        """,
    ),
    Question(
        "I11",
        "hold",
        """
        SELECT hold_id, 'is posted by no transfer' FROM hold WHERE state = 2 AND transfer_id IS NULL
        """,
        full_only=True,
    ),
    Question(
        "I11",
        "account",
        """
        SELECT account_id, format('has %s held, its pending holds make %s', held, pending) FROM (
            SELECT account_id, coalesce(a.held, 0) AS held, coalesce(h.amount, 0) AS pending
            FROM (SELECT account_id, held FROM account WHERE held <> 0) a
                 FULL JOIN (SELECT account_id, sum(amount) AS amount FROM hold WHERE state = 1
                            GROUP BY account_id) h USING (account_id)
        ) counted WHERE held <> pending
        """,
    ),
)
