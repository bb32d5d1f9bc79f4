"""What alembic runs to migrate: on the connection, and within the transaction, that `migrate` hands over."""

from alembic import context

if hasattr(context, "config"):  # only while alembic runs it; it can be imported, and then does nothing
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
