"""A hold keeps what is left, whoever removes; and an erasure finds, and tells, all that it must."""

from __future__ import annotations

import held_beside
import pytest


@pytest.fixture
def url(pg, monkeypatch):
    """The log as who prunes and erases names it."""
    pg.use(monkeypatch)
    return pg.server.url(pg.name, user="keep_login")


@pytest.mark.parametrize("case", ["named", "named before", "shared"])
def test_evidence_of_a_run_that_is_held_while_it_is_pruned_stays(pg, url, monkeypatch, case):
    held_beside.evidence_of_a_held_run_stays(pg, url, monkeypatch, case)


def test_a_pruning_that_is_held_costs_a_run_no_look_up(pg, url, monkeypatch):
    held_beside.a_pruning_that_is_held_costs_a_run_no_look_up(pg, url, monkeypatch)


def test_what_goes_between_two_holds_is_stored_again(pg, url, monkeypatch):
    held_beside.what_goes_between_two_holds_is_stored_again(pg, url, monkeypatch)


@pytest.mark.parametrize("begun", ["before", "since"])
def test_what_a_run_records_before_it_ends_is_erased(pg, url, monkeypatch, begun):
    held_beside.what_a_run_records_before_it_ends_is_erased(pg, url, monkeypatch, begun)


def test_a_copy_that_is_left_ends_no_search(pg, url, monkeypatch, capsys):
    held_beside.a_copy_that_is_left_ends_no_search(pg, url, monkeypatch, capsys)


def test_a_hold_that_stops_a_later_search_is_told_with_what_was_erased(pg, url, monkeypatch, capsys):
    held_beside.a_hold_that_stops_a_later_search_is_told_with_what_was_erased(pg, url, monkeypatch, capsys)


def test_an_export_made_after_the_search_is_named(pg, url, monkeypatch, capsys, tmp_path):
    held_beside.an_export_made_after_the_search_is_named(pg, url, monkeypatch, capsys, tmp_path / "package")


def test_held_records_are_read_before_writers_wait(pg, url, monkeypatch):
    held_beside.held_records_are_read_before_writers_wait(pg, url, monkeypatch)


@pytest.mark.parametrize("case", ["digest is no hex", "octets changed", "cannot be unpacked"])
def test_a_basis_that_cannot_be_read_stops_what_removes(pg, url, case):
    def damage(column, value, digest):
        with pg.admin() as admin:
            admin.execute("ALTER TABLE document DISABLE TRIGGER guard_document_update")
            assert admin.execute(
                f"UPDATE document SET {column} = %s WHERE sha256 = %s", (value, digest)
            ).rowcount
            admin.execute("ALTER TABLE document ENABLE ALWAYS TRIGGER guard_document_update")

    held_beside.a_basis_that_cannot_be_read_stops_what_removes(pg, url, case, damage)
