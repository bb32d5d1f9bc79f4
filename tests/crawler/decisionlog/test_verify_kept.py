"""A value that is kept as another type is found, because queries and look-ups pass over it though its octets are the same."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import suppress

import pytest
from sqlalchemy import BigInteger, LargeBinary

from blocklists.errors import ExitCode
from crawler.decisionlog import schema, store, verify_source
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.verify import verify_log

RECORD_TEXTS = ("stage", "verdict", "reason", "kind", "method", "host", "domain", "media_type", "error")
RECORD_OCTETS = ("url_commit", "parent_commit", "basis_sha256", "body_sha256", "leaf_hash")
BESIDE = [
    ("segment", "run_id"), ("segment", "agent"), ("context", "agent"), ("registry", "kind"), ("document", "kind"),
    ("document", "codec"), ("checkpoint", "note"), ("registry", "body"), ("document", "sha256"),
    ("head", "root"), ("checkpoint", "root"), ("segment", "nonce"),
]  # fmt: skip


def loosen(path, tables):
    """Make the tables take any type: whoever has the file needs not ask STRICT."""
    with sqlite3.connect(path) as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("PRAGMA writable_schema = ON")
        for table in tables:
            (sql,) = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            loose = sql.replace("STRICT", "").rstrip().rstrip(",")
            for kind in (" TEXT", " BLOB", " ANY"):
                loose = loose.replace(kind, "")
            raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (loose, table))
    raw.close()


def retype(path, table, column, where):
    """Keep a value's octets and change its type; return whether there was one to change."""
    with sqlite3.connect(path) as raw:
        octets = isinstance(schema.metadata.tables[table].columns[column].type, LargeBinary)
        to = "TEXT" if octets else "BLOB"
        changed = raw.execute(
            f"UPDATE {table} SET {column} = CAST({column} AS {to}) WHERE {column} IS NOT NULL AND {where}"
        ).rowcount
    raw.close()
    return changed


def retyped(path, *tables):
    """Make the columns of tables take values of every type, and none at all; keys that are row ids stay."""
    loosen(path, tables)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        for table in tables:
            (sql,) = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            alias = re.search(r"PRIMARY KEY \((\w+)\)(?!.*WITHOUT ROWID)", sql, re.DOTALL)
            lines = [
                line
                if alias and line.strip().startswith(f"{alias[1]} ")
                else re.sub("INTEGER|NOT NULL", "", line)
                for line in sql.splitlines()
            ]
            raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", ("\n".join(lines), table))
    raw.close()


def verified(log):
    with log.reader() as reader:
        return verify_log(reader)


@pytest.fixture
def full(log, entry, documents):
    """A log of which one record has something in every column."""
    writer = log.open()
    for number in range(4):
        writer.append(
            entry(
                url=f"http://a.example/{number}", parent_url="http://a.example/", media_type="text/html",
                error="e", body_sha256="ab" * 32, basis=b"{}",
            ),
            documents.values(),
        )  # fmt: skip
    writer.close(seal=True)
    return log


@pytest.mark.parametrize("column", RECORD_TEXTS + RECORD_OCTETS)
def test_a_value_of_a_record_of_another_type_is_found_and_named(full, column):
    loosen(full.path, ["record"])
    assert verified(full).findings == ()
    with sqlite3.connect(full.path) as raw:
        (idx,) = raw.execute(f"SELECT max(idx) FROM record WHERE {column} IS NOT NULL").fetchone()
    raw.close()
    assert retype(full.path, "record", column, f"idx = {idx}") == 1
    report = verified(full)
    (finding,) = [each for each in report.findings if each.problem is Problem.KEPT_OTHERWISE]
    assert finding.idx == idx
    assert finding.segment == report.segments[0].segment
    assert f"its {column} is kept as" in finding.text
    assert report.exit_code == ExitCode.TAMPERED


@pytest.mark.parametrize("page", [1, 300])
@pytest.mark.parametrize("column", ["url", "parent_url", "salt"])
def test_a_url_or_salt_of_another_type_is_found_and_named(full, column, page, monkeypatch):
    monkeypatch.setattr("crawler.decisionlog.verify_source._PAGE", page)
    loosen(full.path, ["opening"])
    with sqlite3.connect(full.path) as raw:
        to = "TEXT" if column == "salt" else "BLOB"
        raw.execute(f"UPDATE opening SET {column} = CAST({column} AS {to}) WHERE idx = 2")
    raw.close()
    found = [each for each in verified(full).findings if each.problem is Problem.KEPT_OTHERWISE]
    assert [each.idx for each in found] == [2]
    assert f"its {column} is kept as" in found[0].text


def test_a_url_that_is_no_unicode_is_rightly_kept_as_octets(log, entry, documents):
    writer = log.open()
    for url in ("http://a.example/\udcff", "http://a.example/ä", "http://a.example/\ud800"):
        writer.append(entry(url=url, parent_url=url), documents.values())
    writer.close(seal=True)
    report = verified(log)
    assert report.findings == ()
    assert report.openings == 3


@pytest.mark.parametrize(("table", "column"), BESIDE)
def test_a_value_beside_the_records_of_another_type_is_found(full, table, column):
    loosen(full.path, [table])
    assert retype(full.path, table, column, "1") >= 1
    report = verified(full)
    assert report.exit_code == ExitCode.TAMPERED
    assert report.findings


@pytest.mark.parametrize("number", [0, -1, -(2**63)])
def test_a_forged_document_is_read_whatever_its_number(full, number):
    """The newest leaves no gap when it is moved, and nobody reads it by its number."""
    loosen(full.path, ["document"])
    with sqlite3.connect(full.path) as raw:
        raw.execute("UPDATE document SET id = ? WHERE id = (SELECT max(id) FROM document)", (number,))
    raw.close()
    (finding,) = verified(full).findings
    assert finding.problem is Problem.DOCUMENT_CHANGED
    assert f"has the number {number}" in finding.text
    with sqlite3.connect(full.path) as raw:
        raw.execute("UPDATE document SET body = x'666f72676564', kind = CAST(kind AS BLOB) WHERE id < 1")
    raw.close()
    texts = " ".join(finding.text for finding in verified(full).findings)
    assert "was changed" in texts
    assert "its kind is kept as octets" in texts


def test_a_document_of_the_largest_number_keeps_nobody_waiting(full):
    loosen(full.path, ["document"])
    with sqlite3.connect(full.path) as raw:
        raw.execute("UPDATE document SET id = 9000000000000000000 WHERE id = (SELECT max(id) FROM document)")
    raw.close()
    (finding,) = verified(full).findings
    assert finding.problem is Problem.DOCUMENT_MISSING


@pytest.mark.parametrize("value", [None, b"x", 1.5, -1])
@pytest.mark.parametrize("column", ["sha256", "kind", "size", "codec", "body"])
def test_a_value_of_a_document_that_no_writer_writes_is_a_finding(full, column, value):
    retyped(full.path, "document")
    with sqlite3.connect(full.path) as raw:
        raw.execute(f"UPDATE document SET {column} = ? WHERE id = (SELECT max(id) FROM document)", (value,))
    raw.close()
    assert verified(full).exit_code == ExitCode.TAMPERED


INTEGERS = [
    (table.name, column.name)
    for table in schema.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, BigInteger)
]


def restored(path, octets):
    for behind in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + behind).unlink(missing_ok=True)
    path.write_bytes(octets)


@pytest.mark.parametrize(("table", "column"), INTEGERS)
def test_an_integer_that_is_none_is_a_finding_and_no_traceback(full, table, column):
    retyped(full.path, table)
    before = full.path.read_bytes()
    key = ", ".join(each.name for each in schema.metadata.tables[table].primary_key)
    row = f"({key}) IN (SELECT {key} FROM {table} WHERE {column} IS NOT NULL ORDER BY {key} DESC LIMIT 1)"
    for to in ("CAST({} AS TEXT)", "{} + 0.5", "'abc'", "NULL", "9223372036854775807"):
        if to == "NULL" and schema.metadata.tables[table].columns[column].nullable:
            continue
        restored(full.path, before)
        connection = full.raw()
        kinds = f"SELECT typeof({column}), count(*) FROM {table} GROUP BY 1"
        there = connection.execute(kinds).fetchall()
        with suppress(sqlite3.IntegrityError):  # a row id is an integer
            connection.execute(f"UPDATE {table} SET {column} = {to.format(column)} WHERE {row}")
        changed = connection.execute(kinds).fetchall() != there
        connection.close()
        if changed:
            assert verified(full).exit_code == ExitCode.TAMPERED, to


def json_array_from_3_45_on(*values):
    """Take octets that are JSONB of an integer or a text of up to 11 octets, as `json_array` does there."""
    read = []
    for value in values:
        if isinstance(value, bytes) and value and value[0] >> 4 == len(value) - 1 and value[0] & 15 in {3, 7}:
            read.append(int(value[1:]) if value[0] & 15 == 3 else value[1:].decode())
        elif isinstance(value, bytes):
            raise ValueError("JSON cannot hold BLOB values")
        else:
            read.append(value)
    return json.dumps(read, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("column", ["stage", "verdict", "reason", "context_id", "attempt"])
def test_octets_that_json_would_take_for_a_word_or_a_number_are_found(full, column, monkeypatch):
    def newer(connection):
        raw = octets_of(connection)
        raw.create_function("json_array", -1, json_array_from_3_45_on, deterministic=True)
        return raw

    octets_of = store.octets
    monkeypatch.setattr(store, "octets", newer)
    monkeypatch.setattr(verify_source, "_PACKED_SQL", verify_source._packed_sql((3, 45, 0)))
    retyped(full.path, "record")
    assert verified(full).findings == ()
    connection = full.raw()
    (value,) = connection.execute(f"SELECT {column} FROM record WHERE idx = 3").fetchone()
    kept = str(value).encode()
    jsonb = bytes([len(kept) << 4 | (3 if isinstance(value, int) else 7)]) + kept
    connection.execute(f"UPDATE record SET {column} = ? WHERE idx = 3", (jsonb,))
    connection.close()
    assert 3 in {finding.idx for finding in verified(full).findings}
