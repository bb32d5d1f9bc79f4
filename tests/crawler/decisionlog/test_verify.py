"""Whatever somebody changes or removes behind our back is found, and the finding says where."""

from __future__ import annotations

import sqlite3

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog import encoding, schema
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.verify import verify_log


def verify(log):
    with log.reader() as reader:
        return verify_log(reader)


def problems(report):
    return {finding.problem for finding in report.findings}


def places(report, problem=None):
    return {
        (finding.segment, finding.idx) for finding in report.findings if problem in (None, finding.problem)
    }


@pytest.fixture
def two(log):
    """Two sealed runs of ten records."""
    return log, [log.write().segment, log.write(run_id="run-2").segment]


def test_a_log_that_nobody_touched_is_intact(two):
    log, segments = two
    report = verify(log)
    assert report.findings == ()
    assert report.exit_code == ExitCode.DONE
    assert [part.segment for part in report.segments] == segments
    assert (report.records, report.openings, report.heads, report.unsealed) == (20, 18, 2, ())
    assert report.documents == 7, "robots, policy, lists, run header, three bases"
    with log.reader() as reader:
        assert [part.root for part in report.segments] == [info.root for info in reader.segments()]


# `meta` is the format; `posting`, `url_key` and `url_posting` are indexes that look-ups check; the others are empty in a log of which nothing was anchored, erased or pruned.
ELSEWHERE = {"meta", "anchor", "posting", "url_key", "url_posting", "erasure", "pruning", "discarding"}
CELLS = [
    (table.name, column.name)
    for table in schema.metadata.sorted_tables
    for column in table.columns
    if (table.name, column.name) != ("document", "kind") and table.name not in ELSEWHERE
]


def altered(value):
    """Every value with its last bit flipped, and NULL; for NULL, something."""
    if value is None:
        return [0, "x", b"\x00"]
    if isinstance(value, int):
        return [value ^ 1, value + 2**33, None]
    if isinstance(value, str):
        return [value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x", value + " ", "", None]
    return [value[:-1] + bytes([value[-1] ^ 1]) if value else b"\x01", value[:-1], b"", None]


@pytest.mark.parametrize(("table", "column"), CELLS, ids=lambda name: name)
def test_check_10_any_change_of_any_column_of_any_row_is_found(log, table, column):
    segment = log.write().segment
    connection = log.unguarded()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    keys = [key.name for key in schema.metadata.tables[table].primary_key]
    rows = connection.execute(f"SELECT {', '.join(keys)}, {column} FROM {table}").fetchall()
    assert rows
    tried = 0
    for *key, value in rows:
        where = " AND ".join(f"{name} = ?" for name in keys)
        for wrong in (other for other in altered(value) if other != value):
            connection.execute("BEGIN")
            try:
                changed = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (wrong, *key))
            except sqlite3.IntegrityError:  # of another type, NULL where none may be, or a key that exists
                connection.execute("ROLLBACK")
                continue
            assert changed.rowcount == 1
            connection.execute("COMMIT")
            tried += 1
            report = verify(log)
            assert report.exit_code == ExitCode.TAMPERED, (key, value, wrong)
            if table in {"record", "opening"} and column not in {"segment_id", "idx"}:
                assert (segment, key[1]) in places(report), (key, value, wrong)
            restored = dict(zip(keys, key, strict=True))
            if column in restored:
                restored[column] = wrong
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *(restored[name] for name in keys))
            )
    assert tried
    assert verify(log).findings == (), "everything was put back"


def test_taking_back_the_seal_is_found_because_the_registry_has_it(log):
    log.write()
    log.unguarded().execute("UPDATE segment SET sealed_us = NULL, size = NULL, root = NULL")
    report = verify(log)
    assert problems(report) == {Problem.SEAL_WRONG}
    assert [part.segment for part in report.unsealed] == [report.segments[0].segment]


@pytest.mark.parametrize("idx", [0, 4, 8])
def test_check_11_a_missing_record_is_named(two, idx):
    log, (_, second) = two
    connection = log.unguarded()
    connection.execute("DELETE FROM record WHERE segment_id = 2 AND idx = ?", (idx,))
    report = verify(log)
    assert (second, idx) in places(report, Problem.RECORD_MISSING)
    assert report.exit_code == ExitCode.TAMPERED
    connection.execute("DELETE FROM opening WHERE segment_id = 2 AND idx = ?", (idx,))
    assert (second, idx) in places(verify(log), Problem.RECORD_MISSING), "its URL gone too"


def test_check_11_a_cut_tail_is_found_from_the_head(two):
    log, (first, _) = two
    connection = log.unguarded()
    for table in ("record", "opening"):
        connection.execute(f"DELETE FROM {table} WHERE segment_id = 1 AND idx >= 7")
    report = verify(log)
    assert places(report, Problem.RECORD_MISSING) == {(first, 7)}
    assert "records 7 to 9 are gone" in report.findings[0].text


def test_a_cut_tail_of_an_open_segment_is_found_as_far_as_heads_reach(log):
    segment = log.write(seal=False).segment
    connection = log.unguarded()
    connection.execute("DELETE FROM record WHERE idx >= 7")
    connection.execute("DELETE FROM opening WHERE idx >= 7")
    assert (segment, 7) in places(verify(log), Problem.RECORD_MISSING)


@pytest.mark.parametrize(
    ("tables", "gone"),
    [
        (["segment"], 1), (["segment"], 2), (["segment", "record", "opening", "head"], 1),
        (["record", "opening"], 2), (["record", "opening", "head"], 2),
    ],
)  # fmt: skip
def test_check_11_a_missing_segment_is_found(two, tables, gone):
    log, _ = two
    connection = log.unguarded()
    for table in tables:
        connection.execute(
            f"DELETE FROM {table} WHERE {'id' if table == 'segment' else 'segment_id'} = ?", (gone,)
        )
    report = verify(log)
    assert report.exit_code == ExitCode.TAMPERED
    assert {Problem.SEGMENT_MISSING, Problem.RECORD_MISSING} & problems(report)


def swap(connection, table, first, second):
    """Exchange two rows by exchanging their keys (segment_id, idx)."""
    spare = (-9, -9)
    for old, new in ((first, spare), (second, first), (spare, second)):
        connection.execute(
            f"UPDATE {table} SET segment_id = ?, idx = ? WHERE segment_id = ? AND idx = ?", (*new, *old)
        )


@pytest.mark.parametrize(("first", "second"), [((1, 3), (1, 6)), ((1, 4), (2, 4))], ids=["within", "between"])
@pytest.mark.parametrize("tables", [["record"], ["opening"], ["record", "opening"]], ids="+".join)
def test_check_12_swapped_rows_are_found_on_both_sides(two, first, second, tables):
    log, segments = two
    connection = log.unguarded()
    for table in tables:
        swap(connection, table, first, second)
    expected = {(segments[number - 1], idx) for number, idx in (first, second)}
    assert expected <= places(verify(log))


def test_a_record_with_a_recomputed_leaf_is_found_by_the_head(log):
    segment = log.write().segment
    connection = log.unguarded()
    leaf = connection.execute("SELECT leaf_hash FROM record WHERE idx = 5").fetchone()[0]
    connection.execute("UPDATE record SET leaf_hash = ? WHERE idx = 4", (leaf,))
    report = verify(log)
    assert (segment, 4) in places(report, Problem.RECORD_CHANGED)
    assert (segment, 9) in places(report, Problem.HEAD_WRONG)
    assert Problem.SEAL_WRONG in problems(report)


def test_a_record_after_the_seal_is_found(log):
    segment = log.write().segment
    connection = log.unguarded()
    connection.execute("CREATE TEMP TABLE copy AS SELECT * FROM record WHERE idx = 9")
    connection.execute("UPDATE copy SET idx = 10")
    connection.execute("INSERT INTO record SELECT * FROM copy")
    assert {(segment, 10)} <= places(verify(log))
    connection.execute("UPDATE record SET idx = -1 WHERE idx = 10")
    assert (segment, -1) in places(verify(log), Problem.RECORD_OUTSIDE)


def test_a_record_at_the_end_of_numbers_costs_no_memory(log):
    segment = log.write(seal=False).segment
    log.unguarded().execute("UPDATE record SET idx = 9223372036854775806 WHERE idx = 9")
    assert (segment, 9) in places(verify(log), Problem.RECORD_MISSING)


def test_a_removed_url_is_found_because_no_record_says_that_it_was_erased(log):
    segment = log.write().segment
    log.unguarded().execute("DELETE FROM opening WHERE idx = 4")
    report = verify(log)
    assert places(report) == {(segment, 4)}
    assert problems(report) == {Problem.URL_MISSING}


def test_a_url_for_a_record_that_never_had_one_is_found(log):
    segment = log.write().segment
    log.unguarded().execute("INSERT INTO opening VALUES (1, 0, 'http://a/', NULL, x'00')")
    assert places(verify(log), Problem.URL_CHANGED) == {(segment, 0)}


@pytest.mark.parametrize("kind", ["basis", "policy", "blocklist", "run", "robots"])
def test_a_removed_document_is_found(log, kind):
    segment = log.write().segment
    log.unguarded().execute("DELETE FROM document WHERE kind = ?", (kind,))
    report = verify(log)
    assert Problem.DOCUMENT_MISSING in problems(report)
    if kind != "robots":
        idx = {"basis": 1, "policy": 0, "blocklist": 0, "run": 0}[kind]
        assert (segment, idx) in places(report, Problem.DOCUMENT_MISSING)


def test_the_last_document_removed_is_found_by_the_basis_that_quotes_it(log, documents):
    log.write()
    connection = log.unguarded()
    last = connection.execute("SELECT max(id) FROM document").fetchone()[0]
    connection.execute("UPDATE document SET id = ? WHERE kind = 'robots'", (last + 1,))
    connection.execute("DELETE FROM document WHERE kind = 'robots'")
    texts = [finding.text for finding in verify(log).findings]
    assert any(
        "http://a.example/robots.txt" in text and "is not among the documents" in text for text in texts
    )


@pytest.mark.parametrize("codec", ["raw", "zlib", "lzma"])
def test_a_changed_document_is_found(log, codec):
    log.write()
    connection = log.unguarded()
    connection.execute("UPDATE document SET codec = ?, body = x'0102' WHERE kind = 'robots'", (codec,))
    assert Problem.DOCUMENT_CHANGED in problems(verify(log))


def test_a_document_that_would_unpack_to_gigabytes_is_not_unpacked(log):
    import zlib

    log.write()
    bomb = zlib.compress(bytes(50_000_000))
    log.unguarded().execute("UPDATE document SET codec = 'zlib', body = ? WHERE kind = 'robots'", (bomb,))
    report = verify(log)
    assert Problem.DOCUMENT_CHANGED in problems(report)


def test_a_basis_of_another_format_is_a_note(log, entry, documents):
    writer = log.open()
    writer.append(entry(basis=b"{}"), [documents["policy"], documents["blocklist"]])
    writer.close(seal=True)
    report = verify(log)
    assert report.findings == ()
    assert "sekisho.basis/1" in report.notes[0]


def test_a_clock_that_was_set_back_is_a_note_and_a_monotonic_one_a_finding(log, entry, documents):
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    writer.append(entry(), docs, wait=True).result(10)
    log.clock.now -= 10**9
    writer.append(entry(), docs, wait=True).result(10)
    assert writer.close(seal=True)
    report = verify(log)
    assert report.findings == ()
    assert "went back 1 times" in report.notes[0]
    log.clock.ns = 0
    writer = log.open()
    writer.append(entry(), docs)
    log.clock.ns = -(10**9)
    writer.append(entry(), docs)
    writer.close(seal=True)
    assert problems(verify(log)) == {Problem.TIME_WRONG}


def test_a_reference_to_anything_but_an_earlier_request_is_found(log, entry, documents):
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]])
    writer.append(entry(ref_idx=0))
    writer.append(entry(stage="outcome" and entry().stage, ref_idx=1))
    from policies.vocabulary import Stage

    outcome = writer.append(entry(stage=Stage.OUTCOME, ref_idx=2))
    wrong = writer.append(entry(stage=Stage.OUTCOME, ref_idx=outcome.idx))
    segment = writer.close(seal=True).segment
    assert places(verify(log), Problem.REFERENCE_WRONG) == {(segment, wrong.idx)}


def test_a_segment_of_another_schema_is_not_verifiable_here(log, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr(encoding, "SCHEMA_VERSION", 2)
        log.write()
    report = verify(log)
    assert report.exit_code == ExitCode.UNVERIFIABLE
    assert "record schema 2" in report.unverifiable[0]


def test_pages_and_heads_meet_everywhere(log, entry, documents, monkeypatch):
    from crawler.decisionlog import batch, verify_source

    monkeypatch.setattr(batch, "HEAD_EVERY_LEAVES", 3)
    writer = log.open()
    for number in range(40):
        ticket = writer.append(
            entry(size=number), [documents["policy"], documents["blocklist"]], wait=number % 5 == 4
        )
        if ticket.wait:
            ticket.result(10)
    segment = writer.close(seal=True).segment
    for page in (1, 2, 3, 7, 39, 40, 41):
        monkeypatch.setattr(verify_source, "_PAGE", page)
        report = verify(log)
        assert report.findings == ()
        assert report.heads == 8
    connection = log.unguarded()
    connection.execute("UPDATE record SET size = 99 WHERE idx = 21")
    for page in (1, 7, 40):
        monkeypatch.setattr(verify_source, "_PAGE", page)
        assert places(verify(log)) == {(segment, 21)}


def test_verifying_a_log_that_is_being_written_finds_nothing_and_waits_for_nothing(log, entry, documents):
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]], wait=True).result(10)
    for _ in range(5):
        for _ in range(200):
            writer.append(entry(basis=b"{}"), wait=True)
        report = verify(log)
        assert report.findings == ()
        assert not report.segments[0].sealed
    assert writer.close(seal=True).size == 1001
    assert verify(log).records == 1001


def test_the_first_thousand_findings_are_kept_and_all_are_counted(log, entry, documents):
    writer = log.open()
    for _ in range(1500):
        writer.append(entry(), [documents["policy"], documents["blocklist"]])
    writer.close(seal=True)
    log.unguarded().execute("UPDATE record SET verdict = 'keep'")
    report = verify(log)
    assert len(report.findings) == 1000
    assert report.findings_total == 1501, "each record, and the sums by host"


def test_a_file_with_broken_pages_is_a_finding_and_no_crash(log, entry, documents):
    writer = log.open()
    for number in range(3000):
        writer.append(entry(url=f"http://a.example/{number}"), [documents["policy"], documents["blocklist"]])
    writer.close(seal=True)
    octets = bytearray(log.path.read_bytes())
    for page in range(len(octets) // 4096 // 2, len(octets) // 4096, 7):
        octets[page * 4096 : page * 4096 + 2000] = b"\xa5" * 2000
    log.path.write_bytes(octets)
    report = verify(log)
    assert report.exit_code == ExitCode.TAMPERED
