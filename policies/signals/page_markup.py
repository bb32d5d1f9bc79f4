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
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.page_text import line_at

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tags that are read before the rest of a page counts as unread: about forty milliseconds of one core.
# Ordinary pages have hundreds, the longest lists of an encyclopaedia tens of thousands.
TAG_BUDGET = 20_000
# Attributes of one tag that are looked at; browsers keep the first of a name, so do we.
_ATTRIBUTE_BUDGET = 2_000
# Characters of one value in which character references are resolved; each takes as long as a tag.
_REFERENCES_WITHIN = 20_000

# Groups: start of a comment; of something else that is no tag; slash of an end tag; name.
# The look ahead costs a page that is nothing but `<` a fifth of the time.
_OPENING = re.compile(r"<(?=[A-Za-z/!?])(?:(!--)|([!?]|/(?![A-Za-z]))|(/?)([A-Za-z][^ \t\n\f/>]*+))")
_COMMENT_END = re.compile(r"--!?>")
_BOGUS_END = re.compile(r">")
_SPACE = r"[ \t\n\f]*+"
_NAME = r"[^ \t\n\f/>][^ \t\n\f/>=]*+"
# Possessive throughout: nothing is ever scanned twice, except once for the last unclosed quote of a page.
_ONE_ATTRIBUTE = re.compile(
    rf"[ \t\n\f/]*+({_NAME})(?:{_SPACE}={_SPACE}(?:\"([^\"]*+)\"|'([^']*+)'|([^ \t\n\f>]++))?+)?+"
)
_REST_OF_TAG = re.compile(
    rf"(?:[ \t\n\f/]*+{_NAME}(?:{_SPACE}={_SPACE}(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\f>]++)?+)?+)*+[ \t\n\f/]*+>?"
)
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

    def attributes(self) -> dict[str, str]:
        """Return attribute names in lower case with their values; the first of a repeated name wins."""
        found: dict[str, str] = {}
        opening = _OPENING.match(self.text, self.start)
        position = opening.end() if opening else self.end
        for _ in range(_ATTRIBUTE_BUDGET):
            match = _ONE_ATTRIBUTE.match(self.text, position, self.end)
            if match is None:
                break
            position = match.end()
            value = match[2] or match[3] or match[4] or ""
            found.setdefault(match[1].lower(), _unescaped(value) if "&" in value else value)
        return found


def _unescaped(value: str) -> str:
    return html.unescape(value[:_REFERENCES_WITHIN]) + value[_REFERENCES_WITHIN:]


def read_tags(text: str, *, start: int = 0) -> Iterator[Tag]:
    """Yield the tags of a page in order, comments and raw content skipped; the caller keeps the budget."""
    position = start
    length = len(text)
    search, skip_rest = _OPENING.search, _REST_OF_TAG.match
    while (opening := search(text, position)) is not None:
        begin = opening.start()
        comment, _, slash, name = opening.groups()
        if name is None:
            # `<!-->` is a whole comment: its end may begin with the dashes of its start.
            closed = _COMMENT_END.search(text, begin + 2) if comment else _BOGUS_END.search(text, begin)
            position = closed.end() if closed else length
            continue
        name = name.lower()
        rest = skip_rest(text, opening.end())
        end = content_end = rest.end() if rest else opening.end()
        # An empty-element tag has no content in XHTML and SVG; in HTML it has, and reading that as markup
        # errs on the side of finding a statement.
        if not slash and name in _RAW_END and not text.endswith("/>", begin, end):
            ended = _RAW_END[name].search(text, end)
            content_end = ended.start() if ended else length
        yield Tag(text, name, bool(slash), begin, end, content_end)
        position = content_end


def read_within_budget(text: str) -> tuple[tuple[Tag, ...], int]:
    """Return the tags that the budget allows, and the offset where reading stopped."""
    tags: list[Tag] = []
    for tag in read_tags(text):
        if len(tags) == TAG_BUDGET:
            return tuple(tags), tag.start
        tags.append(tag)
    return tuple(tags), len(text)
