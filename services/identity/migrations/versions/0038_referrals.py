"""Know by whose link users registered."""

from alembic import op

from services.kit.schema import grant

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE referral_code (
            user_id uuid PRIMARY KEY REFERENCES users,
            code    text NOT NULL UNIQUE,
            made_at timestamptz NOT NULL
        );
        CREATE TABLE referral (
            user_id     uuid PRIMARY KEY REFERENCES users,
            referrer_id uuid NOT NULL REFERENCES users CHECK (referrer_id <> user_id),
            referred_at timestamptz NOT NULL,
            refusal     text CHECK (refusal IN
                ('REFERRER_BANNED', 'SAME_DEVICE', 'SAME_ADDRESS', 'SAME_CLUSTER'))
        );
        CREATE INDEX referral_by ON referral (referrer_id, user_id)
        """
    )
    # A referrer is set once, and a code never changes: it may only go, with who had it.
    grant("referral_code", "SELECT, INSERT, DELETE")
    grant("referral", "SELECT, INSERT")
