"""Let whoever proposed something take it back."""

from services.kit.schema import let_proposals_be_withdrawn

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    let_proposals_be_withdrawn()
