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

        -- Chunks of decisions of which some have no receipt yet: a list of work, empty at rest.
        -- The table `outstanding` is of builds before this one, and goes with the one after it.
        CREATE TABLE outstanding_chunk (
            book   text NOT NULL,
            number bigint GENERATED ALWAYS AS IDENTITY,
            orders uuid[] NOT NULL,
            PRIMARY KEY (book, number)
        );
        """
    )
    grant("outstanding_chunk", "SELECT, INSERT, UPDATE, DELETE")
