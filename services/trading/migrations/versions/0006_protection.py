"""Know what users have set to protect themselves, and what of it is used up."""

from alembic import op

from services.kit.schema import grant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE protection (
            user_id        uuid PRIMARY KEY,
            version        bigint NOT NULL,
            limits         jsonb NOT NULL,
            break_until    timestamptz,
            excluded_until timestamptz,
            used           jsonb NOT NULL
        ) WITH (fillfactor = 70)
        """
    )
    grant("protection", "SELECT, INSERT, UPDATE")
