"""A hold keeps what is left, whoever removes; and an erasure finds, and tells, all that it must."""

from __future__ import annotations

from hashlib import sha256

import held_beside
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog.document_store import QUOTED
from policies.basis import encode_basis, quoted_digests
from policies.vocabulary import Action, Assessment, Citation, Evidence, Reason, Verdict


@pytest.mark.parametrize("case", ["named", "named before", "shared"])
def test_evidence_of_a_run_that_is_held_while_it_is_pruned_stays(log, monkeypatch, case):
    held_beside.evidence_of_a_held_run_stays(log, log.url, monkeypatch, case)


def test_a_pruning_that_is_held_costs_a_run_no_look_up(log, monkeypatch):
    held_beside.a_pruning_that_is_held_costs_a_run_no_look_up(log, log.url, monkeypatch)


def test_what_goes_between_two_holds_is_stored_again(log, monkeypatch):
    held_beside.what_goes_between_two_holds_is_stored_again(log, log.url, monkeypatch)


@pytest.mark.parametrize("begun", ["before", "since"])
def test_what_a_run_records_before_it_ends_is_erased(log, monkeypatch, begun):
    held_beside.what_a_run_records_before_it_ends_is_erased(log, log.url, monkeypatch, begun)


def test_a_copy_that_is_left_ends_no_search(log, monkeypatch, capsys):
    held_beside.a_copy_that_is_left_ends_no_search(log, log.url, monkeypatch, capsys)


def test_a_hold_that_stops_a_later_search_is_told_with_what_was_erased(log, monkeypatch, capsys):
    held_beside.a_hold_that_stops_a_later_search_is_told_with_what_was_erased(
        log, log.url, monkeypatch, capsys
    )


def test_an_export_made_after_the_search_is_named(log, monkeypatch, capsys, tmp_path):
    held_beside.an_export_made_after_the_search_is_named(
        log, log.url, monkeypatch, capsys, tmp_path / "package"
    )


def test_held_records_are_read_before_writers_wait(log, monkeypatch):
    held_beside.held_records_are_read_before_writers_wait(log, log.url, monkeypatch)


@pytest.mark.parametrize("case", held_beside.CASES)
def test_a_basis_that_cannot_be_read_stops_what_removes(log, case):
    def damage(column, value, digest):
        log.unguarded().execute(f"UPDATE document SET {column} = ? WHERE sha256 = ?", (value, digest))

    held_beside.a_basis_that_cannot_be_read_stops_what_removes(log, log.url, case, damage)


WORDS = st.one_of(st.text(max_size=20), st.just('"sha256":"' + "ab" * 32 + '"'), st.just('\\"sha256\\":"'))
DIGESTS = st.one_of(st.none(), st.binary(max_size=9).map(lambda octets: sha256(octets).hexdigest()))


@given(st.lists(st.tuples(WORDS, WORDS, DIGESTS, DIGESTS), max_size=5))
def test_what_is_found_without_decoding_a_basis_is_what_it_quotes(rows):
    """A writer looks for digests in the octets, because it is quicker; whoever removes reads the document."""
    evidence = tuple(
        Evidence(source=source, text=text, sha256=digest, citations=() if cited is None else (citing(cited),))
        for source, text, digest, cited in rows
    )
    verdict = Verdict(rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=evidence)
    document = encode_basis(Assessment(verdicts=(verdict,)))
    found = {bytes.fromhex(digest.decode()) for digest in QUOTED.findall(document)}
    assert found == set(quoted_digests(document))


def citing(digest):
    return Citation(
        source_id="s", pattern="p", match="subtree", weight="w", line=1, text="t", source_sha256=digest
    )
