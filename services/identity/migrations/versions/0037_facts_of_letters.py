"""Keep what a letter tells until it is sent."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.execute("ALTER TABLE letters ADD COLUMN facts jsonb NOT NULL DEFAULT '{}'")
