"""Create users with their credentials, and sessions with their refresh tokens."""

from alembic import op

from services.kit.schema import create_job_table, create_journal_tables, grant

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_job_table()
    create_journal_tables()
    _create_users()
    _create_sessions()


def _create_users() -> None:
    op.execute(
        """
        CREATE TABLE users (
            user_id       uuid PRIMARY KEY,
            email         text NOT NULL,
            address_key   text NOT NULL UNIQUE,
            roles         text[] NOT NULL CHECK (roles <@ ARRAY['trader', 'staff']),
            registered_at timestamptz NOT NULL
        );
        CREATE TABLE credentials (
            user_id       uuid PRIMARY KEY REFERENCES users,
            password_hash text NOT NULL,
            changed_at    timestamptz NOT NULL
        )
        """
    )
    # Locking a row needs UPDATE on a column of it; nothing here ever changes one.
    grant("users", "SELECT, INSERT, UPDATE (roles)")
    grant("credentials", "SELECT, INSERT, UPDATE")


def _create_sessions() -> None:
    op.execute(
        """
        CREATE TABLE sessions (
            session_id uuid PRIMARY KEY,
            user_id    uuid NOT NULL REFERENCES users,
            started_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            ended_at   timestamptz,
            end_reason text CHECK (end_reason IN ('SIGNED_OUT', 'TOKEN_REUSED', 'DISPLACED')),
            CHECK ((ended_at IS NULL) = (end_reason IS NULL))
        );
        CREATE INDEX sessions_not_ended ON sessions (user_id, started_at) WHERE ended_at IS NULL;
        CREATE INDEX sessions_over ON sessions (least(ended_at, expires_at));
        CREATE TABLE refresh_tokens (
            digest         bytea PRIMARY KEY,
            session_id     uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
            expires_at     timestamptz NOT NULL,
            used_at        timestamptz,
            successor_salt bytea,
            CHECK (successor_salt IS NULL OR used_at IS NOT NULL)
        );
        CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
        CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
        CREATE UNIQUE INDEX refresh_tokens_one_unused ON refresh_tokens (session_id)
            WHERE used_at IS NULL;
        """
    )
    grant("sessions", "SELECT, INSERT, UPDATE, DELETE")
    grant("refresh_tokens", "SELECT, INSERT, UPDATE, DELETE")
