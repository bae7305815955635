"""Keep passkeys."""

from alembic import op

from services.kit.schema import grant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE passkeys (
            passkey_id    uuid PRIMARY KEY,
            user_id       uuid NOT NULL REFERENCES users,
            credential_id bytea NOT NULL UNIQUE,
            public_key    bytea NOT NULL,
            sign_count    bigint NOT NULL,
            name          text NOT NULL,
            created_at    timestamptz NOT NULL,
            last_used_at  timestamptz
        );
        CREATE INDEX passkeys_of ON passkeys (user_id, passkey_id)
        """
    )
    grant("passkeys", "SELECT, INSERT, UPDATE (sign_count, last_used_at), DELETE")
