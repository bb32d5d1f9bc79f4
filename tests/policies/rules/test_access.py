from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import ResponseFacts
from policies.response_rules import judge_response_head
from policies.rules.access import judge_status
from policies.vocabulary import Action, Reason

URL = "https://news.example.com/story"


def facts(status, *headers, location=None):
    return ResponseFacts(url=URL, status=status, headers=headers, location=location)


@pytest.mark.parametrize("status", [200, 201, 203, 204, 206, 226, 299])
def test_success_passes(status):
    verdict = judge_status(facts(status, ("content-type", "text/html")))
    assert verdict.action is Action.KEEP
    assert verdict.reason is Reason.KEPT


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.HTTP_401),
        (402, Reason.HTTP_402),
        (403, Reason.HTTP_403),
        (407, Reason.HTTP_407),
        (451, Reason.LEGAL_BLOCK),
        (429, Reason.RATE_LIMITED),
        (503, Reason.RATE_LIMITED),
    ]
    + [
        (status, Reason.HTTP_ERROR)
        for status in (100, 101, 199, 304, 305, 399, 400, 404, 410, 418, 500, 502, 599)
    ]
    + [(status, Reason.HTTP_ERROR) for status in (0, -1, 600, 999, 1000)],
)
def test_every_other_status_drops_the_body(status, reason):
    verdict = judge_status(facts(status))
    assert (verdict.action, verdict.reason) == (Action.SKIP, reason)
    assert str(status) in verdict.evidence[0].text


def test_case_62_a_licence_challenge_is_named():
    verdict = judge_status(facts(401, ("www-authenticate", 'License error="required"')))
    assert verdict.reason is Reason.HTTP_401
    assert verdict.evidence[1].note == "an RSL licence is required"


def test_case_63_402_with_and_without_a_price_is_refused_and_the_price_kept():
    assert judge_status(facts(402)).reason is Reason.HTTP_402
    priced = judge_status(facts(402, ("crawler-price", "USD 0.01")))
    assert priced.reason is Reason.HTTP_402
    assert priced.evidence[1].text == "crawler-price: USD 0.01"


def test_case_63_a_charge_on_a_success_is_refused_and_explained():
    verdict = judge_status(facts(200, ("crawler-charged", "USD 0.01")))
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.CRAWLER_CHARGED)
    assert "charged" in verdict.evidence[1].note


@pytest.mark.parametrize(
    ("status", "header"),
    [(202, ("x-amzn-waf-action", "challenge")), (405, ("x-amzn-waf-action", "captcha"))]
    + [(status, ("cf-mitigated", "challenge")) for status in (200, 403, 503)]
    + [(200, ("cf-mitigated", " Challenge ")), (429, ("x-vercel-mitigated", "challenge"))],
)
def test_cases_64_and_65_a_challenge_is_no_page_whatever_its_status(status, header):
    verdict = judge_status(facts(status, header))
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.BOT_CHALLENGE)
    assert any(item.text.startswith(header[0]) for item in verdict.evidence)


def test_a_vendor_header_without_a_challenge_changes_nothing():
    assert (
        judge_status(facts(200, ("cf-mitigated", "none"), ("x-datadome", "protected"))).action is Action.KEEP
    )


def test_case_67_the_blocking_party_is_recorded():
    link = '<https://authority.example/order/7>; rel="blocked-by"'
    verdict = judge_status(facts(451, ("link", '</style.css>; rel="preload"'), ("link", link)))
    assert verdict.reason is Reason.LEGAL_BLOCK
    assert [item.text for item in verdict.evidence[1:]] == [f"link: {link}"]


def test_retry_after_is_kept_as_evidence():
    verdict = judge_status(facts(429, ("retry-after", "120")))
    assert verdict.evidence[1].text == "retry-after: 120"


def test_a_success_that_asks_for_credentials_is_not_kept():
    verdict = judge_status(facts(200, ("www-authenticate", 'Basic realm="x"')))
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.CREDENTIALS_REQUESTED)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_a_redirect_only_with_a_target(status):
    verdict = judge_status(facts(status, ("location", "/b"), location="https://news.example.com/b"))
    assert verdict.reason is Reason.REDIRECT
    assert "https://news.example.com/b" in verdict.evidence[1].text
    assert judge_status(facts(status)).reason is Reason.HTTP_ERROR


def test_a_redirect_into_a_login_is_called_by_its_name():
    assessment = judge_response_head(URL, facts(302, location="https://news.example.com/login"))
    assert assessment.deciding.reason is Reason.LOGIN_REQUIRED
    assert [verdict.rule for verdict in assessment.verdicts] == ["login", "access"]


def test_equal_plain_answers_are_one_object_so_that_their_document_is_made_once():
    assert judge_response_head(URL, facts(200)) is judge_response_head(URL + "2", facts(204))
    assert judge_response_head(URL, facts(404)) is judge_response_head(URL, facts(404))


@given(
    st.integers(),
    st.lists(
        st.tuples(st.sampled_from(["cf-mitigated", "link", "location", "www-authenticate", "x"]), st.text())
    ),
)
def test_no_status_and_no_header_makes_the_rule_fail_or_a_non_success_pass(status, headers):
    verdict = judge_status(ResponseFacts(url=URL, status=status, headers=tuple(headers)))
    assert verdict.action is Action.SKIP or 200 <= status < 300
    assert all(len(item.text) <= 500 for item in verdict.evidence)
