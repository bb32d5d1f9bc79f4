"""The quick look at a page accepts what the look at each record finds nothing in, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog import encoding, encoding_words, schema, verify_source
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.verify_page import PageCheck
from policies.vocabulary import Stage

CONTEXT = (b"\2context", b"\1" * 32, b"\2" * 32)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.just("x" * 600)
DIGESTS = st.none() | st.binary(min_size=32, max_size=32)


class Documents:
    """All that anybody asks for is there."""

    def __init__(self):
        self.kinds = {}

    def has(self, digest, kinds):
        return True


def packed_row(row, key, leaf):
    (idx, ts_us, mono_ns, *_), host, domain = row, row[8], row[9]
    return (idx, ts_us, mono_ns, key, host, domain, *row[10:14], row[16], row[17], leaf)


@given(
    st.tuples(
        INTEGERS, INTEGERS, *[TEXTS] * 5, st.none() | st.text("ab.", max_size=9), TEXTS, DIGESTS, DIGESTS,
        st.none() | INTEGERS, st.none() | INTEGERS, st.none() | INTEGERS, DIGESTS, TEXTS, TEXTS,
    ),
    st.booleans(),
)  # fmt: skip
def test_a_record_looked_at_quickly_has_the_octets_of_one_that_is_encoded_by_itself(drawn, as_json):
    ts_us, mono_ns, *texts, host, domain, basis, body, attempt, status, size, _, media_type, error = drawn
    octets = [None if text is None else text.encode() for text in (*texts, host, domain, media_type, error)]
    stage, verdict, reason, kind, method, host, domain, media_type, error = octets
    row = (
        0, ts_us, mono_ns, stage, verdict, reason, kind, method, host, domain, None, None, basis, None,
        attempt, status, size, body, media_type, error,
    )  # fmt: skip
    segment = UUID(int=7)
    leaf = sha256(encoding.RecordEncoder(segment, lead=b"\0").encode(*row[:3], CONTEXT[0], *row[3:])).digest()
    words = (1, stage, verdict, reason, kind, method, attempt, status, media_type, error)
    key = words
    if as_json:
        plain = [word.decode() if isinstance(word, bytes) else word for word in words]
        key = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    page = verify_source.PackedPage(rows=[packed_row(row, key, leaf)], openings=[], after=1)
    check = PageCheck(segment, bytearray(), {1: CONTEXT}, Documents(), None)
    found = check.leaves(page, -(2**63), -(2**63))
    if stage == b"run" or any(len(one or b"") > 255 for one in (host, domain)):
        assert found is None, "these need more than a quick look"
    else:
        assert found == ([leaf], [ts_us], 1)


def test_remembered_words_stay_within_two_generations():
    words = encoding_words.Words({1: CONTEXT})
    for number in range(3 * encoding_words._GENERATION):
        key = (1, b"%d" % number, b"", b"", None, b"", 0, None, None, None)
        assert words[key].tail == b"\0\0"
    assert len(words) + len(words._before) <= 2 * encoding_words._GENERATION
    long = (1, b"x" * 600, b"", b"", None, b"", 0, None, None, None)
    assert words[long].head
    assert long not in words


@pytest.mark.parametrize("key", [b"[]", b"{}", b"5", b"[1]", b'[1,"a","b","c",null,"d",true,null,null,null]',
                                 b'[1,"a","b","c",null,"d",1.0,null,null,null]', b'[1,"\xff","b","c",null,"d",1,null,null,null]',
                                 b'[2,"a","b","c",null,"d",1,null,null,null]', b'[1,["a"],"b","c",null,"d",1,null,null,null]'])  # fmt: skip
def test_words_that_no_writer_writes_have_no_octets(key):
    words = encoding_words.Words({1: CONTEXT})
    with pytest.raises((TypeError, ValueError, KeyError)):
        words[key]


@pytest.fixture
def loose(log, entry, documents):
    """A log of one segment without a record of the run, in tables that take values of every type."""
    writer = log.open()
    there = [documents["policy"], documents["blocklist"]]
    for page in range(3):
        url = f"http://a.example/{page}"
        asked = writer.append(entry(url=url, parent_url="http://a.example/" if page else None), there)
        writer.append(
            entry(
                url=url, stage=Stage.OUTCOME, verdict="received", reason="received", ref_idx=asked.idx, status=200,
                size=page, body_sha256=sha256(b"%d" % page).hexdigest(), media_type="text/html", basis=b"{}",
            )
        )  # fmt: skip
    writer.append(entry(stage=Stage.RESPONSE, verdict="keep", reason="kept", url=None, error="5"))
    writer.close(seal=True)
    connection = log.unguarded()
    connection.execute("PRAGMA writable_schema = ON")
    for table in ("record", "opening"):
        for kind in ("INTEGER", "TEXT", "BLOB"):
            connection.execute(
                "UPDATE sqlite_schema SET sql = replace(replace(sql, ?, ' ANY'), ' NOT NULL', '') WHERE name = ?",
                (f" {kind}", table),
            )
    connection.close()
    return log, sqlite3.connect(log.path, isolation_level=None)


def others(value):
    """Values of every type that a hurried look could take for this one, and some that differ in one bit."""
    yield from (None, "", b"", 0, 1, 0.0, "0", b"0", "null")
    if isinstance(value, int):
        yield from (value ^ 1, value ^ 1 << 62, -value, float(value), str(value), b"%d" % value, f"{value} ")
    elif isinstance(value, str):
        yield from (value.encode(), value + "\0", value + " ", f'"{value}"', value[:-1], value.upper())
        yield value.encode() + b"\xff"
    elif value is not None:
        yield from (value[:-1], value + b"\0", value[:-1] + bytes([value[-1] ^ 1]), value.hex())


def verify(log):
    with log.reader() as reader:
        return verify_log(reader)


COLUMNS = [
    (table, column.name)
    for table in ("record", "opening")
    for column in schema.metadata.tables[table].columns
    if column.name != "segment_id"
]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: name)
def test_a_quick_look_hides_no_change_of_value_or_type(loose, monkeypatch, table, column):
    log, connection = loose
    quick = PageCheck.leaves
    looks = []

    def counted(self, *given):
        looks.append(quick(self, *given))
        return looks[-1]

    monkeypatch.setattr(PageCheck, "leaves", counted)
    assert verify(log).findings == ()
    assert looks
    assert None not in looks, "nobody touched it: a quick look is enough"
    rows = connection.execute(f"SELECT idx, {column} FROM {table}").fetchall()
    assert len(rows) >= 6
    for idx, value in (rows[3], rows[-1]):  # of the records one with all there is, and one without a URL
        for wrong in others(value):
            if (type(wrong) is type(value) and wrong == value) or (
                column == "idx" and type(wrong) is not int
            ):
                continue
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE idx = ?", (wrong, idx))
            except sqlite3.IntegrityError:  # an index that is there, or none
                continue
            monkeypatch.setattr(PageCheck, "leaves", counted)
            found = verify(log)
            monkeypatch.setattr(PageCheck, "leaves", lambda *_: None)
            assert found == verify(log), (idx, value, wrong)
            assert found.findings, (idx, value, wrong)
            there = wrong if column == "idx" else idx
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE idx IS ?", (value, there))
    monkeypatch.setattr(PageCheck, "leaves", counted)
    assert verify(log).findings == (), "put back"


@pytest.mark.parametrize("page", [1, 300])
def test_octets_that_move_from_a_url_into_its_salt_are_found(loose, monkeypatch, page):
    """What is hashed is the same; what everybody reads is another URL."""
    log, connection = loose
    monkeypatch.setattr("crawler.decisionlog.verify_source._PAGE", page)
    connection.execute(
        "UPDATE opening SET salt = CAST(salt || CAST('http://' AS BLOB) AS BLOB), url = substr(url, 8) WHERE idx = 1"
    )
    assert connection.execute("SELECT url, length(salt) FROM opening WHERE idx = 1").fetchone() == (
        "a.example/0",
        23,
    )
    (finding,) = verify(log).findings
    assert finding.problem is Problem.URL_CHANGED
    assert finding.idx == 1
