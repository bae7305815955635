"""Keep the tick that a fixing rests on, also where it is older than what is kept around it."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace `partition_drop`; all but the ticks that are kept is as it was."""
    op.execute(
        """
        CREATE OR REPLACE FUNCTION partition_drop(day date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
        DECLARE
            ends  timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
            child text := 'tick' || to_char(day, '_YYYYMMDD');
        BEGIN
            IF ends > now() - interval '1 day' THEN
                RAISE EXCEPTION 'ticks of % are too young to be dropped', day;
            END IF;
            UPDATE horizon SET time = greatest(time, ends);
            IF to_regclass(child) IS NOT NULL THEN
                EXECUTE format(
                    'INSERT INTO kept_tick SELECT * FROM %I t WHERE EXISTS (
                         SELECT FROM fixing f
                         WHERE f.instrument_id = t.instrument_id
                           AND f.time BETWEEN t.time - interval ''30 seconds''
                                          AND t.time + interval ''600 seconds''
                           AND (f.time <= t.time + interval ''30 seconds''
                                OR (f.tick ->> 0)::bigint = t.number))
                     ON CONFLICT DO NOTHING', child);
                EXECUTE format(
                    'UPDATE instrument i SET last_number = greatest(i.last_number, n.number)
                     FROM (SELECT instrument_id, max(number) AS number FROM %I GROUP BY 1) n
                     WHERE i.id = n.instrument_id', child);
                EXECUTE format('ALTER TABLE tick DETACH PARTITION %I', child);
                EXECUTE format('DROP TABLE %I', child);
            END IF;
            child := 'heartbeat' || to_char(day, '_YYYYMMDD');
            IF to_regclass(child) IS NOT NULL THEN
                EXECUTE format('ALTER TABLE heartbeat DETACH PARTITION %I', child);
                EXECUTE format('DROP TABLE %I', child);
            END IF;
        END $$
        """
    )
