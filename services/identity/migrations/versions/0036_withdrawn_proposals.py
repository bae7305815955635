"""Let whoever proposed something take it back."""

from services.kit.schema import let_proposals_be_withdrawn

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    let_proposals_be_withdrawn()
