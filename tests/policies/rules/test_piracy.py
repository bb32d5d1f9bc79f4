"""A listed host is skipped with every entry that names it; nothing else is."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from scrapy import Request

from blocklists.entry import Entry, Match, Source, Weight
from blocklists.host import split_origin
from blocklists.matcher import DictMatcher
from policies.basis import decode_basis, encode_basis
from policies.facts import RequestFacts
from policies.rules.piracy import judge_piracy
from policies.vocabulary import Action, Assessment, Origin, Reason, RequestKind

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000


def source(source_id, weight=Weight.OPERATOR, **more):
    return Source(source_id=source_id, title=source_id, sha256=source_id * 64, weight=weight, **more)


def entry(pattern, source_id="a", *, line_no=1, match=Match.SUBTREE, weight=Weight.OPERATOR, **more):
    return Entry(
        pattern_raw=more.pop("raw", pattern),
        pattern=pattern,
        match=match,
        source_id=source_id,
        line_no=line_no,
        weight=weight,
        **more,
    )


LISTS = DictMatcher(
    [
        entry("bad.example"),
        entry("sub.mix.example", line_no=2),
        entry("foo.blogspot.com", line_no=3),
        entry("109.238.9.3", line_no=4, match=Match.IP),
        entry("xn--fa-hia.de", line_no=5, raw="faß.de"),
    ],
    [source("a")],
)


def facts(url, kind=RequestKind.PAGE):
    parts = split_origin(url)
    origin = None if parts is None else Origin(scheme=parts[0], host=parts[1], port=parts[2])
    return RequestFacts(url=url, method="GET", user_agent="Bot/1", kind=kind, origin=origin)


def judge(url, lists=LISTS, **more):
    """The verdict on what Scrapy would send for a URL as written in a page."""
    return judge_piracy(facts(Request(url).url), lists, now_us=NOW, **more)


@pytest.mark.parametrize(
    "url",
    [
        "https://BAD.example./x",  # 1
        "https://a.b.bad.example/",  # 2
        "https://x.sub.mix.example/",  # 3
        "https://www.foo.blogspot.com/",  # 4
        "http://bad.example:8443/",  # 6
        "http://u:p@bad.example/",  # 6
        "http://bad.example\\@ok.example/",  # 7
        "http://%62ad.example/",  # 8
        "http://bad.example%2e/",  # 8
        "http://ｂａｄ.example/",  # 9
        "http://bad。example/",  # 9
        "http://ba\u00add.example/",  # 9
        "http://ba\nd.exam\tple/",  # 9
        "http://xn--fa-hia.de/",  # 10
        "http://109.238.9.3/x",  # 11
        "http://1844316419/",  # 11
        "http://0x6dee0903/",  # 11
        "http://[::ffff:109.238.9.3]/",  # 12
    ],
)
def test_hard_cases_1_to_12_block(url):
    verdict = judge(url)
    assert (verdict.rule, verdict.action, verdict.reason) == ("piracy", Action.SKIP, Reason.PIRACY_LIST)


@pytest.mark.parametrize(
    "url",
    [
        "https://notbad.example/",  # 2
        "https://bad.example.org/",  # 2
        "https://bad.example.evil.test/",  # 2
        "https://mix.example/",  # 3
        "https://other.mix.example/",  # 3
        "https://bar.blogspot.com/",  # 4
        "http://bad.example@ok.example/",  # 6
        "http://ok.example/?u=bad.example",  # 6
        "http://ok.example/bad.example",
        "http://ok.example/#bad.example",
        "http://faß.de/",  # 10: Scrapy fetches fass.de
        "http://109.238.9.30/",  # 11
    ],
)
def test_hard_cases_2_to_11_allow(url):
    verdict = judge(url)
    assert (verdict.action, verdict.reason) == (Action.FETCH, Reason.ALLOWED)
    assert verdict.evidence == ()


def test_hard_case_19_a_skip_cites_every_list_with_line_and_authority():
    lists = DictMatcher(
        [
            entry("bad.example", "b", line_no=7, raw="Bad.example # x", weight=Weight.COMMUNITY),
            entry(
                "bad.example",
                "a",
                line_no=3,
                weight=Weight.COURT_ORDER,
                authority="Example District Court",
                decision_ref="BS-1/2025",
                decision_date=date(2025, 3, 1),
                source_url="https://lists.example/",
            ),
            entry("example", "c", line_no=1, weight=Weight.GOVERNMENT_REPORT_NO_FINDING),
        ],
        [source("a", fetched_at=5), source("b"), source("c")],
    )
    (evidence,) = judge("https://www.bad.example/", lists).evidence
    assert (evidence.source, evidence.line, evidence.text) == ("list:a", 3, "bad.example")
    assert (evidence.sha256, evidence.fetched_at) == ("a" * 64, 5)
    assert [(cited.source_id, cited.line, cited.text) for cited in evidence.citations] == [
        ("a", 3, "bad.example"),
        ("b", 7, "Bad.example # x"),
        ("c", 1, "example"),
    ]
    court = evidence.citations[0]
    assert (court.authority, court.decision_ref, court.decision_date) == (
        "Example District Court",
        "BS-1/2025",
        "2025-03-01",
    )
    assert (court.weight, court.match, court.pattern) == ("court_order", "subtree", "bad.example")
    assert (court.source_url, court.source_sha256, court.fetched_at) == (
        "https://lists.example/",
        "a" * 64,
        5,
    )


def test_hard_case_30_a_government_report_passes_with_its_entry_as_evidence():
    lists = DictMatcher([entry("vk.com", weight=Weight.GOVERNMENT_REPORT_NO_FINDING)], [source("a")])
    verdict = judge("https://m.vk.com/", lists)
    assert (verdict.action, verdict.reason) == (Action.FETCH, Reason.ALLOWED)
    (evidence,) = verdict.evidence
    assert evidence.note == "listed, but by no entry that blocks"
    assert [cited.weight for cited in evidence.citations] == ["government_report_no_finding"]


def test_the_evidence_names_the_entry_that_blocks_even_when_a_narrower_one_does_not():
    lists = DictMatcher(
        [
            entry("www.vk.example", "a", weight=Weight.GOVERNMENT_REPORT_NO_FINDING),
            entry("vk.example", "b", line_no=9, weight=Weight.COURT_ORDER),
        ],
        [source("a"), source("b")],
    )
    (evidence,) = judge("https://www.vk.example/", lists).evidence
    assert (evidence.source, evidence.line) == ("list:b", 9)
    assert [cited.source_id for cited in evidence.citations] == ["a", "b"]


def test_hard_case_20_an_entry_past_its_term_does_not_block():
    lists = DictMatcher([entry("bad.example", valid_until=date(2026, 11, 21))], [source("a")])
    assert judge("https://bad.example/", lists).action is Action.FETCH
    lists = DictMatcher([entry("bad.example", valid_until=date(2026, 11, 22))], [source("a")])
    assert judge("https://bad.example/", lists).action is Action.SKIP


def test_a_profile_of_weights_is_the_callers():
    weights = frozenset({Weight.COURT_ORDER})
    assert judge("https://bad.example/", weights=weights).action is Action.FETCH


@pytest.mark.parametrize("kind", list(RequestKind))
def test_no_kind_of_request_is_exempt(kind):
    verdict = judge_piracy(facts("https://bad.example/robots.txt", kind), LISTS, now_us=NOW)
    assert verdict.reason is Reason.PIRACY_LIST


def test_a_path_entry_skips_that_path_alone():
    lists = DictMatcher([entry("home.example/~pirate", match=Match.URL_PREFIX)], [source("a")])
    assert judge("https://home.example/~pirate/x", lists).action is Action.SKIP
    assert judge("https://home.example/%7Epirate", lists).action is Action.SKIP
    assert judge("https://home.example/~pirates", lists).action is Action.FETCH


def test_a_request_without_a_host_is_left_to_the_rule_that_refuses_it():
    verdict = judge_piracy(facts("http:///bad.example/"), LISTS, now_us=NOW)
    assert verdict.reason is Reason.NOT_APPLICABLE


def test_passes_share_one_verdict_and_refusals_survive_the_record():
    assert judge("https://ok.example/") is judge("https://fine.example/")
    refused = Assessment(verdicts=(judge("https://bad.example/"),))
    assert decode_basis(encode_basis(refused)) == refused


def test_a_raw_row_is_cut_so_that_evidence_stays_small():
    lists = DictMatcher([entry("bad.example", raw="bad.example " + "#" * 900)], [source("a")])
    (evidence,) = judge("https://bad.example/", lists).evidence
    assert len(evidence.text) == len(evidence.citations[0].text) == 500
