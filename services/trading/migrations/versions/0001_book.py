"""A book: accounts, ledger, orders, terms, statistics, journal."""

from alembic import op

from services.kit.schema import (
    create_job_table,
    create_journal_tables,
    create_leader_table,
    grant,
)

revision = "0001"
down_revision = None

_ORDER_COLUMNS = """
    order_id          uuid PRIMARY KEY,
    account_id        uuid NOT NULL,
    request_id        uuid NOT NULL,
    request_hash      bytea NOT NULL,
    instrument        text NOT NULL,
    direction         smallint NOT NULL,
    stake             bigint NOT NULL CHECK (stake > 0),
    currency          text NOT NULL,
    payout_bp         integer NOT NULL CHECK (payout_bp > 0),
    terms_version     bigint NOT NULL,
    price_scale       smallint NOT NULL,
    entry_number      bigint NOT NULL,
    entry_price       bigint NOT NULL,
    entry_time        timestamptz NOT NULL,
    entry_source_time timestamptz,
    opened_at         timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL
"""


def upgrade() -> None:
    create_leader_table()
    create_job_table()
    create_journal_tables()
    _create_ledger()
    _create_orders()
    _create_terms()
    _create_statistics()


def _create_ledger() -> None:
    op.execute(
        """
        -- Raises when a condition that must hold does not, so that the transaction cannot commit.
        CREATE FUNCTION require(holds boolean, what text) RETURNS void
        LANGUAGE plpgsql AS $$
        BEGIN
            IF holds IS NOT TRUE THEN
                RAISE EXCEPTION '%', what USING ERRCODE = 'VT001';
            END IF;
        END $$;

        CREATE TABLE account (
            account_id  uuid PRIMARY KEY,
            user_id     uuid NOT NULL,
            currency    text NOT NULL,
            posted      bigint NOT NULL,
            held        bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
            state       smallint NOT NULL DEFAULT 1,
            open_orders integer NOT NULL DEFAULT 0 CHECK (open_orders >= 0),
            opened_at   timestamptz NOT NULL,
            UNIQUE (user_id, currency),
            CONSTRAINT available_is_not_negative CHECK (posted - held >= 0)
        ) WITH (fillfactor = 70);

        -- One row moves money from contra_account_id to account_id: balanced by construction.
        -- The writer counts entries and seals without gaps, so that a missing one shows.
        CREATE TABLE entry (
            entry_id          bigint PRIMARY KEY,
            seal_id           bigint NOT NULL,
            transfer_id       uuid NOT NULL,
            kind              smallint NOT NULL,
            account_id        uuid NOT NULL,
            contra_account_id uuid NOT NULL,
            amount            bigint NOT NULL CHECK (amount <> 0),
            currency          text NOT NULL,
            balance           bigint,
            order_id          uuid,
            time              timestamptz NOT NULL,
            CHECK (account_id <> contra_account_id)
        );
        CREATE INDEX entry_statement ON entry (account_id, entry_id) WHERE balance IS NOT NULL;

        -- One per commit that wrote entries: what they were, chained to all before them.
        CREATE TABLE seal (
            seal_id       bigint PRIMARY KEY,
            last_entry_id bigint NOT NULL,
            entries       integer NOT NULL CHECK (entries > 0),
            previous_hash bytea NOT NULL,
            hash          bytea NOT NULL,
            time          timestamptz NOT NULL
        );
        CREATE INDEX seal_time ON seal (time);

        -- The balances of system accounts up to an entry; what came later is summed on reading.
        CREATE TABLE rollup (
            last_entry_id bigint NOT NULL,
            account_id    uuid NOT NULL,
            currency      text NOT NULL,
            balance       bigint NOT NULL,
            PRIMARY KEY (last_entry_id, account_id, currency)
        );

        -- Transfers that were asked for by request id; those of orders are found by the order.
        CREATE TABLE transfer (
            transfer_id  uuid PRIMARY KEY,
            account_id   uuid NOT NULL,
            request_id   uuid NOT NULL,
            request_hash bytea NOT NULL,
            kind         smallint NOT NULL,
            system       smallint NOT NULL,
            amount       bigint NOT NULL,
            currency     text NOT NULL,
            balance      bigint NOT NULL,
            note         text NOT NULL,
            time         timestamptz NOT NULL,
            UNIQUE (account_id, request_id)
        );

        -- Money set aside. Only how a hold ended is ever changed, once.
        CREATE TABLE hold (
            hold_id      uuid PRIMARY KEY,
            account_id   uuid NOT NULL,
            request_id   uuid NOT NULL,
            request_hash bytea NOT NULL,
            system       smallint NOT NULL,
            amount       bigint NOT NULL CHECK (amount > 0),
            currency     text NOT NULL,
            note         text NOT NULL,
            held_at      timestamptz NOT NULL,
            expires_at   timestamptz,
            state        smallint NOT NULL,
            ended_at     timestamptz,
            ended_by     uuid,
            transfer_id  uuid,
            UNIQUE (account_id, request_id)
        );
        CREATE INDEX hold_pending ON hold (account_id) WHERE state = 1;
        CREATE INDEX hold_expiry ON hold (expires_at, hold_id)
            WHERE state = 1 AND expires_at IS NOT NULL;
        CREATE INDEX hold_transfer ON hold (transfer_id) WHERE transfer_id IS NOT NULL;

        -- How far the auditor has found everything in order; the newest row counts.
        CREATE TABLE audit (
            audit_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            time        timestamptz NOT NULL,
            seal_id     bigint NOT NULL,
            seal_hash   bytea NOT NULL,
            entry_id    bigint NOT NULL,
            position    bigint NOT NULL,
            transfer_id uuid NOT NULL
        );
        """
    )
    grant("account", "SELECT, INSERT, UPDATE")
    for table in ("entry", "seal", "rollup", "transfer", "audit"):
        grant(table, "SELECT, INSERT")
    grant("hold", "SELECT, INSERT, UPDATE (state, ended_at, ended_by, transfer_id)")


def _create_orders() -> None:
    op.execute(
        f"""
        CREATE TABLE open_order (
            {_ORDER_COLUMNS},
            UNIQUE (account_id, request_id)
        );
        CREATE INDEX open_order_due ON open_order (expires_at, order_id);
        CREATE INDEX open_order_account ON open_order (account_id, order_id);

        CREATE TABLE closed_order (
            {_ORDER_COLUMNS},
            outcome           smallint NOT NULL,
            void_reason       smallint NOT NULL,
            returned          bigint NOT NULL CHECK (returned >= 0),
            close_number      bigint,
            close_price       bigint,
            close_time        timestamptz,
            close_source_time timestamptz,
            closed_at         timestamptz NOT NULL,
            transfer_id       uuid NOT NULL,
            UNIQUE (account_id, request_id)
        );
        CREATE INDEX closed_order_account ON closed_order (account_id, order_id);
        """
    )
    # An open order leaves when it closes; nothing about it ever changes.
    grant("open_order", "SELECT, INSERT, DELETE")
    grant("closed_order", "SELECT, INSERT")


def _create_terms() -> None:
    op.execute(
        """
        CREATE TABLE terms (
            instrument            text NOT NULL,
            version               bigint NOT NULL,
            currency              text NOT NULL,
            stake_min             bigint NOT NULL CHECK (stake_min > 0),
            stake_max             bigint NOT NULL,
            duration_seconds_min  integer NOT NULL,
            duration_seconds_max  integer NOT NULL,
            expiry_grid_minutes   integer[] NOT NULL,
            expiry_cutoff_seconds integer NOT NULL,
            payout_bp             integer NOT NULL,
            payout_fixed_bp       integer NOT NULL,
            payout_min_bp         integer NOT NULL,
            payout_max_bp         integer NOT NULL,
            open_orders_max       integer NOT NULL,
            exposure_max          bigint NOT NULL,
            changed_by            text NOT NULL,
            inputs                jsonb NOT NULL DEFAULT '{}',
            changed_at            timestamptz NOT NULL,
            PRIMARY KEY (instrument, version)
        )
        """
    )
    grant("terms", "SELECT, INSERT")


def _create_statistics() -> None:
    op.execute(
        """
        -- Per instrument and minute of closing; payouts look back over the last half hour.
        CREATE TABLE instrument_statistics (
            instrument text NOT NULL,
            minute     timestamptz NOT NULL,
            orders     bigint NOT NULL,
            winners    bigint NOT NULL,
            refunds    bigint NOT NULL,
            stakes     bigint NOT NULL,
            returned   bigint NOT NULL,
            PRIMARY KEY (instrument, minute)
        );
        CREATE TABLE account_statistics (
            account_id uuid NOT NULL,
            day        date NOT NULL,
            orders     bigint NOT NULL,
            winners    bigint NOT NULL,
            losers     bigint NOT NULL,
            refunds    bigint NOT NULL,
            stakes     bigint NOT NULL,
            returned   bigint NOT NULL,
            PRIMARY KEY (account_id, day)
        );
        CREATE TABLE book_statistics (
            day      date PRIMARY KEY,
            orders   bigint NOT NULL,
            winners  bigint NOT NULL,
            losers   bigint NOT NULL,
            refunds  bigint NOT NULL,
            stakes   bigint NOT NULL,
            returned bigint NOT NULL
        );
        """
    )
    for table in ("instrument_statistics", "account_statistics", "book_statistics"):
        grant(table, "SELECT, INSERT, UPDATE")
