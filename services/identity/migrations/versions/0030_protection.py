"""Keep what users set to protect themselves, every version of it."""

from alembic import op

from services.kit.schema import grant

revision = "0030"
down_revision = "0021"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE protection (
            user_id               uuid NOT NULL REFERENCES users,
            version               bigint NOT NULL CHECK (version > 0),
            action                text NOT NULL,
            limits                jsonb NOT NULL,
            break_until           timestamptz,
            excluded_until        timestamptz,
            reality_check_minutes integer NOT NULL,
            changed_at            timestamptz NOT NULL,
            PRIMARY KEY (user_id, version)
        )
        """
    )
    grant("protection", "SELECT, INSERT")
