"""Create the audit trail and its seals, which the service can add to and read, no more."""

from alembic import op

from services.kit.schema import grant

revision = "0020"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit_record (
            sequence   bigint PRIMARY KEY CHECK (sequence > 0),
            journal    text NOT NULL,
            position   bigint NOT NULL,
            time       timestamptz NOT NULL,
            actor      text NOT NULL,
            action     text NOT NULL,
            subject    text NOT NULL,
            outcome    text NOT NULL CHECK (outcome IN ('DONE', 'REFUSED')),
            reason     text NOT NULL,
            count      bigint NOT NULL CHECK (count > 0),
            before     text NOT NULL,
            after      text NOT NULL,
            network    text NOT NULL,
            session_id text NOT NULL,
            request_id text NOT NULL,
            hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
            UNIQUE (journal, position)
        );
        CREATE INDEX audit_record_time ON audit_record (time, sequence);
        CREATE INDEX audit_record_actor ON audit_record (actor, time, sequence);
        CREATE INDEX audit_record_subject ON audit_record (subject, time, sequence);
        CREATE INDEX audit_record_action ON audit_record (action, time, sequence);
        CREATE TABLE audit_seal (
            sequence   bigint PRIMARY KEY,
            hash       bytea NOT NULL,
            sealed_at  timestamptz NOT NULL,
            public_key bytea NOT NULL,
            signature  bytea NOT NULL
        )
        """
    )
    grant("audit_record", "SELECT, INSERT")
    grant("audit_seal", "SELECT, INSERT")
