"""Fixings, decisions, receipts and signed heads: they can be added and read, nothing else."""

from alembic import op

from services.kit.schema import create_job_table, create_leader_table, grant

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_leader_table()
    create_job_table()
    op.execute(
        """
        -- The fixings that decisions rest on, as quotes answered them: a serialized
        -- veritick.quotes.v1.Fixing, once per point and for ever.
        CREATE TABLE fixing (
            instrument text NOT NULL,
            time       timestamptz NOT NULL,
            evidence   bytea NOT NULL,
            PRIMARY KEY (instrument, time)
        );

        -- How an order closes; stored before its book is told.
        CREATE TABLE decision (
            order_id     uuid PRIMARY KEY,
            book         text NOT NULL,
            instrument   text NOT NULL,
            expires_at   timestamptz NOT NULL,
            outcome      smallint NOT NULL,
            void_reason  smallint,
            rule_version integer NOT NULL,
            decided_at   timestamptz NOT NULL,
            FOREIGN KEY (instrument, expires_at) REFERENCES fixing (instrument, time)
        );

        -- Decisions whose receipt was not issued yet: a list of work, empty at rest.
        CREATE TABLE outstanding (
            book       text NOT NULL,
            expires_at timestamptz NOT NULL,
            order_id   uuid NOT NULL REFERENCES decision,
            PRIMARY KEY (book, expires_at, order_id)
        );

        -- A closed order as its book answered, and its place in the book's chain.
        CREATE TABLE receipt (
            order_id          uuid PRIMARY KEY,
            book              text NOT NULL,
            instrument        text NOT NULL,
            direction         smallint NOT NULL,
            stake             bigint NOT NULL,
            currency          text NOT NULL,
            payout_bp         integer NOT NULL,
            terms_version     bigint NOT NULL,
            opened_at         timestamptz NOT NULL,
            expires_at        timestamptz NOT NULL,
            entry_number      bigint NOT NULL,
            entry_price       bigint NOT NULL,
            price_scale       smallint NOT NULL,
            entry_time        timestamptz NOT NULL,
            entry_source_time timestamptz,
            outcome           smallint NOT NULL,
            returned          bigint NOT NULL,
            closed_at         timestamptz NOT NULL,
            stake_transfer_id uuid NOT NULL,
            close_transfer_id uuid NOT NULL,
            rule_version      integer NOT NULL,
            sequence          bigint NOT NULL CHECK (sequence > 0),
            previous_hash     text NOT NULL,
            hash              text NOT NULL,
            UNIQUE (book, sequence)
        );

        -- A head of a book's chain, signed with the platform's key.
        CREATE TABLE checkpoint (
            book       text NOT NULL,
            sequence   bigint NOT NULL,
            hash       text NOT NULL,
            signed_at  timestamptz NOT NULL,
            public_key bytea NOT NULL,
            signature  bytea NOT NULL,
            PRIMARY KEY (book, sequence),
            FOREIGN KEY (book, sequence) REFERENCES receipt (book, sequence)
        );
        """
    )
    for table in ("fixing", "decision", "receipt", "checkpoint"):
        grant(table, "SELECT, INSERT")
    grant("outstanding", "SELECT, INSERT, DELETE")
