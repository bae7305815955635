"""Count how long users are signed in who have set a limit on it."""

from alembic import op

from services.kit.schema import grant

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE presence (
            user_id       uuid PRIMARY KEY REFERENCES users,
            day           date NOT NULL,
            covered_until timestamptz NOT NULL,
            in_day        interval NOT NULL,
            in_week       interval NOT NULL,
            in_month      interval NOT NULL
        );
        ALTER TABLE sessions
            DROP CONSTRAINT sessions_end_reason_check,
            ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
                'SIGNED_OUT', 'TOKEN_REUSED', 'DISPLACED', 'ENDED_BY_OWNER', 'PASSWORD_CHANGED',
                'BLOCKED', 'ENDED_BY_STAFF', 'TIME_LIMIT'))
        """
    )
    grant("presence", "SELECT, INSERT, UPDATE")
