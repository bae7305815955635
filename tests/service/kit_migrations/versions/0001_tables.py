"""Create the tables of the kit, and one of the service's own."""

from alembic import op

from services.kit.schema import (
    create_job_table,
    create_journal_tables,
    create_leader_table,
    create_proposal_table,
    grant,
    let_proposals_be_withdrawn,
)

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_leader_table()
    create_job_table()
    create_journal_tables()
    create_proposal_table()
    let_proposals_be_withdrawn()
    op.execute("CREATE TABLE note (number bigint PRIMARY KEY, text text NOT NULL)")
    grant("note", "SELECT, INSERT")
