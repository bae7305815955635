"""What an upgrade may do to a database while the build before it still runs."""

from typing import LiteralString

EXPANSION: LiteralString = """
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT oid::regclass FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
              AND NOT relispartition AND relname <> 'alembic_version'
        LOOP
            EXECUTE 'ALTER TABLE ' || name || ' ADD COLUMN later_word text';
        END LOOP;
    END $$
"""
"""Gives every table a column of which nobody knows."""
