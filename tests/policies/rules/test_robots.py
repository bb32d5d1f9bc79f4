"""The rule `robots`: nothing without a readable file of the request's own origin, and always evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from policies.basis import decode_basis, encode_basis
from policies.facts import RequestFacts, RobotsAccess, RobotsFile
from policies.precedence import switched_by
from policies.rules.judged_rows import Intent
from policies.rules.robots import judge_robots, leaves_open, read_rules
from policies.signals.robots import parse_robots
from policies.signals.robots_fetch import read_robots_answer, with_last_good
from policies.vocabulary import Action, Assessment, Origin, Purpose, Reason, RequestKind

NOW = 1_790_000_000_000_000
ORIGIN = Origin(scheme="https", host="example.com", port=443)
TOKEN = "ExampleBot"


def request(path="/a", *, origin=ORIGIN, kind=RequestKind.PAGE, url=None):
    return RequestFacts(
        url=url or f"{origin}{path}", method="GET", user_agent=f"{TOKEN}/1.0", kind=kind, origin=origin
    )


def file(
    body=b"", status=200, *, origin=ORIGIN, headers=(), hops=0, error=None, final_url=None
) -> RobotsFile:
    url = f"{origin}/robots.txt"
    return read_robots_answer(
        url=url,
        final_url=final_url or url,
        status=status,
        headers=headers,
        body=body,
        fetched_at=NOW,
        hops=hops,
        error=error,
    )


def judge(robots, path="/a", **facts):
    return judge_robots(request(path, **facts), robots, read_rules(robots) if robots else None, TOKEN)


def test_without_a_file_nothing_goes():
    verdict = judge(None)
    assert (verdict.rule, verdict.action, verdict.reason) == (
        "robots",
        Action.SKIP,
        Reason.ROBOTS_UNREACHABLE,
    )
    assert verdict.evidence


@pytest.mark.parametrize(
    ("robots", "action", "reason"),
    [
        (file(b"", 503), Action.SKIP, Reason.ROBOTS_UNREACHABLE),
        (file(b"", 429), Action.SKIP, Reason.ROBOTS_UNREACHABLE),
        (file(b"", None, error="DNS failure"), Action.SKIP, Reason.ROBOTS_UNREACHABLE),
        (file(b"User-agent: *\nAllow: /\n", 200, hops=6), Action.SKIP, Reason.ROBOTS_UNREACHABLE),
        (file(b"\xff\xfeU"), Action.SKIP, Reason.ROBOTS_UNREACHABLE),
        (
            file(b"<html>", 200, headers=(("cf-mitigated", "challenge"),)),
            Action.SKIP,
            Reason.ROBOTS_UNREACHABLE,
        ),
        (file(b"", 401), Action.SKIP, Reason.ROBOTS_DENIED),
        (file(b"", 403), Action.SKIP, Reason.ROBOTS_DENIED),
        (file(b"User-agent: *\nDisallow: /\n", 404), Action.FETCH, Reason.ALLOWED),
        (file(b"<html>soft 404", 200), Action.FETCH, Reason.ALLOWED),
        (file(b""), Action.FETCH, Reason.ALLOWED),
        (file(b"User-agent: *\nDisallow: /a\n"), Action.SKIP, Reason.ROBOTS_DISALLOW),
        (file(b"User-agent: *\nDisallow: /b\n"), Action.FETCH, Reason.ALLOWED),
    ],
)
def test_cases_1_to_6_and_8_what_asking_came_to_decides_and_is_shown(robots, action, reason):
    verdict = judge(robots)
    assert (verdict.action, verdict.reason) == (action, reason)
    (evidence,) = verdict.evidence
    assert evidence.source == "https://example.com/robots.txt"
    assert evidence.fetched_at == NOW
    assert robots.problem in evidence.note
    assert evidence.note


def test_a_refusal_cites_line_text_group_digest_and_reader():
    robots = file(b"User-agent: ExampleBot\nDisallow: /a # ours\n")
    (evidence,) = judge(robots, "/a/b").evidence
    assert (evidence.line, evidence.text, evidence.group) == (2, "Disallow: /a # ours", "ExampleBot")
    assert (evidence.sha256, evidence.reader) == (robots.sha256, "sekisho")


def test_a_pass_cites_its_line_too_and_says_when_there_is_none():
    robots = file(b"User-agent: *\nDisallow: /\nAllow: /a\n")
    (evidence,) = judge(robots).evidence
    assert (evidence.line, evidence.text) == (3, "Allow: /a")
    (evidence,) = judge(file(b"User-agent: *\nDisallow: /b\n")).evidence
    assert evidence.line is None
    assert "no rule matches" in evidence.note


def test_where_only_the_second_reader_refuses_we_refuse_and_name_both():
    verdict = judge(file(b"User-agent: *\nDisallow: /a%3Fb\n"), "/a?b")
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.ROBOTS_DISALLOW)
    assert [evidence.reader for evidence in verdict.evidence] == ["sekisho", "protego"]
    assert "no rule matches" in verdict.evidence[0].note
    assert "forbidding" in verdict.evidence[1].note


def test_where_only_we_refuse_we_refuse():
    body = b"User-agent: *\nCrawl-delay: 10\nUser-agent: CCBot\nDisallow: /\n"
    verdict = judge(file(body))
    assert verdict.reason is Reason.ROBOTS_DISALLOW
    assert [evidence.reader for evidence in verdict.evidence] == ["sekisho"]


def test_where_the_second_reader_cannot_be_asked_the_evidence_says_so():
    body = b"".join(b"User-agent: a%d\n" % i for i in range(2000)) + b"Disallow: /x*y\n" * 200
    verdict = judge(file(body))
    assert verdict.action is Action.FETCH
    assert "second reader not asked" in verdict.evidence[0].note


@pytest.mark.parametrize(
    "other",
    [
        Origin(scheme="http", host="example.com", port=80),
        Origin(scheme="https", host="example.com", port=8443),
        Origin(scheme="https", host="www.example.com", port=443),
    ],
)
def test_case_9_the_file_of_another_origin_says_nothing(other):
    robots = file(b"User-agent: *\nAllow: /\n")
    readings = read_rules(robots)
    assert judge_robots(request(), robots, readings, TOKEN).action is Action.FETCH
    verdict = judge_robots(request(origin=other), robots, readings, TOKEN)
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.ROBOTS_UNREACHABLE)
    assert "another origin" in verdict.evidence[0].note


def test_case_7_evidence_of_redirected_rules_names_both_addresses():
    robots = file(b"User-agent: *\nDisallow: /\n", final_url="https://cdn.example/r.txt", hops=1)
    (evidence,) = judge(robots).evidence
    assert evidence.source == "https://example.com/robots.txt"
    assert "https://cdn.example/r.txt" in evidence.note


def test_case_11_a_last_good_copy_is_obeyed_and_the_evidence_says_so():
    good = file(b"User-agent: *\nDisallow: /a\n")
    used = with_last_good(file(b"", 503), good, NOW)
    assert judge(used).reason is Reason.ROBOTS_DISALLOW
    allowed = judge(used, "/b")
    assert allowed.action is Action.FETCH
    assert "unreachable (HTTP 503" in allowed.evidence[0].note
    assert allowed.evidence[0].sha256 == good.sha256


def test_case_34_robots_txt_itself_goes_without_a_file():
    verdict = judge(None, "/robots.txt", kind=RequestKind.ROBOTS)
    assert (verdict.action, verdict.reason) == (Action.FETCH, Reason.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/robots.txt?x", RequestKind.ROBOTS),
        ("/a", RequestKind.ROBOTS),
        ("/robots.txt", RequestKind.PAGE),
        ("/.well-known/tdmrep.json", RequestKind.SITE_FILE),
    ],
)
def test_no_other_request_goes_without_a_file(path, kind):
    assert judge(None, path, kind=kind).reason is Reason.ROBOTS_UNREACHABLE


def test_a_robots_request_that_names_another_origin_does_not_go():
    verdict = judge(None, kind=RequestKind.ROBOTS, url="https://other.example/robots.txt")
    assert verdict.reason is Reason.ROBOTS_UNREACHABLE


def test_a_request_without_an_origin_does_not_go():
    facts = RequestFacts(url="https:///x", method="GET", user_agent="x", kind=RequestKind.PAGE, origin=None)
    robots = file(b"")
    assert judge_robots(facts, robots, read_rules(robots), TOKEN).reason is Reason.ROBOTS_UNREACHABLE


def test_readings_of_another_file_are_not_believed():
    forbidding, open_ = file(b"User-agent: *\nDisallow: /\n"), file(b"")
    assert judge_robots(request(), forbidding, read_rules(open_), TOKEN).reason is Reason.ROBOTS_DISALLOW
    assert judge_robots(request(), forbidding, None, TOKEN).reason is Reason.ROBOTS_DISALLOW


def test_a_body_that_does_not_govern_is_never_read():
    handmade = RobotsFile(
        url=f"{ORIGIN}/robots.txt",
        final_url=f"{ORIGIN}/robots.txt",
        access=RobotsAccess.UNREACHABLE,
        status=503,
        body=b"User-agent: *\nAllow: /\n",
        sha256="0" * 64,
        fetched_at=NOW,
        expires_at=NOW,
    )
    readings = read_rules(handmade)
    assert readings.rules.group_count == 0
    assert judge_robots(request(), handmade, readings, TOKEN).reason is Reason.ROBOTS_UNREACHABLE


def test_an_unreadable_body_under_a_file_that_claims_rules_refuses():
    handmade = RobotsFile(
        url=f"{ORIGIN}/robots.txt",
        final_url=f"{ORIGIN}/robots.txt",
        access=RobotsAccess.RULES,
        status=200,
        body=b"\xff\xfeU",
        sha256="0" * 64,
        fetched_at=NOW,
        expires_at=NOW,
    )
    assert judge(handmade).reason is Reason.ROBOTS_UNREACHABLE


@pytest.mark.parametrize(
    "robots", [file(b"User-agent: *\nDisallow: /x\n"), file(b"", 404), file(b"", 503), file(b"", 403)]
)
def test_the_same_deciding_line_gives_the_same_verdict_object(robots):
    readings = read_rules(robots)
    for pair in (("/x1", "/x2"), ("/a", "/b")):
        first, second = (judge_robots(request(path), robots, readings, TOKEN) for path in pair)
        assert first is second


def test_two_tokens_never_share_a_verdict():
    robots = file(b"User-agent: ExampleBot\nDisallow: /a\nUser-agent: *\nDisallow:\n")
    readings = read_rules(robots)
    assert judge_robots(request(), robots, readings, "ExampleBot").action is Action.SKIP
    assert judge_robots(request(), robots, readings, "Other").action is Action.FETCH


def test_a_refetched_file_with_the_same_octets_is_not_parsed_again_and_shows_its_own_time():
    old = read_rules(file(b"User-agent: *\nDisallow: /a\n"))
    fresh = read_robots_answer(
        url=old.file.url,
        final_url=old.file.url,
        status=200,
        headers=(),
        body=old.file.body,
        fetched_at=NOW + 7,
        hops=0,
        error=None,
    )
    renewed = old.renewed(fresh)
    assert renewed.rules is old.rules
    verdict = judge_robots(request(), fresh, renewed, TOKEN)
    assert verdict.evidence[0].fetched_at == NOW + 7


@pytest.mark.parametrize("changed", [file(b"User-agent: *\nDisallow: /\n"), file(b"", 503), file(b"", 404)])
def test_a_refetched_file_that_changed_is_read_anew(changed):
    renewed = read_rules(file(b"User-agent: *\nAllow: /\n")).renewed(changed)
    assert renewed.file is changed
    assert judge_robots(request(), changed, renewed, TOKEN) == judge(changed)


@pytest.mark.parametrize(
    "body", [b"User-agent: *\nDisallow: /a\xe9\x00\n", b"User-agent: \xff\nAllow: /", b""]
)
def test_every_verdict_is_a_basis_document(body):
    robots = file(body)
    for path in ("/a%E9%00", "/b"):
        assessment = Assessment(verdicts=(judge(robots, path),))
        assert decode_basis(encode_basis(assessment)) == assessment


def test_rival_4_a_verdict_keeps_the_file_that_was_obeyed_when_a_newer_one_arrives():
    old = file(b"User-agent: *\nDisallow: /b\n")
    readings = read_rules(old)
    verdict = judge_robots(request(), old, readings, TOKEN)
    readings.renewed(file(b"User-agent: *\nDisallow: /\n"))
    assert verdict.evidence[0].sha256 == old.sha256
    assert judge_robots(request(), old, readings, TOKEN) is verdict


LINES = st.lists(
    st.sampled_from(
        [
            "User-agent: *",
            "User-agent: ExampleBot",
            "User-agent: Example",
            "User-agent: ExampleBot/2.0",
            "Crawl-delay: 2",
            "Sitemap: /s",
            "Disallow: /a",
            "Disallow: /",
            "Disallow: /a%3Fb",
            "Disallow /a",
            "Dissallow: /*b",
            "Disallow: https://example.com/a",
            "Allow: /a/b",
            "Allow: /",
            "Allow: /a/index.html",
            "# x\u2028Disallow: /",
        ]
    ),
    max_size=10,
)


@given(lines=LINES, path=st.sampled_from(["/", "/a", "/a/b", "/a?b", "/a/", "/https://example.com/a", "/b"]))
def test_nothing_goes_that_either_reader_refuses(lines, path):
    text = "\n".join(lines)
    verdict = judge(file(text.encode()), path)
    ours = parse_robots(text.encode()).judge(TOKEN, f"{ORIGIN}{path}").allowed
    theirs = Protego.parse(text).can_fetch(f"{ORIGIN}{path}", TOKEN)
    assert verdict.action.passes is (ours and theirs)
    assert (verdict.evidence[-1].reader == "protego") is (ours and not theirs)


def test_rival_2_a_ban_of_the_declared_token_holds_whatever_the_user_agent_header_says():
    robots = file(b"User-agent: Mozilla\nAllow: /\n\nUser-agent: FooBot\nDisallow: /\n")
    facts = RequestFacts(
        url="https://example.com/a",
        method="GET",
        user_agent="Mozilla/5.0 (compatible; FooBot/1.0; +https://foo.example/bot)",
        kind=RequestKind.PAGE,
        origin=ORIGIN,
    )
    assert judge_robots(facts, robots, read_rules(robots), "FooBot").reason is Reason.ROBOTS_DISALLOW


def lifting(**switches):
    return Intent(token=TOKEN, purposes=frozenset(Purpose), switched=switched_by(switches))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_file_refuses_its_origin_unless_the_operator_reads_it_as_rfc_9309_permits(status):
    """Section 2.3.1.3 permits access; that a refusal counts is our default policy (row 4), and can be lifted."""
    refused = file(b"", status)
    readings = read_rules(refused)

    def verdict(intent):
        return judge_robots(request(), refused, readings, TOKEN, intent)

    assert verdict(None).reason is verdict(lifting()).reason is Reason.ROBOTS_DENIED
    open_ = verdict(lifting(honour_denied_robots=False))
    assert open_.action is Action.FETCH
    assert "honour_denied_robots" in open_.evidence[0].note
    assert str(status) in open_.evidence[0].note
    assert verdict(lifting()).reason is Reason.ROBOTS_DENIED  # whichever was asked before
    assert leaves_open(refused, lifting(honour_denied_robots=False))
    assert not leaves_open(refused, None)


@pytest.mark.parametrize("robots", [file(b"", 503), file(b"", 407), file(b"User-agent: *\nDisallow: /\n")])
def test_lifting_a_refused_file_lifts_nothing_else(robots):
    intent = lifting(honour_denied_robots=False)
    assert not judge_robots(request(), robots, read_rules(robots), TOKEN, intent).action.passes
