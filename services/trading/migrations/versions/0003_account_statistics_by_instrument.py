"""An account's days are kept for each instrument, from all that ever closed."""

from alembic import op

from services.kit.schema import grant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        DROP TABLE account_statistics;
        CREATE TABLE account_statistics (
            account_id uuid NOT NULL,
            day        date NOT NULL,
            instrument text NOT NULL,
            orders     bigint NOT NULL,
            winners    bigint NOT NULL,
            losers     bigint NOT NULL,
            refunds    bigint NOT NULL,
            stakes     bigint NOT NULL,
            returned   bigint NOT NULL,
            PRIMARY KEY (account_id, day, instrument)
        );
        INSERT INTO account_statistics
        SELECT account_id, (closed_at AT TIME ZONE 'UTC')::date AS day, instrument, count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
               count(*) FILTER (WHERE outcome > 2), sum(stake), sum(returned)
        FROM closed_order GROUP BY account_id, day, instrument;
        """
    )
    grant("account_statistics", "SELECT, INSERT, UPDATE")
