"""Let staff find users by any part of their addresses."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.execute(
        """
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX users_address_parts ON users USING gin (address_key gin_trgm_ops)
        """
    )
