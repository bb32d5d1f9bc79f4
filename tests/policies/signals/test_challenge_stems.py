"""The first look at a page for challenges misses none of those that are known."""

from policies.signals.challenge import CHALLENGE_PAGES, STEMS


def test_every_known_challenge_holds_a_stem_of_the_first_look():
    missed = [
        (vendor, words)
        for vendor, words in CHALLENGE_PAGES
        if not any(stem in word for word in words for stem in STEMS)
    ]
    assert missed == []


def test_stems_are_in_lower_case_as_the_page_is_when_it_is_searched():
    assert all(stem == stem.lower() for stem in STEMS)
