"""Prices that two members of staff voided, and what settlement tells of that."""

from alembic import op

from services.kit.schema import create_journal_tables, create_proposal_table, grant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_journal_tables()
    create_proposal_table()
    op.execute(
        """
        -- The fixings that rest on a proposal instead of on the record of quotes.
        CREATE TABLE staff_void (
            void_id    uuid PRIMARY KEY REFERENCES proposal,
            instrument text NOT NULL,
            time       timestamptz NOT NULL,
            UNIQUE (instrument, time),
            FOREIGN KEY (instrument, time) REFERENCES fixing (instrument, time)
        )
        """
    )
    grant("staff_void", "SELECT, INSERT")
