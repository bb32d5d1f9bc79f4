"""Recovering what a dead writer left keeps nobody waiting, and may itself be killed at any moment."""

from __future__ import annotations

from dead_segments import appending_beside_a_recovery, killed_at_every_statement

from crawler.decisionlog import batch


def test_others_append_and_sign_while_a_dead_segment_is_recovered(pg, monkeypatch):
    monkeypatch.setattr(batch, "CHECKPOINT_EVERY_US", 0)  # each batch needs what all writers number together
    seconds, waits = appending_beside_a_recovery(pg)
    assert seconds > 2
    assert max(waits) < seconds / 2, "the log was held while the records were read"
    assert len(waits) > 20


def test_a_recovery_killed_at_any_statement_is_done_by_the_next_writer(pg):
    assert killed_at_every_statement(pg) > 20
