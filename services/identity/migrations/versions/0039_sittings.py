"""Keep since when users have been signed in who want reality checks."""

from alembic import op

from services.kit.schema import grant

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE sitting (
            user_id       uuid PRIMARY KEY REFERENCES users,
            check_minutes integer NOT NULL CHECK (check_minutes > 0),
            since         timestamptz,
            told_at       timestamptz
        );
        INSERT INTO sitting (user_id, check_minutes)
        SELECT user_id, reality_check_minutes
        FROM (
            SELECT DISTINCT ON (user_id) user_id, reality_check_minutes
            FROM protection ORDER BY user_id, version DESC
        ) AS latest
        WHERE reality_check_minutes > 0
        """
    )
    grant("sitting", "SELECT, INSERT, UPDATE, DELETE")
