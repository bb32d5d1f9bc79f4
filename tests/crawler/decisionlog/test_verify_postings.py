"""The index of each host's records is compared with the records: no bit of it changes unnoticed, and none is left out."""

from __future__ import annotations

import re
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog.findings import Problem
from crawler.decisionlog.rollup import pack_places, unpack_places
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.verify_postings import _come_to
from crawler.decisionlog.verify_sums import PRIME, HostSums
from policies.vocabulary import Stage

HOSTS = ("a.example", "www.a.example", "b.example", "192.0.2.1")


@pytest.fixture
def indexed(log, entry, documents):
    """Two runs; of the second the records of a host are far apart, so that differences take two octets."""
    for run, many in (("run-1", 2), ("run-2", 150)):
        writer = log.open(run_id=run)
        there = list(documents.values())
        for number in range(many):
            host = HOSTS[number % 3] if number % 140 else HOSTS[3]
            asked = writer.append(entry(host=host, url=f"http://{host}/{number}"), there)
            there = ()
            writer.append(
                entry(
                    host=host, stage=Stage.OUTCOME, verdict="received", reason="received", ref_idx=asked.idx
                )
            )
        writer.close(seal=True)
    assert problems(log) == set()
    return log


def problems(log):
    with log.reader() as reader:
        return {finding.problem for finding in verify_log(reader).findings}


def rows_of(connection):
    return connection.execute("SELECT host_key, segment_id, places FROM posting").fetchall()


def put(connection, key, number, places):
    connection.execute(
        "UPDATE posting SET places = ? WHERE host_key = ? AND segment_id = ?", (places, key, number)
    )


def test_every_bit_of_every_index_of_a_host_is_missed_when_it_is_changed(indexed):
    connection = indexed.unguarded()
    rows = rows_of(connection)
    assert max(max(places) for _, _, places in rows) >= 0x80
    assert len(rows) >= 5
    for key, number, places in rows:
        tried = (
            range(8 * len(places)) if len(places) < 12 else (0, 7, 8 * len(places) - 1, 8 * len(places) // 2)
        )
        for bit in tried:
            changed = bytearray(places)
            changed[bit // 8] ^= 1 << bit % 8
            put(connection, key, number, bytes(changed))
            assert Problem.INDEX_WRONG in problems(indexed), (key, bit)
        put(connection, key, number, places)
    assert problems(indexed) == set()


def test_an_outcome_that_is_left_out_of_the_index_is_missed(indexed):
    connection = indexed.unguarded()
    for key, number, places in rows_of(connection):
        indices = list(unpack_places(places))
        put(connection, key, number, pack_places([indices[0], *indices[2:]]))
        assert problems(indexed) == {Problem.INDEX_WRONG}
        put(connection, key, number, places)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE posting SET host_key = 'example.c.' WHERE host_key = 'example.b.' AND segment_id = 2",
        "UPDATE posting SET segment_id = 1 WHERE host_key = 'example.b.' AND segment_id = 2",
        "INSERT INTO posting VALUES ('example.c.', 2, x'00')",
        "UPDATE posting SET places = x'' WHERE host_key = 'example.b.' AND segment_id = 2",
        "UPDATE posting SET places = x'ff' WHERE host_key = 'example.b.' AND segment_id = 2",
    ],
)
def test_a_row_of_another_host_or_run_and_one_that_is_none_are_found(indexed, change):
    connection = indexed.unguarded()
    connection.execute(change)
    assert problems(indexed) == {Problem.INDEX_WRONG}


def test_an_index_that_is_gone_is_missed(indexed):
    connection = indexed.unguarded()
    connection.execute("DELETE FROM posting WHERE host_key = 'example.b.'")
    assert problems(indexed) == {Problem.INDEX_WRONG}


@given(st.sets(st.integers(0, 2**34) | st.integers(0, 300)), st.integers(0, PRIME // 2))
def test_what_indices_come_to_is_told_from_their_octets(indices, secret):
    wanted = prod(idx + secret for idx in indices) % PRIME
    assert _come_to(pack_places(sorted(indices)), secret) == (len(indices), wanted)


@given(st.binary())
def test_octets_that_are_no_indices_come_to_nothing_or_to_what_is_read_in_them(octets):
    try:
        read = list(unpack_places(octets))
    except ValueError:
        read = None
    if read is None or pack_places(read) != octets or re.search(rb"[\x80-\xff]{5}", octets):
        assert _come_to(octets, 7) is None
    else:
        assert _come_to(octets, 7) == (len(read), prod(idx + 7 for idx in read) % PRIME)


@pytest.mark.parametrize(
    "octets", [b"\xff" * 1_000_000 + b"\1", b"\x80" * 5 + b"\1", b"\x81\0", b"\x80\x80\0"]
)
def test_a_number_that_is_longer_than_a_writers_is_none(octets):
    assert _come_to(octets, 7) is None


@pytest.mark.parametrize(
    ("right", "wrong"), [((0, 3), (1, 2)), ((0, 3, 5, 6), (1, 2, 4, 7)), ((0, 4, 5), (1, 2, 6))]
)
def test_other_indices_of_the_same_sum_or_sum_of_squares_come_to_something_else(right, wrong):
    sums = HostSums()
    words = [sums.group(b"\1" * 32, b"request", b"fetch", b"allowed")] * len(right)
    sums.take(right, right, [b"a.example"] * len(right), words)
    assert len(list(sums.rows())) == 1
    assert _come_to(pack_places(right), sums.secret) == sums.places["example.a."]
    assert _come_to(pack_places(wrong), sums.secret) != sums.places["example.a."]


def test_an_index_that_names_as_many_other_records_is_missed(indexed):
    connection = indexed.unguarded()
    key, number, places = rows_of(connection)[-1]
    first, second, *others = unpack_places(places)
    third, fourth = others[:2]
    assert fourth - third == second - first == 1
    put(connection, key, number, pack_places([first, second, third - 1, fourth + 1, *others[2:]]))
    assert problems(indexed) == {Problem.INDEX_WRONG}


def found_in(log, *, url_index=False):
    with log.reader() as reader:
        return {finding.problem for finding in verify_log(reader, url_index=url_index).findings}


def test_what_was_found_before_a_damaged_page_of_an_index_is_not_lost(indexed):
    connection = indexed.unguarded()
    connection.execute("UPDATE record SET verdict = 'skip' WHERE idx = 1")
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'posting'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with indexed.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert {Problem.RECORD_CHANGED, Problem.FILE_DAMAGED} <= found_in(indexed)


def test_what_was_found_before_a_key_that_cannot_be_read_is_not_lost(indexed):
    connection = indexed.unguarded()
    connection.execute("UPDATE record SET verdict = 'skip' WHERE idx = 1")
    connection.execute("UPDATE registry SET body = x'7b7d' WHERE kind = 'key_add'")
    assert {Problem.RECORD_CHANGED, Problem.REGISTRY_CHANGED} <= found_in(indexed, url_index=True)


@pytest.mark.parametrize("key", ["example.a.", ""])
@pytest.mark.parametrize("number", [1, 2, 999, 0])
def test_an_index_of_a_run_that_is_open_or_was_never_there_is_found(log, entry, documents, key, number):
    log.write()
    writer = log.open(run_id="run-2")
    writer.append(entry(), documents.values())
    writer.close(seal=False)
    assert problems(log) == set()
    log.unguarded().execute("INSERT OR REPLACE INTO posting VALUES (?, ?, x'00')", (key, number))
    assert problems(log) == {Problem.INDEX_WRONG}


def test_sums_of_a_run_that_was_never_there_are_found(indexed):
    connection = indexed.unguarded()
    columns = "host_key, 999, n_fetch, n_skip, n_defer, n_keep, n_drop, reasons, policies, first_us, last_us"
    connection.execute(
        f"INSERT INTO rollup SELECT {columns}, first_idx, last_idx FROM rollup WHERE segment_id = 1"
    )
    assert problems(indexed) == {Problem.SEGMENT_MISSING}
