"""The first look at a page for challenges misses none of those that are known."""

from policies.signals.challenge import CHALLENGE_PAGES, STEMS, _may_be_challenge
from policies.signals.robots_fetch import named_challenge


def test_every_known_challenge_holds_a_stem_of_the_first_look():
    missed = [
        (vendor, words)
        for vendor, words in CHALLENGE_PAGES
        if not any(stem in word for word in words for stem in STEMS)
    ]
    assert missed == []


def test_stems_are_in_lower_case_as_the_page_is_when_it_is_searched():
    assert all(stem == stem.lower() for stem in STEMS)


def test_the_first_look_finds_each_stem_wherever_it_stands_alone():
    assert not _may_be_challenge(b"<p>text_with? seldom octets")
    for stem in STEMS:
        for page in (stem, b"<p>text" + stem, stem + b"</p>"):
            assert _may_be_challenge(page), stem


ANUBIS = b"<!doctype html><html><script id=anubis_challenge>{}</script><h1>Making sure you're not a bot!</h1></html>"


def test_case_6_a_page_of_any_known_challenge_in_place_of_robots_txt_is_unreachable():
    for _, words in CHALLENGE_PAGES:
        body = b"<!doctype html><html><body>" + b" ".join(words) + b"</body></html>"
        assert named_challenge((("content-type", "text/html"),), body), words
    assert named_challenge((("content-type", "text/html"),), ANUBIS) == "bot challenge (page of Anubis)"


def test_rules_in_plain_text_that_name_a_challenge_are_rules():
    body = b"User-agent: *\nDisallow: /anubis_challenge\nDisallow: /_cf_chl_opt/challenge-platform\n"
    assert named_challenge((("content-type", "text/plain"),), body) == ""
