"""What asking for robots.txt comes to: every status, redirect, header, size and charset, and the last good copy."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import RobotsAccess
from policies.signals.robots import MAX_BYTES
from policies.signals.robots_fetch import (
    LAST_GOOD_USE,
    LONGEST_USE,
    MAX_HOPS,
    RETRY_AFTER_FAILURE,
    SHORTEST_USE,
    read_robots_answer,
    with_last_good,
)

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
DAY = 24 * 3600 * SECOND
URL = "https://example.com/robots.txt"
DENY = b"User-agent: *\nDisallow: /\n"


def answer(status=200, body=DENY, *headers, hops=0, error=None, final_url=URL, at=NOW):
    return read_robots_answer(
        url=URL,
        final_url=final_url,
        status=status,
        headers=headers,
        body=body,
        fetched_at=at,
        hops=hops,
        error=error,
    )


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
def test_case_1_a_server_error_is_unreachable_whatever_its_body(status):
    file = answer(status, b"User-agent: *\nAllow: /\n")
    assert file.access is RobotsAccess.UNREACHABLE
    assert str(status) in file.problem
    assert file.body == b""
    assert file.expires_at == NOW + RETRY_AFTER_FAILURE


def test_case_2_too_many_requests_is_unreachable_until_retry_after():
    file = answer(429, b"", ("retry-after", "3600"))
    assert file.access is RobotsAccess.UNREACHABLE
    assert file.expires_at == NOW + 3600 * SECOND


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", SHORTEST_USE),
        ("-5", RETRY_AFTER_FAILURE),
        ("999999999999", LONGEST_USE),
        ("9" * 4000, RETRY_AFTER_FAILURE),
        ("soon", RETRY_AFTER_FAILURE),
        ("Mon, 21 Sep 2026 14:33:20 GMT", 20 * 60 * SECOND),
        ("Mon, 21 Sep 2020 15:13:20 GMT", SHORTEST_USE),
        ("Mon, 99 Xyz 99999999999 25:61:61 GMT", RETRY_AFTER_FAILURE),
        ("٣٠", RETRY_AFTER_FAILURE),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_case_2_retry_after_is_bounded_on_both_sides(status, value, wait):
    assert answer(status, b"", ("retry-after", value)).expires_at == NOW + wait


@pytest.mark.parametrize(
    "words", ["DNS failure", "TLS: certificate expired", "timeout after 30 s", "connection closed", ""]
)
def test_case_3_no_response_is_unreachable_and_says_why(words):
    file = answer(None, b"", error=words)
    assert file.access is RobotsAccess.UNREACHABLE
    assert file.problem == (words or "no response")
    assert file.status is None


def test_case_3_an_error_beside_a_response_is_unreachable():
    assert answer(200, DENY, error="body longer than it may be").access is RobotsAccess.UNREACHABLE


@pytest.mark.parametrize("status", [400, 402, 404, 405, 406, 408, 410, 418, 421, 451, 499])
def test_case_4_another_client_error_means_no_rules_whatever_its_body(status):
    file = answer(status, DENY)
    assert file.access is RobotsAccess.UNAVAILABLE
    assert file.body == b""
    assert file.expires_at == NOW + DAY


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_robots_txt_is_denied(status):
    assert answer(status, b"").access is RobotsAccess.DENIED


def test_a_proxys_refusal_says_nothing_about_the_site():
    assert answer(407, b"").access is RobotsAccess.UNREACHABLE


@pytest.mark.parametrize("status", [0, 99, 100, 101, 103, 199, 600, 999, 1000, -1])
def test_an_odd_status_is_unreachable(status):
    assert answer(status, DENY).access is RobotsAccess.UNREACHABLE


@given(st.integers(min_value=-10, max_value=1100))
def test_only_a_2xx_gives_rules_and_only_a_4xx_gives_none(status):
    access = answer(status).access
    assert (access is RobotsAccess.RULES) <= (200 <= status <= 299)
    assert (access in {RobotsAccess.UNAVAILABLE, RobotsAccess.DENIED}) <= (400 <= status <= 499)


@pytest.mark.parametrize(("status", "body"), [(200, b""), (204, b""), (203, DENY), (202, DENY), (299, DENY)])
def test_a_2xx_gives_the_rules_of_its_body(status, body):
    file = answer(status, body)
    assert (file.access, file.body, file.problem) == (RobotsAccess.RULES, body, "")
    assert file.sha256 == sha256(body).hexdigest()


@pytest.mark.parametrize(("status", "body"), [(206, DENY), (202, b""), (202, b" \r\n")])
def test_a_2xx_that_sends_not_the_whole_file_is_unreachable(status, body):
    assert answer(status, body).access is RobotsAccess.UNREACHABLE


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((("content-type", "text/html; charset=utf-8"),), b"<p>Not found</p>"),
        ((), b"\xef\xbb\xbf  <!DOCTYPE html><html><head>"),
        ((("content-type", "text/plain"),), b"\r\n<html lang=en>"),
        ((("content-type", "text/html"),), b"Disallow: /\n"),
    ],
)
def test_case_5_a_soft_404_has_no_rules_and_is_flagged(headers, body):
    file = answer(200, body, *headers)
    assert file.access is RobotsAccess.RULES
    assert "HTML" in file.problem


def test_case_5_rules_sent_as_html_are_rules():
    file = answer(200, DENY, ("content-type", "text/html"))
    assert (file.access, file.problem, file.body) == (RobotsAccess.RULES, "", DENY)


@pytest.mark.parametrize(
    "header",
    [
        ("cf-mitigated", "challenge"),
        ("x-amzn-waf-action", "challenge"),
        ("x-amzn-waf-action", "CAPTCHA"),
        ("x-vercel-mitigated", "deny"),
        ("CF-Mitigated", " Challenge "),
    ],
)
@pytest.mark.parametrize("status", [200, 202, 403, 404, 405, 503])
def test_case_6_a_challenge_is_unreachable_whatever_its_status(status, header):
    file = answer(status, b"<html>", header)
    assert file.access is RobotsAccess.UNREACHABLE
    assert "challenge" in file.problem


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), b"<!doctype html><script src='/cdn-cgi/challenge-platform/h/b'></script>"),
        ((("x-datadome", "protected"),), b"<html>"),
        ((("x-kpsdk-ct", "x"),), b"<html>"),
        ((), b"<html><script src=https://geo.captcha-delivery.com/captcha></script>"),
        ((), b"<html><iframe src='/_Incapsula_Resource?x'>"),
    ],
)
def test_case_6_a_challenge_page_without_a_status_of_its_own_is_unreachable(headers, body):
    assert answer(200, body, *headers).access is RobotsAccess.UNREACHABLE


def test_case_6_a_large_page_that_merely_carries_a_vendors_script_is_a_soft_404():
    body = b"<html><script src=/_Incapsula_Resource?x></script>" + b"<p>not found</p>" * 1000
    assert answer(200, body).access is RobotsAccess.RULES


def test_case_6_a_file_that_is_only_served_by_a_bot_defence_is_a_file():
    body = b"User-agent: *\nDisallow: /cdn-cgi/challenge-platform\n"
    assert answer(200, body, ("x-datadome", "protected"), ("cf-mitigated", "")).access is RobotsAccess.RULES


def test_case_7_the_rules_behind_a_redirect_count_for_the_first_origin():
    file = answer(200, DENY, hops=1, final_url="https://other.example/robots.txt")
    assert (file.url, file.final_url, file.access) == (
        URL,
        "https://other.example/robots.txt",
        RobotsAccess.RULES,
    )


@pytest.mark.parametrize(
    ("hops", "access"),
    [(5, RobotsAccess.RULES), (6, RobotsAccess.UNREACHABLE), (21, RobotsAccess.UNREACHABLE)],
)
def test_case_8_five_hops_are_followed_and_no_more(hops, access):
    assert MAX_HOPS == 5
    assert answer(200, DENY, hops=hops).access is access


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
@pytest.mark.parametrize("headers", [(), (("location", "gopher://x"),)])
def test_case_8_a_redirect_that_leads_nowhere_is_unreachable(status, headers):
    file = answer(status, DENY, *headers)
    assert file.access is RobotsAccess.UNREACHABLE
    assert str(status) in file.problem


def test_case_28_octets_that_are_not_in_their_announced_encoding_are_unreachable():
    file = answer(200, b"\xff\xfeU\x00s")
    assert file.access is RobotsAccess.UNREACHABLE
    assert "utf-16" in file.problem


def test_case_28_readable_utf_16_is_kept_as_raw_octets():
    body = b"\xff\xfe" + DENY.decode().encode("utf-16-le")
    file = answer(200, body)
    assert (file.access, file.body, file.sha256) == (RobotsAccess.RULES, body, sha256(body).hexdigest())


def test_case_30_what_is_kept_is_what_was_read_and_the_digest_is_of_that():
    body = DENY + b"Disallow: /a\n" * 100_000
    file = answer(200, body)
    assert file.truncated
    assert len(file.body) <= MAX_BYTES
    assert body.startswith(file.body)
    assert file.sha256 == sha256(file.body).hexdigest()
    assert "longer than the limit" in file.problem


def test_rival_8_the_digest_can_be_recomputed_from_the_raw_octets():
    body = b"User-agent: *\nDisallow: /caf\xe9\x00\r"
    assert answer(200, body).sha256 == sha256(body).hexdigest()


# --- caching (RFC 9309 section 2.4) ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "use"),
    [
        ([], DAY),
        ([("cache-control", "max-age=3600")], 3600 * SECOND),
        ([("Cache-Control", 'public, MAX-AGE = "3600"')], 3600 * SECOND),
        ([("cache-control", "max-age=604800")], DAY),
        ([("cache-control", "max-age=0")], SHORTEST_USE),
        ([("cache-control", "max-age=1")], SHORTEST_USE),
        ([("cache-control", "no-store")], SHORTEST_USE),
        ([("cache-control", "public"), ("cache-control", "no-cache, max-age=9999")], SHORTEST_USE),
        ([("cache-control", 'no-cache="set-cookie"')], SHORTEST_USE),
        ([("cache-control", "s-maxage=60")], DAY),
        ([("cache-control", "max-age=x")], DAY),
        ([("cache-control", "max-age=" + "9" * 4000)], DAY),
        ([("cache-control", "max-age=3600"), ("age", "600")], 3000 * SECOND),
        ([("cache-control", "max-age=3600"), ("age", "9999")], SHORTEST_USE),
        ([("cache-control", "max-age=7200"), ("expires", "0")], 7200 * SECOND),
        ([("expires", "0")], SHORTEST_USE),
        ([("expires", "Mon, 21 Sep 2026 14:33:20 GMT")], 20 * 60 * SECOND),
        (
            [("expires", "Mon, 21 Sep 2026 09:00:00 GMT"), ("date", "Mon, 21 Sep 2026 08:00:00 GMT")],
            3600 * SECOND,
        ),
        ([("expires", "Mon, 21 Sep 2099 15:13:20 GMT")], DAY),
        ([("expires", "Mon, 21 Sep 1999 15:13:20 GMT")], SHORTEST_USE),
    ],
)
@pytest.mark.parametrize("status", [200, 404, 403])
def test_a_copy_is_used_as_long_as_its_headers_allow_but_a_minute_at_least_and_a_day_at_most(
    status, headers, use
):
    assert answer(status, DENY, *headers).expires_at == NOW + use


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["cache-control", "expires", "retry-after", "age", "date", "content-type", "location"]
            ),
            st.text(max_size=20),
        ),
        max_size=6,
    ),
    st.sampled_from([200, 301, 404, 403, 503]),
)
def test_no_header_makes_a_copy_live_longer_than_a_day(headers, status):
    file = answer(status, DENY, *headers)
    assert SHORTEST_USE <= file.expires_at - NOW <= LONGEST_USE


# --- the last good copy ---------------------------------------------------------------------------------


def failed(at):
    return answer(503, b"", at=at)


@pytest.mark.parametrize("previous", [answer(200, DENY), answer(404, b""), answer(200, b"")])
@pytest.mark.parametrize("age", [0, DAY, LAST_GOOD_USE])
def test_case_11_a_copy_of_up_to_thirty_days_stands_in_for_an_unreachable_file(previous, age):
    now = NOW + age
    used = with_last_good(failed(now), previous, now)
    assert used.stale
    assert (used.access, used.body, used.sha256, used.fetched_at) == (
        previous.access,
        previous.body,
        previous.sha256,
        NOW,
    )
    assert "503" in used.problem
    assert used.expires_at <= now + RETRY_AFTER_FAILURE
    assert used.expires_at <= NOW + LAST_GOOD_USE


def test_case_11_an_older_copy_no_longer_counts():
    now = NOW + LAST_GOOD_USE + 1
    assert with_last_good(failed(now), answer(200, b""), now).access is RobotsAccess.UNREACHABLE


def test_case_11_the_thirty_days_are_counted_from_the_copy_however_often_it_stood_in():
    used = answer(200, b"")
    for day in range(1, 31):
        used = with_last_good(failed(NOW + day * DAY), used, NOW + day * DAY)
        assert used.stale
        assert used.fetched_at == NOW
        assert used.problem.count("unreachable (") == 1
    late = NOW + 31 * DAY
    assert with_last_good(failed(late), used, late).access is RobotsAccess.UNREACHABLE


@pytest.mark.parametrize(
    "previous", [None, answer(503, b""), answer(403, b""), answer(200, b"", at=NOW + 10 * DAY)]
)
def test_without_a_good_copy_from_the_past_unreachable_stays_unreachable(previous):
    fresh = failed(NOW + DAY)
    assert with_last_good(fresh, previous, NOW + DAY) is fresh


def test_a_copy_of_another_origin_never_stands_in():
    previous = read_robots_answer(
        url="http://example.com/robots.txt",
        final_url=URL,
        status=404,
        headers=(),
        body=b"",
        fetched_at=NOW,
        hops=0,
        error=None,
    )
    fresh = failed(NOW)
    assert with_last_good(fresh, previous, NOW) is fresh


@pytest.mark.parametrize("status", [200, 404, 401, 403])
def test_an_answer_that_is_one_replaces_every_older_copy(status):
    fresh = answer(status, b"", at=NOW + DAY)
    assert with_last_good(fresh, answer(200, DENY), NOW + DAY) is fresh
