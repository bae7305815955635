"""The one Alembic environment, shared by all services. `services.kit.migrate` hands it over.

Each migration is a transaction of its own, so a long chain that fails keeps what was done.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
