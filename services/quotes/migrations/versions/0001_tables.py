"""Instruments, the record of the market (runs, heartbeats, ticks), candles and fixings."""

from alembic import op

from services.kit.schema import (
    create_job_table,
    create_journal_tables,
    create_leader_table,
    grant,
    service_role,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_leader_table()
    create_job_table()
    create_journal_tables()
    _instruments()
    _record()
    _candles()
    _fixings()
    _partitions()


def _instruments() -> None:
    """Versions are only ever added: what was in force at a moment stays on record."""
    op.execute(
        """
        CREATE TABLE instrument (
            id               int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            symbol           text NOT NULL UNIQUE,
            price_scale      smallint NOT NULL CHECK (price_scale BETWEEN 0 AND 12),
            version          bigint NOT NULL,
            announced_status text,
            -- Numbers up to this one were given out; ticks with them may have been dropped.
            last_number      bigint NOT NULL DEFAULT 0,
            -- Since when its generated past is complete.
            past_made_at     timestamptz
        );
        CREATE TABLE instrument_version (
            instrument_id            int NOT NULL REFERENCES instrument,
            version                  bigint NOT NULL,
            effective_time           timestamptz NOT NULL,
            display_name             text NOT NULL,
            asset_class              text NOT NULL,
            status                   text NOT NULL
                CHECK (status IN ('ENABLED', 'CLOSE_ONLY', 'HALTED', 'HIDDEN')),
            schedule                 jsonb NOT NULL,
            recorded                 boolean NOT NULL,
            feed_symbol              text NOT NULL,
            max_tick_age_seconds     int NOT NULL CHECK (max_tick_age_seconds > 0),
            feed_silence_max_seconds int NOT NULL CHECK (feed_silence_max_seconds > 0),
            position                 int NOT NULL,
            PRIMARY KEY (instrument_id, version)
        )
        """
    )
    grant("instrument", "SELECT, INSERT, UPDATE")
    grant("instrument_version", "SELECT, INSERT")


def _record() -> None:
    """What was heard of the market, by time. Partitions come from `partition_create`."""
    op.execute(
        """
        -- A run of the ingestor covers start_time ≤ t ≤ watermark; between runs lies a gap.
        CREATE TABLE run (
            id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            epoch      bigint NOT NULL,
            start_time timestamptz NOT NULL,
            watermark  timestamptz NOT NULL CHECK (watermark >= start_time),
            batches    bigint NOT NULL DEFAULT 0,
            gap_reason text NOT NULL
        );
        CREATE INDEX run_start_time ON run (start_time);
        CREATE TABLE heartbeat (
            time timestamptz PRIMARY KEY
        ) PARTITION BY RANGE (time);
        CREATE TABLE tick (
            instrument_id int NOT NULL,
            number        bigint NOT NULL,
            time          timestamptz NOT NULL,
            price         bigint NOT NULL CHECK (price > 0),
            source_time   timestamptz,
            late          boolean NOT NULL,
            PRIMARY KEY (instrument_id, time)
        ) PARTITION BY RANGE (time);
        -- Ticks around a fixing outlive their partition.
        CREATE TABLE kept_tick (LIKE tick INCLUDING ALL);
        -- Ticks before this moment are no longer complete.
        CREATE TABLE horizon (
            one  boolean PRIMARY KEY DEFAULT true CHECK (one),
            time timestamptz NOT NULL
        );
        INSERT INTO horizon (time) VALUES ('-infinity')
        """
    )
    grant("run", "SELECT, INSERT, UPDATE")
    for table in ("heartbeat", "tick"):
        grant(table, "SELECT, INSERT")
    for table in ("kept_tick", "horizon"):
        grant(table, "SELECT")


def _candles() -> None:
    """Candles can be folded again from ticks, so the service may also correct and delete them."""
    op.execute(
        """
        CREATE TABLE candle (
            instrument_id int NOT NULL,
            width_seconds int NOT NULL,
            start_time    timestamptz NOT NULL,
            open          bigint NOT NULL,
            high          bigint NOT NULL,
            low           bigint NOT NULL,
            close         bigint NOT NULL,
            ticks         int NOT NULL,
            synthetic     boolean NOT NULL,
            PRIMARY KEY (instrument_id, width_seconds, start_time),
            CHECK (synthetic = (ticks = 0)),
            CHECK (low <= least(open, close) AND high >= greatest(open, close) AND low > 0)
        )
        """
    )
    grant("candle", "SELECT, INSERT, UPDATE, DELETE")


def _fixings() -> None:
    op.execute(
        """
        CREATE TABLE fixing (
            instrument_id int NOT NULL,
            time          timestamptz NOT NULL,
            rule_version  int NOT NULL,
            tick          jsonb,
            void_reason   text,
            ticks_before  jsonb NOT NULL,
            ticks_after   jsonb NOT NULL,
            watermark     timestamptz NOT NULL CHECK (watermark >= time),
            feed_time     timestamptz,
            PRIMARY KEY (instrument_id, time),
            CHECK ((tick IS NULL) = (void_reason IS NOT NULL))
        );
        CREATE INDEX fixing_time ON fixing (time)
        """
    )
    grant("fixing", "SELECT, INSERT")


def _partitions() -> None:
    """The service owns no table, so these two functions lend it the owner's hand, and no more.

    Only whole days can be created, and only days that ended at least a day ago be dropped. Before
    ticks go, those around fixings are kept, the numbers given out are remembered, and the horizon
    moves, so that a fixing asked for later is void and not taken from a record with holes.
    """
    op.execute(
        """
        CREATE FUNCTION partition_create(day date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE
            parent text;
            child  text;
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('partition_create'));
            FOREACH parent IN ARRAY ARRAY['tick', 'heartbeat'] LOOP
                child := parent || to_char(day, '_YYYYMMDD');
                CONTINUE WHEN to_regclass(child) IS NOT NULL;
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
                IF parent = 'tick' THEN
                    EXECUTE format('CREATE UNIQUE INDEX ON %I (instrument_id, number)', child);
                END IF;
                -- Attaching, unlike creating as a partition, does not stop the ingestor.
                EXECUTE format(
                    'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                    parent, child, day::timestamp AT TIME ZONE 'UTC',
                    (day + 1)::timestamp AT TIME ZONE 'UTC');
            END LOOP;
        END $$;

        CREATE FUNCTION partition_drop(day date) RETURNS void
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
                                          AND t.time + interval ''30 seconds'')
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
    for function in ("partition_create(date)", "partition_drop(date)"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f'GRANT EXECUTE ON FUNCTION {function} TO "{service_role()}"')
