"""What migrations are written with: grants to the service's role, and the tables the kit needs.

Migrations run as the role that owns the tables. The role a service runs as may do only what a
migration granted to it, so what is append-only in the design is append-only in the database.
"""

from alembic import op
from psycopg.sql import SQL, Identifier

SERVICE_ROLE = "service_role"
"""The attribute of Alembic's configuration that names the role."""


def service_role() -> str:
    """Return the role that the service runs as. Only within a migration."""
    config = op.get_context().config
    role = config.attributes.get(SERVICE_ROLE) if config else None
    if role is None:
        raise RuntimeError("no service role: migrations run through services.kit.migrate")
    return str(role)


def grant(table: str, privileges: str) -> None:
    """Grant privileges, such as "SELECT, INSERT", on a table to the service's role."""
    statement = SQL("GRANT {} ON {} TO {}").format(
        SQL(privileges),
        Identifier(table),
        Identifier(service_role()),
    )
    op.execute(statement.as_string())


def create_leader_table() -> None:
    """Create the table of `services.kit.leader`: one row per leadership."""
    op.execute(
        """
        CREATE TABLE leader (
            name       text PRIMARY KEY,
            holder     uuid,
            epoch      bigint NOT NULL,
            expires_at timestamptz NOT NULL
        )
        """
    )
    grant("leader", "SELECT, INSERT, UPDATE")


def create_job_table() -> None:
    """Create the table of `services.kit.jobs`: one row per job, with how it last went."""
    op.execute(
        """
        CREATE TABLE job (
            name          text PRIMARY KEY,
            runs          bigint NOT NULL DEFAULT 0,
            failures      bigint NOT NULL DEFAULT 0,
            claimed_by    uuid,
            claimed_until timestamptz,
            started_at    timestamptz,
            finished_at   timestamptz,
            duration      interval,
            outcome       text CHECK (outcome IN ('SUCCEEDED', 'FAILED', 'TIMED_OUT')),
            reason        text
        )
        """
    )
    grant("job", "SELECT, INSERT, UPDATE")


def create_journal_tables() -> None:
    """Create the tables of `services.kit.journal`: its own, and how far one follows others'.

    Events can be added and read, no more. `follower_position` is advanced in the transaction that
    applies an event of another service's journal.
    """
    op.execute(
        """
        CREATE TABLE journal_head (
            journal  text PRIMARY KEY,
            position bigint NOT NULL
        );
        CREATE TABLE journal_subject (
            subject  text PRIMARY KEY,
            sequence bigint NOT NULL
        );
        CREATE TABLE journal (
            position bigint PRIMARY KEY,
            subject  text NOT NULL,
            sequence bigint NOT NULL,
            type     text NOT NULL,
            payload  bytea NOT NULL,
            time     timestamptz NOT NULL,
            UNIQUE (subject, sequence)
        );
        CREATE TABLE follower_position (
            journal  text PRIMARY KEY,
            position bigint NOT NULL
        )
        """
    )
    grant("journal", "SELECT, INSERT")
    for table in ("journal_head", "journal_subject", "follower_position"):
        grant(table, "SELECT, INSERT, UPDATE")


def create_proposal_table() -> None:
    """Create the table of `services.kit.approvals`.

    What was proposed never changes, and nobody decides his own: the database sees to both.
    """
    op.execute(
        """
        CREATE TABLE proposal (
            proposal_id uuid PRIMARY KEY,
            kind        text NOT NULL,
            content     jsonb NOT NULL,
            reason      text NOT NULL CHECK (reason <> ''),
            proposed_by uuid NOT NULL,
            request_id  uuid NOT NULL,
            proposed_at timestamptz NOT NULL,
            expires_at  timestamptz NOT NULL,
            state       smallint NOT NULL CHECK (state BETWEEN 1 AND 6),
            decided_by  uuid CHECK (decided_by <> proposed_by),
            decided_at  timestamptz,
            note        text NOT NULL,
            ended_at    timestamptz,
            result      text NOT NULL,
            UNIQUE (proposed_by, request_id),
            CONSTRAINT somebody_decided CHECK (
                (state IN (2, 3, 4, 5)) = (decided_by IS NOT NULL)
                AND (decided_by IS NULL) = (decided_at IS NULL)),
            CONSTRAINT it_has_ended CHECK ((state > 2) = (ended_at IS NOT NULL))
        );
        CREATE INDEX proposal_kind ON proposal (kind, proposal_id);
        CREATE INDEX proposal_unfinished ON proposal (proposal_id) WHERE state IN (1, 2)
        """
    )
    changing = "state, decided_by, decided_at, note, ended_at, result"
    grant("proposal", f"SELECT, INSERT, UPDATE ({changing})")


def let_proposals_be_withdrawn() -> None:
    """Allow the state WITHDRAWN in the table of `services.kit.approvals`, which began without."""
    op.execute(
        """
        ALTER TABLE proposal DROP CONSTRAINT proposal_state_check,
            ADD CONSTRAINT proposal_state_check CHECK (state BETWEEN 1 AND 7)
        """
    )
