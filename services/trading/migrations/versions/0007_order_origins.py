"""Know from where each order was placed."""

from alembic import op

from services.kit.schema import grant

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE origin (
            origin_id uuid PRIMARY KEY,
            address   text NOT NULL,
            device    text NOT NULL,
            agent     text NOT NULL,
            seen_at   timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE order_origin (
            order_id  uuid PRIMARY KEY,
            user_id   uuid NOT NULL,
            origin_id uuid NOT NULL,
            opened_at timestamptz NOT NULL
        );
        CREATE INDEX order_origin_user ON order_origin (user_id, order_id);
        CREATE INDEX order_origin_age ON order_origin (opened_at);
        CREATE INDEX order_origin_used ON order_origin (origin_id)
        """
    )
    grant("origin", "SELECT, INSERT, DELETE")
    grant("order_origin", "SELECT, INSERT, DELETE")
