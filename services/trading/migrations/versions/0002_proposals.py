"""What staff propose about a book, and a second person decides."""

from services.kit.schema import create_proposal_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_proposal_table()
