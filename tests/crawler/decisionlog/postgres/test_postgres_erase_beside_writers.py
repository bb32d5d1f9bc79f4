"""Whoever erases a URL, or prunes a run, beside others takes nothing from what these decide afterwards."""

from __future__ import annotations

import time

import erased_beside
import pytest

from crawler.decisionlog.record import Document
from crawler.decisionlog.retention import acts
from crawler.decisionlog.rows import digested


@pytest.fixture
def url(pg, monkeypatch):
    """The log as who erases names it."""
    pg.use(monkeypatch)
    return pg.server.url(pg.name, user="keep_login")


def test_what_is_decided_after_an_erasure_is_shown(pg, url):
    erased_beside.what_is_decided_afterwards_is_shown(pg, url)


def test_what_a_run_was_opened_with_is_shown_after_an_erasure(pg, url):
    erased_beside.what_a_run_was_opened_with_is_shown(pg, url)


def test_what_cannot_be_shown_is_not_decided(pg, url):
    erased_beside.what_cannot_be_shown_is_not_decided(pg, url)


def test_what_waits_for_its_commit_comes_after_an_erasure(pg, url, monkeypatch):
    erased_beside.what_is_queued_is_recorded_after_it(pg, url, monkeypatch)


def test_an_erasure_waits_for_a_batch_that_has_asked(pg, url, monkeypatch):
    erased_beside.an_erasure_waits_for_a_commit(pg, url, monkeypatch)


def test_what_two_erase_at_once_is_erased_once(pg, url, monkeypatch):
    erased_beside.two_erase_at_once(pg, url, monkeypatch)


def test_a_hold_that_comes_after_the_search_is_obeyed(pg, url, monkeypatch):
    erased_beside.a_hold_that_comes_after_the_search_is_obeyed(pg, url, monkeypatch)


def test_evidence_that_a_held_run_quotes_stays(pg, url):
    erased_beside.evidence_that_a_held_run_quotes_stays(pg, url)


def test_a_hold_stops_a_pruning_that_began(pg, url, monkeypatch):
    erased_beside.a_hold_stops_a_pruning_that_began(pg, url, monkeypatch)


def test_what_two_prune_at_once_is_pruned_once(pg, url, monkeypatch):
    erased_beside.two_prune_at_once(pg, url, monkeypatch)


def test_what_two_announce_at_once_is_announced_once(pg, url):
    erased_beside.two_announce_at_once(pg, url)


def test_a_segment_is_sealed_while_a_url_of_it_is_erased(pg, url, monkeypatch):
    erased_beside.a_segment_is_sealed_while_it_is_erased(pg, url, monkeypatch)


def test_an_export_beside_an_erasure_or_a_pruning_is_whole(pg, url, tmp_path, monkeypatch):
    erased_beside.an_export_beside_it_is_whole(pg, url, tmp_path, monkeypatch)


def test_an_export_that_is_overtaken_each_time_ends_and_leaves_nothing(pg, url, tmp_path):
    (tmp_path / "packages").mkdir()
    erased_beside.an_export_that_is_overtaken_each_time_ends(pg, url, tmp_path / "packages")


def test_a_verification_beside_an_erasure_accuses_nobody(pg, url):
    erased_beside.a_verification_beside_it_accuses_nobody(pg, url)


def test_an_erasure_excuses_nothing_that_was_decided_later(pg, url):
    def remove(statement):
        with pg.connect("prune_login") as connection:
            connection.execute("SET ROLE sekisho_pruner")
            assert connection.execute(statement).rowcount == 1, "which its guards let pass"

    erased_beside.evidence_of_a_later_decision_is_missed(pg, url, remove)


def test_a_file_that_no_record_names_is_stored_when_it_is_quoted(pg, url, monkeypatch):
    erased_beside.a_file_named_by_no_record_is_stored_when_it_is_quoted(pg, url, monkeypatch)


def test_a_run_that_names_new_lists_and_an_erasure_wait_for_each_other_in_one_order(pg, url, monkeypatch):
    writer = erased_beside.opened(pg)
    real, tickets = acts.store.keep_records, []

    def waited_for(connection):
        real(connection)
        if tickets:
            return
        other = digested(Document(kind="blocklist", body=b"other"))
        tickets.append(
            erased_beside.decide(
                writer, (digested(erased_beside.ROBOTS), other), blocklist_sha256=other[0].hex()
            )
        )
        with pg.admin() as admin:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            while admin.execute(asked, (pg.name,)).fetchone() != (1,):
                time.sleep(0.002)

    with monkeypatch.context() as patch:
        patch.setattr(acts.store, "keep_records", waited_for)
        assert erased_beside.erase(url) == 0
        assert [ticket.result(30).idx for ticket in tickets] == [1]
    assert erased_beside.findings(pg) == ()
    erased_beside.closed(pg, writer)
