"""A replay is the same, another thing, or not possible; never the same for want of evidence."""

import pytest

from crawler.past_compare import compare
from policies.vocabulary import Action, Evidence, Reason, Verdict

OPEN = {"scope": "", "piracy": "", "robots": "a" * 64}


def passed(rule, sha256="a" * 64):
    evidence = (Evidence(source=f"{rule}.txt", line=1, sha256=sha256),) if rule == "robots" else ()
    return Verdict(rule=rule, action=Action.FETCH, reason=Reason.ALLOWED, evidence=evidence)


def refused(rule, reason=Reason.ROBOTS_DISALLOW, sha256="a" * 64, text=""):
    evidence = (Evidence(source=f"{rule}.txt", line=2, sha256=sha256, text=text),)
    return Verdict(rule=rule, action=Action.SKIP, reason=reason, evidence=evidence)


ALL = [passed(rule) for rule in OPEN]


def test_the_same_verdicts_on_the_same_evidence_are_the_same():
    assert compare(ALL, ALL, {}).same is True
    assert compare([*ALL[:2], refused("robots")], [*ALL[:2], refused("robots")], {}).same is True


@pytest.mark.parametrize(
    ("recorded", "replayed", "why"),
    [
        (refused("robots"), passed("robots"), ""),
        (passed("robots"), refused("robots"), ""),
        (refused("robots"), refused("robots", text="Disallow: /other"), ""),
        (refused("robots", sha256="b" * 64), refused("robots"), "another copy"),
        (refused("robots", Reason.ROBOTS_UNREACHABLE), passed("robots"), "headers"),
    ],
)
def test_another_verdict_or_other_evidence_is_a_difference(recorded, replayed, why):
    found = compare([*ALL[:2], recorded], [*ALL[:2], replayed], {})
    assert found.same is False
    (difference,) = found.differences
    assert difference.rule == "robots"
    assert why in difference.why


def test_a_rule_that_the_replay_never_reached_is_a_difference():
    found = compare(ALL, [ALL[0], refused("piracy", Reason.PIRACY_LIST)], {})
    assert [one.rule for one in found.differences] == ["piracy", "robots"]


def test_what_decided_without_evidence_at_hand_is_not_compared_and_nothing_behind_it():
    recorded = [ALL[0], refused("piracy", Reason.PIRACY_LIST)]
    found = compare(recorded, ALL, {"piracy": "the snapshot is gone"})
    assert found.same is None
    assert found.differences == ()
    assert found.left_out == ("piracy: the snapshot is gone",)


def test_a_rule_that_found_nothing_needs_no_evidence():
    found = compare(ALL, ALL, {"piracy": "gone"})
    assert (found.same, found.left_out) == (True, ())


def test_what_the_run_refused_for_its_own_state_is_named_and_the_rest_compared():
    offsite = Verdict(rule="links", action=Action.SKIP, reason=Reason.OFFSITE)
    found = compare([ALL[0], offsite], ALL, {})
    assert found.same is None
    assert "offsite" in found.left_out[0]
    alone = compare([offsite], ALL, {})
    assert alone.same is None
    changed = compare([refused("scope", Reason.POLICY_SCOPE), offsite], ALL, {})
    assert changed.same is False
