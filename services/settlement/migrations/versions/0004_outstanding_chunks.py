"""What is outstanding is listed by the chunk, and a decision's fixing is checked by the statement.

Both cost as much as all else that is stored of a decision, while they were kept row by row.
"""

from alembic import op

from services.kit.schema import grant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE decision DROP CONSTRAINT decision_instrument_expires_at_fkey;
        ALTER TABLE outstanding RENAME TO outstanding_order;

        -- Chunks of decisions of which some have no receipt yet: a list of work, empty at rest.
        CREATE TABLE outstanding (
            book   text NOT NULL,
            number bigint GENERATED ALWAYS AS IDENTITY,
            orders uuid[] NOT NULL,
            PRIMARY KEY (book, number)
        );
        INSERT INTO outstanding (book, orders)
        SELECT book, array_agg(order_id) FROM (
            SELECT *, row_number() OVER (PARTITION BY book ORDER BY expires_at, order_id) / 512 AS n
            FROM outstanding_order
        ) AS listed
        GROUP BY book, n ORDER BY n;
        DROP TABLE outstanding_order;
        """
    )
    grant("outstanding", "SELECT, INSERT, UPDATE, DELETE")
