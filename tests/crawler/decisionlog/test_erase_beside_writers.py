"""Whoever erases a URL, or prunes a run, beside others takes nothing from what these decide afterwards."""

from __future__ import annotations

import erased_beside
import pytest

from crawler.decisionlog import store_sqlite


def test_what_is_decided_after_an_erasure_is_shown(log):
    erased_beside.what_is_decided_afterwards_is_shown(log, log.url)


def test_what_a_run_was_opened_with_is_shown_after_an_erasure(log):
    erased_beside.what_a_run_was_opened_with_is_shown(log, log.url)


def test_what_cannot_be_shown_is_not_decided(log):
    erased_beside.what_cannot_be_shown_is_not_decided(log, log.url)


def test_what_waits_for_its_commit_comes_after_an_erasure(log, monkeypatch):
    erased_beside.what_is_queued_is_recorded_after_it(log, log.url, monkeypatch)


def test_an_erasure_waits_for_a_batch_that_has_asked(log, monkeypatch):
    erased_beside.an_erasure_waits_for_a_commit(log, log.url, monkeypatch)


def test_what_two_erase_at_once_is_erased_once(log, monkeypatch):
    erased_beside.two_erase_at_once(log, log.url, monkeypatch)


def test_a_hold_that_comes_after_the_search_is_obeyed(log, monkeypatch):
    erased_beside.a_hold_that_comes_after_the_search_is_obeyed(log, log.url, monkeypatch)


def test_evidence_that_a_held_run_quotes_stays(log):
    erased_beside.evidence_that_a_held_run_quotes_stays(log, log.url)


def test_a_hold_stops_a_pruning_that_began(log, monkeypatch):
    erased_beside.a_hold_stops_a_pruning_that_began(log, log.url, monkeypatch)


def test_what_two_prune_at_once_is_pruned_once(log, monkeypatch):
    erased_beside.two_prune_at_once(log, log.url, monkeypatch)


def test_what_two_announce_at_once_is_announced_once(log):
    erased_beside.two_announce_at_once(log, log.url)


def test_a_segment_is_sealed_while_a_url_of_it_is_erased(log, monkeypatch):
    erased_beside.a_segment_is_sealed_while_it_is_erased(log, log.url, monkeypatch)


def test_an_export_beside_an_erasure_or_a_pruning_is_whole(log, tmp_path, monkeypatch):
    (tmp_path / "packages").mkdir()
    erased_beside.an_export_beside_it_is_whole(log, log.url, tmp_path / "packages", monkeypatch)


def test_an_export_that_is_overtaken_each_time_ends_and_leaves_nothing(log, tmp_path):
    (tmp_path / "packages").mkdir()
    erased_beside.an_export_that_is_overtaken_each_time_ends(log, log.url, tmp_path / "packages")


def test_a_verification_beside_an_erasure_accuses_nobody(log):
    erased_beside.a_verification_beside_it_accuses_nobody(log, log.url)


def test_an_erasure_excuses_nothing_that_was_decided_later(log):
    erased_beside.evidence_of_a_later_decision_is_missed(
        log, log.url, lambda statement: log.raw().execute(statement)
    )


def test_a_file_that_no_record_names_is_stored_when_it_is_quoted(log, monkeypatch):
    erased_beside.a_file_named_by_no_record_is_stored_when_it_is_quoted(log, log.url, monkeypatch)


@pytest.mark.parametrize("journal", ["rollback", "wal"])
def test_an_erased_url_is_nowhere_beside_a_run_under_way(log, monkeypatch, journal):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: journal == "wal")
    writer = erased_beside.opened(log)
    for number in range(60):  # what was on a page before these is in the journal
        writer.append(erased_beside.make_entry(url=f"http://a.example/{number}"), wait=True).result(30)
    octets = erased_beside.URL.encode()
    assert any(octets in path.read_bytes() for path in log.path.parent.glob("sekisho.db*") if path.is_file())
    erased_beside.erased(log.url)
    files = [path for path in log.path.parent.glob("sekisho.db*") if path.is_file()]
    assert not [path.name for path in files if octets in path.read_bytes()]
    writer.append(erased_beside.make_entry(), wait=True).result(30)
    erased_beside.closed(log, writer)


def test_the_operator_is_told_that_a_run_may_record_it_again(log, capsys):
    writer = erased_beside.opened(log)
    assert erased_beside.erase(log.url) == 0
    told = capsys.readouterr().err
    assert str(writer.segment) in told
    assert "records it again" in told
    erased_beside.closed(log, writer)
    assert erased_beside.erase(log.url, "http://a.example/robots.txt") == 2, "all that quoted it is gone"


def test_a_long_run_that_takes_up_many_lists_holds_the_last_few_and_its_policy(log):
    erased_beside.what_a_long_run_goes_by_is_held(log, log.url)
