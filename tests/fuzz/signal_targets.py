"""Every reader of signals that the fuzzer knows: what is called, with octets that a site may choose.

One target a family or a way into one; each calls what the rules call, with the questions that follow the
reading, since a pattern is only matched when something is asked. `test_fuzz_signals.py` asserts that no module
of `policies/signals` is without a target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.ai_agents import load_ai_agents
from policies.facts import ResponseFacts
from policies.paywall_vendors import load_paywall_vendors
from policies.response_rules import judge_opened_body, judge_response_head
from policies.rights_rules import judge_response_rights
from policies.rules.judged_rows import Intent
from policies.rules.paywall import find_free_text
from policies.rules.robots_meta import what_forbids_links
from policies.signals import rights_fetch
from policies.signals.ai_txt import parse_ai_txt
from policies.signals.asset_rights import is_asset, read_asset_rights
from policies.signals.asset_rights_cbor import read_cbor
from policies.signals.challenge import challenge_of_page, defence_cookie, named_by_header, named_by_page
from policies.signals.content_signal import in_force, parse_signal_header, read_content_signals
from policies.signals.content_tier import parse_content_tier
from policies.signals.content_usage import parse_usage_header, read_usage_preferences, stance_on
from policies.signals.gate_words import folded
from policies.signals.licence_links import (
    licence_of_line,
    links_of_header,
    links_of_response,
    links_of_robots,
)
from policies.signals.login import find_login_address, is_login_title
from policies.signals.meta_robots import read_meta_robots
from policies.signals.page_gate import find_gate
from policies.signals.page_login import find_login_form, find_login_way
from policies.signals.page_markers import open_page
from policies.signals.page_metas import find_metas
from policies.signals.page_refresh import find_refresh
from policies.signals.page_weight import weigh
from policies.signals.peer_blocks import AiUse, read_peer_blocks
from policies.signals.request_rate import read_request_rates
from policies.signals.retry_after import parse_retry_after
from policies.signals.robots import parse_robots
from policies.signals.robots_directives import parse_moment
from policies.signals.robots_fetch import read_robots_answer
from policies.signals.robots_noindex import read_ai_prohibitions, read_noindex
from policies.signals.robots_second import SecondReader
from policies.signals.rsl import parse_rsl
from policies.signals.schema_org import parse_free_access
from policies.signals.structured_field import parse_dictionary
from policies.signals.tdm_header import parse_tdm_headers, parse_tdm_metas
from policies.signals.tdmrep import parse_tdmrep
from policies.signals.trust_txt import parse_trust_txt
from policies.signals.visit_time import read_visit_times
from policies.signals.x_robots import parse_x_robots
from policies.vocabulary import Origin, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "ExampleBot"
URL = "https://example.com/a/b?c=d"
LONG_URL = f"https://example.com/{'a' * 2_000}"
ORIGIN = Origin(scheme="https", host="example.com", port=443)
NOW = 1_790_000_000_000_000
ANYONE = Intent(token=TOKEN, purposes=frozenset(Purpose))

ROBOTS = (
    b"User-agent: *\nDisallow: /x*y$\nAllow: /\nCrawl-delay: 5\nContent-Usage: /a train-ai=n, search=y\n",
    b"User-agent: ExampleBot\nContent-Signal: ai-train=no, use=reference\nVisit-time: 2300-0500\nNoindex: /b\n",
    b"User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n\nUser-agent: *\nRequest-rate: 1/10m 0600-0845\n",
    b"License: https://example.com/l.xml\nDisallowAITraining: /\nSitemap: /s.xml\n\xef\xbb\xbf\x85\x0b\xe2\x80\xa8",
)
PAGES = (
    b'<!doctype html><html><head><meta name="robots" content="noindex, noai"><title>t</title></head><body>',
    b'<meta name="tdm-reservation" content="1"><noscript><!-- --></noscript><template></template>',
    b'<script type="application/ld+json">{"@graph": [{"@type": "Article", "isAccessibleForFree": "False"}]}</script>',
    b'<form><input type="password"></form><div itemscope itemprop="isAccessibleForFree" content="false">',
    b'<meta property="article:content_tier" content="metered"><link rel="license" type="application/rsl+xml" href="x">',
    (
        b'<script type="application/ld+json">{"@type": "Article", "isAccessibleForFree": true, "hasPart": [{"@type": '
        b'"WebPageElement", "isAccessibleForFree": false, "cssSelector": ".paywall"}]}</script><p class="paywall">x</p>'
    ),
)
GATES = (
    (
        b'<script src="https://cdn.tinypass.com/api/tinypass.min.js"></script><p class="paywall">Subscribe to '
        b"continue reading</p>"
    ),
    b'<meta property="og:type" content="article"><script>{"wordCount": 900}</script><p>The text breaks off here ...</p>',
    b'<div class="paywall-overlay" hidden><p>You have read 2 of 3 free articles this month</p></div><br>',
)
LOGINS = (
    b'<title>Sign in</title><form action="/login"><input name="username" type="email"><input type="password"></form>',
    b'<script>location.replace("https://login.example.com/sso?returnUrl=/a")</script><form></form>',
    b'<form><input name="SAMLRequest" value="x"></form><meta http-equiv="refresh" content="0; url=/login?next=/a">',
)
CHALLENGES = (
    b"<html><title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x></script>_cf_chl_opt</html>",
    b'<html><head><script src="https://geo.captcha-delivery.com/captcha/">px-captcha _pxappid</script></head></html>',
    b"<h1>Access Denied</h1> Reference #18.1 errors.edgesuite.net <iframe id=main-iframe src=/_Incapsula_Resource>",
)
HEADERS = (
    b'train-ai=n, search=y;q=1, a=(1 2), b=:YQ==:, c=?1, d=@1, e=%"x"',
    b"search=yes, ai-input=no, ai-train=no, use=reference",
    b"otherbot: noindex, ExampleBot: unavailable_after: Sat, 25 Jun 2010 15:00:00 GMT, max-snippet:0",
    b'<https://example.com/l.xml>; rel="license"; type="application/rsl+xml", <x>; rel=next',
    b'1, 0, "1", Wed, 21 Oct 2026 07:28:00 GMT, 120',
    b"challenge; max-age=60, no-cache; USD 0.01; License error=x; datadome=1; _abck=2; text/html; charset=utf-16",
)
ADDRESSES = (
    b"https://login.example.com/oauth2/authorize?client_id=1&redirect_uri=https%3A%2F%2Fexample.com%2Fa",
    b"/users/sign_in?returnUrl=/a/b;jsessionid=1#/login?next=%2F",
    b"//user@[::1]:8080/accounts/login.aspx?SAMLRequest=x&wa=wsignin1.0",
)
TDMREP = (
    b'[{"location": "/a*", "tdm-reservation": 1, "tdm-policy": "https://e.com/p"}, {"location": "*.jpg$"}]',
    b'[{"location": "/", "tdm-reservation": 0, "location": "/b"}, {"location": "/*c$", "tdm-reservation": "1"}]',
)
RSL = (
    (
        b'<rsl xmlns="https://rslstandard.org/rsl" max-age="1"><content url="/a" server="https://s"><license>'
        b'<permits type="usage">search ai-train</permits><payment type="free"/></license></content></rsl>'
    ),
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rsl>&c;</rsl>',
    (
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="https://*.example.com/*b$"><license>'
        b'<prohibits type="user">commercial</prohibits><permits type="geo">GB JP</permits></license></content></rsl>'
    ),
)
AI_TXT = (b"User-Agent: *\nDisallow: *.jpg\nAllow: *.txt\nDisallow: /\n", b"Disallow: *\nAllow: /a*b$\n# x\n")
TRUST_TXT = (b"member=https://e.com/\ndatatrainingallowed=NO\ncontact=x\n",)
ASSETS = (
    (
        b'\xff\xd8\xff<x:xmpmeta xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="http://ns.useplus.org'
        b'/ldf/vocab/DMI-PROHIBITED"><plus:DataMining>DMI-PROHIBITED-AIMLTRAINING</plus:DataMining></x:xmpmeta>'
    ),
    b'%PDF-1.7 xmlns:tdm="http://www.w3.org/ns/tdmrep/" <tdm:reservation>1</tdm:reservation> tdm:reservation="0"',
    (
        b"\xff\xd8\xffcawg.training-mining\0\0\0\0\x40cbor\xa1gentries\xa1pcawg.ai_training\xa1cusejnotAllowed"
        b'\0\0\0\0\x60json{"entries": {"cawg.data_mining": {"use": "constrained"}}}'
    ),
    b"\x89PNG\r\n\x1a\n\0\0\0\x19iTXtXML:com.adobe.xmp\0\1\0\0\0x\x9c\x03\0\0\0\0\1\0\0\0\0",
)
CBOR = (
    b"\xa1gentries\xa1pcawg.ai_training\xa1cusejnotAllowed\x82\x01\x20\xf9\x3c\x00\xc1\x1a\0\0\0\1\x9f\xff",
)


@dataclass(frozen=True)
class Target:
    """One call, the seeds that its inputs grow from, and how many readers it runs one after another."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    readers: int = 1


def _robots(octets: bytes) -> None:
    rules = parse_robots(octets)
    for token in (TOKEN, "GPTBot"):
        rules.judge(token, URL)


def _robots_long_url(octets: bytes) -> None:
    parse_robots(octets).judge(TOKEN, LONG_URL)


def _robots_lines(octets: bytes) -> None:
    rules = parse_robots(b"User-agent: *\n" + octets)
    read_usage_preferences(rules, TOKEN).at("/a/b")
    in_force(read_content_signals(rules, TOKEN))
    read_visit_times(rules, TOKEN).next_opening(NOW)
    read_request_rates(rules, TOKEN).slowest(NOW)
    read_noindex(rules, TOKEN).decide("/a/b")
    read_ai_prohibitions(rules, TOKEN).decide("/a/b")
    read_peer_blocks(rules, TOKEN, load_ai_agents()).refused(AiUse.TRAINING, URL)
    links_of_robots(rules)
    for line in rules.records("license")[:100]:
        value = line.value.decode("latin-1")
        licence_of_line(value, line=1, text=value)


def _robots_answer(octets: bytes) -> None:
    """Read an answer to robots.txt whose headers and body are both chosen by the site."""
    value = octets[:300].decode("latin-1")
    headers = (("content-type", value), ("cache-control", value), ("retry-after", value), ("x-datadome", "1"))
    for status in (200, 403, 503):
        read_robots_answer(
            url=URL,
            final_url=URL,
            status=status,
            headers=headers,
            body=octets,
            fetched_at=NOW,
            hops=0,
            error=None,
        )


def _second_reader(octets: bytes) -> None:
    SecondReader(parse_robots(octets).octets).ask(TOKEN, URL)


def _usage_header(octets: bytes) -> None:
    stance_on("train-ai", parse_usage_header([octets.decode("latin-1")]))
    parse_dictionary(octets)


def _signal_header(octets: bytes) -> None:
    in_force(parse_signal_header([octets.decode("latin-1")]))


def _x_robots(octets: bytes) -> None:
    value = octets.decode("latin-1")
    parse_x_robots([("x-robots-tag", value)], TOKEN, now_us=NOW)
    parse_moment(value)


def _robots_tag(octets: bytes) -> None:
    parse_x_robots([("robots-tag", octets.decode("latin-1"))], TOKEN, now_us=NOW)


def _link_header(octets: bytes) -> None:
    links_of_header(octets.decode("latin-1"), URL)


def _other_headers(octets: bytes) -> None:
    value = octets.decode("latin-1")
    parse_tdm_headers([("tdm-reservation", value), ("tdm-policy", value)])
    parse_retry_after(value, now_us=NOW)


def _access_headers(octets: bytes) -> None:
    """Judge an answer by a head whose values are all chosen by the site."""
    value = octets.decode("latin-1")
    names = (
        "cf-mitigated",
        "x-amzn-waf-action",
        "www-authenticate",
        "crawler-price",
        "crawler-charged",
        "link",
    )
    headers = tuple((name, value) for name in (*names, "set-cookie", "content-type", "retry-after"))
    named_by_header(403, headers)
    defence_cookie(value)
    for status in (200, 401, 402, 429, 451):
        judge_response_head(
            URL, ResponseFacts(url=URL, status=status, headers=headers, body=b"<html>", location=value)
        )


def _login_address(octets: bytes) -> None:
    value = octets.decode("utf-8", "replace")
    find_login_address(URL, value)
    is_login_title(value)


def _opened(octets: bytes, kind: str = "text/html"):
    response = ResponseFacts(url=URL, status=200, headers=(("content-type", kind),), body=octets)
    return response, open_page(response, TOKEN, load_paywall_vendors())


def _page(octets: bytes) -> None:
    response, page = _opened(octets)
    links_of_response(response, page)
    if page is None:
        return
    read_meta_robots(page, TOKEN, now_us=NOW)
    parse_tdm_metas(find_metas(page, frozenset(("tdm-reservation", "tdm-policy"))))
    parse_free_access(page)
    parse_content_tier(page)
    find_free_text(page)


def _gate(octets: bytes) -> None:
    _, page = _opened(octets)
    if page is not None:
        find_gate(page, load_paywall_vendors())
        folded(page.text[:2_000])


def _page_login(octets: bytes) -> None:
    _, page = _opened(octets)
    if page is not None:
        find_login_form(page)
        find_login_way(page, URL)
        find_refresh(page, URL)
        weigh(page)


def _whole_page(octets: bytes) -> None:
    """Judge a page by all rules, as a crawl does; the type is missing, so that it is guessed."""
    vendors = load_paywall_vendors()
    response, page = _opened(octets, "")
    what_forbids_links(response, page, TOKEN, now_us=NOW)
    judge_response_rights(response, page, ANYONE, now_us=NOW)
    links_of_response(response, page)
    if judge_opened_body(response, page, vendors, ANYONE).passes and page is not None:
        find_free_text(page)


def _marked_page(octets: bytes) -> None:
    _opened(b"\xff\xfe" + octets)


def _wide_page(octets: bytes) -> None:
    _opened(octets, "text/html; charset=utf-16-be")


def _narrow_page(octets: bytes) -> None:
    _opened(octets, "text/html; charset=shift_jis")


def _latin_page(octets: bytes) -> None:
    _opened(octets, "text/html; charset=iso-8859-1")


def _challenge(octets: bytes) -> None:
    named_by_page(ResponseFacts(url=URL, status=403, headers=(("content-type", "text/html"),), body=octets))
    challenge_of_page(octets)


def _tdmrep(octets: bytes) -> None:
    parse_tdmrep(octets).reservation_for(URL)


def _rsl(octets: bytes) -> None:
    parse_rsl(octets).contents_for(URL, ORIGIN)


def _ai_txt(octets: bytes) -> None:
    parse_ai_txt(octets).judge(TOKEN, URL)


def _rights_answer(octets: bytes) -> None:
    value = octets[:300].decode("latin-1")
    for family in rights_fetch.Family:
        rights_fetch.read_rights_answer(
            family=family,
            url=URL,
            final_url=URL,
            status=200,
            headers=(("content-type", value), ("cache-control", value), ("expires", value)),
            body=octets,
            fetched_at=NOW,
            hops=0,
            error=None,
        )


def _asset(octets: bytes) -> None:
    is_asset("", octets)
    read_asset_rights(octets)


def _cbor(octets: bytes) -> None:
    try:
        read_cbor(octets)
    except ValueError:
        return  # its promise: a ValueError and nothing else


TARGETS = (
    Target("robots", _robots, ROBOTS, readers=2),
    Target("robots_long_url", _robots_long_url, ROBOTS),
    Target("robots_lines", _robots_lines, ROBOTS, readers=8),
    Target("robots_answer", _robots_answer, (*ROBOTS, *CHALLENGES, *HEADERS), readers=3),
    Target("second_reader", _second_reader, ROBOTS),
    Target("usage_header", _usage_header, HEADERS),
    Target("signal_header", _signal_header, HEADERS),
    Target("x_robots", _x_robots, HEADERS),
    Target("robots_tag", _robots_tag, HEADERS),
    Target("link_header", _link_header, HEADERS),
    Target("other_headers", _other_headers, HEADERS),
    Target("access_headers", _access_headers, (*HEADERS, *ADDRESSES), readers=5),
    Target("login_address", _login_address, ADDRESSES),
    Target("page", _page, PAGES, readers=6),
    Target("gate", _gate, GATES, readers=2),
    Target("page_login", _page_login, LOGINS, readers=4),
    Target("whole_page", _whole_page, (*PAGES, *GATES, *LOGINS, *CHALLENGES), readers=6),
    Target("marked_page", _marked_page, tuple(page.decode().encode("utf-16-le") for page in PAGES)),
    Target("wide_page", _wide_page, tuple(page.decode().encode("utf-16-be") for page in PAGES)),
    Target("narrow_page", _narrow_page, PAGES),
    Target("latin_page", _latin_page, PAGES),
    Target("challenge", _challenge, CHALLENGES),
    Target("tdmrep", _tdmrep, TDMREP),
    Target("rsl", _rsl, RSL),
    Target("ai_txt", _ai_txt, AI_TXT),
    Target("trust_txt", parse_trust_txt, TRUST_TXT),
    Target("rights_answer", _rights_answer, (*HEADERS, *TDMREP, *RSL, *AI_TXT), readers=4),
    Target("asset", _asset, ASSETS),
    Target("cbor", _cbor, CBOR),
)
