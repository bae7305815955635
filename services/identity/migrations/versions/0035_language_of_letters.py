"""Write to users in their own language."""

from alembic import op

from services.kit.schema import grant

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN language text NOT NULL DEFAULT 'en'")
    grant("users", "UPDATE (language)")
