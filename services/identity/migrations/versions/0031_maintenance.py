"""Remember whether the platform is under maintenance."""

from alembic import op

from services.kit.schema import grant

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE maintenance (
            only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            active     boolean NOT NULL,
            note       text NOT NULL,
            ends_at    timestamptz,
            changed_at timestamptz NOT NULL
        )
        """
    )
    grant("maintenance", "SELECT, INSERT, UPDATE")
