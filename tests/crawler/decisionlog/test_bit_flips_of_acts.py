"""One bit of what says that something was lawfully removed: found, or removing would be a way to hide."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import schema
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.verify import verify_log

ROOT = Path(__file__).resolve().parents[3]
URL = "http://a.example/erased"
BITS = (0, 3, 17, 40, 63)  # of a number; of octets the same and the last


@pytest.fixture
def acted(log, entry, documents, tmp_path, monkeypatch):
    """A log in which a run was pruned with a document of its own, and a URL erased with one in which it stands."""
    docs = [documents["policy"], documents["blocklist"]]
    for run in ("run-1", "run-2"):
        writer = log.open(run_id=run, retention="trial" if run == "run-1" else "default")
        writer.append(entry(basis=b"of " + run.encode()), docs)
        writer.append(entry(url=URL, basis=b"about " + URL.encode()))
        writer.append(entry(url="http://a.example/other"))
        assert writer.close(seal=True) is not None
    schedule = tmp_path / "retention.toml"
    shutil.copy(ROOT / "policies" / "retention.toml", schedule)
    half_a_year = 1_800_000_000_000_000 + 180 * 86_400 * 10**6
    monkeypatch.setattr("crawler.decisionlog.clock.SystemClock.now_us", lambda _: half_a_year)
    acting = ("--log", log.url, "--actor", "tests", "--yes")
    assert main(["retention", "apply", "--schedule", str(schedule), *acting]) == 0
    assert main(["log", "erase", URL, "--basis", "request 17", *acting]) == 0
    report = verdict(log)
    assert (report.exit_code, report.findings) == (ExitCode.UNVERIFIABLE, ())
    return log


def verdict(log):
    try:
        with log.reader() as reader:
            return verify_log(reader)
    except LogError as error:
        return error


def flips(value):
    """Yield a value with one of its bits changed, and then another."""
    if isinstance(value, int):
        yield from (value ^ (1 << bit if bit < 63 else -(1 << 63)) for bit in BITS)
    elif value is not None:
        octets = value.encode() if isinstance(value, str) else value
        for bit in {*(bit for bit in BITS if bit < 8 * len(octets)), 8 * len(octets) - 1}:
            changed = bytearray(octets)
            changed[bit // 8] ^= 1 << bit % 8
            yield bytes(changed)


def changed_and_put_back(log, connection, table, column, which):
    """Flip bits of a column in these rows; return how many flips could be done, each of which was found."""
    done = 0
    kept = connection.execute(f"SELECT rowid, {column.name} FROM {table.name} WHERE {which}").fetchall()
    for row, value in kept:
        text = isinstance(value, str)
        for wrong in flips(value):
            try:
                connection.execute(
                    f"UPDATE {table.name} SET {column.name} = {'CAST(? AS TEXT)' if text else '?'} WHERE rowid = ?",
                    (wrong, row),
                )
            except sqlite3.IntegrityError:
                continue  # a key that exists
            where = (
                row
                if not (column.primary_key and isinstance(value, int) and len(table.primary_key) == 1)
                else wrong
            )
            assert verdict(log).exit_code is ExitCode.TAMPERED, (
                f"{table.name}.{column.name} of {row}: {wrong!r}"
            )
            connection.execute(f"UPDATE {table.name} SET {column.name} = ? WHERE rowid = ?", (value, where))
            done += 1
    return done


@pytest.mark.parametrize("table", ["erasure", "pruning", "discarding"])
def test_check_10_a_flipped_bit_of_what_says_that_something_was_removed_is_found(acted, table):
    connection = acted.unguarded()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA journal_mode = MEMORY")
    table = schema.metadata.tables[table]
    keyed_by_row = bool(
        connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = ? AND sql LIKE '%WITHOUT ROWID%'", (table.name,)
        ).fetchone()
    )
    if keyed_by_row:
        plain(connection, table)
    for column in table.columns:
        # Which document went with a pruned run nobody signed: it is gone, and nothing that stays needs it.
        unsigned = (table.name, column.name) == ("discarding", "sha256")
        which = "registry_idx NOT IN (SELECT registry_idx FROM pruning)" if unsigned else "TRUE"
        assert changed_and_put_back(acted, connection, table, column, which), column.name
    assert verdict(acted).findings == (), "everything was put back"


def plain(connection, table):
    """Keep the rows in a table that has row numbers, so that a row is found again whatever was changed of it."""
    connection.execute(f"CREATE TABLE plain AS SELECT * FROM {table.name}")
    connection.execute(f"DROP TABLE {table.name}")
    connection.execute(f"ALTER TABLE plain RENAME TO {table.name}")


def test_a_document_that_a_record_needs_is_missed_whatever_is_said_to_have_gone_with_a_pruned_run(
    acted, log, entry, documents, write_into
):
    writer = log.open(run_id="run-3")
    write_into(writer)
    assert writer.close(seal=True) is not None
    connection = acted.unguarded()
    (leaf,) = connection.execute("SELECT registry_idx FROM pruning").fetchone()
    needed = connection.execute("SELECT id, sha256, kind FROM document WHERE kind != 'basis'").fetchall()
    assert {kind for _, _, kind in needed} == {"policy", "blocklist", "run", "robots"}
    for number, digest, kind in needed:
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM document WHERE id = ?", (number,))
        connection.execute("DELETE FROM document WHERE id = ?", (number,))
        connection.execute("INSERT INTO discarding VALUES (?, ?)", (digest, leaf))
        report = verdict(acted)
        assert report.exit_code is ExitCode.TAMPERED, kind
        assert {finding.problem for finding in report.findings} == {Problem.DOCUMENT_MISSING}
        connection.execute("DELETE FROM discarding WHERE sha256 = ?", (digest,))
        connection.execute("INSERT INTO document SELECT * FROM kept")
        connection.execute("DROP TABLE kept")
    assert verdict(acted).findings == (), "everything was put back"


@pytest.mark.parametrize("table", ["erasure", "pruning", "discarding"])
def test_check_10_a_row_that_says_so_and_is_removed_is_found(acted, table):
    connection = acted.unguarded()
    connection.execute(f"DELETE FROM {table}")
    assert verdict(acted).exit_code is ExitCode.TAMPERED


@pytest.mark.parametrize("table", ["segment", "rollup", "registry", "checkpoint"])
def test_check_10_a_flipped_bit_of_what_stays_of_a_pruned_run_is_found(acted, table):
    """Its records are gone: only roots, seals and sums can tell now."""
    connection = acted.unguarded()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA journal_mode = MEMORY")
    table, chance = schema.metadata.tables[table], Random(10)
    which = {"segment": "id = 1", "rollup": "segment_id = 1"}.get(table.name, "TRUE")
    keys = ", ".join(key.name for key in table.primary_key)
    place = f"({keys}) = (SELECT {keys} FROM {table.name} WHERE {which} ORDER BY {keys} LIMIT 1)"
    done = 0
    for column in (column for column in table.columns if not column.primary_key):
        (value,) = connection.execute(f"SELECT {column.name} FROM {table.name} WHERE {place}").fetchone()
        wrongs = list(flips(value))
        for wrong in chance.sample(wrongs, min(2, len(wrongs))):
            form = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
            connection.execute(f"UPDATE {table.name} SET {column.name} = {form} WHERE {place}", (wrong,))
            assert verdict(acted).exit_code is ExitCode.TAMPERED, f"{table.name}.{column.name}: {wrong!r}"
            connection.execute(f"UPDATE {table.name} SET {column.name} = ? WHERE {place}", (value,))
            done += 1
    assert done > 5
    assert verdict(acted).findings == (), "everything was put back"
