"""Say from where a session began and was last used, and count the changes of what a user may do."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE sessions
            ADD COLUMN device_name  text NOT NULL DEFAULT '',
            ADD COLUMN address      text NOT NULL DEFAULT 'unknown',
            ADD COLUMN agent        text NOT NULL DEFAULT '',
            ADD COLUMN device       text NOT NULL DEFAULT '',
            ADD COLUMN last_used_at timestamptz;
        UPDATE sessions SET last_used_at = started_at;
        ALTER TABLE sessions
            ALTER COLUMN last_used_at SET NOT NULL,
            DROP CONSTRAINT sessions_end_reason_check,
            ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
                'SIGNED_OUT', 'TOKEN_REUSED', 'DISPLACED', 'ENDED_BY_OWNER', 'PASSWORD_CHANGED',
                'BLOCKED', 'ENDED_BY_STAFF'));
        CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
        ALTER TABLE users
            ADD COLUMN authority            bigint NOT NULL DEFAULT 1,
            ADD COLUMN authority_changed_at timestamptz;
        CREATE INDEX users_authority_changed ON users (authority_changed_at)
            WHERE authority_changed_at IS NOT NULL;
        ALTER TABLE credentials ADD COLUMN version bigint NOT NULL DEFAULT 1
        """
    )
