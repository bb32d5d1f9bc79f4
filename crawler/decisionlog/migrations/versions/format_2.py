"""Format 1 to 2: adds the registry and what belongs to it, and changes no record.

Every segment that is there is adopted: a leaf of the registry says how large it was and what its root was
when it came in. That it was complete before, nobody can prove any more.
The tables are those of `schema`, because 2 is its format; the step to the next one brings its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic import context, op
from sqlalchemy import select

from crawler.decisionlog import postgres_setup, schema
from crawler.decisionlog.guards import sqlite_statements
from crawler.decisionlog.recovery import durable_tree
from crawler.decisionlog.registry import SegmentAdopted
from crawler.decisionlog.registry_store import RegistryStore

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

revision: Final = "2"
down_revision: Final = None

_FORMAT: Final = f"UPDATE meta SET value = '{schema.FORMAT}' WHERE key = 'format'"  # noqa: S608 - our own name


def upgrade() -> None:
    """Do the step, in the present transaction."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _upgrade_postgres(connection)
    else:
        _upgrade_sqlite(connection)
    attributes = context.config.attributes
    registry = RegistryStore.open(connection, attributes["custody"], now_us=attributes["now_us"])
    for row in connection.execute(select(schema.segment).order_by(schema.segment.c.id)).all():
        tree = durable_tree(connection, row)
        event = SegmentAdopted(
            segment=row.uuid,
            number=row.id,
            run=row.run_id,
            agent=row.agent,
            size=tree.size,
            root=tree.root().hex(),
            sealed=int(row.sealed_us is not None),
        )
        registry.append(event, now_us=attributes["now_us"], segment_id=row.id)
    registry.checkpoint()
    attributes["registry"] = registry


def downgrade() -> None:
    """Refuse: what was signed is not taken back."""
    raise NotImplementedError("a log is not taken back to an older format: restore the copy from before")


def _upgrade_sqlite(connection: Connection) -> None:
    triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
    for name in triggers.all():
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    for table in schema.SINCE_2:
        table.create(connection)
    connection.exec_driver_sql("DROP VIEW decisions")
    connection.exec_driver_sql(schema.VIEW)
    connection.exec_driver_sql(_FORMAT)
    for statement in sqlite_statements():
        connection.exec_driver_sql(statement)


def _upgrade_postgres(connection: Connection) -> None:
    for statement in (*postgres_setup.unlocked("meta", _FORMAT), *postgres_setup.owned_statements()):
        connection.exec_driver_sql(statement.replace("%", "%%"))
