"""What was refused is remembered by its address; which cookies a site set, by name and value."""

from __future__ import annotations

import pytest
from scrapy import Request
from scrapy.http import Response

from crawler.refused import REFUSALS, REMEMBERED_FOR_US, RefusedAddresses
from crawler.site_cookies import SiteCookies
from exporters.disclosure.families import FAMILIES, Family
from policies.vocabulary import Action, Reason, Verdict

URL = "https://a.example/x?y=1"


def refusal(reason):
    return Verdict(rule="access", action=Action.SKIP, reason=reason)


def test_every_refusal_of_access_or_of_a_paywall_is_remembered():
    assert set(FAMILIES[Family.ACCESS]) | set(FAMILIES[Family.PAYWALL]) == REFUSALS


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_what_was_refused_is_refused_again_by_the_same_reason_for_a_day(reason):
    book = RefusedAddresses()
    book.note(URL, refusal(reason), now_us=1_000, record=7)
    again = book.judge(f"{URL}#elsewhere", now_us=2_000)
    assert (again.action, again.reason) == (Action.SKIP, reason)
    assert "decision 7" in again.evidence[0].note
    assert again.evidence[0].fetched_at == 1_000
    assert book.judge("https://a.example/x?y=2", now_us=2_000) is None
    assert book.judge(URL, now_us=1_001 + REMEMBERED_FOR_US) is None


@pytest.mark.parametrize("reason", [Reason.HTTP_ERROR, Reason.RATE_LIMITED, Reason.REDIRECT, Reason.KEPT])
def test_an_error_an_overload_and_a_redirect_may_be_asked_again(reason):
    book = RefusedAddresses()
    book.note(URL, refusal(reason), now_us=1, record=None)
    assert book.judge(URL, now_us=2) is None


def test_the_memory_of_refusals_is_bounded(monkeypatch):
    monkeypatch.setattr("crawler.refused.REMEMBERED_ADDRESSES", 3)
    book = RefusedAddresses()
    for number in range(5):
        book.note(f"{URL}{number}", refusal(Reason.HTTP_403), now_us=1, record=None)
    assert [book.judge(f"{URL}{number}", now_us=2) is not None for number in range(5)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_only_cookies_that_a_site_set_may_be_returned():
    book = SiteCookies()
    book.learn(Response(URL, headers={"Set-Cookie": ["lang=ja; Path=/; HttpOnly", "bare", b"odd=\xff"]}))

    def foreign(value):
        return book.foreign(Request(URL, headers={"Cookie": value} if value else {}))

    assert foreign("") == ""
    assert foreign("lang=ja") == ""
    assert foreign("lang=ja; bare") == ""
    assert foreign(b"odd=\xff") == ""
    assert foreign("lang=en") == "lang"
    assert foreign("lang=ja; session=abc") == "session"
    assert foreign("=x") == "a nameless one"
