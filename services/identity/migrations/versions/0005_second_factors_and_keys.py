"""Keep second factors, when a session last proved who it is, and keys for programs."""

from alembic import op

from services.kit.schema import grant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE sessions ADD COLUMN proven_at timestamptz;
        UPDATE sessions SET proven_at = started_at;
        ALTER TABLE sessions ALTER COLUMN proven_at SET NOT NULL;
        CREATE TABLE totp (
            user_id      uuid PRIMARY KEY REFERENCES users,
            sealed       bytea NOT NULL,
            confirmed_at timestamptz,
            last_step    bigint NOT NULL
        );
        CREATE TABLE recovery_codes (
            digest  bytea PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users
        );
        CREATE INDEX recovery_codes_of ON recovery_codes (user_id);
        CREATE TABLE api_keys (
            key_id      uuid PRIMARY KEY,
            user_id     uuid NOT NULL REFERENCES users,
            name        text NOT NULL,
            digest      bytea,
            public_key  bytea,
            scopes      text[] NOT NULL CHECK (
                cardinality(scopes) > 0 AND scopes <@ ARRAY['READ', 'TRADE', 'WITHDRAW']),
            account_ids text[] NOT NULL,
            networks    text[] NOT NULL,
            created_at  timestamptz NOT NULL,
            expires_at  timestamptz,
            ended_at    timestamptz,
            CHECK ((digest IS NULL) <> (public_key IS NULL))
        );
        CREATE INDEX api_keys_of ON api_keys (user_id, key_id);
        CREATE INDEX api_keys_ended ON api_keys (ended_at) WHERE ended_at IS NOT NULL;
        CREATE TABLE used_assertions (
            digest     bytea PRIMARY KEY,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX used_assertions_expiry ON used_assertions (expires_at)
        """
    )
    grant("totp", "SELECT, INSERT, UPDATE, DELETE")
    grant("recovery_codes", "SELECT, INSERT, DELETE")
    grant("api_keys", "SELECT, INSERT, UPDATE (ended_at)")
    grant("used_assertions", "SELECT, INSERT, DELETE")
