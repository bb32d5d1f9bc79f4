"""A fact in the words of one language: rows and kind in, lines out.

Every `Kind` has its writer here; a kind without one is a KeyError in the first test that meets it.
Pure but for the wording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.facts import Kind
from exporters.disclosure.page import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.disclosure.facts import Fact
    from exporters.disclosure.figures import Row, Scalar
    from exporters.disclosure.wording import Wording


_SHORT = 16


def _int(value: Scalar) -> int:
    return value if isinstance(value, int) else 0


def short_digest(sha256: str) -> str:
    """Return the first 64 bits of a digest for reading; the whole one stands in tables and in the JSON."""
    return f"{sha256[:_SHORT]}…"


def span(words: Wording, first_us: Scalar, last_us: Scalar) -> str:
    """Write a span between two times in UTC microseconds."""
    return words("format.span", first=words.instant(_int(first_us)), last=words.instant(_int(last_us)))


def days(words: Wording, start: Scalar, end: Scalar) -> str:
    """Write a span of days, or an ongoing one."""
    first = words.day(str(start))
    if end is None:
        return words("format.ongoing", first=first)
    return words("format.span", first=first, last=words.day(str(end)))


def _text(words: Wording, row: Row) -> Line:
    del words
    return Line(text=str(row[0]), mono=True)


def _code(words: Wording, row: Row) -> Line:
    return Line(text=words(str(row[0])))


def _bilingual(words: Wording, row: Row) -> Line:
    return Line(text=str(row[1] if words.language == "ja" else row[0]))


def _count(words: Wording, row: Row) -> Line:
    return Line(text=words.number(_int(row[0])))


def _bytes(words: Wording, row: Row) -> Line:
    return Line(text=words.octets(_int(row[0])))


def _seconds(words: Wording, row: Row) -> Line:
    return Line(text=words.duration(_int(row[0])))


def _instants(words: Wording, row: Row) -> Line:
    return Line(text=span(words, row[0], row[1]))


def _days(words: Wording, row: Row) -> Line:
    return Line(text=days(words, row[0], row[1]))


def _months(words: Wording, row: Row) -> Line:
    return Line(text=words("format.months", first=words.month(_int(row[0])), last=words.month(_int(row[1]))))


def _code_count(words: Wording, row: Row) -> Line:
    return Line(text=words("answer.count", name=words(str(row[0])), number=words.number(_int(row[1]))))


def _content(words: Wording, row: Row) -> Line:
    name = words.known(str(row[0]), str(row[0])) if row[0] else words("answer.media_undeclared")
    return Line(
        text=words(
            "answer.content", name=name, pages=words.number(_int(row[1])), octets=words.octets(_int(row[2]))
        )
    )


def _policy(words: Wording, row: Row) -> Line:
    return Line(
        text=words(
            "answer.policy",
            version=str(row[0]),
            digest=short_digest(str(row[1])),
            day=words.day(str(row[2])),
            span=span(words, row[3], row[4]),
        )
    )


def dated_words(words: Wording, text: str) -> str:
    """Return the day of an ISO time or day in words, or the text itself when it is neither."""
    try:
        return words.day(text[:10])
    except ValueError:
        return text


def _list(words: Wording, row: Row) -> Line:
    title, weight, authority, entries, dated, digest = (row[index] for index in range(6))
    return Line(
        text=words(
            "answer.list",
            title=str(title),
            weight=words.known(f"weight.{weight}", str(weight)),
            authority=words("answer.list_authority", authority=str(authority)) if authority else "",
            entries=words.number(_int(entries)),
            dated=words("answer.list_dated", dated=dated_words(words, str(dated))) if dated else "",
            digest=short_digest(str(digest)),
        )
    )


def _crawler(words: Wording, row: Row) -> Line:
    text = words(
        "answer.crawler",
        name=str(row[0]),
        identifier=str(row[1]),
        operator=str(row[2]),
        period=days(words, row[3], row[4]),
    )
    return Line(text=text + (words("answer.index", address=str(row[5])) if row[5] else ""))


def _check(words: Wording, row: Row) -> Line:
    if not row[0]:
        return Line(text=words("answer.unverified"))
    return Line(
        text=words("answer.verified", records=words.number(_int(row[1])), segments=words.number(_int(row[2])))
    )


_WRITERS: dict[Kind, Callable[[Wording, Row], Line]] = {
    Kind.TEXT: _text,
    Kind.CODE: _code,
    Kind.BILINGUAL: _bilingual,
    Kind.COUNT: _count,
    Kind.BYTES: _bytes,
    Kind.SECONDS: _seconds,
    Kind.INSTANTS: _instants,
    Kind.DAYS: _days,
    Kind.MONTHS: _months,
    Kind.CODE_COUNT: _code_count,
    Kind.CONTENT: _content,
    Kind.POLICY: _policy,
    Kind.LIST: _list,
    Kind.CRAWLER: _crawler,
    Kind.CHECK: _check,
}


def fact_lines(fact: Fact, words: Wording) -> tuple[Line, ...]:
    """Return a fact in words, one line a row; codes share one line."""
    if fact.kind is Kind.CODE:
        texts = [words(str(row[0])) for row in fact.rows]
        return (Line(text=words("format.list_separator").join(texts)),) if texts else ()
    return tuple(_WRITERS[fact.kind](words, row) for row in fact.rows)
