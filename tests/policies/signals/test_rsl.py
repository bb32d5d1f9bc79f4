"""RSL documents: what they offer, and what XML cannot do to their reader."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.rsl import parse_rsl
from policies.signals.rsl_xml import read_elements
from policies.vocabulary import Origin

ORIGIN = Origin(scheme="https", host="a.example", port=443)


def document(inner, attributes='url="/"'):
    return (
        f'<rsl xmlns="https://rslstandard.org/rsl"><content {attributes}>{inner}</content></rsl>'
    ).encode()


def offer(inner):
    return parse_rsl(document(f"<license>{inner}</license>")).contents[0].offers[0]


def test_an_offer_is_read_with_its_line_and_its_terms_in_short():
    body = (
        b'<?xml version="1.0"?>\n<rsl xmlns="https://rslstandard.org/rsl" max-age="7">\n'
        b' <content url="/x" server="https://s.example">\n  <license>\n'
        b'   <permits type="usage">search ai-input</permits>\n   <prohibits type="geo">GB</prohibits>\n'
        b'   <payment type="crawl"><amount>1</amount></payment>\n  </license>\n </content>\n</rsl>\n'
    )
    (content,) = parse_rsl(body).contents
    assert (content.line, content.url, content.server) == (3, "/x", "https://s.example")
    (found,) = content.offers
    assert found.line == 4
    assert found.permits.usage == {"search", "ai-input"}
    assert found.permits.user is None
    assert found.prohibits.geo == {"GB"}
    assert found.payments == ("crawl",)
    assert not found.unreadable
    assert "permits usage ai-input search" in found.text


def test_no_payment_is_free_and_several_offers_stay_apart():
    read = parse_rsl(document("<license/><license><payment type='purchase'/></license>"))
    assert [one.payments for one in read.contents[0].offers] == [("free",), ("purchase",)]


@pytest.mark.parametrize(
    "inner",
    [
        '<payment type="Use"/>', '<payment type="USE"/>', '<payment type=""/>', '<Payment type="use"/>',
        '<PERMITS type="usage">all</PERMITS>', '<permits type="Usage">all</permits>', "<permits>all</permits>",
        '<prohibits type="usage">train-ai</prohibits>', '<prohibits type="geo">gb</prohibits>',
        '<permits type="usage">all</permits><permits type="usage">search</permits>',
    ],
)  # fmt: skip
def test_case_49_the_wrong_case_or_an_unknown_word_makes_an_offer_unreadable(inner):
    assert offer(inner).unreadable


def test_tokens_of_the_drafts_permit_nothing_and_prohibit():
    assert offer('<permits type="usage">train-ai, search</permits>').permits.usage == {"train-ai,", "search"}
    assert offer('<prohibits type="usage">ai-train,search</prohibits>').prohibits.usage == {
        "ai-train",
        "search",
    }


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rsl xmlns="https://rslstandard.org/rsl">&a;</rsl>',
        b'<!DOCTYPE r SYSTEM "http://x.example/r.dtd"><rsl xmlns="https://rslstandard.org/rsl"/>',
        b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>',
        b'<rsl xmlns="https://rslstandard.org/rsl">&undeclared;</rsl>',
        b"<a>" * 10_000,
        b"<a>" * 10_000 + b"</a>" * 10_000,
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license/></content>',
        document("<license/>") + b"<more/>",
        b"",
        b"not xml",
        b"<html><body>Sign in</body></html>",
        b"<rsl><content url='/'><license/></content></rsl>",
        b'<rsl xmlns="http://rslstandard.org/rsl"><content url="/"><license/></content></rsl>',
        b'<rsl xmlns="https://rslstandard.org/rsl"/>',
        b"<?xml version='1.0' encoding='none-such'?><rsl/>",
        b"<?xml version='1.0' encoding='utf-7'?><rsl/>",
        b"\0" * 50,
        b'<rsl xmlns="https://rslstandard.org/rsl">' + b"<content/>" * 4_100 + b"</rsl>",
    ],
)
def test_case_49_what_is_no_readable_document_has_no_terms_and_says_why(body):
    read = parse_rsl(body)
    assert read.contents == ()
    assert read.problem


def test_entities_are_never_expanded():
    elements, problem = read_elements(
        b'<!DOCTYPE a [<!ENTITY e "x">]><a xmlns="https://rslstandard.org/rsl">&e;</a>'
    )
    assert elements == ()
    assert "document type" in problem


def test_offers_inside_a_feed_and_with_a_prefix_are_found():
    body = (
        b'<rss xmlns:rsl="https://rslstandard.org/rsl"><channel><item><title>t</title>'
        b'<rsl:content url="/item"><rsl:license><rsl:payment type="use"/></rsl:license></rsl:content>'
        b"</item></channel></rss>"
    )
    (content,) = parse_rsl(body).contents
    assert content.offers[0].payments == ("use",)


def test_text_of_other_namespaces_is_not_a_token():
    inner = '<permits type="usage">search <x xmlns="urn:x">ai-train</x></permits>'
    assert offer(inner).permits.usage == {"search"}


@pytest.mark.parametrize(
    ("url", "address", "applies"),
    [
        ("/", "/x", True), ("/a/", "/a/b", True), ("/a/", "/b", False), ("/*.pdf$", "/x/y.pdf", True),
        ("/*.pdf$", "/y.pdf?x", False), ("*", "/x", True), ("https://a.example/", "/x", True),
        ("http://A.example:443/x", "/x", True), ("https://b.example/", "/x", False), ("https://*.example/", "/x", True),
        ("https://*.other/", "/x", False), ("https://a.example", "/x", True), ("", "/x", True), ("a/", "/a/b", True),
    ],
)  # fmt: skip
def test_a_place_is_matched_as_in_robots_txt_and_by_host(url, address, applies):
    read = parse_rsl(document("<license/>", f'url="{url}"'))
    assert bool(read.contents_for(f"https://a.example{address}", ORIGIN)) is applies


def test_a_port_of_its_own_is_another_site():
    read = parse_rsl(document("<license/>", 'url="https://a.example:8443/"'))
    assert not read.contents_for("https://a.example/x", ORIGIN)
    other = Origin(scheme="https", host="a.example", port=8443)
    assert read.contents_for("https://a.example:8443/x", other)


def test_the_most_octets_decide_and_a_tie_keeps_both():
    body = (
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license/></content>'
        b'<content url="/open/"><license/></content><content url="/open/"><license/></content></rsl>'
    )
    read = parse_rsl(body)
    assert [one.url for one in read.contents_for("https://a.example/open/x", ORIGIN)] == ["/open/", "/open/"]
    assert [one.url for one in read.contents_for("https://a.example/x", ORIGIN)] == ["/"]


@pytest.mark.parametrize(
    "body",
    [
        b'<r xmlns="https://rslstandard.org/rsl">' + b"<a/>" * 110_000 + b"</r>",
        b'<r xmlns="https://rslstandard.org/rsl">' + b"&lt;" * 125_000 + b"</r>",
        b"<r " + b" ".join(b"a%d='1'" % number for number in range(45_000)) + b"/>",
        b"<r a='" + b"x" * 500_000,
        b"<!--" * 125_000,
        document("<license><permits type='usage'>" + "a " * 200_000 + "</permits></license>"),
    ],
    ids=["elements", "references", "attributes", "quote", "comments", "tokens"],
)
def test_half_a_megabyte_of_anything_is_read_in_time(body):
    start = time.process_time()
    parse_rsl(body)
    assert time.process_time() - start < 0.5


@given(st.binary(max_size=300))
def test_no_octets_raise(body):
    parse_rsl(body).contents_for("https://a.example/x", ORIGIN)


WORDS = st.sampled_from(
    ['<content url="/">', "</content>", "<license>", "</license>", '<permits type="usage">all</permits>', "<payment/>",
     '<prohibits type="user">', "</prohibits>", "&amp;", "&#x0;", "]]>", "<![CDATA[x]]>", 'url="', "\ud7ff", "<"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=20).map("".join))
def test_no_pieces_raise(inner):
    parse_rsl(f'<rsl xmlns="https://rslstandard.org/rsl">{inner}</rsl>'.encode())
