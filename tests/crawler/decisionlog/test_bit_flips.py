"""One bit of one column of one row, whichever: found, and named with segment and index.

A record stands by itself: what its bit changes does not depend on other records. The long test therefore flips
the same bit of a column in every row at once, and wants every row named.
"""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from random import Random

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog import schema, verify_source
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.record import Document
from crawler.decisionlog.verify import verify_log

RECORDS = 200
OWN = {"record", "opening"}  # tables whose rows are records' own, by segment and index
# A wrong format is refused by whoever opens the log; indexes of URLs have a signature that look-ups check.
ELSEWHERE = {"meta", "url_key", "url_posting"}
LABEL = {("document", "kind")}  # of some documents: README says which


def fill(log, write_into, times):
    writer = log.open()
    for _ in range(times):
        write_into(writer)
    return writer.close(seal=True).segment


@pytest.fixture
def flips(log, write_into, monkeypatch):
    """A log of two segments, 200 records together, open to somebody who may change everything.

    Pages are small: most have no record about the run, and are looked at quickly while they are in order.
    """
    monkeypatch.setattr(verify_source, "_PAGE", 3)
    segments = [fill(log, write_into, RECORDS // 20), fill(log, write_into, RECORDS // 20)]
    connection = log.unguarded()
    for statement in ("ignore_check_constraints = ON", "journal_mode = MEMORY"):
        connection.execute(f"PRAGMA {statement}")
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (RECORDS,)
    return Flips(log, connection, segments)


def bits(value):
    """How many bits a stored value has."""
    if value is None:
        return 0
    return 64 if isinstance(value, int) else 8 * len(value.encode() if isinstance(value, str) else value)


def flipped(value, bit):
    """Return the value with one bit changed, and how SQLite is told its type."""
    if isinstance(value, int):
        return value ^ (1 << bit if bit < 63 else -(1 << 63)), "?"
    octets = bytearray(value.encode() if isinstance(value, str) else value)
    octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets), "CAST(? AS TEXT)" if isinstance(value, str) else "?"


class Flips:
    """Flips bits in a log, verifies, and puts them back."""

    def __init__(self, log, connection, segments):
        self.log, self.connection, self.segments = log, connection, segments

    def rows(self, table, column):
        keys = [key.name for key in table.primary_key]
        return keys, self.connection.execute(
            f"SELECT {', '.join(keys)}, {column} FROM {table.name} ORDER BY {', '.join(keys)}"
        ).fetchall()

    def verify(self):
        try:
            with self.log.reader() as reader:
                return verify_log(reader)
        except LogError as error:
            return error

    def write(self, table, column, keys, key, value, how="?"):  # noqa: PLR0917 - one cell and what goes there
        """Write one value; False where a constraint forbids it, as with a key that exists."""
        # A text that is broken now is found by its octets.
        form = "CAST({} AS BLOB) = CAST(? AS BLOB)" if not isinstance(key[0], int) else "{} = ?"
        where = " AND ".join(form.format(name) for name in keys)
        try:
            self.connection.execute(f"UPDATE {table.name} SET {column} = {how} WHERE {where}", (value, *key))
        except sqlite3.IntegrityError:
            return False
        return True

    def places(self, report):
        return {(finding.segment, finding.idx) for finding in report.findings}

    def one(self, table, column, row, bit):
        """Flip a bit of one row. Returns whether that could be done."""
        keys, rows = self.rows(table, column)
        *key, value = rows[row]
        wrong, how = flipped(value, bit)
        if not self.write(table, column, keys, key, wrong, how):
            return False
        report = self.verify()
        about = f"{table.name}.{column} of {key}, bit {bit}"
        assert report.exit_code is ExitCode.TAMPERED, about
        if table.name in OWN:
            assert (self.segments[key[0] - 1], key[1]) in self.places(report), about
        elif "segment_id" in keys:
            named = {finding.segment for finding in report.findings}
            assert self.segments[key[keys.index("segment_id")] - 1] in named, about
        there = [wrong if name == column else part for name, part in zip(keys, key, strict=True)]
        assert self.write(table, column, keys, there, value)
        assert [list(row) for row in self.rows(table, column)[1]] == [list(row) for row in rows], "put back"
        return True


CELLS = [
    (table, column.name)
    for table in schema.metadata.sorted_tables
    if table.name not in ELSEWHERE
    for column in table.columns
    if (table.name, column.name) not in LABEL
]


def test_check_10_a_flipped_bit_of_any_column_is_found_and_its_row_is_named(flips):
    chance = Random(10)
    done = {}
    for table, column in CELLS:
        filled = [number for number, row in enumerate(flips.rows(table, column)[1]) if bits(row[-1])]
        for _ in range(2 if filled else 0):
            row = chance.choice(filled)
            bit = chance.randrange(bits(flips.rows(table, column)[1][row][-1]))
            done[table.name, column] = done.get((table.name, column), 0) + flips.one(table, column, row, bit)
    assert flips.verify().exit_code is ExitCode.DONE, "everything was put back"
    assert {table for table, _ in done} == {
        "document", "segment", "context", "record", "opening", "head", "registry", "checkpoint", "rollup",
        "posting",
    }  # fmt: skip
    assert sum(done.values()) > len(done), "of some columns a flip makes a key that exists"


@pytest.mark.long
@pytest.mark.parametrize("page", [1, 300])
@pytest.mark.parametrize("table", sorted(OWN))
def test_check_10_every_bit_of_every_record_is_found_and_every_row_is_named(flips, table, page, monkeypatch):
    monkeypatch.setattr(verify_source, "_PAGE", page)  # where it is 1, each row has to fail a quick look
    table = schema.metadata.tables[table]
    for column in (column.name for column in table.columns if not column.primary_key):
        keys, rows = flips.rows(table, column)
        for bit in range(max(bits(row[-1]) for row in rows)):
            changed = {}
            flips.connection.execute("BEGIN")
            for *key, value in rows:
                if bit < bits(value):
                    wrong, how = flipped(value, bit)
                    assert flips.write(table, column, keys, key, wrong, how)
                    changed[flips.segments[key[0] - 1], key[1]] = (key, value)
            flips.connection.execute("COMMIT")
            report = flips.verify()
            assert report.exit_code is ExitCode.TAMPERED
            missed = changed.keys() - flips.places(report)
            assert not missed, f"{column}, bit {bit}: {sorted(missed)[:3]}"
            flips.connection.execute("BEGIN")
            for key, value in changed.values():
                assert flips.write(table, column, keys, key, value)
            flips.connection.execute("COMMIT")
    assert flips.verify().exit_code is ExitCode.DONE


@pytest.mark.long
@pytest.mark.parametrize(
    "table",
    sorted(
        {table.name for table, _ in CELLS}
        - OWN
        - {"document", "anchor", "erasure"}
        - {"pruning", "discarding"}
    ),
)
def test_check_10_every_bit_of_every_other_row_is_found(flips, table):
    table = schema.metadata.tables[table]
    for column in (column.name for column in table.columns):
        for row, (*_, value) in enumerate(flips.rows(table, column)[1]):
            for bit in range(bits(value)):
                flips.one(table, column, row, bit)
    assert flips.verify().exit_code is ExitCode.DONE


@pytest.mark.parametrize("column", ["key", "value"])
def test_check_10_a_log_whose_format_was_changed_is_refused(flips, column):
    table = schema.meta
    keys, rows = flips.rows(table, column)
    *key, value = rows[0]
    for bit in range(bits(value)):
        wrong, how = flipped(value, bit)
        assert flips.write(table, column, keys, key, wrong, how)
        assert flips.verify().exit_code in {ExitCode.REFUSED, ExitCode.TAMPERED}
        there = [
            flips.connection.execute("SELECT CAST(key AS BLOB) FROM meta").fetchone()[0].decode("latin-1")
        ]
        if column == "key":
            flips.connection.execute("UPDATE meta SET key = ?", (value,))
            continue
        assert flips.write(table, column, keys, there, value)


# rows as they are, in other places


def swap(connection, table, first, second, column):
    values = [
        connection.execute(
            f"SELECT {column} FROM {table} WHERE segment_id = ? AND idx = ?", place
        ).fetchone()[0]
        for place in (first, second)
    ]
    for value, place in zip(reversed(values), (first, second), strict=True):
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE segment_id = ? AND idx = ?", (value, *place)
        )


def test_check_12_a_record_moved_to_another_segment_is_found_in_both(flips):
    connection = flips.connection
    connection.execute("DELETE FROM record WHERE segment_id = 2 AND idx = 40")
    connection.execute("UPDATE record SET segment_id = 2 WHERE segment_id = 1 AND idx = 40")
    report = flips.verify()
    assert report.exit_code is ExitCode.TAMPERED
    assert {(flips.segments[0], 40), (flips.segments[1], 40)} <= flips.places(report)


def test_check_12_policies_swapped_between_records_are_found(log, entry, documents):
    writer = log.open()
    other = Document(kind="policy", body=b"another")
    writer.append(entry(), [documents["policy"], documents["blocklist"], other])
    writer.append(entry(policy_sha256=sha256(other.body).hexdigest()))
    segment = writer.close(seal=True).segment
    connection = log.unguarded()
    swap(connection, "record", (1, 0), (1, 1), "context_id")
    with log.reader() as reader:
        found = verify_log(reader).findings
    assert {(segment, 0), (segment, 1)} <= {(one.segment, one.idx) for one in found}
    swap(connection, "record", (1, 0), (1, 1), "context_id")
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
    connection.execute("UPDATE context SET id = 3 - id + 10")
    connection.execute("UPDATE context SET id = id - 10")
    with log.reader() as reader:
        found = verify_log(reader).findings
    assert {(segment, 0), (segment, 1)} <= {(one.segment, one.idx) for one in found}


def test_check_12_a_whole_segment_replayed_under_the_next_number_is_found(flips):
    connection = flips.connection
    for table in ("record", "opening", "head"):
        connection.execute(f"CREATE TEMP TABLE copy AS SELECT * FROM {table} WHERE segment_id = 1")
        connection.execute("UPDATE copy SET segment_id = 3")
        connection.execute(f"INSERT INTO {table} SELECT * FROM copy")
        connection.execute("DROP TABLE copy")
    assert flips.verify().exit_code is ExitCode.TAMPERED
    connection.execute("CREATE TEMP TABLE copy AS SELECT * FROM segment WHERE id = 1")
    connection.execute("UPDATE copy SET id = 3, uuid = '00000000-0000-8000-8000-000000000000'")
    connection.execute("INSERT INTO segment SELECT * FROM copy")
    report = flips.verify()
    assert {Problem.SEGMENT_CHANGED} <= {finding.problem for finding in report.findings}
