"""Keep the end of the ledger's chain as it was signed, minute by minute."""

from alembic import op

from services.kit.schema import grant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ledger_head (
            seal_id       bigint PRIMARY KEY REFERENCES seal,
            last_entry_id bigint NOT NULL,
            hash          bytea NOT NULL,
            signed_at     timestamptz NOT NULL,
            public_key    bytea NOT NULL,
            signature     bytea NOT NULL
        )
        """
    )
    grant("ledger_head", "SELECT, INSERT")
