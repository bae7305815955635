"""Know who may not trade, as identity's journal tells."""

from alembic import op

from services.kit.schema import grant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE blocked_user (
            user_id uuid PRIMARY KEY,
            until   timestamptz
        )
        """
    )
    grant("blocked_user", "SELECT, INSERT, UPDATE, DELETE")
