"""One line of robots.txt: which field it holds, and what that field's value says.

Implements the line grammar of RFC 9309 section 2.2 (https://www.rfc-editor.org/rfc/rfc9309) over raw octets.
A restriction is read leniently and a permission exactly, because a misread restriction harms the site and
a misread permission does too. What we accept beyond the grammar, and whose reading it is:

* `Disallow` and `User-agent` whose name is misspelt or goes on (`dissallow`, `Disallows`, `useragent`), or
  whose colon is missing (`disallow /x`): Google's reader (github.com/google/robotstxt).
  `DisallowAITraining` and the like, where letters other than an `s` follow, are other records.
* `Allow` only as `Allow:`. What merely looks like it grants nothing; it still ends the list of User-agent
  lines, as Google's reader has it, so that the following group is not joined to this one.
* A user agent is cut at the first octet that no product token has (`ExampleBot/1.0`, `ExampleBot*`,
  `Example Bot`), and `*` followed by a blank is `*`, whatever stands behind it: Google's reader.
* Unicode blanks (no-break, ideographic…) around a field name, a user agent or a Disallow path are blanks, as
  Protego has it; RFC 9309 knows space and tab only.
* `Crawl-delay` with a blank, an underscore or nothing in the place of the hyphen: our own rule.

Pure; raises nothing.
"""

from __future__ import annotations

import re
import sys
from enum import IntEnum
from typing import NamedTuple


class Field(IntEnum):
    """What a line is for. `OTHER` is any other record; `NOT_GRANTING` is an Allow that is not exact."""

    USER_AGENT = 1
    DISALLOW = 2
    ALLOW = 3
    NOT_GRANTING = 4
    OTHER = 5
    NOTHING = 6


EXACT_FIELDS: dict[bytes, Field] = {
    b"user-agent": Field.USER_AGENT,
    b"disallow": Field.DISALLOW,
    b"allow": Field.ALLOW,
}

CRAWL_DELAY_KEYS = frozenset((b"crawl-delay", b"crawl delay", b"crawl_delay", b"crawldelay"))
SITEMAP_KEYS = frozenset((b"sitemap", b"site-map", b"sitemaps"))

# The names that are read leniently, in lower case. One goes on with an `s` or with anything but a letter.
_NAME = (
    rb"(?:(disallow|dissallow|dissalow|disalow|diasllow|disallaw)|(user-agent|useragent|user agent)|(allow))"
    rb"(?:s(?![a-z]))?"
)
_NAMES = re.compile(_NAME + rb"(?![a-z])")
# Such a name and one more word, before a colon; plain ones, because of such lines a file may have thousands.
_WORDY = re.compile(rb"\s*+" + _NAME + rb"[ \t]\s*+(?=[^\s\x80-\xff]++\Z)")
_SPACE, _TAB = b" \t"
_FIRST_OCTETS = frozenset(b"dua")
_FIRST_LETTERS = frozenset((b"d", b"D", b"u", b"U", b"a", b"A"))
# U+00A0, U+1680, U+2000-U+200A, U+202F, U+205F and U+3000 in UTF-8. A byte order mark is no blank.
_WIDE_BLANK = rb"\s|\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
# Such a name without a colon, and a single word behind it.
_BARE = re.compile(rb"(?i:" + _NAME + rb")[ \t](?:" + _WIDE_BLANK + rb")*+(\S++)\Z")
_TOKEN = re.compile(rb"[A-Za-z_-]+")
_BLANKS = b" \t\v\f"
_WIDE_BLANKS = (
    " \t\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_LATIN_BLANK = b"\xa0"  # the no-break space of a file that is not UTF-8; seen behind `User-Agent: *`
_SECONDS = re.compile(rb"\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]\+?\d+)?")
_SECONDS_OCTETS = 64


def without_wide_blanks(octets: bytes) -> bytes:
    """Return octets without blanks, Unicode ones included, at either end."""
    octets = octets.strip(_BLANKS)
    if octets.isascii():
        return octets
    # What is no UTF-8 passes through: a decoder finds its place again where the next character begins.
    text = octets.decode("utf-8", "surrogateescape")
    return text.strip(_WIDE_BLANKS).encode("utf-8", "surrogateescape")


def without_last_blanks(octets: bytes) -> bytes:
    """Return octets without blanks, Unicode ones included, at the end."""
    octets = octets.rstrip(_BLANKS)
    if octets.isascii():
        return octets
    text = octets.decode("utf-8", "surrogateescape")
    return text.rstrip(_WIDE_BLANKS).encode("utf-8", "surrogateescape")


class Key(NamedTuple):
    """What stands before the first colon of a line: read once, however many lines begin with it.

    `field` says what the line is for, and `exact` whether it is written as RFC 9309 has it; `name` is the
    field name of another record in lower case. `longer` says that more follows the field's name
    (`disallow-all`); then `word` is not empty where the colon may belong to the value (`disallow x:y`): if
    `word`, the colon and what follows are a single word, they are the value and the line is for `joined`.
    Where there is a `word`, `name` is empty.
    """

    field: Field
    name: bytes = b""
    exact: bool = False
    longer: bool = False
    word: bytes = b""
    joined: Field = Field.NOTHING

    def read(self, rest: bytes) -> tuple[Field, bytes]:
        """Return field and value of a line that is not `exact`; `rest` follows its colon, without comment."""
        rest = without_last_blanks(rest)
        if self.word and len(rest.split()) <= 1 and not rest[:1].isspace():
            return self.joined, self.word + b":" + rest
        if self.longer and self.field is not Field.OTHER:
            rest = rest.removeprefix(b":")
        return self.field, rest.strip(_BLANKS)


_NOTHING = Key(Field.NOTHING)
_EXACT = {name: Key(field, exact=True) for name, field in EXACT_FIELDS.items()}
# By the group of `_NAMES` that matched. `Disallow-all: /x`, `disallow all: /`: the value is what stands
# behind the colon; what goes on behind `allow` is another record.
_FIELDS = (Field.NOTHING, Field.DISALLOW, Field.USER_AGENT, Field.NOT_GRANTING)
_MEANT = (Field.NOTHING, Field.DISALLOW, Field.USER_AGENT, Field.OTHER)
_ALIKE = tuple(Key(field) for field in _FIELDS)
_LONGER = (None, Key(Field.DISALLOW, longer=True), Key(Field.USER_AGENT, longer=True), None)


def read_key(written: bytes) -> Key:
    """Return what the text before the first colon of a line stands for; it holds no comment."""
    found = _WORDY.match(written.lower()) if _SPACE in written or _TAB in written else None
    if found is not None:
        return _with_word(found.lastindex or 0, written[found.end() :])
    name = written.strip().lower()
    exact = _EXACT.get(name)
    if exact is not None:
        return exact
    if not name.isascii():
        return _read_wide_key(written, without_wide_blanks(name))
    found = _NAMES.match(name) if name and name[0] in _FIRST_OCTETS else None
    if found is None:
        return Key(Field.OTHER, name) if name else _NOTHING
    kind = found.lastindex or 0
    # A word behind the name was found above, unless blanks follow it: then the colon does not belong to it.
    return _ALIKE[kind] if found.end() == len(name) else _LONGER[kind] or Key(Field.OTHER, name)


def _with_word(kind: int, word: bytes) -> Key:
    return Key._make((_MEANT[kind], b"", False, True, word, _FIELDS[kind]))


def field_name(written: bytes) -> bytes:
    """Return the name of another record, in lower case and without blanks, as it stands before the colon."""
    return without_wide_blanks(written.strip().lower())


def _read_wide_key(written: bytes, name: bytes) -> Key:
    """Return what `read_key` does for a text that is not ASCII; `name` is it in lower case without blanks."""
    found = _NAMES.match(name) if name and name[0] in _FIRST_OCTETS else None
    if found is None:
        return Key(Field.OTHER, name) if name else _NOTHING
    kind, end = found.lastindex or 0, found.end()
    if not without_wide_blanks(name[end:]):
        return _ALIKE[kind]
    tail = written[written.lower().index(name) + end :]
    word = _without_first_blanks(tail)
    if tail[:1] not in {b" ", b"\t"} or len(word.split()) != 1 or word[-1:].isspace():
        return _LONGER[kind] or Key(Field.OTHER, name)
    return _with_word(kind, word)


def _without_first_blanks(octets: bytes) -> bytes:
    text = octets.decode("utf-8", "surrogateescape")
    return text.lstrip(_WIDE_BLANKS).encode("utf-8", "surrogateescape")


def read_bare(content: bytes) -> tuple[Field, bytes]:
    """Return field and value of a line without colon and comment (`disallow /x`)."""
    content = content.strip() if content.isascii() else without_wide_blanks(content)
    found = _BARE.match(content) if content[:1] in _FIRST_LETTERS else None
    if found is None:
        return Field.NOTHING, b""
    disallow, agent, _, value = found.groups()
    return Field.DISALLOW if disallow else Field.USER_AGENT if agent else Field.NOT_GRANTING, value


def agent_name(value: bytes) -> str:
    """Return the token that a user-agent value names, in lower case: `*`, or "" when it names none."""
    token = _TOKEN.match(value)
    if token is None:
        value = without_wide_blanks(value)
        if value[:1] == b"*":
            tail = value[1:]
            blank = tail[:1] == _LATIN_BLANK or len(without_wide_blanks(tail)) < len(tail)
            return "*" if blank or not tail else ""
        token = _TOKEN.match(value)
    return token[0].decode("ascii").lower() if token else ""


def is_token(name: str) -> bool:
    """Return whether a name is a product token of RFC 9309 section 2.2.1."""
    return name.isascii() and _TOKEN.fullmatch(name.encode("ascii")) is not None


def crawl_delay_seconds(value: bytes) -> float | None:
    """Return the seconds of a Crawl-delay value, or None for what is no number of seconds to wait.

    A unit or a remark behind the number is ignored; `nan`, `inf` and negative numbers say nothing.
    A number beyond the range of a float is the largest float: it was meant as a restriction.
    """
    if value.isdigit() and len(value) <= _SECONDS_OCTETS:
        return float(value)
    found = _SECONDS.match(value[:_SECONDS_OCTETS])
    return min(float(found[0]), sys.float_info.max) if found else None
