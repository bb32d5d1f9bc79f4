"""Waivers lift what a document grants, for as long as it grants it, and nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from policies.facts import RequestFacts, ResponseFacts
from policies.rules.judged_rows import Intent
from policies.rules.robots_meta import judge_robots_header
from policies.vocabulary import Action, Evidence, Origin, Purpose, Reason, RequestKind, Verdict
from policies.waivers import (
    NO_WAIVERS,
    WAIVABLE,
    WaiverError,
    find_waivers,
    grants_of,
    lift,
    load_waivers,
    parse_waivers,
)

FILE = """\
schema = "sekisho.waivers/1"

[[waivers]]
document = "CONTRACT-2026-014"
owner = "Rights desk"
granted_by = "Example Press Ltd."
hosts = ["news.example.com", "*.example.org"]
paths = ["/archive/"]
waives = ["tdm_reservation", "licence_terms"]
purposes = ["ai-training"]
effective_from = 2026-04-01
expires = 2027-03-31
"""
DAY = date(2026, 11, 22)
TRAINING = frozenset({Purpose.AI_TRAINING})


def facts(url="https://news.example.com/archive/1", host="news.example.com"):
    origin = Origin(scheme="https", host=host, port=443)
    return RequestFacts(url=url, method="GET", user_agent="x", kind=RequestKind.PAGE, origin=origin)


def refusal(reason=Reason.TDM_RESERVATION, action=Action.SKIP):
    return Verdict(rule="tdm", action=action, reason=reason, evidence=(Evidence(source="tdmrep.json"),))


def found(request=None, verdict=None, day=DAY, purposes=TRAINING, text=FILE):
    together = find_waivers(
        parse_waivers(text.encode(), "w.toml"), request or facts(), verdict or refusal(), day, purposes
    )
    return together[0] if together else None


def test_a_grant_lifts_what_it_names_where_it_names_it():
    assert found().waiver.document == "CONTRACT-2026-014"
    assert found(facts("https://a.example.org/archive/", "a.example.org"))


@pytest.mark.parametrize(
    "request_facts",
    [
        facts("https://news.example.com/other"),
        facts("https://example.com/archive/", "example.com"),
        facts("https://x.news.example.com/archive/", "x.news.example.com"),
        facts("https://example.org/archive/", "example.org"),
        facts("https://notexample.org/archive/", "notexample.org"),
        facts("https://news.example.com/x/../other", "news.example.com"),
        replace(facts(), origin=None),
    ],
)
def test_it_lifts_nothing_outside_its_hosts_and_paths(request_facts):
    assert found(request_facts) is None


@pytest.mark.parametrize("day", [date(2026, 3, 31), date(2027, 4, 1)])
def test_it_lifts_nothing_outside_its_period(day):
    assert found(day=day) is None


@pytest.mark.parametrize("day", [date(2026, 4, 1), date(2027, 3, 31)])
def test_it_holds_on_its_first_and_last_day(day):
    assert found(day=day)


def test_a_grant_for_one_purpose_is_none_for_an_agent_with_two():
    assert found(purposes=frozenset({Purpose.AI_TRAINING, Purpose.ARCHIVE})) is None
    assert found(purposes=frozenset()) is None


def test_it_lifts_no_reason_that_it_does_not_name():
    assert found(verdict=refusal(Reason.AI_TXT)) is None


@pytest.mark.parametrize("reason", sorted(set(Reason) - WAIVABLE))
def test_what_is_no_statement_of_rights_cannot_be_waived_and_a_file_that_says_so_is_refused(reason):
    with pytest.raises(WaiverError, match=r"w\.toml:9.*cannot be waived"):
        parse_waivers(FILE.replace("tdm_reservation", reason.value).encode(), "w.toml")


def test_piracy_scope_reach_access_and_pace_are_among_what_cannot_be_waived():
    never = {
        Reason.PIRACY_LIST, Reason.POLICY_SCOPE, Reason.ROBOTS_UNREACHABLE, Reason.HTTP_401, Reason.HTTP_403,
        Reason.HTTP_402, Reason.LEGAL_BLOCK, Reason.BOT_CHALLENGE, Reason.LOGIN_REQUIRED, Reason.NO_PERMIT,
        Reason.CRAWL_DELAY_TOO_LONG, Reason.RATE_LIMITED, Reason.LOG_UNAVAILABLE,
    }  # fmt: skip
    assert not never & WAIVABLE


def test_what_passes_needs_no_waiver():
    assert found(verdict=refusal(action=Action.FETCH)) is None


def test_a_lifted_refusal_names_document_owner_and_expiry_and_keeps_what_it_lifted():
    verdict = lift(refusal(), [found()], passed=Action.FETCH)
    assert (verdict.rule, verdict.action, verdict.reason) == ("tdm", Action.FETCH, Reason.WAIVER_USED)
    grant, lifted = verdict.evidence
    assert (grant.source, grant.line, grant.text) == ("w.toml", 4, 'document = "CONTRACT-2026-014"')
    assert "Rights desk" in grant.note
    assert "2027-03-31" in grant.note
    assert "tdm_reservation" in grant.note
    assert len(grant.sha256) == 64
    assert lifted.source == "tdmrep.json"


def test_without_a_file_nothing_is_lifted():
    assert find_waivers(NO_WAIVERS, facts(), refusal(), DAY, TRAINING) == ()


def test_lapsed_waivers_are_named():
    waivers = parse_waivers(FILE.encode(), "w.toml")
    assert waivers.lapsed(DAY) == ()
    assert waivers.lapsed(date(2030, 1, 1)) == waivers.placed


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('document = "CONTRACT-2026-014"\n', "", r"w\.toml:3: .*document: is missing"),
        ('owner = "Rights desk"\n', "", r"owner: is missing"),
        ("expires = 2027-03-31\n", "", r"expires: is missing"),
        ("expires = 2027-03-31", 'expires = "2027-03-31"', r"w\.toml:12: .*date without quotes"),
        ("expires = 2027-03-31", "expires = 2026-03-31", r"expires before it takes effect"),
        ('"*.example.org"', '"*.com"', r"w\.toml:7: .*many owners"),
        ('"*.example.org"', '"*"', r"w\.toml:7: .*not a host"),
        ('"*.example.org"', '"*.co.uk"', r"many owners"),
        ('"*.example.org"', '"News.Example.com"', r"must be written as news\.example\.com"),
        ('"*.example.org"', '"https://example.org"', r"not a host"),
        ('"*.example.org"', '"example.org:8080"', r"not a host"),
        ('"/archive/"', '"archive"', r"w\.toml:8: .*begin with a slash"),
        ('"licence_terms"', '"tdm_reservation"', r"twice"),
        ('"licence_terms"', '"license_terms"', r"did you mean 'licence_terms'"),
        ('"ai-training"', '"training"', r"not one of"),
        ('hosts = ["news.example.com", "*.example.org"]', "hosts = []", r"hosts"),
        ("waives =", "waive =", r"unknown key; did you mean 'waives'"),
        ("sekisho.waivers/1", "sekisho.waivers/2", r"w\.toml:1"),
        ("[[waivers]]", "[waivers]", r"list|waivers"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(old, new, words):
    assert old in FILE
    with pytest.raises(WaiverError, match=words):
        parse_waivers(FILE.replace(old, new, 1).encode(), "w.toml")


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"waivers = [", b"\xef\xbb\xbf", b"schema = 'sekisho.waivers/1'"]
)
def test_what_is_no_waiver_file_is_refused(raw):
    with pytest.raises(WaiverError):
        parse_waivers(raw, "w.toml")


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(WaiverError, match=r"none\.toml: cannot be read"):
        load_waivers(tmp_path / "none.toml")


def test_a_file_is_read_with_its_digest(tmp_path):
    path = tmp_path / "w.toml"
    path.write_text(FILE)
    waivers = load_waivers(path)
    assert waivers.source == str(path)
    assert len(waivers.sha256) == 64
    assert find_waivers(waivers, facts(), refusal(), datetime(2026, 11, 22, tzinfo=UTC).date(), TRAINING)


def test_a_grant_for_one_reason_lifts_nothing_while_the_rule_refuses_for_another():
    both = replace(refusal(), others=(Reason.LICENCE_TERMS,))
    assert found(verdict=both)
    assert found(verdict=replace(refusal(), others=(Reason.AI_TXT,))) is None
    assert found(verdict=replace(refusal(), others=(Reason.PIRACY_LIST,))) is None
    assert found(verdict=replace(refusal(Reason.AI_TXT), others=(Reason.TDM_RESERVATION,))) is None


def test_each_reason_that_is_lifted_names_its_own_document_and_is_read_back():
    second = (
        FILE.split("[[waivers]]")[1]
        .replace("014", "015")
        .replace('"tdm_reservation", "licence_terms"', '"noai"')
    )
    waivers = parse_waivers((FILE + "\n[[waivers]]" + second).encode(), "w.toml")
    verdict = replace(refusal(Reason.NOAI), others=(Reason.TDM_RESERVATION,))
    placed = find_waivers(waivers, facts(), verdict, DAY, TRAINING)
    lifted = lift(verdict, placed, passed=Action.KEEP)
    assert lifted.others == ()
    assert [(one.document, one.reason) for one in grants_of(lifted)] == [
        ("CONTRACT-2026-015", "noai"),
        ("CONTRACT-2026-014", "tdm_reservation"),
    ]
    first = grants_of(lifted)[0]
    assert (first.granted_by, first.owner, first.expires) == (
        "Example Press Ltd.",
        "Rights desk",
        "2027-03-31",
    )
    assert grants_of(verdict) == ()


def test_a_page_with_two_directives_is_refused_for_both_reasons_and_one_grant_is_not_enough():
    intent = Intent(token="ExampleBot", purposes=TRAINING)
    response = ResponseFacts(
        url="https://news.example.com/archive/1", status=200, headers=(("x-robots-tag", "noai, noindex"),)
    )
    verdict = judge_robots_header(response, intent, now_us=0)
    assert {verdict.reason, *verdict.others} == {Reason.NOAI, Reason.X_ROBOTS_TAG}
    one = FILE.replace('"tdm_reservation", "licence_terms"', '"noai"')
    two = FILE.replace('"tdm_reservation", "licence_terms"', '"noai", "x_robots_tag"')
    assert found(verdict=verdict, text=one) is None
    assert found(verdict=verdict, text=two)
