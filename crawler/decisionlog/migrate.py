"""Takes a log to the present format, by alembic's steps in `migrations`, in one transaction.

The row `format` of the table `meta` says which format a log has; alembic's own table follows it. Nothing is
migrated that does not verify: what a step writes into the registry is signed, and must be true.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from crawler.decisionlog import postgres_setup, schema, store, store_sqlite
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.place import LogPlace, Server
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.store_postgres import connect
from crawler.decisionlog.verify import verify_log

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.custody import Custody

_STEPS: Final = Path(__file__).with_name("migrations")


def found_format(url: str) -> str:
    """Return the format of a log, such as `sekisho.log/1`. Raises LogError."""
    with LogReader.open(url) as reader:
        return reader.format


def migrate(url: str, custody: Custody, *, now_us: int) -> None:
    """Take the log at `url` to the present format. Raises LogError; then nothing was changed.

    Raises IntegrityError when the log does not verify. No crawl may write the log meanwhile.
    """
    with LogReader.open(url) as reader:
        before = reader.format
        report = verify_log(reader)
    if report.findings_total:
        raise IntegrityError(
            f"{reader.path} was changed, so that it is not migrated: {report.findings[0].text};"
            " run `sekisho log verify`"
        )
    place = store.log_place(url)
    connection = _open(place)
    try:
        if not connection.in_transaction():
            connection.begin()  # alembic shall see a transaction, and leave it to us
        store.begin(connection)
        store.number_alone(connection)
        if isinstance(place, Server):
            for statement in postgres_setup.as_owner():
                connection.exec_driver_sql(statement)
        config = Config()
        config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
        config.attributes.update(connection=connection, custody=custody, now_us=now_us)
        step = before.removeprefix(schema.FORMAT_1[:-1])
        if step != "1" and not MigrationContext.configure(connection).get_current_heads():
            command.stamp(config, step)
        command.upgrade(config, "head")
        store.commit(connection)
        config.attributes["registry"].publish()
    except store.errors() as error:
        raise store.explain(error, place, "migrate") from error
    finally:
        connection.close()


def _open(place: LogPlace) -> Connection:
    if isinstance(place, Server):
        return connect(place)
    return store_sqlite.open_for_migration(place, lock_timeout=store.LOCK_TIMEOUT_S)
