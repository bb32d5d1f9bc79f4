from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.access_statement import Access, read_boolean, snippet_around, strictest


@pytest.mark.parametrize(
    "word",
    [
        "false",
        "False",
        " FALSE ",
        "0",
        "0.0",
        "no",
        "http://schema.org/False",
        "https://schema.org/False",
        "schema:False",
        '"false"',
        "https://schema.org#False",
        "いいえ",
        "“false”",
    ],
)
def test_spellings_of_false_restrict(word):
    assert read_boolean(word) is Access.RESTRICTED


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "http://schema.org/True", "free", "はい"])
def test_spellings_of_true_are_free(word):
    assert read_boolean(word) is Access.FREE


@pytest.mark.parametrize("word", ["", " ", "null", "undefined", '""'])
def test_nothing_is_no_statement(word):
    assert read_boolean(word) is None


@given(st.text(min_size=1))
def test_no_text_is_read_as_free_but_the_known_words(word):
    if read_boolean(word) is Access.FREE:
        folded = word.lower()
        assert any(
            known in folded
            for known in ("true", "1", "yes", "y", "t", "on", "free", "open", "はい", "wahr", "vrai")
        )


@given(st.permutations([Access.FREE, Access.UNREADABLE, Access.METERED, Access.RESTRICTED]))
def test_the_strictest_does_not_depend_on_order(values):
    assert strictest(list(values)) is Access.RESTRICTED


@given(st.text(), st.integers(min_value=0, max_value=2000))
def test_a_snippet_is_short_and_from_the_page(text, position):
    snippet = snippet_around(text, min(position, len(text)))
    assert len(snippet) <= 500
    assert snippet in text
