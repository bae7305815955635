"""Let staff define roles, and remember who was shut out and why."""

from alembic import op

from services.kit.schema import create_proposal_table, grant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    create_proposal_table()
    op.execute(
        """
        ALTER TABLE users
            DROP CONSTRAINT users_roles_check,
            ADD COLUMN banned       boolean NOT NULL DEFAULT false,
            ADD COLUMN banned_until timestamptz;
        UPDATE users SET roles = array_replace(roles, 'staff', 'admin');
        CREATE INDEX users_roles ON users USING gin (roles);
        CREATE TABLE roles (
            name        text PRIMARY KEY CHECK (name NOT IN ('trader', 'admin')),
            permissions text[] NOT NULL,
            changed_at  timestamptz NOT NULL
        );
        CREATE TABLE bans (
            ban_id      uuid PRIMARY KEY,
            user_id     uuid NOT NULL REFERENCES users,
            reason      text NOT NULL CHECK (reason <> ''),
            banned_by   uuid NOT NULL CHECK (banned_by <> user_id),
            banned_at   timestamptz NOT NULL,
            until       timestamptz,
            lifted_by   uuid,
            lifted_at   timestamptz,
            lift_reason text,
            CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
        );
        CREATE UNIQUE INDEX bans_one ON bans (user_id) WHERE lifted_at IS NULL;
        """
    )
    grant("users", "UPDATE (banned, banned_until)")
    grant("roles", "SELECT, INSERT, UPDATE")
    grant("bans", "SELECT, INSERT, UPDATE (lifted_by, lifted_at, lift_reason)")
