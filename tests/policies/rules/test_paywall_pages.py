"""Every page under tests/sites is judged as its expected.toml says, at the line that it names."""

from __future__ import annotations

import pytest
from labelled import KEPT, cases, figures, judged, label

from policies.vocabulary import Action


def test_the_page_set_is_there():
    assert len(cases()) >= 170


@pytest.mark.parametrize("case", cases())
def test_page_is_judged_as_its_case_says(case):
    expected = label(case)
    assessment = judged(case)
    deciding = assessment.deciding
    if expected.known_limit:
        assert assessment.passes, "the limit is gone: take known_limit out"
        return
    assert deciding.reason == expected.reason, expected.about
    if expected.reason == KEPT:
        assert assessment.passes
        return
    assert deciding.action is Action.SKIP
    assert deciding.evidence
    assert any(item.sha256 for item in deciding.evidence) or deciding.rule == "access"
    if expected.contains:
        assert any(expected.contains in item.text for item in deciding.evidence)
    if expected.line:
        assert expected.line in [item.line for item in deciding.evidence]
    if expected.note:
        assert deciding.evidence[0].note == expected.note
    assert all(len(item.text) <= 500 for item in deciding.evidence)


def test_no_declared_paywall_is_missed_and_what_is_open_is_kept():
    found = figures()
    refused, kept = found.of("declared paywall")
    assert (refused >= 50, kept) == (True, 0), found.missed
    assert found.wrong == ()
    assert found.precision >= 0.99
    assert found.recall >= 0.95, found.missed
    assert sum(found.of("open")) >= 65


def test_what_is_missed_says_why():
    assert [case for case in figures().missed if not label(case).known_limit] == []
