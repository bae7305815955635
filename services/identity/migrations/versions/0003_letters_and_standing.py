"""Write letters, count tries, and know what a user needs for a real account."""

from alembic import op

from services.kit.schema import grant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _extend_users()
    _create_letters()
    _create_throttles()


def _extend_users() -> None:
    op.execute(
        """
        ALTER TABLE users
            ADD COLUMN email_confirmed_at timestamptz,
            ADD COLUMN country            text CHECK (country ~ '^[A-Z]{2}$'),
            ADD COLUMN birth_date         date,
            ADD COLUMN agreement_version  text NOT NULL DEFAULT '',
            ADD COLUMN agreed_at          timestamptz,
            ADD COLUMN real_since         timestamptz;
        CREATE INDEX sessions_of ON sessions (user_id)
        """
    )
    grant(
        "users",
        "UPDATE (authority, authority_changed_at, email_confirmed_at, country, birth_date, "
        "agreement_version, agreed_at, real_since)",
    )


def _create_letters() -> None:
    op.execute(
        """
        CREATE TABLE letters (
            letter_id   uuid PRIMARY KEY,
            kind        text NOT NULL,
            address_key text NOT NULL,
            created_at  timestamptz NOT NULL,
            due_at      timestamptz NOT NULL,
            attempts    integer NOT NULL,
            outcome     text CHECK (outcome IN ('SENT', 'NOBODY', 'GAVE_UP'))
        );
        CREATE INDEX letters_due ON letters (due_at) WHERE outcome IS NULL;
        CREATE INDEX letters_created ON letters (created_at);
        CREATE TABLE mailbox (
            mail_id   uuid PRIMARY KEY,
            recipient text NOT NULL,
            subject   text NOT NULL,
            body      text NOT NULL,
            sent_at   timestamptz NOT NULL
        );
        CREATE INDEX mailbox_of ON mailbox (recipient, mail_id);
        CREATE INDEX mailbox_sent ON mailbox (sent_at);
        CREATE TABLE mail_tokens (
            digest     bytea PRIMARY KEY,
            user_id    uuid NOT NULL REFERENCES users,
            purpose    text NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX mail_tokens_of ON mail_tokens (user_id);
        CREATE INDEX mail_tokens_expiry ON mail_tokens (expires_at);
        """
    )
    grant("letters", "SELECT, INSERT, UPDATE, DELETE")
    grant("mailbox", "SELECT, INSERT, DELETE")
    grant("mail_tokens", "SELECT, INSERT, DELETE")


def _create_throttles() -> None:
    op.execute(
        """
        CREATE TABLE throttles (
            key   bytea PRIMARY KEY,
            level double precision NOT NULL,
            at    timestamptz NOT NULL
        );
        CREATE INDEX throttles_at ON throttles (at);
        """
    )
    grant("throttles", "SELECT, INSERT, UPDATE, DELETE")
