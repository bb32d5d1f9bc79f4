"""What a look-up costs does not depend on how many segments a log has, and what it asks of an index is checked."""

from __future__ import annotations

import itertools

import pytest

from crawler.decisionlog import lookup as looking
from crawler.decisionlog import lookup_url, store
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.rollup import pack_places
from policies.vocabulary import Stage

HOST = "www.a.example"
URL = f"http://{HOST}/1"
QUESTIONS = (HOST, "a.example", "absent.test", URL, "http://www.a.example/absent")
PAGES = 3


def write_segments(log, entry, documents, count, *, seal=True):
    """Each segment has three pages of our host, and one of another before and behind each of them."""
    docs = [documents["policy"], documents["blocklist"]]
    for run in range(count):
        writer = log.open(run_id=f"run-{run}")
        for page in range(PAGES):
            for host in ("b.example", HOST, "c.example"):
                about = {"host": host, "url": f"http://{host}/{page}"}
                asked = writer.append(entry(**about), docs)
                writer.append(
                    entry(
                        **about, stage=Stage.OUTCOME, verdict="received", reason="received", ref_idx=asked.idx
                    )
                )
        if seal or run < count - 1:
            writer.close(seal=True)
    return writer


def statements(log, question):
    """Return how many statements a look-up takes, and its answer."""
    asked = []
    with log.reader() as reader:
        raw = store.driver(reader._connection)
        raw.set_trace_callback(asked.append)
        answer = lookup(reader, parse_target(question))
        raw.set_trace_callback(None)
    return len(asked), answer


@pytest.fixture
def sealed(log, entry, documents):
    write_segments(log, entry, documents, 4)
    return log


def test_a_look_up_asks_as_often_whatever_the_number_of_segments(log, entry, documents):
    counts = []
    for more in (1, 11):
        write_segments(log, entry, documents, more)
        counts.append({question: statements(log, question)[0] for question in QUESTIONS})
    assert counts[0] == counts[1]
    assert max(counts[0].values()) <= 9
    _, answer = statements(log, URL)
    assert (answer.segments, len(answer.hosts), len(answer.records)) == (12, 12, 24)
    assert {record.url for record in answer.records} == {URL}


def test_segments_that_are_open_are_asked_for_together_too(log, entry, documents):
    write_segments(log, entry, documents, 2)
    writers = [write_segments(log, entry, documents, 1, seal=False) for _ in range(4)]
    for writer in writers:
        writer.append(entry(host="d.example", url="http://d.example/"), wait=True).result(10)
    try:
        one, few = (statements(log, question) for question in ("absent.test", HOST))
        assert one[0] <= 5
        assert few[0] == one[0] + 2, "names and ends of the segments"
        assert [each.state for each in few[1].hosts].count("open") == 4
        assert len(statements(log, URL)[1].records) == 12
    finally:
        for writer in writers:
            writer.close(seal=True)


def test_records_are_read_in_parts_of_bounded_size_across_segments(sealed, monkeypatch):
    whole = statements(sealed, URL)[1]
    monkeypatch.setattr(lookup_url, "_PLACES", 5)
    for module in (looking, lookup_url):
        monkeypatch.setattr(module, "_SEGMENTS", 3)
    parted = statements(sealed, URL)[1]
    assert parted == whole
    assert len(whole.records) == 8


@pytest.mark.parametrize("leave_out", range(2 * PAGES))
def test_an_index_that_leaves_any_record_out_is_found(sealed, leave_out):
    connection = sealed.unguarded()
    places = [6 * page + 2 + at for page, at in itertools.product(range(PAGES), range(2))]
    del places[leave_out]
    connection.execute(
        "UPDATE posting SET places = ? WHERE segment_id = 3 AND host_key = 'example.a.www.'",
        (pack_places(places),),
    )
    requests = leave_out % 2 == 0
    ends = leave_out in {0, 2 * PAGES - 1}
    if requests or ends:
        with pytest.raises(IntegrityError, match="leaves records out"):
            statements(sealed, URL)
    else:
        assert len(statements(sealed, URL)[1].records) in {7, 8}, "sums do not count outcomes"


def test_a_segment_that_is_sealed_while_it_is_asked_for_is_neither_lost_nor_doubled(
    log, entry, documents, monkeypatch
):
    writer = write_segments(log, entry, documents, 2, seal=False)
    writer.append(entry(host="d.example", url="http://d.example/"), wait=True).result(10)
    before = looking._from_records

    def then_sealed(*given, **named):
        found = list(before(*given, **named))
        writer.close(seal=True)
        return found

    monkeypatch.setattr(looking, "_from_records", then_sealed)
    _, answer = statements(log, URL)
    assert [(each.run, each.state) for each in answer.hosts] == [("run-0", "sealed"), ("run-1", "sealed")]
    assert len(answer.records) == 4
