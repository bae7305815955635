"""Keep who is to be erased, and let the service forget what tells who somebody was."""

from alembic import op

from services.kit.schema import grant

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE users
            ADD COLUMN closed_at timestamptz,
            ADD COLUMN erased_at timestamptz;
        CREATE TABLE erasure (
            erasure_id uuid PRIMARY KEY,
            user_id    uuid NOT NULL REFERENCES users,
            state      text NOT NULL CHECK (state IN (
                           'WAITING', 'CLOSING', 'CLOSED', 'DONE', 'WITHDRAWN')),
            by_staff   boolean NOT NULL,
            asked_at   timestamptz NOT NULL,
            due_at     timestamptz NOT NULL,
            stepped_at timestamptz NOT NULL,
            ended_at   timestamptz,
            CHECK ((ended_at IS NOT NULL) = (state IN ('DONE', 'WITHDRAWN')))
        );
        CREATE INDEX erasure_of ON erasure (user_id, erasure_id);
        CREATE UNIQUE INDEX erasure_one ON erasure (user_id) WHERE ended_at IS NULL;
        CREATE INDEX erasure_due ON erasure (due_at) WHERE ended_at IS NULL;
        CREATE TABLE barred_address (
            mark  bytea PRIMARY KEY,
            until timestamptz
        );
        ALTER TABLE sessions
            DROP CONSTRAINT sessions_end_reason_check,
            ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
                'SIGNED_OUT', 'TOKEN_REUSED', 'DISPLACED', 'ENDED_BY_OWNER', 'PASSWORD_CHANGED',
                'BLOCKED', 'ENDED_BY_STAFF', 'TIME_LIMIT', 'ERASED'))
        """
    )
    grant("erasure", "SELECT, INSERT, UPDATE (state, due_at, stepped_at, ended_at)")
    grant("barred_address", "SELECT, INSERT, UPDATE (until), DELETE")
    grant("users", "UPDATE (email, address_key, closed_at, erased_at)")
    grant("bans", "UPDATE (reason)")
    for table in ("credentials", "api_keys", "presence", "fraud_flag", "user_note"):
        grant(table, "DELETE")
