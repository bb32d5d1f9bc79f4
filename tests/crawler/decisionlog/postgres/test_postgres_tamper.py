"""Whoever owns the database can change it: verify finds each change, and says where."""

from __future__ import annotations

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog import schema
from crawler.decisionlog.portable_text import read_text, stored_text
from tests.crawler.decisionlog.postgres.conftest import PgLog

RECORD = [column.name for column in schema.record.columns]
SWAP = (
    "UPDATE record SET idx = CASE idx WHEN 4 THEN 105 ELSE 104 END WHERE segment_id = 1 AND idx IN (4, 5);"
    " UPDATE record SET idx = idx - 100 WHERE idx > 100"
)
NOT_EVIDENCE = {("document", "kind"), ("document", "id")}


@pytest.fixture(scope="module")
def owned(postgres, template, tmp_path_factory):
    """A log in which triggers and row security are off; each test puts back what it changed."""
    pg = PgLog(postgres, postgres.create_database(template), tmp_path_factory.mktemp("owned"))
    pg.write(seal=True)
    pg.write(seal=True, run_id="run-2")
    with pg.admin() as connection:
        for table in schema.metadata.tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            connection.execute(f"CREATE TABLE copy_{table} AS SELECT * FROM {table}")
    assert pg.verify().findings == ()
    return pg


def put_back(pg, *tables):
    with pg.admin() as connection:
        for table in tables:
            connection.execute(f"TRUNCATE {table}")
            connection.execute(f"INSERT INTO {table} SELECT * FROM copy_{table}")
    assert pg.verify().findings == ()


def found_after(pg, *statements, tables=("record",)):
    """Do what an owner can, and return what verify finds."""
    with pg.admin() as connection:
        for statement in statements:
            connection.execute(statement)
    try:
        report = pg.verify()
    finally:
        put_back(pg, *tables)
    assert report.exit_code == ExitCode.TAMPERED
    return report.findings


def flipped(column, bit):
    """Return an SQL expression that is the column with one bit of its last octet turned over."""
    kind = column.type.python_type if hasattr(column.type, "python_type") else str
    if kind is int:
        return f"{column.name} # {1 << bit}"
    if kind is bytes:
        return f"set_bit({column.name}, {bit}, 1 - get_bit({column.name}, {bit}))"
    octets = f"convert_to({column.name}, 'UTF8')"
    return f"convert_from(set_bit({octets}, {bit}, 1 - get_bit({octets}, {bit})), 'UTF8')"


@pytest.mark.parametrize("name", RECORD)
def test_check_10_a_flipped_bit_in_any_column_of_a_record_is_found_with_its_place(owned, name):
    column = schema.record.c[name]
    with owned.admin() as connection:
        idx = connection.execute(
            f"SELECT max(idx) FROM record WHERE segment_id = 1 AND {name} IS NOT NULL"
        ).fetchone()[0]
        segment = connection.execute("SELECT uuid FROM segment WHERE id = 1").fetchone()[0]
    if name == "segment_id":
        change = "UPDATE record SET segment_id = 3 WHERE segment_id = 1 AND idx = 9"
    else:
        change = f"UPDATE record SET {name} = {flipped(column, 4 if name in ('idx', 'context_id') else 0)}"
        change += f" WHERE segment_id = 1 AND idx = {idx}"
    findings = found_after(owned, change)
    assert any(
        (str(finding.segment), finding.idx) == (segment, idx) or name == "segment_id" for finding in findings
    ), findings


@pytest.mark.parametrize(
    "table", ["opening", "head", "document", "segment", "context", "registry", "checkpoint", "rollup"]
)
def test_check_10_a_flipped_bit_in_any_column_of_the_other_tables_is_found(owned, table):
    for column in schema.metadata.tables[table].columns:
        if (table, column.name) in NOT_EVIDENCE or column.primary_key:
            continue
        key = ", ".join(f"{each.name}" for each in schema.metadata.tables[table].primary_key.columns)
        place = (
            f"({key}) = (SELECT {key} FROM {table} WHERE {column.name} IS NOT NULL ORDER BY {key} LIMIT 1)"
        )
        with owned.admin() as connection:
            if connection.execute(f"SELECT 1 FROM {table} WHERE {place}").fetchone() is None:
                continue
        assert found_after(
            owned, f"UPDATE {table} SET {column.name} = {flipped(column, 0)} WHERE {place}", tables=(table,)
        ), column.name


@pytest.mark.parametrize(
    ("change", "tables"),
    [
        ("DELETE FROM record WHERE segment_id = 2 AND idx = 9", ("record",)),
        ("DELETE FROM record WHERE segment_id = 1 AND idx = 4", ("record",)),
        ("DELETE FROM opening WHERE segment_id = 1 AND idx = 4", ("opening",)),
        ("DELETE FROM record WHERE segment_id = 2", ("record",)),
        ("DELETE FROM segment WHERE id = 2; DELETE FROM record WHERE segment_id = 2", ("segment", "record")),
        ("DELETE FROM registry WHERE idx = (SELECT max(idx) FROM registry)", ("registry",)),
        (
            SWAP,
            ("record",),
        ),
        ("UPDATE opening SET url = E'http://a.example/\\uFDD00' WHERE segment_id = 1 AND idx = 4", ("opening",)),
    ],
)  # fmt: skip
def test_check_11_and_12_what_is_removed_swapped_or_moved_is_found(owned, change, tables):
    assert found_after(owned, change, tables=tables)


@pytest.mark.parametrize("text", ["", "plain", "\0", "\ufdd0", "\ufdd00", "\0\ufdd01x", "\ufdd0x00"])
def test_an_escaped_text_is_read_as_it_was(text):
    assert read_text(stored_text(text)) == text
    assert "\0" not in stored_text(text)


def test_an_index_of_a_host_that_leaves_a_record_out_is_found(owned):
    leave_out = "UPDATE posting SET places = substr(places, 1, octet_length(places) - 1) WHERE segment_id = 2"
    findings = found_after(owned, leave_out, tables=("posting",))
    assert {finding.problem for finding in findings} == {"index_wrong"}
