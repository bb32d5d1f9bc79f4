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

# A field name that goes on with an `s` or with anything but a letter, and then perhaps has no colon.
_LENIENT = re.compile(
    rb"(?i:(?P<disallow>disallow|dissallow|dissalow|disalow|diasllow|disallaw)"
    rb"|(?P<agent>user-agent|useragent|user[ ]agent)|(?P<allow>allow))"
    rb"(?:[sS](?![a-zA-Z]))?(?![a-zA-Z])(?P<rest>.*)",
    re.DOTALL,
)
_FIRST_LETTERS = frozenset((b"d", b"D", b"u", b"U", b"a", b"A"))
_TOKEN = re.compile(rb"[A-Za-z_-]+")
_BLANKS = b" \t\v\f"
# U+00A0, U+1680, U+2000-U+200A, U+202F, U+205F and U+3000 in UTF-8. A byte order mark is no blank.
_WIDE_BLANK = rb"[ \t\v\f]|\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
_LEADING_BLANKS = re.compile(rb"(?:" + _WIDE_BLANK + rb")*")
_LATIN_BLANK = b"\xa0"  # the no-break space of a file that is not UTF-8; seen behind `User-Agent: *`
_FIRST_WIDE = 0x80
_LAST_BLANK = re.compile(rb"(?:" + _WIDE_BLANK + rb")\Z")
_SECONDS = re.compile(rb"\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]\+?\d+)?")
_SECONDS_OCTETS = 64


def without_wide_blanks(octets: bytes) -> bytes:
    """Return octets without blanks, Unicode ones included, at either end."""
    if octets.isascii():
        return octets.strip(_BLANKS)
    octets = octets.strip(_BLANKS)
    if octets and octets[0] >= _FIRST_WIDE and (start := _LEADING_BLANKS.match(octets)) is not None:
        octets = octets[start.end() :]
    end = len(octets)
    if not end or octets[-1] < _FIRST_WIDE:
        return octets
    while found := _LAST_BLANK.search(octets, max(0, end - 3), end):
        end = found.start()
    return octets[:end]


def read_lenient(content: bytes) -> tuple[Field, bytes, bytes]:
    """Return field, key and value of a line whose text before the colon is none of `EXACT_FIELDS`.

    `content` has neither comment nor outer blanks. A line that is no record gives `Field.NOTHING`.
    """
    content = without_wide_blanks(content)
    key, colon, value = content.partition(b":")
    key = without_wide_blanks(key).lower()
    found = _LENIENT.match(content) if content[:1] in _FIRST_LETTERS else None
    if found:
        lenient = without_wide_blanks(found["rest"])
        separated = lenient[:1] == b":" or (found["rest"][:1] in (b" ", b"\t") and len(lenient.split()) == 1)
        if colon and not separated and not found["allow"]:
            # `Disallow-all: /x`, `disallow all: /`: the value is what stands behind the colon.
            lenient, separated = value, True
        if separated:
            lenient = lenient.removeprefix(b":").strip(_BLANKS)
            if found["disallow"]:
                return Field.DISALLOW, key, lenient
            if found["agent"]:
                return Field.USER_AGENT, key, lenient
            return Field.NOT_GRANTING, key, lenient
    if colon and key:
        return Field.OTHER, key, value.strip(_BLANKS)
    return Field.NOTHING, b"", b""


def agent_name(value: bytes) -> str:
    """Return the token that a user-agent value names, in lower case: `*`, or "" when it names none."""
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
    found = _SECONDS.match(value[:_SECONDS_OCTETS])
    return min(float(found[0]), sys.float_info.max) if found else None
