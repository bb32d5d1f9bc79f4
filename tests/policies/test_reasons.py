"""Every reason code has its words."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from policies.reasons import EXPLANATIONS, Explanation, explain_reason
from policies.vocabulary import Reason


def test_every_reason_is_explained_and_nothing_else():
    assert set(EXPLANATIONS) == set(Reason)


@pytest.mark.parametrize("field", [field.name for field in fields(Explanation) if field.name != "since"])
def test_no_two_reasons_say_the_same(field):
    texts = [getattr(explanation, field) for explanation in EXPLANATIONS.values()]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("reason", Reason)
def test_each_sentence_ends_and_is_in_its_language(reason):
    words = EXPLANATIONS[reason]
    assert re.fullmatch(r"\d+\.\d+\.\d+", words.since)
    for english in (words.en, words.next_en):
        assert english.isascii()
        assert english.endswith(".")
        assert english[0].isupper() or english[0].isdigit()
    for japanese in (words.ja, words.next_ja):
        assert re.search(r"[\u3040-\u30ff]", japanese)
        assert japanese.endswith("。")


def test_a_code_of_a_later_version_has_no_words_and_no_crash():
    assert explain_reason("robots_disallow") is EXPLANATIONS[Reason.ROBOTS_DISALLOW]
    assert explain_reason("of_the_future") is None
