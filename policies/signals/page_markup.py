"""Reads HTML as a row of tags with their places: linear in the size of the page, whatever the page contains.

Follows the tokenisation of https://html.spec.whatwg.org/#tokenization where it decides what is markup and
what is not: comments hide, quoted values may contain `>`, a script or a textarea ends at its own end tag.
It builds no tree, because a tree builder gives up on deep nesting and takes minutes on a hundred thousand
attributes, and what it drops could be the restriction. A budget bounds the work instead: what lies
behind it is handed back unread, for the caller to search as text.
Never raises.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.page_text import line_at

if TYPE_CHECKING:
    from collections.abc import Mapping

# Tags and comments that are read before the rest of a page counts as unread: some ten milliseconds of one
# core, and half as much again for every reader that follows them. Ordinary pages have a thousand, the longest
# lists of an encyclopaedia tens of thousands.
TAG_BUDGET = 12_000
# Attributes of one tag that are looked at; browsers keep the first of a name, so do we.
_ATTRIBUTE_BUDGET = 2_000
# Characters of one value in which character references are resolved; each takes as long as a tag.
_REFERENCES_WITHIN = 20_000
# A tag below this length is read once though a page (or the next one) repeats it, and a few longer ones for
# the reader that comes next.
_REMEMBERED_BELOW = 300
_LONG_REMEMBERED_BELOW = 20_000

_SPACE = r"[ \t\n\f]*+"
_NAME = r"[^ \t\n\f/>][^ \t\n\f/>=]*+"
# Possessive throughout: nothing is ever scanned twice, except once for the last unclosed quote of a page.
_ONE_ATTRIBUTE = re.compile(
    rf"[ \t\n\f/]*+({_NAME})(?:{_SPACE}={_SPACE}(?:\"([^\"]*+)\"|'([^']*+)'|([^ \t\n\f>]++))?+)?+"
)
_REST_OF_TAG = (
    rf"(?:[ \t\n\f/]*+{_NAME}(?:{_SPACE}={_SPACE}(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\f>]++)?+)?+)*+[ \t\n\f/]*+>?"
)
# One tag, a plain comment, the beginning of another comment, or something else that is no tag. Groups: name
# with the slash of an end tag; beginning of a comment whose end has to be looked for.
# The look ahead costs a page that is nothing but `<` a fifth of the time.
_TOKEN = re.compile(
    rf"<(?=[A-Za-z/!?])(?:(/?[A-Za-z][^ \t\n\f/>]*+){_REST_OF_TAG}|!--[^->]*+-->|(!--)|[!?/][^>]*+>?)"
)
_OPENING = re.compile(r"</?[A-Za-z][^ \t\n\f/>]*+")
_COMMENT_END = re.compile(r"--!?>")
# Elements whose content is text up to their own end tag (section 13.2.5.1 to .4).
_RAW_END = {
    name: re.compile(rf"</{name}(?=[ \t\n\f/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


class Tag(NamedTuple):
    """One start or end tag. `name` is lower case; `start` and `end` are its offsets in the page's text.

    A named tuple, because a page makes a thousand of them and this takes a quarter of a dataclass's time.

    `content_end` is where the raw content of a script, style, textarea or title ends; else it equals `end`.
    """

    text: str
    name: str
    closing: bool
    start: int
    end: int
    content_end: int

    @property
    def raw(self) -> str:
        """The tag as written."""
        return self.text[self.start : self.end]

    @property
    def content(self) -> str:
        """The raw content of a script, style, textarea or title; empty for other elements."""
        return self.text[self.end : self.content_end]

    @property
    def line(self) -> int:
        """The line where the tag begins, counted from 1."""
        return line_at(self.text, self.start)

    def attributes(self) -> Mapping[str, str]:
        """Return attribute names in lower case with their values; the first of a repeated name wins."""
        length = self.end - self.start
        if length < _REMEMBERED_BELOW:
            return _remembered_attributes(self.text[self.start : self.end])
        if length < _LONG_REMEMBERED_BELOW:
            return _long_remembered_attributes(self.text[self.start : self.end])
        return _attributes(self.text, self.start, self.end)


def _attributes(text: str, start: int, end: int) -> dict[str, str]:
    found: dict[str, str] = {}
    opening = _OPENING.match(text, start)
    if opening is None:
        return found
    for match in islice(_ONE_ATTRIBUTE.finditer(text, opening.end(), end), _ATTRIBUTE_BUDGET):
        name, quoted, in_apostrophes, bare = match.groups()
        value = quoted or in_apostrophes or bare or ""
        found.setdefault(name.lower(), _unescaped(value) if "&" in value else value)
    return found


def _attributes_of(raw: str) -> dict[str, str]:
    return _attributes(raw, 0, len(raw))


_remembered_attributes = lru_cache(maxsize=1024)(_attributes_of)
_long_remembered_attributes = lru_cache(maxsize=32)(_attributes_of)


def _unescaped(value: str) -> str:
    return html.unescape(value[:_REFERENCES_WITHIN]) + value[_REFERENCES_WITHIN:]


def read_within_budget(text: str, budget: int = TAG_BUDGET) -> tuple[tuple[Tag, ...], int]:
    """Return the tags that the budget allows, in order, and the offset where reading stopped.

    Comments and raw content are skipped; a comment counts as a tag against the budget.
    """
    tags: list[Tag] = []
    position, length, left = 0, len(text), budget
    add, new, find_tokens = tags.append, tuple.__new__, _TOKEN.finditer
    # A page has a hundred names at most; each is made lower case once.
    names: dict[str, tuple[str, bool, re.Pattern[str] | None]] = {}
    while True:
        # Begun anew behind a comment or a raw element, whose ends are looked for by other means.
        for token in islice(find_tokens(text, position), left + 1):
            begin, end = token.span()
            if not left:
                return tuple(tags), begin
            left -= 1
            written, comment = token.groups()
            if written is None:
                if comment:
                    # `<!-->` is a whole comment: its end may begin with the dashes of its start.
                    closed = _COMMENT_END.search(text, begin + 2)
                    position = closed.end() if closed else length
                    break
                continue
            known = names.get(written)
            if known is None:
                name = written.lower()
                known = names[written] = (name.lstrip("/"), name[0] == "/", _RAW_END.get(name))
            name, closing, raw_end = known
            # An empty-element tag has no content in XHTML and SVG; in HTML it has, and reading that as markup
            # errs on the side of finding a statement.
            if raw_end is not None and not text.endswith("/>", begin, end):
                ended = raw_end.search(text, end)
                position = ended.start() if ended else length
                add(new(Tag, (text, name, False, begin, end, position)))
                break
            # A page makes thousands: this takes a third of the time of calling the class.
            add(new(Tag, (text, name, closing, begin, end, end)))
        else:
            return tuple(tags), length


def first_tag(text: str) -> Tag | None:
    """Return the first tag of a text that begins with one, else None."""
    tags, _ = read_within_budget(text, 1)
    return tags[0] if tags and tags[0].start == 0 else None
