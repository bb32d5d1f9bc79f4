"""`sekisho log init` and `sekisho log migrate`: sets a log up, and takes it to the present format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog import postgres_setup, schema, store, store_postgres
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.location import custody_of, log_url
from crawler.decisionlog.place import Server

if TYPE_CHECKING:
    import argparse

EXAMPLES = (
    "sekisho log init --log postgresql://admin@db/crawl          # tables, guards and roles in PostgreSQL",
    "sekisho log init --log postgresql://admin@db/crawl --print  # … as SQL, for an administrator",
    "sekisho log migrate --yes                                   # to the present format of the log",
)


def init(arguments: argparse.Namespace) -> int:
    """Set up a log, or only print what would do it. Raises LogError."""
    place = store.log_place(log_url(arguments.log))
    if arguments.print:
        if not isinstance(place, Server):
            raise UsageError("--print is for a log in PostgreSQL: a file is made by the first crawl, too")
        print(postgres_setup.script(), end="")
        return ExitCode.DONE
    if isinstance(place, Server):
        postgres_setup.set_up(place)
        print(f"{place} is set up. Let crawls write: GRANT {store_postgres.WRITER} TO login;")
        print(f"let exporters read: GRANT {store_postgres.READER} TO login;")
        print(f"let retention act: GRANT {store_postgres.WRITER}, {store_postgres.PRUNER} TO login;")
    else:
        store.open_for_writing(place).close()
        print(f"{place} is set up.")
    return ExitCode.DONE


def migrate(arguments: argparse.Namespace) -> int:
    """Say what would be done; with `--yes` do it. Raises LogError."""
    from crawler.decisionlog import migrate as migration  # noqa: PLC0415 - alembic takes 0.2 s

    url = log_url(arguments.log)
    found = migration.found_format(url)
    place = store.log_place(url)
    if found == schema.FORMAT:
        print(f"{place} has the present format, {found}: nothing to do.")
        return ExitCode.DONE
    if not arguments.yes:
        print(f"{place} has format {found} and would get {schema.FORMAT}: a registry is added in which every")
        print("segment is entered as it is now, signed; no record is changed. End all crawls that write it,")
        print("keep a copy, then run this again with --yes.")
        return ExitCode.DONE
    migration.migrate(url, custody_of(url), now_us=SystemClock().now_us())
    print(f"{place} has format {schema.FORMAT} now; `sekisho log verify` verifies it.")
    return ExitCode.DONE
