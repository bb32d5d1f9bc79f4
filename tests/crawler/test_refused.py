"""What was refused is remembered by its address; which cookies a site set, by name and value."""

from __future__ import annotations

import pytest
from scrapy import Request
from scrapy.http import Response

from crawler import site_cookies
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


def _sets(book, url, *cookies):
    book.learn(Response(url, headers={"Set-Cookie": list(cookies)}))


def _foreign(book, url, value):
    return book.foreign(Request(url, headers={"Cookie": value}))


def test_a_cookie_goes_back_to_the_domain_that_set_it_and_to_no_other():
    book = SiteCookies()
    _sets(book, "https://www.one.example/", "lang=ja; Domain=one.example")
    assert _foreign(book, "https://shop.one.example/x", "lang=ja") == ""
    assert _foreign(book, "https://two.example/", "lang=ja") == "lang"


def test_a_site_with_another_cookie_on_every_answer_costs_no_more_memory_and_no_other_site_its_cookies(
    monkeypatch,
):
    monkeypatch.setattr(site_cookies, "REMEMBERED_OF_A_SITE", 100)
    monkeypatch.setattr(site_cookies, "REMEMBERED_COOKIES", 250)
    book = SiteCookies()
    _sets(book, "https://calm.example/", "lang=ja")
    for number in range(1000):
        _sets(book, "https://rotates.example/", f"session={number}", "lang=en")
    assert len(book) == 101
    assert _foreign(book, "https://calm.example/", "lang=ja") == ""
    assert _foreign(book, "https://rotates.example/", "session=999; lang=en") == ""
    assert _foreign(book, "https://rotates.example/", "session=1") == "session"


def test_of_very_many_sites_with_cookies_the_one_met_longest_ago_is_forgotten_and_its_cookie_is_refused(
    monkeypatch,
):
    monkeypatch.setattr(site_cookies, "REMEMBERED_COOKIES", 10)
    book = SiteCookies()
    for number in range(10):
        _sets(book, f"https://site{number}.example/", "lang=ja")
    assert _foreign(book, "https://site0.example/", "lang=ja") == ""  # met again
    _sets(book, "https://another.example/", "lang=ja")
    assert len(book) == 10
    assert _foreign(book, "https://site0.example/", "lang=ja") == ""
    assert _foreign(book, "https://site1.example/", "lang=ja") == "lang"
