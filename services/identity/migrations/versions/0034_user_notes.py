"""Keep what staff write down about users."""

from alembic import op

from services.kit.schema import grant

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_note (
            note_id    uuid PRIMARY KEY,
            user_id    uuid NOT NULL REFERENCES users,
            author_id  uuid NOT NULL,
            request_id uuid NOT NULL,
            text       text NOT NULL CHECK (text <> ''),
            written_at timestamptz NOT NULL,
            UNIQUE (author_id, request_id)
        );
        CREATE INDEX user_note_about ON user_note (user_id, note_id)
        """
    )
    grant("user_note", "SELECT, INSERT")
