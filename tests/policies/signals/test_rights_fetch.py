"""What asking for a file of rights came to."""

import pytest

from policies.signals.rights_fetch import (
    MAX_OCTETS,
    Family,
    RightsAccess,
    not_asked,
    read_rights_answer,
    with_last_good_copy,
)

URL = "https://a.example/ai.txt"
HOUR = 3600 * 1_000_000


def asked(status=200, *, body=b"x", headers=(), family=Family.AI_TXT, hops=0, error=None, at=0):
    return read_rights_answer(
        family=family, url=URL, final_url=URL, status=status, headers=headers, body=body, fetched_at=at, hops=hops,
        error=error,
    )  # fmt: skip


@pytest.mark.parametrize("status", [404, 410, 400, 204, 202, 206])
def test_what_is_not_there_is_absent(status):
    assert asked(status).access is RightsAccess.ABSENT
    assert asked(status).body == b""


@pytest.mark.parametrize("status", [401, 402, 403, 407, 429, 500, 503, 599, 301, 302, 304, None])
def test_what_is_refused_or_fails_is_not_obtained_whatever_the_body(status):
    assert asked(status).access is RightsAccess.UNOBTAINABLE
    assert asked(status).body == b""
    assert asked(status).problem


def test_a_challenge_too_many_hops_and_an_error_are_not_the_file():
    assert asked(headers=(("cf-mitigated", "challenge"),)).access is RightsAccess.UNOBTAINABLE
    assert asked(hops=6).access is RightsAccess.UNOBTAINABLE
    assert asked(hops=5).access is RightsAccess.OBTAINED
    assert asked(error="timeout").problem == "timeout"


def test_more_than_is_read_is_not_the_file():
    assert asked(body=b"x" * MAX_OCTETS).access is RightsAccess.OBTAINED
    assert asked(body=b"x" * (MAX_OCTETS + 1)).access is RightsAccess.UNOBTAINABLE


@pytest.mark.parametrize("body", [b"<html>", b"\xef\xbb\xbf \n<!doctype html>", b"<login/>", b" ", b""])
def test_html_or_nothing_is_absence(body):
    assert asked(body=body).access is RightsAccess.ABSENT


def test_the_octets_say_what_is_html_and_not_the_declared_type():
    assert (
        asked(headers=(("content-type", "text/html"),), body=b"User-agent: *").access is RightsAccess.OBTAINED
    )


def test_an_rsl_document_is_markup_by_nature():
    assert asked(family=Family.RSL, body=b"<rsl/>").access is RightsAccess.OBTAINED


def test_a_copy_is_used_for_a_day_at_most_and_asked_for_again_soon_after_a_failure():
    assert asked(headers=(("cache-control", "max-age=9999999"),)).expires_at == 24 * HOUR
    assert asked(headers=(("cache-control", "max-age=600"),)).expires_at == 600_000_000
    assert asked(503).expires_at == 600_000_000
    assert asked(503, headers=(("retry-after", "120"),)).expires_at == 120_000_000


def test_a_reservation_does_not_lapse_because_a_server_is_down():
    good = asked(at=0)
    failed = asked(503, at=HOUR)
    kept = with_last_good_copy(failed, good, HOUR)
    assert (kept.stale, kept.body, kept.expires_at) == (True, b"x", failed.expires_at)
    assert "earlier copy" in kept.problem
    assert with_last_good_copy(failed, good, 31 * 24 * HOUR) is failed
    assert with_last_good_copy(failed, None, HOUR) is failed
    assert with_last_good_copy(failed, asked(404), HOUR) is failed
    gone = asked(404, at=HOUR)
    assert with_last_good_copy(gone, good, HOUR) is gone


def test_what_is_not_asked_says_why():
    file = not_asked(Family.RSL, "/x", "relative", now_us=5, expires_at=6)
    assert (file.access, file.evidence().note, file.evidence().sha256) == (
        RightsAccess.UNOBTAINABLE,
        "relative",
        None,
    )
