"""A look-up beside a crawl or a pruning calls nothing changed that was only written, sealed or removed meanwhile."""

from __future__ import annotations

import pytest

from crawler.decisionlog import lookup as looking
from crawler.decisionlog import lookup_url
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.retention import prune
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import plan
from crawler.decisionlog.retention.schedule import load_schedule
from tests.crawler.decisionlog.conftest import Log, make_entry
from tests.crawler.decisionlog.test_migrate import make_old
from tests.crawler.decisionlog.test_url_index import (
    BIG,
    SCHEDULE,
    SMALL,
    YEARS_LATER,
    ask,
    exhaustive,
    same_but_for_the_way,
    write_big,
)

PAGE = f"http://{BIG}/5"
URLS = (PAGE, f"http://{SMALL}/")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    log = Log(tmp_path_factory.mktemp("beside"))
    write_big(log, "run-1", 300)
    write_big(log, "run-2", 300)
    return log


@pytest.fixture
def big(written, tmp_path):
    return written.copied(tmp_path / "big")


def flushed(writer):
    writer.append(make_entry(host=None, url=None), wait=True).result(10)


def once(monkeypatch, owner, name, act, *, before):
    """Do something beside, before or after the first call of a function."""
    real, done = getattr(owner, name), []

    def beside(*given, **named):
        if before and not done:
            done.append(act())
        found = real(*given, **named)
        if not before and not done:
            done.append(act())
        return found

    monkeypatch.setattr(owner, name, beside)
    return done


@pytest.mark.parametrize("before", [True, False], ids=["before its state is read", "after"])
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("way", [ask, exhaustive])
def test_a_segment_that_is_written_and_sealed_meanwhile_is_answered_as_it_was_counted(
    big, monkeypatch, url, way, before
):
    writer = write_big(big, "run-3", 300, seal=False)
    flushed(writer)

    def written_and_sealed():
        for host, each in ((BIG, PAGE), (SMALL, URLS[1])):
            writer.append(make_entry(host=host, url=each))
        assert writer.close(seal=True) is not None, writer.failed
        return True

    done = once(monkeypatch, looking, "_segments", written_and_sealed, before=before)
    answer = way(big, url)
    assert done == [True]
    assert [one.state for one in answer.hosts] == ["sealed", "sealed", "open"]
    assert {record.url for record in answer.records} == {url}
    assert len(answer.records) == (7 if url == PAGE else 4), "what was written meanwhile may be in it"
    again = way(big, url)
    assert [one.state for one in again.hosts] == ["sealed"] * 3
    assert again.records == answer.records


def pruned(log, *, whole=True):
    with Actor(log.url, pruning=True) as actor:
        item = plan(actor.connection, load_schedule(SCHEDULE), now_us=YEARS_LATER)[0]
        prune.intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        if whole:
            prune.finish(actor, item, now_us=YEARS_LATER)
    return True


PLACES = {
    "its state is read": (looking, "_segments"),
    "its keys are read": (lookup_url.UrlQuestion, "_url_keys"),
    "its parts are read": (LogReader, "buckets_at"),
    "its records are looked at": (LogReader, "urls_at"),
    "its postings are read": (lookup_url, "unpack_places"),
}


@pytest.mark.parametrize(
    ("url", "place"),
    [(PAGE, place) for place in PLACES if "postings" not in place]
    + [(URLS[1], place) for place in PLACES if "parts" not in place],
)
def test_a_segment_that_is_pruned_meanwhile_is_told_as_pruned(big, monkeypatch, url, place):
    done = once(monkeypatch, *PLACES[place], lambda: pruned(big), before=False)
    answer = ask(big, url)
    assert done == [True]
    assert [one.state for one in answer.hosts] == ["pruned", "sealed"]
    assert same_but_for_the_way(answer, exhaustive(big, url))


def test_a_segment_that_is_pruned_while_all_is_read_is_told_as_pruned(big, monkeypatch):
    done = once(monkeypatch, looking, "_segments", lambda: pruned(big), before=False)
    assert [one.state for one in exhaustive(big, PAGE).hosts] == ["pruned", "sealed"]
    assert done == [True]


def test_what_is_about_to_be_pruned_is_read_as_far_as_it_is_there(big):
    pruned(big, whole=False)
    big.unguarded().execute("DELETE FROM record WHERE segment_id = 1 AND idx % 2 = 0")
    for url in URLS:
        answer = ask(big, url)
        assert [one.state for one in answer.hosts] == ["sealed", "sealed"]
        assert answer.hosts[0].pruning is not None
        assert same_but_for_the_way(answer, exhaustive(big, url))


def test_what_is_gone_without_an_act_is_called_changed_beside_one_too(big, monkeypatch):
    big.unguarded().execute("DELETE FROM record WHERE segment_id = 2 AND host = ?", (BIG,))
    done = once(monkeypatch, looking, "_segments", lambda: pruned(big), before=False)
    with pytest.raises(IntegrityError, match="run `sekisho log verify`"):
        ask(big, PAGE)
    assert done == [True]


def test_a_segment_of_an_old_log_loses_no_record_unnoticed(big, monkeypatch):
    make_old(big)
    done = once(
        monkeypatch,
        looking,
        "_segments",
        lambda: big.unguarded().execute("DELETE FROM record WHERE idx > 9").rowcount,
        before=False,
    )
    with pytest.raises(IntegrityError, match="do not fit its sums"):
        ask(big, PAGE)
    assert done[0] > 0
