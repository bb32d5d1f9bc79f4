"""What `sekisho log init` sets up in a PostgreSQL database, as statements: roles, tables, guards, rights.

    sekisho_owner    owns everything, and nobody logs in as it
    sekisho_writer   SELECT and INSERT, and the one UPDATE that seals a segment
    sekisho_reader   SELECT
    sekisho_pruner   SELECT, INSERT of what retention records, DELETE of what the registry has named before

Every guard of `guards` is a row trigger here too, but for the two tables that grow by the second: these are
checked once a statement, over all rows that it appended. Triggers fire ALWAYS, so that
`session_replication_role` does not silence them, and TRUNCATE has triggers of its own, because row security
and row triggers do not cover it (https://www.postgresql.org/docs/current/ddl-rowsecurity.html).
Row security is forced where the owner is to be held too; not on `record` and `opening`, because COPY refuses
to write there, and COPY is what makes a log fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from crawler.decisionlog import schema
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.guards import Guard, guards
from crawler.decisionlog.store_postgres import (
    OWNER,
    PRUNER,
    READER,
    SCHEMA,
    WRITER,
    connect,
    errors,
    explain,
    found_format,
    number_alone,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Table

    from crawler.decisionlog.place import Server

_HOT: Final = ("record", "opening")
_SETTINGS: Final = f"SET search_path = {SCHEMA}, pg_catalog, pg_temp"
_RETENTION: Final = ("erasure", "pruning", "discarding")
_INSERTED_BY_PRUNER: Final = ("registry", "checkpoint", "anchor", *_RETENTION)
_INSERTED_BY_WRITER: Final = tuple(
    table for table in schema.metadata.tables if table not in {"meta", *_RETENTION}
)
# Tables of which rows may go, with the condition under which one may not (in terms of OLD).
_DELETED: Final = {
    guard.table: guard.when for guard in guards() if guard.event == "DELETE" and guard.when != "TRUE"
}

# Scalars, because `record` would be the table of that name.
_RECORD_APPENDED: Final = """
DECLARE part bigint; low bigint; high bigint; rows bigint; known bigint := 0;
BEGIN
  IF current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off' THEN
    RAISE EXCEPTION 'sekisho: this server does not sync its commits' USING ERRCODE = '23000';
  END IF;
  FOR part, low, high, rows IN
    SELECT a.segment_id, min(a.idx), max(a.idx), count(*) FROM appended a GROUP BY a.segment_id
  LOOP
    known := known + 1;
    IF low < 0 OR high - low + 1 <> rows OR (low > 0 AND NOT EXISTS (
        SELECT 1 FROM record r WHERE r.segment_id = part AND r.idx = low - 1)) THEN
      known := 0;
      EXIT;
    END IF;
    PERFORM 1 FROM segment s WHERE s.id = part AND s.sealed_us IS NULL FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'sekisho: records are appended to open segments only' USING ERRCODE = '23000';
    END IF;
  END LOOP;
  IF known = 0 THEN
    RAISE EXCEPTION 'sekisho: a record takes the next index of its segment, no other'
      USING ERRCODE = '23000';
  END IF;
  RETURN NULL;
END"""

_OPENING_APPENDED: Final = """
DECLARE part bigint; low bigint; high bigint; known bigint := 0;
BEGIN
  FOR part, low, high IN
    SELECT a.segment_id, min(a.idx), max(a.idx) FROM appended a GROUP BY a.segment_id
  LOOP
    known := known + 1;
    IF NOT EXISTS (SELECT 1 FROM record r WHERE r.segment_id = part AND r.idx = high)
       OR NOT EXISTS (SELECT 1 FROM record r WHERE r.segment_id = part AND r.idx = low) THEN
      known := 0;
      EXIT;
    END IF;
  END LOOP;
  IF known = 0 THEN
    RAISE EXCEPTION 'sekisho: an opening belongs to one record and is written once' USING ERRCODE = '23000';
  END IF;
  RETURN NULL;
END"""


def _by_administrator(statement: str) -> str:
    """Return a statement that only somebody who is no superuser needs: superusers are in every role."""
    superuser = "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    return f"DO $$ BEGIN IF NOT {superuser} THEN {statement}; END IF; END $$"


def _roles() -> Iterator[str]:
    for role in (OWNER, WRITER, READER, PRUNER):
        yield (
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation"
            " THEN NULL; END $$"
        )
    yield f"GRANT {READER} TO {WRITER}, {PRUNER}"  # who writes may look, with the reader's rights alone
    yield as_owner()[0]
    yield f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER}"
    # Whoever logs in with psql finds the view `decisions` by its name.
    yield (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = "
        f'{SCHEMA}, "$user", public\', current_database());'
        " EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
    )
    yield from as_owner()[1:]


def table_statements(tables: Iterable[Table]) -> Iterator[str]:
    """Yield CREATE TABLE and CREATE INDEX, which leave alone what is there."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in tables:
        yield _one_line(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            yield _one_line(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))


def _one_line(statement: str) -> str:
    return " ".join(statement.split())


def _function(name: str, body: str, settings: str = "") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {_SETTINGS} {settings}"
        f" AS $guard$ {body.strip()} $guard$"
    )


def _row_guard(table: str, event: str, conditions: list[Guard]) -> Iterator[str]:
    name = f"guard_{table}_{event.lower()}"
    checks = " ".join(
        f"IF {guard.when} THEN RAISE EXCEPTION 'sekisho: {guard.message}' USING ERRCODE = '23000'; END IF;"
        for guard in conditions
    )
    yield _function(name, f"BEGIN {checks} RETURN {'OLD' if event == 'DELETE' else 'NEW'}; END")
    yield (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def guard_statements() -> Iterator[str]:
    """Yield functions and triggers; they replace those of the same name."""
    by_event: dict[tuple[str, str], list[Guard]] = {}
    for guard in guards():
        if (guard.table, guard.event) not in {(table, "INSERT") for table in _HOT}:
            by_event.setdefault((guard.table, guard.event), []).append(guard)
    for (table, event), conditions in by_event.items():
        yield from _row_guard(table, event, conditions)
    for table, body in (("record", _RECORD_APPENDED), ("opening", _OPENING_APPENDED)):
        name = f"guard_{table}_appended"
        # A plan made while the table was empty must not read all of it for ever.
        yield _function(name, body, "SET enable_seqscan = off")
        yield (
            f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS appended"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
    refused = "RAISE EXCEPTION 'sekisho: nothing in a log is deleted' USING ERRCODE = '23000'"
    yield _function("guard_truncate", f"BEGIN {refused}; END")
    for table in schema.metadata.tables:
        name = f"guard_{table}_truncate"
        yield (
            f"CREATE OR REPLACE TRIGGER {name} BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION guard_truncate()"
        )
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def _policies() -> Iterator[str]:
    """Yield row security: what has no policy is refused, to the owner too."""
    for table in schema.metadata.tables:
        if table in _HOT:
            continue
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
        rules = {"reading": "FOR SELECT USING (true)", "appending": "FOR INSERT WITH CHECK (true)"}
        if table == "segment":
            rules["sealing"] = "FOR UPDATE USING (sealed_us IS NULL) WITH CHECK (true)"
        condition = _DELETED.get(table)
        if condition is not None:
            rules["pruning"] = f"FOR DELETE USING (NOT ({condition.replace('OLD.', f'{table}.')}))"
        for name, rule in rules.items():
            yield f"DROP POLICY IF EXISTS {name} ON {table}"
            yield f"CREATE POLICY {name} ON {table} {rule}"


def _rights() -> Iterator[str]:
    everybody = f"{WRITER}, {READER}, {PRUNER}"
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {everybody}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {everybody}"
    yield f"GRANT INSERT ON {', '.join(_INSERTED_BY_WRITER)} TO {WRITER}"
    yield f"GRANT UPDATE (sealed_us, size, root) ON segment TO {WRITER}"
    yield f"GRANT INSERT ON {', '.join(_INSERTED_BY_PRUNER)} TO {PRUNER}"
    yield f"GRANT DELETE ON {', '.join(_DELETED)} TO {PRUNER}"


_FORMAT_ROW: Final = (
    f"INSERT INTO meta (key, value) SELECT 'format', '{schema.FORMAT}' WHERE NOT EXISTS (SELECT 1 FROM meta)"  # noqa: S608 - our own name
)


def as_owner() -> tuple[str, ...]:
    """Return what takes on the owner's role, and finds its tables, until the end of the transaction."""
    return (
        _by_administrator(f"GRANT {OWNER} TO CURRENT_USER"),
        f"SET LOCAL ROLE {OWNER}",
        f"SET LOCAL search_path = {SCHEMA}",
    )


def owned_statements() -> tuple[str, ...]:
    """Return what the owner does: tables, view, guards, policies and rights, as far as they are not there."""
    return (
        *table_statements(schema.metadata.tables.values()),
        _FORMAT_ROW,
        schema.POSTGRES_VIEW,
        *guard_statements(),
        *_policies(),
        *_rights(),
    )


def statements() -> tuple[str, ...]:
    """Return everything, in order, for one transaction; running it again changes nothing that is there."""
    return (
        *_roles(),
        *owned_statements(),
        "RESET ROLE",
        _by_administrator(f"REVOKE {OWNER} FROM CURRENT_USER"),  # nobody is left in the owner's role
    )


def script() -> str:
    """Return the same as a script for psql."""
    return "".join(f"{statement.strip()};\n" for statement in ("BEGIN", *statements(), "COMMIT"))


def set_up(place: Server) -> None:
    """Set a database up for a log, or its guards and rights anew. Raises LogError.

    Nothing that is there is changed but functions, triggers, policies and rights. The login must be able to
    create roles, and schemas in this database.
    """
    connection = connect(place)
    try:
        found = found_format(connection)
        if found is not None and found != schema.FORMAT:
            raise LogError(
                f"the log {place} has format {found!r}: run `sekisho log migrate`,"
                " or use the Sekisho version that wrote it"
            )
        connection.exec_driver_sql("BEGIN")
        number_alone(connection)
        for statement in statements():
            connection.exec_driver_sql(statement.replace("%", "%%"))
        connection.exec_driver_sql("COMMIT")
    except errors() as error:
        raise explain(error, place, "set up") from error
    finally:
        connection.close()


def unlocked(table: str, statement: str) -> Iterator[str]:
    """Yield a statement that a table's guards forbid, for a migration; `statements` sets these up again."""
    yield f"ALTER TABLE {table} DISABLE TRIGGER USER"
    yield f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
    yield statement
