"""What we judge is what Scrapy connects to: the same URLs through Scrapy, urllib and Twisted."""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scrapy import Request
from scrapy.core.downloader._idna_patch import _patched_idna_bytes
from twisted.internet.abstract import isIPv6Address
from twisted.web.client import URI

from blocklists.host import canonical_host, split_origin

LABELS = st.sampled_from(
    [
        "bad",
        "BAD",
        "ok",
        "faß",
        "日本",
        "ｂａｄ",
        "xn--fa-hia",
        "xn--a",
        "a_b",
        "%62ad",
        "1",
        "0x7f",
        "127",
        "💩",
        "",
    ]
)
SEPARATORS = st.sampled_from([".", ".", ".", "。", "%2e", "..", "\u00ad.", "\n.", "\t"])
ENDS = st.sampled_from(
    ["", ".", "..", "%2e", ":80", ":8080", ":", ":0", ":99999", ":x", "[", "]", "\\", "\\@ok.example"]
)
USERINFO = st.sampled_from(["", "", "", "u@", "u:p@", "bad.example@", "ok.example:80@", "[::1]@", "@"])


@st.composite
def hostile_urls(draw):
    host = draw(LABELS)
    for _ in range(draw(st.integers(min_value=0, max_value=3))):
        host += draw(SEPARATORS) + draw(LABELS)
    if draw(st.booleans()):
        host = draw(
            st.one_of(st.just(host), st.ip_addresses(v=6).map("[{}]".format), st.just("[v1.bad.example]"))
        )
    scheme = draw(st.sampled_from(["http://", "https://", "HTTP://", "http:///", "http:\\\\", " http://"]))
    return (
        scheme
        + draw(USERINFO)
        + host
        + draw(ENDS)
        + draw(st.sampled_from(["", "/", "/x?y#z", "?q", "#f", "/@ok.example"]))
    )


def connected(url: str) -> tuple[str, int] | None:
    """Host and port that Scrapy's HTTP/1.1 handler would resolve for a request, None when it would refuse."""
    try:
        uri = URI.fromBytes(urldefrag(url)[0].encode("ascii"))
    except ValueError:  # not ASCII, or brackets that urlsplit refuses
        return None
    host = uri.host.decode("ascii")
    if not isIPv6Address(host):
        try:
            host = _patched_idna_bytes(host).decode("ascii")
        except UnicodeError:
            return None
    return (host, uri.port) if host else None


@given(hostile_urls())
@example("http://bad.example\\@ok.example/")
@example("http://[v1.bad.example]/")
@example("http://faß.de/")
def test_an_origin_names_the_host_that_would_be_connected_to(raw):
    try:
        url = Request(raw).url
    except ValueError:
        return
    ours = split_origin(url)
    theirs = connected(url)
    if ours is not None and theirs is not None:
        assert ours[1:] == (canonical_host(theirs[0]), theirs[1])
    if ours is not None:
        hostname = urlsplit(url).hostname
        assert hostname is not None
        assert canonical_host(hostname) == ours[1]


@given(hostile_urls())
def test_a_host_that_can_be_named_is_named_alike_before_and_after_scrapy(raw):
    try:
        url = Request(raw).url
    except ValueError:
        return
    before = split_origin(raw)
    if before is not None:
        assert split_origin(url) == before


@pytest.mark.parametrize(
    "raw",
    [
        "http://bad.example/",
        "http://BAD.example:8080/x",
        "https://a_b.bad.example/",
        "http://[::1]:8080/",
        "http://127.0.0.1/",
        "http://日本.example/",
        "http://💩.example/",
    ],
)
def test_an_ordinary_url_is_never_refused(raw):
    url = Request(raw).url
    host, port = connected(url)
    assert split_origin(url)[1:] == (canonical_host(host), port)


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("http://bad.example\\@ok.example/", "bad.example"),  # hard case 7
        ("http://ｂａｄ.example/", "bad.example"),  # hard case 9
        ("http://bad。example/", "bad.example"),
        ("http://b\u00adad.example/", "bad.example"),
        ("http://ba\nd.exam\tple/", "bad.example"),
        ("http://faß.de/", "fass.de"),  # hard case 10
        ("http://%62ad.example/", "bad.example"),  # hard case 8
        ("http://bad.example%2e/", "bad.example"),
    ],
)
def test_hard_cases_7_to_10_judge_what_scrapy_fetches(raw, host):
    assert split_origin(Request(raw).url)[1] == host


@given(hostile_urls())
@example("http://ok.example\n.bad.example/")
@example("http://bad.example\\@ok.example/")
def test_a_url_that_scrapy_sends_verbatim_is_judged_by_its_own_host_too(raw):
    ours = split_origin(raw)
    theirs = connected(Request(raw, meta={"verbatim_url": True}).url) if "://" in raw else None
    if ours is not None and theirs is not None:
        assert ours[1:] == (canonical_host(theirs[0]), theirs[1])
