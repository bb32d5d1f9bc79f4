"""A permit serves one request object once, and only while it is exactly what was decided."""

import gc
from uuid import UUID

import pytest
from scrapy import Request

from crawler.decisionlog.record import Receipt
from crawler.permits import Permit, PermitBook, what_misleads

AGENT = b"ExampleBot/1.0"
URL = "http://a.localhost:8080/x"
RECEIPT = Receipt(segment=UUID(int=1), idx=0, ts_us=0)


def request(**changes):
    return Request(**{"url": URL, "headers": {"User-Agent": AGENT}, **changes})


def permit(**changes):
    return Permit(**{"method": "GET", "url": URL, "user_agent": AGENT, "receipt": RECEIPT, **changes})


def issued(one, given=None):
    book = PermitBook()
    book.issue(one, given or permit())
    return book


def test_a_permit_opens_the_door_once():
    one = request()
    book = issued(one)
    assert book.redeem(one) == (permit(), "")
    assert book.redeem(one) == (None, "no decision to fetch this request was recorded")


def test_a_permit_that_did_not_fit_is_used_up_all_the_same():
    one = request(method="POST")
    book = issued(one)
    assert book.redeem(one)[0] is None
    one.method = "GET"
    assert book.redeem(one)[0] is None


def test_an_equal_request_is_another_request():
    one = request()
    book = issued(one)
    for other in (one.copy(), one.replace(), request()):
        assert book.redeem(other)[0] is None
    assert book.redeem(one)[0] is not None


def test_nothing_in_meta_flags_or_callback_arguments_is_a_permit():
    one = request(
        meta={"permit": permit(), "sekisho": True}, flags=["permit"], cb_kwargs={"permit": permit()}
    )
    assert PermitBook().redeem(one)[0] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one._set_url(URL + "y"), "URL"),
        (lambda one: one._set_url("http://b.localhost:8080/x"), "URL"),
        (lambda one: setattr(one, "method", "HEAD"), "method"),
        (lambda one: one.headers.__setitem__("User-Agent", b"Other"), "User-Agent"),
        (lambda one: one.headers.__setitem__("user-agent", [b"Other", AGENT]), "User-Agent"),
        (lambda one: one.headers.appendlist("User-Agent", AGENT), "User-Agent"),
        (lambda one: one.headers.pop("User-Agent"), "User-Agent"),
        (lambda one: one.headers.__setitem__("Authorization", b"Basic eDp5"), "Authorization"),
        (lambda one: one.headers.__setitem__("authorization", b""), "Authorization"),
        (lambda one: one.headers.__setitem__("Host", b"b.localhost"), "Host"),
        (lambda one: one.headers.__setitem__("HOST", b""), "Host"),
        (lambda one: one._set_body(b"x"), "content"),
        (lambda one: one.meta.__setitem__("proxy", "http://b.localhost"), "proxy"),
    ],
)
def test_a_request_that_was_changed_after_the_decision_has_no_permit_and_hears_what_changed(change, words):
    one = request()
    book = issued(one)
    change(one)
    given, why = book.redeem(one)
    assert given is None
    assert words in why


def test_the_proxy_of_the_decision_may_be_used_and_must_be():
    proxied = request(meta={"proxy": "http://127.0.0.1:3128"})
    assert issued(proxied, permit(proxy="http://127.0.0.1:3128")).redeem(proxied)[0] is not None
    bare = request()
    assert issued(bare, permit(proxy="http://127.0.0.1:3128")).redeem(bare)[0] is None


def test_a_host_header_that_repeats_the_url_misleads_nobody():
    assert what_misleads(request(headers={"User-Agent": AGENT, "Host": "a.localhost:8080"})) == ""


@pytest.mark.parametrize(
    "host", ["a.localhost", "A.localhost:8080", "a.localhost:8080.", "a.localhost:8080 "]
)
def test_any_other_host_header_does(host):
    assert "Host header" in what_misleads(request(headers={"Host": host}))


def test_a_permit_lives_no_longer_than_its_request():
    one = request()
    book = issued(one)
    del one
    gc.collect()
    assert len(book._permits) == 0
