"""What somebody may do to a book behind its back, and what the auditor says to it."""

from __future__ import annotations

from typing import NamedTuple

from services.trading.book import ORDER_COLUMNS

Named = tuple[str, str, str]
"""(invariant, table, row)."""


class Break(NamedTuple):
    """Statements for the busy book of `Books.be_busy`, and what they lead to.

    `{0}`, `{1}` … stand for the columns that the last statement returns.
    """

    what: str
    statements: str
    named: set[Named]


BREAKS = [
    Break(
        "I1: an entry between two users",
        """
        UPDATE entry SET contra_account_id = (SELECT max(account_id::text)::uuid FROM
        account) WHERE entry_id = (SELECT min(entry_id) FROM entry WHERE kind = 6) RETURNING
        entry_id, seal_id
        """,
        {("I1", "entry", "{0}"), ("I11", "entry", "{0}"), ("I7", "seal", "{1}")},
    ),
    Break(
        "I1: an entry in another currency than its account",
        """
        UPDATE entry SET currency = 'EUR' WHERE entry_id = 1 RETURNING entry_id, seal_id
        """,
        {
            ("I1", "entry", "{0}"),
            ("I2", "account", "EUR"),
            ("I2", "account", "USD"),
            ("I7", "seal", "{1}"),
        },
    ),
    Break(
        "I2: a balance that its entries do not make",
        """
        UPDATE account SET posted = posted + 1 WHERE account_id = (SELECT account_id FROM
        account ORDER BY account_id LIMIT 1) RETURNING account_id
        """,
        {("I2", "account", "{0}")},
    ),
    Break(
        "I2: a running balance that does not follow",
        """
        UPDATE entry e SET balance = balance + 1 WHERE entry_id = (SELECT min(entry_id) FROM
        entry WHERE kind = 3) RETURNING entry_id, seal_id, (SELECT min(entry_id) FROM entry
        n WHERE n.account_id = e.account_id AND n.entry_id > e.entry_id)
        """,
        {("I2", "entry", "{0}"), ("I2", "entry", "{2}"), ("I7", "seal", "{1}")},
    ),
    Break(
        "I2: a rollup that its entries do not make",
        """
        INSERT INTO rollup SELECT max(entry_id), '00000000-0000-0000-0000-000000000002',
        'USD', 12345 FROM entry RETURNING format('%%s %%s %%s', last_entry_id, account_id,
        currency)
        """,
        {("I10", "open_order", "USD"), ("I2", "account", "USD"), ("I2", "rollup", "{0}")},
    ),
    Break(
        "I3: more held than there is",
        """
        ALTER TABLE account DROP CONSTRAINT available_is_not_negative;
        UPDATE account SET held = posted + 1 WHERE held = 0 AND account_id = (SELECT
        account_id FROM account ORDER BY account_id LIMIT 1) RETURNING account_id
        """,
        {("I11", "account", "{0}"), ("I3", "account", "{0}")},
    ),
    Break(
        "I4: an open and a closed order of one request id",
        """
        UPDATE open_order o SET request_id = (SELECT request_id FROM closed_order c WHERE
        c.account_id = o.account_id LIMIT 1) WHERE order_id = (SELECT order_id FROM
        open_order ORDER BY order_id LIMIT 1) RETURNING order_id
        """,
        {("I4", "open_order", "{0}")},
    ),
    Break(
        "I4: two closed orders of one request id",
        """
        ALTER TABLE closed_order DROP CONSTRAINT closed_order_account_id_request_id_key;
        WITH two AS (SELECT * FROM closed_order ORDER BY order_id LIMIT 2), changed AS (
        UPDATE closed_order SET request_id = (SELECT min(request_id::text)::uuid FROM two)
        WHERE order_id IN (SELECT order_id FROM two)) SELECT min(order_id::text),
        max(order_id::text) FROM two
        """,
        {("I4", "closed_order", "{0}"), ("I4", "closed_order", "{1}")},
    ),
    Break(
        "I5: an order that returned too much",
        """
        UPDATE closed_order SET returned = returned + 1 WHERE order_id = (SELECT order_id
        FROM closed_order WHERE outcome = 1 LIMIT 1) RETURNING order_id
        """,
        {("I5", "closed_order", "{0}")},
    ),
    Break(
        "I5: a payout that the rule does not make",
        """
        UPDATE entry SET kind = 5 WHERE entry_id = (SELECT min(entry_id) FROM entry WHERE
        kind = 4) RETURNING entry_id, seal_id
        """,
        {("I5", "entry", "{0}"), ("I7", "seal", "{1}")},
    ),
    Break(
        "I5: an order that is open although it closed",
        f"""
        INSERT INTO open_order SELECT {ORDER_COLUMNS} FROM closed_order ORDER BY order_id
        LIMIT 1 RETURNING order_id, account_id
        """,
        {("I10", "account", "{1}"), ("I10", "open_order", "USD"), ("I5", "open_order", "{0}")},
    ),
    Break(
        "I6: a close at another tick than the fixing's",
        """
        UPDATE closed_order SET close_number = close_number + 1 WHERE order_id = (SELECT
        order_id FROM closed_order WHERE outcome = 1 LIMIT 1) RETURNING order_id
        """,
        {("I6", "closed_order", "{0}")},
    ),
    Break(
        "I6: an order void for another reason than the fixing's",
        """
        UPDATE closed_order SET void_reason = 1 WHERE order_id = (SELECT order_id FROM
        closed_order WHERE outcome = 4 LIMIT 1) RETURNING order_id
        """,
        {("I6", "closed_order", "{0}")},
    ),
    Break(
        "I6: an outcome that the prices do not make",
        """
        UPDATE closed_order SET direction = 2 WHERE order_id = (SELECT order_id FROM
        closed_order WHERE outcome = 1 LIMIT 1) RETURNING order_id
        """,
        {("I6", "closed_order", "{0}")},
    ),
    Break(
        "I7: an entry of another time",
        """
        UPDATE entry SET time = time + interval '1 s' WHERE entry_id = (SELECT min(entry_id)
        FROM entry WHERE kind = 2) RETURNING seal_id, entry_id
        """,
        {("I11", "entry", "{1}"), ("I7", "seal", "{0}")},
    ),
    Break(
        "I7: a seal that was written again",
        """
        UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5 RETURNING seal_id
        """,
        {("I7", "seal", "{0}")},
    ),
    Break(
        "I7: a seal that claims more entries than there will ever be",
        """
        UPDATE seal SET last_entry_id = 9223372036854775807 WHERE seal_id = (SELECT
        max(seal_id) FROM seal) RETURNING seal_id
        """,
        {("I7", "seal", "{0}")},
    ),
    Break(
        "I7: a seal that is gone",
        """
        DELETE FROM seal WHERE seal_id = 5 RETURNING seal_id + 1
        """,
        {("I7", "seal", "{0}")},
    ),
    Break(
        "I7: the last entries with their seal cut off",
        """
        DELETE FROM seal WHERE seal_id = (SELECT max(seal_id) FROM seal);
        SELECT max(entry_id) FROM entry
        """,
        {("I7", "entry", "{0}")},
    ),
    Break(
        "I7: a signed head that its seal does not fit",
        """
        INSERT INTO ledger_head SELECT seal_id, last_entry_id, sha256(hash), now(), '', ''
        FROM seal WHERE seal_id = 5 RETURNING seal_id
        """,
        {("I7", "ledger_head", "{0}")},
    ),
    Break(
        "I8: an event that is gone",
        """
        DELETE FROM journal WHERE type = 'payout.changed.v1' RETURNING position + 1, subject
        """,
        {("I8", "journal", "{0}")},
    ),
    Break(
        "I8: an order that nobody was told of",
        """
        UPDATE journal SET type = 'balance.changed.v1' WHERE position = (SELECT
        min(position) FROM journal WHERE type = 'order.opened.v1');
        SELECT order_id FROM entry WHERE kind = 3 ORDER BY entry_id LIMIT 1
        """,
        {("I8", "journal", "order {0}")},
    ),
    Break(
        "I8: an event of an order that was never settled",
        """
        UPDATE journal SET type = 'order.settled.v1' WHERE position = (SELECT max(position)
        FROM journal WHERE type = 'order.opened.v1') RETURNING position, (SELECT order_id
        FROM entry WHERE kind = 3 ORDER BY entry_id DESC LIMIT 1)
        """,
        {("I8", "journal", "order {1}"), ("I8", "journal", "{0}")},
    ),
    Break(
        "I8: a sequence with a gap",
        """
        UPDATE journal j SET sequence = sequence + 1 WHERE position = (SELECT max(position)
        FROM journal) RETURNING position, subject
        """,
        {("I8", "journal", "{0}"), ("I8", "journal_subject", "{1}")},
    ),
    Break(
        "I8: a head that is not where the journal ends",
        """
        UPDATE journal_head SET position = position + 1 RETURNING journal
        """,
        {("I8", "journal_head", "{0}")},
    ),
    Break(
        "I9: two transfers of one request id",
        """
        ALTER TABLE transfer DROP CONSTRAINT transfer_account_id_request_id_key;
        INSERT INTO transfer SELECT (json_populate_record(t, json_build_object(
        'transfer_id', 'ffffffff-0000-7000-8000-000000000000'))).* FROM transfer t
        ORDER BY transfer_id LIMIT 1 RETURNING transfer_id
        """,
        {("I9", "transfer", "{0}"), ("I11", "transfer", "{0}")},
    ),
    Break(
        "I10: a counter of open orders that is wrong",
        """
        UPDATE account SET open_orders = open_orders + 1 WHERE account_id = (SELECT
        account_id FROM account ORDER BY account_id LIMIT 1) RETURNING account_id
        """,
        {("I10", "account", "{0}")},
    ),
    Break(
        "I10: a stake that escrow does not hold",
        """
        UPDATE open_order o SET stake = stake + 1 WHERE order_id = (SELECT order_id FROM
        open_order ORDER BY order_id LIMIT 1) RETURNING (SELECT entry_id FROM entry e WHERE
        e.order_id = o.order_id)
        """,
        {("I10", "open_order", "USD"), ("I5", "entry", "{0}")},
    ),
    Break(
        "I11: an entry without its transfer",
        """
        DELETE FROM transfer t WHERE kind = 2 RETURNING (SELECT entry_id FROM entry e WHERE
        e.transfer_id = t.transfer_id)
        """,
        {("I11", "entry", "{0}")},
    ),
    Break(
        "I11: a transfer that moved nothing",
        """
        INSERT INTO transfer SELECT gen_random_uuid(), account_id, gen_random_uuid(),
        request_hash, kind, system, amount, currency, balance, note, time FROM transfer
        LIMIT 1 RETURNING transfer_id
        """,
        {("I11", "transfer", "{0}")},
    ),
    Break(
        "I11: a hold that nothing is held for",
        """
        DELETE FROM hold WHERE state = 1 RETURNING account_id
        """,
        {("I11", "account", "{0}")},
    ),
    Break(
        "I11: a hold that was posted with another amount",
        """
        UPDATE hold SET amount = amount + 1 WHERE state = 2 RETURNING hold_id
        """,
        {("I11", "hold", "{0}")},
    ),
    Break(
        "I11: an order that was never paid for",
        """
        INSERT INTO open_order SELECT (json_populate_record(o, json_build_object(
        'order_id', gen_random_uuid(), 'request_id', gen_random_uuid()))).* FROM open_order
        o ORDER BY order_id LIMIT 1 RETURNING order_id, account_id
        """,
        {("I10", "account", "{1}"), ("I10", "open_order", "USD"), ("I11", "open_order", "{0}")},
    ),
    Break(
        "I12: an order on a tick that was too old",
        """
        UPDATE open_order SET entry_time = opened_at - interval '5 s' WHERE order_id =
        (SELECT order_id FROM open_order ORDER BY order_id LIMIT 1) RETURNING order_id
        """,
        {("I12", "open_order", "{0}")},
    ),
    Break(
        "I12: an order on a tick that came later",
        """
        UPDATE open_order SET entry_time = opened_at + interval '1 s' WHERE order_id =
        (SELECT order_id FROM open_order ORDER BY order_id LIMIT 1) RETURNING order_id
        """,
        {("I12", "open_order", "{0}")},
    ),
    Break(
        "I12: an order that expired before it opened",
        """
        UPDATE open_order SET expires_at = date_trunc('second', opened_at) WHERE order_id =
        (SELECT order_id FROM open_order ORDER BY order_id LIMIT 1) RETURNING order_id
        """,
        {("I12", "open_order", "{0}")},
    ),
    Break(
        "I12: an order that lasts less than its terms allow",
        """
        UPDATE open_order SET expires_at = date_trunc('second', opened_at) + interval '2 s'
        WHERE order_id = (SELECT order_id FROM open_order ORDER BY order_id LIMIT 1)
        RETURNING order_id
        """,
        {("I12", "open_order", "{0}")},
    ),
    Break(
        "I12: an order with a payout that its terms never offered",
        """
        UPDATE open_order SET payout_bp = 9900 WHERE order_id = (SELECT order_id FROM
        open_order ORDER BY order_id LIMIT 1) RETURNING order_id
        """,
        {("I12", "open_order", "{0}")},
    ),
]
