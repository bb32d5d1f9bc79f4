"""A profile decides which entries block, its sentence stands in the record, and so does every override."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.host import split_origin
from blocklists.matcher import DictMatcher
from blocklists.profile import load_profile
from policies.basis import decode_basis, encode_basis
from policies.facts import RequestFacts
from policies.rules.piracy import judge_piracy
from policies.vocabulary import Action, Assessment, Origin, Reason, RequestKind

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 86_400_000_000


def entry(pattern, weight, source_id="a", *, line_no=1, **more):
    return Entry(
        pattern_raw=pattern,
        pattern=pattern,
        match=Match.SUBTREE,
        source_id=source_id,
        line_no=line_no,
        weight=weight,
        **more,
    )


def lists(*entries, reviewed_on=None):
    sources = {
        one.source_id: Source(
            source_id=one.source_id,
            title="",
            sha256=one.source_id * 64,
            weight=one.weight,
            reviewed_on=reviewed_on,
        )
        for one in entries
    }
    return DictMatcher(entries, sources.values())


def judge(matcher, profile=None, *, host="bad.example", now_us=NOW):
    scheme, name, port = split_origin(f"https://{host}/")
    facts = RequestFacts(
        url=f"https://{host}/",
        method="GET",
        user_agent="Bot/1",
        kind=RequestKind.PAGE,
        origin=Origin(scheme=scheme, host=name, port=port),
    )
    more = {} if profile is None else {"weights": load_profile(profile)}
    return judge_piracy(facts, matcher, now_us=now_us, **more)


OVERRIDE = entry(
    "bad.example",
    Weight.OPERATOR,
    "overrides",
    line_no=4,
    action=EntryAction.OVERRIDE,
    authority="legal@operator.example",
    decision_ref="Listed wrongly; reported upstream",
    valid_until=date(2026, 11, 22),
)


@pytest.mark.parametrize(
    ("weight", "jurisdiction", "blocked"),
    [
        (Weight.COURT_ORDER, "DK", {"default", "eu-gpai", "jp-principle", "strict"}),
        (Weight.COURT_ORDER, "GB", {"default", "jp-principle", "strict"}),
        (Weight.RIGHTS_HOLDER_LIST, "JP", {"default", "jp-principle", "strict"}),
        (Weight.INDUSTRY_BODY_RECOMMENDATION, "DE", {"default", "strict"}),
        (Weight.COMMUNITY, "", {"default", "strict"}),
        (Weight.GOVERNMENT_REPORT_NO_FINDING, "US", set()),
        (Weight.OPERATOR, "", {"default", "eu-gpai", "jp-principle", "strict"}),
    ],
)
def test_what_each_profile_does_with_each_weight(weight, jurisdiction, blocked):
    matcher = lists(entry("bad.example", weight, jurisdiction=jurisdiction))
    for profile in ("default", "eu-gpai", "jp-principle", "strict"):
        verdict = judge(matcher, profile)
        assert (verdict.action is Action.SKIP) is (profile in blocked), profile
        (evidence,) = verdict.evidence
        assert evidence.note.startswith(f"profile {profile}: {weight} ")
        assert evidence.note.isprintable()


def test_without_a_profile_nothing_changes():
    matcher = lists(entry("bad.example", Weight.COMMUNITY))
    (evidence,) = judge(matcher).evidence
    assert evidence.note == ""
    assert judge(matcher).reason is Reason.PIRACY_LIST


def test_a_community_list_that_was_reviewed_blocks_under_the_principle_code():
    matcher = lists(entry("bad.example", Weight.COMMUNITY), reviewed_on=date(2026, 11, 1))
    assert judge(matcher, "jp-principle").action is Action.SKIP


def test_the_entry_that_decides_is_one_that_blocks_under_the_profile():
    matcher = lists(
        entry("www.bad.example", Weight.COMMUNITY),
        entry("bad.example", Weight.COURT_ORDER, "b", line_no=9, jurisdiction="DK", authority="A Court"),
    )
    (evidence,) = judge(matcher, "eu-gpai", host="www.bad.example").evidence
    assert (evidence.source, evidence.line) == ("list:b", 9)
    assert [cited.source_id for cited in evidence.citations] == ["a", "b"]


def test_hard_case_18_an_override_passes_and_cites_what_it_suppressed():
    matcher = lists(
        entry("bad.example", Weight.COURT_ORDER, "a", authority="A Court"),
        entry("bad.example", Weight.COMMUNITY, "b", line_no=7),
        OVERRIDE,
    )
    verdict = judge(matcher)
    assert (verdict.action, verdict.reason) == (Action.FETCH, Reason.ALLOWED)
    (evidence,) = verdict.evidence
    assert (evidence.source, evidence.line) == ("list:overrides", 4)
    assert evidence.note == (
        "override by legal@operator.example until 2026-11-22: Listed wrongly; reported upstream; "
        "2 entries would block without it"
    )
    assert [(cited.source_id, cited.authority) for cited in evidence.citations] == [
        ("a", "A Court"),
        ("b", ""),
        ("overrides", "legal@operator.example"),
    ]
    kept = Assessment(verdicts=(verdict,))
    assert decode_basis(encode_basis(kept)) == kept


def test_hard_case_18_the_day_after_the_site_is_blocked_again():
    matcher = lists(entry("bad.example", Weight.COMMUNITY), OVERRIDE)
    assert judge(matcher).action is Action.FETCH
    later = judge(matcher, now_us=NOW + DAY)
    assert later.action is Action.SKIP
    assert [cited.source_id for cited in later.evidence[0].citations] == ["a"]


def test_an_override_of_a_site_that_nobody_blocks_is_no_evidence():
    assert judge(lists(OVERRIDE, entry("x.example", Weight.COMMUNITY))).evidence == ()
    flagged = judge(lists(OVERRIDE, entry("bad.example", Weight.GOVERNMENT_REPORT_NO_FINDING)))
    assert flagged.evidence[0].source == "list:a"
    assert flagged.evidence[0].note == "listed, but by no entry that blocks"


def test_hard_case_23_each_request_is_judged_by_the_lists_that_it_is_asked_of():
    before = lists(entry("other.example", Weight.COMMUNITY))
    after = lists(entry("bad.example", Weight.COMMUNITY))
    assert judge(before).action is Action.FETCH
    assert judge(after).action is Action.SKIP
