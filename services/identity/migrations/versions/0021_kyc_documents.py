"""Keep documents of users, and the keys with which they are sealed."""

from alembic import op

from services.kit.schema import grant

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_key (
            user_id    uuid PRIMARY KEY REFERENCES users,
            wrapped    bytea NOT NULL,
            created_at timestamptz NOT NULL
        );
        CREATE TABLE kyc_document (
            document_id uuid PRIMARY KEY,
            user_id     uuid NOT NULL REFERENCES users,
            kind        text NOT NULL CHECK (kind IN ('IDENTITY', 'ADDRESS')),
            state       text NOT NULL CHECK (state IN (
                            'UPLOADING', 'UPLOADED', 'IN_REVIEW', 'APPROVED', 'REJECTED',
                            'EXPIRED')),
            size        bigint NOT NULL CHECK (size > 0),
            received    bigint NOT NULL CHECK (received BETWEEN 0 AND size),
            media_type  text NOT NULL,
            created_at  timestamptz NOT NULL,
            reviewed_at timestamptz,
            reviewed_by uuid,
            rejection   text,
            expires_at  timestamptz,
            CHECK ((state = 'REJECTED') = (rejection IS NOT NULL)),
            CHECK (state NOT IN ('APPROVED', 'REJECTED', 'EXPIRED') OR reviewed_by IS NOT NULL)
        );
        CREATE INDEX kyc_document_of ON kyc_document (user_id, document_id);
        CREATE INDEX kyc_document_queue ON kyc_document (document_id)
            WHERE state IN ('UPLOADED', 'IN_REVIEW');
        CREATE INDEX kyc_document_expiry ON kyc_document (expires_at) WHERE state = 'APPROVED';
        CREATE INDEX kyc_document_begun ON kyc_document (created_at) WHERE state = 'UPLOADING';
        CREATE TABLE kyc_part (
            document_id uuid NOT NULL REFERENCES kyc_document ON DELETE CASCADE,
            start       bigint NOT NULL,
            PRIMARY KEY (document_id, start)
        )
        """
    )
    grant("user_key", "SELECT, INSERT, DELETE")
    grant("kyc_document", "SELECT, INSERT, UPDATE, DELETE")
    grant("kyc_part", "SELECT, INSERT, DELETE")
