"""What was acknowledged is in the log, byte for byte, in order; what cannot be recorded stops everything."""

from __future__ import annotations

import sqlite3
import threading
import time
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.decisionlog import batch as batch_module
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.verify import verify_log
from policies.vocabulary import RequestKind, Stage

FIELDS = [name for name in Entry.__slots__ if name != "basis"]
HOSTILE = st.text(max_size=60) | st.text(alphabet="\x00'\"\t\r\n\\|;", max_size=20) | st.just("")


def test_every_field_comes_back_as_it_was_given(log, entry, documents):
    writer = log.open()
    asked = writer.append(entry(), [documents["policy"], documents["blocklist"]])
    given_entry = entry(
        stage=Stage.OUTCOME, verdict="failed", reason="error_network", kind=RequestKind.ROBOTS, method="HEAD",
        url="http://日本.example/\x00'\"", parent_url="", host="", domain=None, basis=b"{}", ref_idx=asked.idx,
        attempt=3, status=503, size=2**40, body_sha256="ab" * 32, media_type="", error="line\none",
    )  # fmt: skip
    receipt = writer.append(given_entry, wait=True).result(10)
    head = writer.close(seal=True)
    with log.reader() as reader:
        stored = reader.record(receipt.segment, receipt.idx)
        assert {name: getattr(stored, name) for name in FIELDS} == {
            name: getattr(given_entry, name) for name in FIELDS
        }
        assert stored.basis_sha256 == sha256(b"{}").hexdigest()
        assert reader.document(stored.basis_sha256) == Document(kind="basis", body=b"{}")
        assert (stored.segment, stored.idx, stored.ts_us) == (receipt.segment, receipt.idx, receipt.ts_us)
        assert stored.run == "run-1"
        assert stored.opened
        assert verify_log(reader).findings == ()
    assert (head.size, head.segment, head.ts_us) == (2, receipt.segment, receipt.ts_us)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "url": st.none() | HOSTILE,
                "parent_url": st.none() | HOSTILE,
                "host": st.none() | HOSTILE,
                "error": st.none() | HOSTILE,
                "verdict": HOSTILE,
                "status": st.none() | st.integers(-(2**63), 2**63 - 1),
                "basis": st.none() | st.binary(max_size=2000),
                "body_sha256": st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_was_written_is_read_back_and_verifies(log, entry, documents, rows):
    writer = log.open()
    tickets = [
        writer.append(entry(**fields), [documents["policy"], documents["blocklist"]]) for fields in rows
    ]
    assert writer.close(seal=True).size == len(rows)
    with log.reader() as reader:
        for ticket, fields in zip(tickets, rows, strict=True):
            stored = reader.record(writer.segment, ticket.idx)
            for name, value in fields.items():
                if name != "basis":
                    assert getattr(stored, name) == value
            if fields["basis"] is not None:
                assert reader.document(stored.basis_sha256).body == fields["basis"]
        assert verify_log(reader).findings == ()


def test_a_url_that_is_no_unicode_is_kept_to_the_octet(log, entry, documents):
    writer = log.open()
    urls = [
        "http://a.example/\udc80",
        "http://a.example/\ud800",
        "http://a.example/\\udc80",
        "http://a.example/%80",
    ]
    for url in urls:
        writer.append(
            entry(url=url, parent_url=url, error="caf\udce9", host="caf\udce9"),
            [documents["policy"], documents["blocklist"]],
        )
    writer.close(seal=True)
    with log.reader() as reader:
        stored = list(reader.records())
        assert [record.url for record in stored] == urls
        assert [record.parent_url for record in stored] == urls
        assert {record.error for record in stored} == {"caf\\udce9"}
        assert verify_log(reader).findings == ()
        shown = [url for (url,) in reader.query("SELECT url FROM decisions ORDER BY idx")]
    assert shown[0] == "x-octets:" + urls[0].encode("utf-8", "surrogatepass").hex()
    assert shown[2:] == urls[2:]


def test_a_64_kib_url_is_no_problem(log, entry):
    url = "http://a.example/" + "é" * 65_536
    writer = log.open()
    writer.append(entry(url=url), wait=True).result(10)
    writer.close(seal=True)
    with log.reader() as reader:
        assert next(reader.records()).url == url


def test_no_two_records_share_a_salt(log, entry):
    writer = log.open()
    for _ in range(600):
        writer.append(entry())
    writer.close(seal=True)
    salts = [salt for (salt,) in log.raw().execute("SELECT salt FROM opening")]
    assert len(set(salts)) == 600
    assert {len(salt) for salt in salts} == {16}


def test_indices_are_dense_and_in_the_order_of_appending_from_many_threads(log, entry):
    writer = log.open()
    seen = []

    def work(name):
        for number in range(200):
            seen.append(writer.append(entry(host=name, size=number), wait=number % 7 == 0))

    threads = [threading.Thread(target=work, args=(f"{number}.example",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(seal=True).size == 1000
    with log.reader() as reader:
        records = list(reader.records(page=333))
    assert [record.idx for record in records] == list(range(1000))
    assert sorted(ticket.idx for ticket in seen) == list(range(1000))
    for number in range(5):
        assert [record.size for record in records if record.host == f"{number}.example"] == list(range(200))
    assert [record.ts_us for record in records] == sorted(record.ts_us for record in records)


def test_a_ticket_has_its_receipt_only_after_the_commit(log, entry):
    writer = log.open()
    writer.append(entry(), wait=True).result(10)
    blocker = log.raw()
    blocker.execute("BEGIN IMMEDIATE")
    ticket = writer.append(entry(), wait=True)
    with pytest.raises(LogError, match=r"not durable after 0.2 s"):
        ticket.result(0.2)
    assert ticket.receipt is None
    assert not ticket.done
    blocker.execute("ROLLBACK")
    assert ticket.result(10).idx == 1
    writer.close(seal=True)


def test_waiting_for_what_is_on_its_way_already_does_not_end_the_writer(log, entry):
    writer = log.open()
    writer.append(entry(), wait=True).result(10)
    for number in range(1, 4):
        blocker = log.raw()
        blocker.execute("BEGIN IMMEDIATE")
        ticket = writer.append(entry(), wait=True)
        deadline = time.monotonic() + 5
        while writer._queue and time.monotonic() < deadline:
            time.sleep(0.001)
        with pytest.raises(LogError, match="not durable"):
            ticket.result(0.02)
        blocker.execute("ROLLBACK")
        assert ticket.result(10).idx == number
        time.sleep(0.02)
        assert writer._thread.is_alive()
    assert writer.append(entry(), wait=True).result(10).idx == 4
    assert writer.close(seal=True).size == 5


def test_an_entry_that_nobody_waits_for_is_written_soon_anyway(log, entry):
    writer = log.open()
    writer.append(entry())
    deadline = time.monotonic() + 5
    while log.raw().execute("SELECT count(*) FROM record").fetchone() == (0,):
        assert time.monotonic() < deadline, "it lingers for ever"
        time.sleep(0.01)
    writer.close(seal=False)


def test_waiting_for_an_entry_that_was_appended_without_waiting_hurries_it(log, entry):
    writer = log.open()
    assert writer.append(entry()).result(10).idx == 0
    writer.close(seal=False)


def test_waiters_hear_of_a_batch_once_and_riders_are_not_mentioned(log, entry):
    heard = []
    writer = log.open(on_batch=lambda tickets: heard.append([ticket.owner for ticket in tickets]))
    blocker = log.raw()
    blocker.execute("BEGIN IMMEDIATE")
    first = writer.append(entry(), wait=True, owner="first")
    deadline = time.monotonic() + 5
    while (
        writer._queue and time.monotonic() < deadline
    ):  # the writer has taken the first and waits for the lock
        time.sleep(0.001)
    for number in range(20):
        writer.append(entry(), wait=number % 2 == 0, owner=number)
    blocker.execute("ROLLBACK")
    first.result(10)
    writer.close(seal=True)
    assert heard == [["first"], list(range(0, 20, 2))]


def test_documents_are_stored_once_whoever_brings_them(log, entry, documents):
    for _ in range(2):
        writer = log.open()
        for _ in range(3):
            writer.append(entry(basis=b'{"same":1}'), [documents["robots"], documents["policy"]])
        writer.close(seal=True)
    rows = log.raw().execute("SELECT kind, size, codec, length(body) FROM document ORDER BY id").fetchall()
    assert sorted(kind for kind, *_ in rows) == ["basis", "policy", "robots"]
    ((_, size, codec, packed),) = [row for row in rows if row[0] == "robots"]
    assert (size, codec) == (len(documents["robots"].body), "zlib")
    assert packed < size / 5


@pytest.mark.parametrize(
    "fields",
    [
        {"policy_sha256": ""}, {"policy_sha256": "ab" * 31}, {"blocklist_sha256": "zz" * 32},
        {"body_sha256": "ab" * 31 + " a"}, {"ref_idx": 1}, {"ref_idx": -1}, {"size": 2**63}, {"status": -(2**63) - 1},
        {"policy_sha256": " " * 64},
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_that_cannot_be_a_record_is_refused_where_it_was_made(log, entry, fields):
    writer = log.open()
    writer.append(entry())
    with pytest.raises(ValueError, match=r"SHA-256|ref_idx|64 bits|hexadecimal"):
        writer.append(entry(**fields))
    assert writer.append(entry(), wait=True).result(10).idx == 1, "and nothing was used up or poisoned"
    assert writer.close(seal=True).size == 2


def test_a_failed_commit_poisons_the_writer_for_good(log, entry, monkeypatch):
    failures, heard = [], []
    writer = log.open(on_failure=failures.append, on_batch=heard.append)
    writer.append(entry(), wait=True).result(10)

    class Broken:
        def __init__(self, raw):
            self._raw = raw

        def execute(self, sql, *args):
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return self._raw.execute(sql, *args)

        def executemany(self, *args):
            return self._raw.executemany(*args)

    writer._store._raw = Broken(writer._store._raw)
    lost = writer.append(entry(), wait=True)
    with pytest.raises(LogError, match="disk reported an error"):
        lost.result(10)
    assert writer.failed is not None
    assert str(log.path) in str(writer.failed)
    for _ in range(2):
        with pytest.raises(LogError, match="disk reported an error"):
            writer.append(entry())
    assert writer.close(seal=True) is None, "a poisoned segment is never sealed"
    assert len(failures) == 1
    assert [ticket.error is not None for tickets in heard for ticket in tickets] == [False, True]
    with log.reader() as reader:
        (segment,) = reader.segments()
        assert (segment.size, segment.sealed) == (1, False)
    again = log.open(run_id="run-2")
    assert again.append(entry(), wait=True).result(10).idx == 0, "going on means a new segment"
    again.close(seal=True)


def test_a_broken_callback_poisons_instead_of_leaving_waiters_for_ever(log, entry):
    def broken(_):
        raise RuntimeError("no loop")

    writer = log.open(on_batch=broken)
    writer.append(entry(), wait=True)
    deadline = time.monotonic() + 5
    while writer.failed is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with pytest.raises(LogError):
        writer.append(entry())
    writer.close(seal=True)


def test_check_02_a_full_queue_holds_its_callers_back_and_gives_up_in_the_end(log, entry):
    writer = log.open(queue_limit=5, queue_timeout=0.3)
    writer.append(entry(), wait=True).result(10)
    blocker = log.raw()
    blocker.execute("BEGIN IMMEDIATE")

    def flood():
        for _ in range(20):
            writer.append(entry(), wait=True)

    with pytest.raises(LogError, match=r"has not kept up for 0.3 s with 5 entries"):
        flood()
    size = writer.size
    assert 6 <= size <= 12, "the queue and one batch, no more"
    blocker.execute("ROLLBACK")
    assert writer.append(entry(), wait=True).result(10).idx == size, "and with room again it goes on"
    assert writer.close(seal=True).size == size + 1


def test_closing_twice_or_appending_afterwards_is_harmless_and_clear(log, entry):
    writer = log.open()
    writer.append(entry())
    head = writer.close(seal=True)
    assert writer.close(seal=False) == head
    with pytest.raises(LogError, match="is closed"):
        writer.append(entry())


def test_a_segment_without_seal_is_sealed_where_it_ends_by_the_next_run(log):
    log.write(seal=False)
    with log.reader() as reader:
        assert not reader.segments()[0].sealed
    log.write(seal=True, run_id="run-2")
    with log.reader() as reader:
        first, second = reader.segments()
        assert verify_log(reader).findings == ()
    assert (first.sealed, second.sealed) == (True, True)
    kinds = [
        kind for (kind,) in log.raw().execute("SELECT kind FROM registry WHERE segment_id = 1 ORDER BY idx")
    ]
    assert kinds == ["segment_open", "segment_head", "recovery", "segment_seal"]
    assert first.size == second.size == first.head_size == 10
    assert first.segment != second.segment


def test_an_empty_run_is_sealed_at_the_empty_root(log):
    head = log.open().close(seal=True)
    assert (head.size, head.root.hex()[:16]) == (0, "e3b0c44298fc1c14")
    with log.reader() as reader:
        report = verify_log(reader)
    assert report.findings == ()
    assert "has no records" in report.notes[0]


def test_heads_are_written_each_second_and_each_ten_thousand_leaves(log, entry, documents, monkeypatch):
    writer = log.open()
    for _ in range(3):
        writer.append(entry(), [documents["policy"], documents["blocklist"]], wait=True).result(10)
    log.clock.now += 1_000_000
    writer.append(entry(), wait=True).result(10)
    writer.append(entry(), wait=True).result(10)
    monkeypatch.setattr(batch_module, "HEAD_EVERY_LEAVES", 2)
    writer.append(entry(), wait=True).result(10)
    writer.close(seal=True)
    sizes = [size for (size,) in log.raw().execute("SELECT size FROM head ORDER BY size")]
    assert sizes == [4, 6]
    with log.reader() as reader:
        assert verify_log(reader).findings == ()


def test_no_empty_journal_stays_beside_a_closed_log(log):
    log.write()
    assert sorted(path.name for path in log.path.parent.iterdir()) == [
        "sekisho.db",
        "sekisho.db.checkpoint",
        "sekisho.db.key",
    ]
