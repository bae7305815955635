"""Let a note name its author."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE note ADD COLUMN author text")
