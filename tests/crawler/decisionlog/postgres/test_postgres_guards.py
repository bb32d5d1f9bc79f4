"""The tables in PostgreSQL refuse everything but appending: to the writer, and by accident to anybody."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from psycopg import errors

from crawler.decisionlog import schema
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.place import log_place
from crawler.decisionlog.postgres_setup import script, set_up

TABLES = sorted(schema.metadata.tables)
RECORD = (
    "INSERT INTO record (segment_id, idx, ts_us, mono_ns, stage, verdict, reason, method, attempt, leaf_hash, context_id)"
    " VALUES ({segment}, {idx}, 1, 1, 'request', 'fetch', 'allowed', 'GET', 0, '\\x00', 1)"
)
COLUMNS = (
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a"
    " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'sekisho'::regnamespace AND a.attnum > 0"
    " ORDER BY 1, a.attnum"
)
REFUSED = (errors.InsufficientPrivilege, errors.IntegrityError, errors.FeatureNotSupported)


@pytest.fixture(scope="module")
def written(postgres, template, tmp_path_factory):
    """A log whose first segment is sealed and whose second is open, ten records each; nothing changes it."""
    from tests.crawler.decisionlog.postgres.conftest import PgLog

    pg = PgLog(postgres, postgres.create_database(template), tmp_path_factory.mktemp("log"))
    pg.write(seal=True)
    pg.write(seal=False, run_id="run-2")
    return pg


def contents(pg):
    with pg.admin() as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def refused(pg, user, *statements, says=None):
    before = contents(pg)
    with pg.connect(user) as connection, pytest.raises(psycopg.Error, match=says) as caught:
        connection.execute("; ".join(statements))
    assert isinstance(caught.value, REFUSED), caught.value
    assert contents(pg) == before


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("user", ["crawl_login", "postgres"])
def test_check_09_nothing_is_deleted_updated_or_truncated(written, table, user):
    column = next(iter(schema.metadata.tables[table].columns)).name
    if contents(written)[table]:
        refused(written, user, f"DELETE FROM {table}")
        refused(written, user, f"UPDATE {table} SET {column} = {column}")
    refused(written, user, f"TRUNCATE {table}")
    refused(written, user, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("user", ["crawl_login", "postgres"])
@pytest.mark.parametrize("idx", [-1, 0, 5, 9, 11, 12, 2**40])
def test_check_09_only_the_next_index_is_taken(written, user, idx):
    refused(written, user, RECORD.format(segment=2, idx=idx))
    refused(written, user, RECORD.format(segment=2, idx=idx) + " ON CONFLICT DO NOTHING", says="sekisho: ")


@pytest.mark.parametrize("user", ["crawl_login", "postgres"])
def test_check_09_an_upsert_is_refused(written, user):
    refused(
        written,
        user,
        RECORD.format(segment=2, idx=3) + " ON CONFLICT (segment_id, idx) DO UPDATE SET verdict = 'skip'",
    )


@pytest.mark.parametrize("segment", [0, 1, 3])
def test_check_09_no_record_enters_a_segment_that_is_sealed_or_does_not_exist(written, segment):
    says = "open segments only" if segment == 1 else None
    refused(written, "crawl_login", RECORD.format(segment=segment, idx=10 if segment == 1 else 0), says=says)


def test_check_09_gaps_within_one_statement_are_refused(written):
    many = RECORD.format(segment=2, idx=10) + ", " + RECORD.format(segment=2, idx=12).partition("VALUES ")[2]
    refused(written, "crawl_login", many, says="next index")


@pytest.mark.parametrize(
    "table", ["record", "opening", "head", "segment", "document", "context", "registry", "checkpoint"]
)
def test_check_09_no_row_is_written_twice(written, table):
    refused(written, "crawl_login", f"INSERT INTO {table} SELECT * FROM {table}")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE segment SET run_id = 'other' WHERE id = 2",
        "UPDATE segment SET sealed_us = 1 WHERE id = 2",
        "UPDATE segment SET sealed_us = NULL, size = NULL, root = NULL WHERE id = 1",
        "UPDATE segment SET sealed_us = 1, size = 1, root = '\\x00', uuid = 'u' WHERE id = 2",
        "INSERT INTO segment VALUES (4, 'u', 'r', 'a', 1, 1, '\\x00', NULL, NULL, NULL)",
        "INSERT INTO segment VALUES (3, 'u', 'r', 'a', 1, 1, '\\x00', 5, 0, '\\x00')",
        "INSERT INTO head VALUES (2, 9, '\\x00', 1)",
        "INSERT INTO head VALUES (2, 11, '\\x00', 1)",
        "INSERT INTO opening VALUES (2, 10, 'http://a/', NULL, '\\x00')",
        "INSERT INTO context VALUES (9, 'a', '\\x00', '\\x00')",
        "INSERT INTO meta VALUES ('another', 'value')",
        "INSERT INTO registry VALUES (99, 1, 'erase', 1, '\\x00', '\\x00')",
        "INSERT INTO erasure VALUES (1, 1, 1)",
        "INSERT INTO pruning VALUES (1, 1)",
    ],
)
@pytest.mark.parametrize("user", ["crawl_login", "postgres"])
def test_tables_take_only_their_own_next_step(written, user, sql):
    before = contents(written)
    with written.connect(user) as connection:
        try:
            connection.execute(sql)
        except REFUSED:
            pass
        else:  # row security hides a sealed segment from an update
            assert sql.startswith("UPDATE segment SET sealed_us = NULL")
    assert contents(written) == before


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE record DISABLE TRIGGER ALL",
        "ALTER TABLE record DISABLE TRIGGER guard_record_update",
        "DROP TRIGGER guard_record_delete ON record",
        "DROP TABLE opening",
        "DROP FUNCTION guard_truncate() CASCADE",
        "ALTER TABLE segment DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE record OWNER TO crawl_login",
        "CREATE TRIGGER mine BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION guard_truncate()",
        "CREATE OR REPLACE FUNCTION guard_truncate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TABLE sekisho.mine (a int)",
        "SET session_replication_role = replica",
        "SET ROLE sekisho_owner",
        "SET ROLE sekisho_pruner",
        "GRANT DELETE ON record TO crawl_login; DELETE FROM record",
        "CREATE RULE mine AS ON DELETE TO record DO INSTEAD NOTHING",
    ],
)
def test_the_writer_cannot_take_a_guard_away(written, sql):
    refused(written, "crawl_login", sql)


@pytest.mark.parametrize("table", ["record", "opening", "head", "document", "registry"])
def test_the_reader_reads_and_nothing_else(written, table):
    with written.connect("read_login") as connection:
        connection.execute(f"SELECT * FROM {table} LIMIT 1")
    for sql in (f"INSERT INTO {table} SELECT * FROM {table}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        refused(written, "read_login", sql)


@pytest.mark.parametrize("table", ["record", "opening", "head", "document"])
def test_the_pruner_deletes_nothing_that_the_registry_has_not_named(written, table):
    before = contents(written)
    with written.connect("prune_login") as connection, suppress(errors.IntegrityError):
        assert connection.execute(f"DELETE FROM {table}").rowcount == 0, "row security shows it none"
    assert contents(written) == before


def test_silenced_replicas_fire_the_guards_all_the_same(written):
    refused(
        written, "postgres", "SET session_replication_role = replica", "DELETE FROM record", says="deleted"
    )


def test_a_shadow_of_a_table_does_not_fool_a_guard(written):
    """A temporary table of the same name must not be the one that the guard asks."""
    with written.admin() as connection:
        connection.execute(f"GRANT TEMPORARY ON DATABASE {written.name} TO crawl_login")
    refused(
        written,
        "crawl_login",
        "CREATE TEMPORARY TABLE segment AS SELECT 1::bigint AS id, NULL::bigint AS sealed_us",
        "SET search_path = pg_temp, sekisho",
        RECORD.format(segment=1, idx=10).replace("INTO record", "INTO sekisho.record"),
        says="open segments only",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE sekisho.record DISABLE TRIGGER guard_record_update",
        "ALTER TABLE sekisho.head ENABLE TRIGGER guard_head_delete",
        "DROP TRIGGER guard_registry_truncate ON sekisho.registry",
    ],
)
def test_a_log_that_lost_a_guard_is_not_written_until_it_is_set_up_again(pg, statement):
    pg.write()
    with pg.admin() as connection:
        connection.execute(statement)
    with pytest.raises(LogError, match="lost their guards"):
        pg.open()
    set_up(log_place(pg.admin_url))
    pg.write(run_id="run-2")
    assert pg.verify().findings == ()


def test_setting_up_again_changes_nothing(pg):
    pg.write()
    before = contents(pg)
    set_up(log_place(pg.admin_url))
    assert contents(pg) == before
    pg.write(run_id="run-2")


def test_an_administrator_without_superuser_rights_sets_a_log_up(own_server, tmp_path):
    from tests.crawler.decisionlog.postgres.conftest import PgLog, make_logins

    with own_server.admin() as connection:
        connection.execute("CREATE ROLE keeper LOGIN CREATEROLE")
        connection.execute("CREATE DATABASE kept OWNER keeper TEMPLATE template0")
    set_up(log_place(own_server.url("kept", user="keeper")))
    make_logins(own_server)
    pg = PgLog(own_server, "kept", tmp_path)
    pg.write()
    assert pg.verify().findings == ()
    with own_server.admin("kept") as connection:
        owners = {
            row[0]
            for row in connection.execute("SELECT tableowner FROM pg_tables WHERE schemaname = 'sekisho'")
        }
        assert owners == {"sekisho_owner"}
        assert connection.execute(
            "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'sekisho_owner'"
        ).fetchone() == (False,)
        assert connection.execute("SHOW search_path").fetchone()[0].startswith("sekisho")


def test_the_printed_script_sets_up_what_the_command_sets_up(postgres, template):
    name = postgres.create_database()
    with postgres.admin(name) as connection:
        connection.execute(script())
    shape = (
        COLUMNS,
        "SELECT tgname, tgenabled, tgtype, prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid ORDER BY 1",
        "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
        "SELECT relname, relacl::text, relforcerowsecurity FROM pg_class WHERE relnamespace = 'sekisho'::regnamespace ORDER BY 1",
    )
    shapes = []
    for database in (name, template):
        with postgres.admin(database) as connection:
            shapes.append([connection.execute(sql).fetchall() for sql in shape])
    assert shapes[0] == shapes[1]
    assert len(shapes[0][1]) >= 3 * len(TABLES)
