"""Know who traded at which device on which day."""

from alembic import op

from services.kit.schema import grant

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE device_trader (
            device  text NOT NULL,
            day     date NOT NULL,
            user_id uuid NOT NULL,
            PRIMARY KEY (device, day, user_id)
        );
        CREATE INDEX device_trader_age ON device_trader (day)
        """
    )
    grant("device_trader", "SELECT, INSERT, DELETE")
