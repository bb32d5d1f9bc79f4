"""Where a licence is named: headers, pages, robots.txt."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import ResponseFacts
from policies.signals.licence_links import (
    MOST_FORMS,
    MOST_LICENCES,
    Place,
    licence_of_line,
    links_of_header,
    links_of_page,
    links_of_response,
    links_of_robots,
)
from policies.signals.page_markers import open_page
from policies.signals.page_markup import read_within_budget
from policies.signals.robots import parse_robots

PAGE = "https://a.example/d/p"
RSL = 'rel="license"; type="application/rsl+xml"'


def header(value):
    return [link.url or link.problem[:3] for link in links_of_header(value, PAGE)]


def page(text):
    return links_of_page(read_within_budget(text)[0], PAGE)


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        (f"<https://l.example/l.rsl>; {RSL}", ["https://l.example/l.rsl"]),
        ("</l.rsl>;REL=License;TYPE=Application/RSL+xml", ["https://a.example/l.rsl"]),
        ('<l>; rel="x license"; type="application/rsl+xml; v=1"', ["https://a.example/d/l"]),
        (f"<a>; rel=next, <b,c>; {RSL}, <d>; {RSL}", ["https://a.example/d/b,c", "https://a.example/d/d"]),
        (f"garbage, <b>; {RSL}", ["https://a.example/d/b"]),
        ("<https://creativecommons.org/licenses/by/4.0/>; rel=license", []),
        ("<https://x.example/>; rel=license; type=text/html", []),
        ("<x>; rel=describedby; type=application/rsl+xml", []),
        ('<x>; title="application/rsl+xml"; rel=license', []),
        (f"<mailto:x>; {RSL}", ["'ma"]),
        ('<x>; rel=next; rel="license"; type="application/rsl+xml"', []),
    ],
)
def test_a_link_header_names_a_licence_only_with_relation_and_type(value, urls):
    assert header(value) == urls


def test_a_header_of_100_kb_that_may_hold_a_licence_makes_the_terms_unknown():
    (link,) = links_of_header("<x>; " + "a=b; " * 20_000 + RSL, PAGE)
    assert link.url == ""
    assert "at most" in link.problem
    assert links_of_header("<x>; " + "a=b; " * 20_000, PAGE) == ()


def test_a_page_names_and_holds_licences():
    links = page(
        '<head><base href="/b/"><link rel="license" href="https://creativecommons.org/x">\n'
        '<link rel="license" type="application/rsl+xml" href="l.rsl">'
        '<script type="application/rsl+xml"><rsl/></script><script type="application/rsl+xml" src="s.rsl"></script>'
    )
    assert [(link.place, link.url, link.line) for link in links] == [
        (Place.LINK_ELEMENT, "https://a.example/b/l.rsl", 2),
        (Place.SCRIPT, "", 2),
        (Place.SCRIPT, "https://a.example/b/s.rsl", 2),
    ]
    assert links[1].document == "<rsl/>"


def test_a_comment_names_nothing():
    assert page('<!-- <link rel="license" type="application/rsl+xml" href="l.rsl"> -->') == ()


def test_a_link_without_address_makes_the_terms_unknown():
    (link,) = page('<link rel="license" type="application/rsl+xml" href="mailto:x">')
    assert link.problem


def test_one_licence_more_than_the_bound_is_handed_on_so_that_terms_are_known_to_be_unknown():
    many = "".join(
        f'<link rel="license" type="application/rsl+xml" href="l{number}">' for number in range(50)
    )
    assert len(page(many)) == MOST_LICENCES + 1


def test_a_licence_behind_many_namings_of_another_one_is_found():
    again = '<link rel="license" type="application/rsl+xml" href="a">' * 50
    found = page(again + '<link rel="license" type="application/rsl+xml" href="b">')
    assert [one.url for one in found] == ["https://a.example/d/a", "https://a.example/d/b"]


def test_more_mentions_of_a_licence_than_are_looked_at_leave_the_terms_unknown():
    mentions = "".join(
        f'<link title="license {n}" rel="x" type="application/rsl+xml" href="l">' for n in range(MOST_FORMS)
    )
    assert page(mentions) == ()
    assert [
        bool(one.problem) for one in page(mentions + '<link rel="license next" type="application/rsl+xml">')
    ] == [True]
    assert len(links_of_header(", ".join([f"<l>; {RSL}"] * 50), PAGE)) == MOST_LICENCES + 1


def answer(body, *, media_type="text/html", headers=()):
    facts = ResponseFacts(url=PAGE, status=200, headers=(("content-type", media_type), *headers), body=body)
    return links_of_response(facts, open_page(facts))


def test_headers_and_page_are_read_together_and_an_address_named_twice_counts_once():
    body = b'<link rel="license" type="application/rsl+xml" href="/l"><script type="application/rsl+xml">x</script>'
    found = answer(body, headers=(("link", f"</l>; {RSL}"), ("link", f"</m>; {RSL}")))
    assert [(one.place, one.url) for one in found] == [
        (Place.LINK_HEADER, "https://a.example/l"),
        (Place.LINK_HEADER, "https://a.example/m"),
        (Place.SCRIPT, ""),
    ]


def test_a_licence_behind_the_part_of_a_page_that_is_read_makes_the_terms_unknown():
    body = b"<p>" * 30_000 + b'<link rel="license" type="application/rsl+xml" href="/l">'
    (link,) = answer(body)
    assert link.url == ""
    assert "behind" in link.problem


def test_a_feed_with_offers_of_its_own_is_its_own_licence_and_other_files_are_none():
    feed = b'<rss xmlns:rsl="https://rslstandard.org/rsl"></rss>'
    (link,) = answer(feed, media_type="application/rss+xml")
    assert (link.place, link.url) == (Place.FEED, "")
    assert answer(b"<rss></rss>", media_type="application/rss+xml") == ()
    assert answer(feed, media_type="text/plain") == ()
    assert answer(b"", media_type="application/rss+xml") == ()


@pytest.mark.parametrize(
    "value", ["/l.rsl", "l.rsl", "", "ftp://x/l", "https://", "https:///l", "javascript:x"]
)
def test_case_49_a_license_line_without_an_absolute_address_is_invalid(value):
    link = licence_of_line(value, line=3, text=f"License: {value}")
    assert link.url == ""
    assert link.problem


def test_a_license_line_with_an_absolute_address_is_followed_without_its_fragment():
    assert licence_of_line("https://l.example/l#x", line=3, text="").url == "https://l.example/l"


@pytest.mark.parametrize("piece", ["<", "<a>;", ",<", '<a>; x="\\', "a=b;", ", ", '"'])
def test_a_hostile_header_is_read_in_time(piece):
    value = (piece * 16_000)[:16_000] + "application/rsl+xml"
    start = time.process_time()
    links_of_header(value, PAGE)
    assert time.process_time() - start < 0.2


@given(st.text(alphabet='<>;,="\\ abrelicnstyp/+xmlw', max_size=200))
def test_no_header_raises(value):
    links_of_header(f"{value}application/rsl+xml", PAGE)
    licence_of_line(value, line=1, text=value)


@given(st.text(alphabet="[]:/?#ahtps.", max_size=30))
def test_no_address_raises(value):
    licence_of_line(f"https:{value}", line=1, text="")
    links_of_header(f"<{value}>; {RSL}", PAGE)


def test_a_licence_that_robots_txt_names_again_counts_once_where_it_stands_first():
    body = b"License: https://l.example/a\nUser-agent: *\nLicense: https://l.example/b\nLicense: https://l.example/a\n"
    links = links_of_robots(parse_robots(body))
    assert [(link.url, link.line) for link in links] == [
        ("https://l.example/a", 1),
        ("https://l.example/b", 3),
    ]
    assert links_of_robots(parse_robots(b"License:\n")) == ()


def test_of_a_hundred_licences_in_robots_txt_one_more_is_returned_than_is_followed():
    body = b"".join(b"License: https://l.example/%d\n" % number for number in range(100))
    assert len(links_of_robots(parse_robots(body))) == MOST_LICENCES + 1
