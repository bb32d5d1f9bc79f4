"""The form of a reason code's words: a sentence and a next step, each in English and Japanese.

Holds the value and its maker; the words themselves are in `reasons.py` and `reasons_rights.py`.
Pure: imports the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One reason code in words: a sentence and a next step, each in both languages."""

    since: str
    en: str
    ja: str
    next_en: str
    next_ja: str


_FIRST = "0.1.0"


def entry(en: str, ja: str, next_en: str, next_ja: str) -> Explanation:
    """Return the words of a code that the first version introduced."""
    return Explanation(since=_FIRST, en=en, ja=ja, next_en=next_en, next_ja=next_ja)
