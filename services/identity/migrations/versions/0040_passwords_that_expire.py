"""Let a password that somebody was given stop to count."""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute("ALTER TABLE credentials ADD COLUMN expires_at timestamptz")
