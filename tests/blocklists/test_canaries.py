"""A poisoned or broken list is known by the names that it gained or lost."""

from __future__ import annotations

import pytest

from blocklists.canaries import MUST_NOT_HAVE, CanaryProblem, Sign, blocking_row, judge_canaries
from blocklists.domain import is_public_suffix
from blocklists.entry import Match
from blocklists.formats.adblock import parse_adblock
from blocklists.formats.plain import parse_plain
from blocklists.host import canonical_host


def rows(*names):
    return parse_plain("\n".join(names).encode(), scope=Match.SUBTREE).rows


def test_hard_case_28_an_honest_list_raises_nothing():
    assert judge_canaries(rows("bad.example", "thepiratebay.org"), must_have=["ThePirateBay.org."]) == ()


@pytest.mark.parametrize("name", ["google.com", "nasa.gov", "www.google.com", "archive.org"])
def test_hard_case_28_a_poisoned_list_is_known(name):
    (problem,) = judge_canaries(rows("bad.example", name))
    assert problem.sign is Sign.UNWANTED
    assert problem.row == name
    assert str(problem).startswith(f"lists {problem.name}, which it must not (row '{name}')")


def test_hard_case_28_the_operators_own_site_is_a_canary():
    problems = judge_canaries(rows("publisher.example"), must_not_have=["news.publisher.example"])
    assert [problem.name for problem in problems] == ["news.publisher.example"]


def test_hard_case_28_a_list_without_its_landmark_is_known():
    assert judge_canaries(rows("bad.example"), must_have=["thepiratebay.org"]) == (
        CanaryProblem(name="thepiratebay.org", sign=Sign.MISSING),
    )


def test_a_site_below_a_canary_is_no_alarm_and_a_canary_that_is_no_host_is_one():
    assert judge_canaries(rows("pirates.sites.google.com")) == ()
    assert [problem.name for problem in judge_canaries(rows("bad.example"), must_not_have=["a b"])] == ["a b"]


def test_what_the_list_itself_lifts_does_not_count():
    lifted = parse_adblock(b"||google.com^\n@@||google.com^\n||bad.example^", scope=Match.SUBTREE).rows
    assert judge_canaries(lifted) == ()
    assert blocking_row(lifted)("x.bad.example") == "||bad.example^"


def test_an_empty_list_lists_nothing():
    assert judge_canaries(rows(), must_have=["bad.example"])[0].sign is Sign.MISSING


def test_the_common_canaries_are_hosts_of_their_own():
    for name in MUST_NOT_HAVE:
        assert canonical_host(name) == name
        assert not is_public_suffix(name)
