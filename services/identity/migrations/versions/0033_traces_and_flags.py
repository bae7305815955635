"""Know at which devices and addresses users were seen, who is linked by that, and what is odd."""

from alembic import op

from services.kit.schema import grant

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE sessions ADD COLUMN traced boolean NOT NULL DEFAULT false;
        CREATE INDEX sessions_untraced ON sessions (started_at) WHERE NOT traced;
        CREATE TABLE trace (
            kind     text NOT NULL CHECK (kind IN ('DEVICE', 'ADDRESS')),
            value    text NOT NULL,
            user_id  uuid NOT NULL REFERENCES users,
            agent    text NOT NULL,
            country  text NOT NULL,
            first_at timestamptz NOT NULL,
            last_at  timestamptz NOT NULL,
            PRIMARY KEY (kind, value, user_id)
        );
        CREATE INDEX trace_of ON trace (user_id, last_at, kind, value);
        CREATE INDEX trace_age ON trace (last_at);
        CREATE TABLE linked_user (
            user_id    uuid PRIMARY KEY REFERENCES users,
            cluster_id uuid NOT NULL
        );
        CREATE INDEX linked_user_cluster ON linked_user (cluster_id, user_id);
        CREATE TABLE fraud_flag (
            flag_id     uuid PRIMARY KEY,
            rule        text NOT NULL,
            user_id     uuid NOT NULL REFERENCES users,
            detail      text NOT NULL,
            raised_at   timestamptz NOT NULL,
            resolved_by uuid,
            resolved_at timestamptz,
            note        text NOT NULL,
            CHECK ((resolved_by IS NULL) = (resolved_at IS NULL))
        );
        CREATE UNIQUE INDEX fraud_flag_daily
            ON fraud_flag (user_id, rule, ((raised_at AT TIME ZONE 'UTC')::date));
        CREATE INDEX fraud_flag_open ON fraud_flag (flag_id) WHERE resolved_at IS NULL
        """
    )
    grant("trace", "SELECT, INSERT, UPDATE, DELETE")
    grant("linked_user", "SELECT, INSERT, UPDATE, DELETE")
    grant("fraud_flag", "SELECT, INSERT, UPDATE (resolved_by, resolved_at, note)")
