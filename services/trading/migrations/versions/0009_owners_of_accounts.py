"""Let nobody give an account to another user, nor put another currency on it."""

from alembic import op
from psycopg.sql import SQL, Identifier

from services.kit.schema import grant, service_role

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    revoked = SQL("REVOKE UPDATE ON account FROM {}").format(Identifier(service_role()))
    op.execute(revoked.as_string())
    grant("account", "UPDATE (posted, held, state, open_orders)")
