"""A page opened for reading, and what its readers share of it: each thing about a page is found out once.

Holds values and the searches that all readers need: the text in lower case, the tags that hold a word. What a
reader computes of a page it may leave with it (`Page.once`), for the next rule that asks the same.
Decides nothing; pure; never raises.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policies.signals.page_markup import Tag

_Found = TypeVar("_Found")
_Asked = ParamSpec("_Asked")

# The one character whose lower case is longer than itself: it would move everything behind it.
_LONGER_IN_LOWER_CASE = "\u0130"


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """Which words occur anywhere in a page.

    The free-access property, the content tier, a password field, a robots meta element that may restrict, a
    TDM reservation, an RSL licence; the vendors of paywalls whose hosts it names, words of a home-made gate,
    a refresh; and whether it is bare: few links, and a form or a script that goes on.
    """

    accessible: bool = False
    content_tier: bool = False
    password: bool = False
    robots: bool = False
    tdm: bool = False
    licence: bool = False
    vendors: tuple[str, ...] = ()
    own_gate: bool = False
    refresh: bool = False
    bare: bool = False

    def __bool__(self) -> bool:
        """Whether the page must be read at all."""
        return self != NO_MARKERS


NO_MARKERS = Markers()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """A page opened for reading: its text with LF line ends, its tags, and where reading the tags stopped.

    `unread_from` equals the length of `text` unless the page holds more tags than the budget.
    """

    text: str
    tags: tuple[Tag, ...]
    unread_from: int
    markers: Markers
    _found: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @property
    def is_read(self) -> bool:
        """Whether the tags were read to the end of the page."""
        return self.unread_from >= len(self.text)

    @property
    def lowered(self) -> str:
        """The text in lower case, every character in its place."""
        return self.once(_lowered)

    def once(
        self, read: Callable[Concatenate[Page, _Asked], _Found], *asked: _Asked.args, **named: _Asked.kwargs
    ) -> _Found:
        """Return what a reader finds on this page; it is asked the same thing once."""
        key = (read, asked, *named.items())
        if key not in self._found:
            self._found[key] = read(self, *asked, **named)
        return cast("_Found", self._found[key])

    def numbers_naming(self, word: str) -> Iterator[int]:
        """Yield the numbers of the tags (not their content) that hold a word (lower case), in order."""
        tags, starts, lowered = self.tags, self.once(_starts), self.lowered
        number, count = -1, len(tags)
        position = lowered.find(word, 0, self.unread_from)
        while position >= 0:
            number = bisect_right(starts, position, max(number, 0)) - 1
            if number >= 0 and position < tags[number].end:
                yield number
            # Behind the tag and its raw content, or behind the text in which the word stands.
            number += 1
            if number >= count:
                return
            position = lowered.find(word, starts[number], self.unread_from)

    def numbers_of(self, *names: str) -> list[int]:
        """Return the numbers of the start tags with one of these names, in order."""
        by_name = self.once(_numbers_by_name)
        if len(names) == 1:
            return by_name.get(names[0], [])
        return sorted(number for name in names for number in by_name.get(name, ()))

    def naming(self, words: Iterable[str]) -> list[Tag]:
        """Return the start tags that hold one of these words (lower case), in the order of the page."""
        numbers = {number for word in words for number in self.numbers_naming(word)}
        tags = self.tags
        return [tag for number in sorted(numbers) if not (tag := tags[number]).closing]


# Character references and attributes in the tags that one reader looks at; each takes half as long as a tag.
_REFERENCES = 2_000
_ATTRIBUTES = 20_000


class Allowance:
    """How many forms of tags one reader looks at; a form that it knows already costs nothing.

    Where the allowance is spent a reader says what it makes of the rest; it never counts as saying nothing.
    """

    __slots__ = ("_attributes", "_left", "_references", "_seen")

    def __init__(self, forms: int) -> None:
        self._left = forms
        self._attributes = _ATTRIBUTES
        self._references = _REFERENCES
        self._seen: set[str] = set()

    def knows(self, raw: str) -> bool:
        """Tell whether a form of a tag was looked at already."""
        return raw in self._seen

    def takes(self, raw: str) -> bool:
        """Take a form in that is not known; False where nothing is left for it."""
        self._left -= 1
        self._references -= raw.count("&")
        self._attributes -= sum(map(raw.count, " \n\t/"))  # they stand between blanks or slashes
        if self._left < 0 or self._references < 0 or self._attributes < 0:
            return False
        self._seen.add(raw)
        return True


def _lowered(page: Page) -> str:
    return page.text.replace(_LONGER_IN_LOWER_CASE, "i").lower()


def _numbers_by_name(page: Page) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, (_, name, closing, *_) in enumerate(page.tags):
        if not closing:
            if name in found:
                found[name].append(number)
            else:
                found[name] = [number]
    return found


def _starts(page: Page) -> list[int]:
    return [tag.start for tag in page.tags]
