"""Whoever is elected finds what is outstanding order by order, as builds before 0004 look for it.

So the build before can be started again at any moment, also after this one died. This one takes it
from there, in chunks, when it is elected. Goes with the table `outstanding`.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION list_order_by_order() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            WITH taken AS (
                DELETE FROM outstanding_chunk WHERE 'worker:' || book = NEW.name RETURNING orders
            )
            INSERT INTO outstanding (book, expires_at, order_id)
            SELECT book, expires_at, order_id
            FROM taken, unnest(orders) AS listed (order_id) JOIN decision USING (order_id)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$;
        -- Before the transaction of the election ends, and after the last one of the term before.
        CREATE TRIGGER list_order_by_order AFTER UPDATE OF epoch ON leader
            FOR EACH ROW EXECUTE FUNCTION list_order_by_order()
        """
    )
