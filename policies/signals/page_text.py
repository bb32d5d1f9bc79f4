"""Reads the octets of a page as text, so that no encoding hides a statement.

Order of belief follows the WHATWG Encoding and HTML standards (https://encoding.spec.whatwg.org/,
https://html.spec.whatwg.org/#determining-the-character-encoding): byte order mark, then the charset of
Content-Type, then the page's own `<meta charset>`; UTF-16 without any label is recognised by its zero octets.
Only encodings that browsers read are known: others (UTF-7, punycode, …) would let a page hide its words.
Decides nothing about access; imports the standard library only and never raises on hostile input.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from itertools import accumulate

# Labels as Python's codec names them, and the wider codec that browsers use in their place.
_CODECS = {
    "utf-8": "utf-8",
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "cp932": "cp932",
    "euc_jp": "euc_jp",
    "iso2022_jp": "iso2022_jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "euc_kr": "cp949",
    "cp949": "cp949",
    "tis-620": "cp874",
    "cp874": "cp874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "cp866": "cp866",
    "mac-roman": "mac-roman",
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{f"cp125{part}": f"cp125{part}" for part in range(9)},
}
# Those whose letters may take several octets; all others have a table of 256 characters.
_SEVERAL_OCTETS = frozenset(
    ("utf-8", "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5hkscs", "cp949"),
)
# Without a mark the WHATWG standard reads UTF-16 with the lower octet first.
_WIDE_CODECS = {
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "utf-32": "utf-32-le",
    "utf-32-le": "utf-32-le",
    "utf-32-be": "utf-32-be",
}
# Halves of surrogate pairs that are replaced one by one; each takes as long as a tag.
_MOST_HALVES = 2_000
_HALVES = bytes(range(0xD8, 0xE0))
# Upper octets of characters that stand for what cannot be read: those of private use.
_PRIVATE = 0xE0
_HALVES_TO_PRIVATE = bytes(_PRIVATE if octet in _HALVES else octet for octet in range(256))
_ANY_TO_ALL = bytes(0xFF if octet else 0 for octet in range(256))
# The four-octet mark comes first: the UTF-16 mark is its beginning.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"charset[ \t]*=[ \t]*[\"']?[ \t]*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_CHARSET = re.compile(
    rb"charset[ \t\r\n]{0,9}=[ \t\r\n]{0,9}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_BLOCK = 1_024
_PRESCAN = 4096
_ZERO_SAMPLE = 256


def _codec(label: str) -> str:
    """Return Python's name of a declared encoding, empty when there is no such text encoding."""
    try:
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""


def declared_charset(content_type: str | None) -> str:
    """Return the codec name that a Content-Type header declares, empty when none or unknown."""
    found = _CHARSET.search(content_type[:_PRESCAN]) if content_type else None
    return _codec(found[1]) if found else ""


def wide_codec(body: bytes, charset: str) -> str:
    """Return the codec of a page whose ASCII letters take more than one octet, else an empty string.

    Such a page must be decoded before words can be searched in it. `charset` comes from `declared_charset`.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return codec
    sample = body[:_ZERO_SAMPLE]
    zeros = sample.count(0)
    if zeros * 3 >= len(sample) > 1:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if zeros * 3 >= len(sample) * 2:
            return "utf-32-be" if sample[0] == 0 else "utf-32-le"
        return "utf-16-be" if even > odd else "utf-16-le"
    return _WIDE_CODECS.get(charset, "")


def _narrow_codec(body: bytes, charset: str) -> str:
    if body.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if charset in _CODECS:
        return _CODECS[charset]
    found = _META_CHARSET.search(body, 0, _PRESCAN)
    return _CODECS.get(_codec(found[1].decode("ascii")), "utf-8") if found else "utf-8"


@lru_cache(maxsize=64)
def _table(codec: str) -> str:
    """Return the 256 characters of an encoding of single octets, those that it leaves out replaced."""
    return bytes(range(256)).decode(codec, "replace")


def _decode_utf16(body: bytes, codec: str) -> str:
    """Return UTF-16 as text; where thousands of pairs are broken, each half as some private character."""
    upper_at = 0 if codec == "utf-16-be" else 1
    whole = body[: len(body) & ~1]
    upper = whole[upper_at::2]
    if len(upper) - len(upper.translate(None, _HALVES)) <= _MOST_HALVES:
        return body.decode(codec, "replace")
    try:
        return whole.decode(codec)
    except UnicodeDecodeError:
        octets = bytearray(whole)
        octets[upper_at::2] = upper.translate(_HALVES_TO_PRIVATE)
        return octets.decode(codec, "replace")


def _decode_utf32(body: bytes, codec: str) -> str:
    """Return broken UTF-32 as text: what lies outside the basic plane as some private character."""
    order = (3, 2, 1, 0) if codec == "utf-32-be" else (0, 1, 2, 3)
    body = body[: len(body) & ~3]
    lowest, lower, upper, uppermost = (body[place::4] for place in order)
    # As whole numbers, because that is done at once for all characters.
    size = len(lowest)
    outside = (int.from_bytes(upper, "big") | int.from_bytes(uppermost, "big")).to_bytes(size, "big")
    mask = int.from_bytes(outside.translate(_ANY_TO_ALL), "big")
    private = int.from_bytes(bytes((_PRIVATE,)) * size, "big") & mask
    kept = int.from_bytes(lower.translate(_HALVES_TO_PRIVATE), "big") & ~mask
    octets = bytearray(2 * size)
    octets[0::2] = lowest
    octets[1::2] = (kept | private).to_bytes(size, "big")
    return octets.decode("utf-16-le", "replace")


def _decode(body: bytes, codec: str) -> str:
    """Return octets as text in about the same time whatever they are: errors one by one would cost most."""
    if codec.startswith("utf-16"):
        return _decode_utf16(body, codec)
    if codec.startswith("utf-32"):
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            return _decode_utf32(body, codec)
    if codec in _SEVERAL_OCTETS:
        return body.decode(codec, errors="replace")
    return codecs.charmap_decode(body, "replace", _table(codec))[0]


def decode_octets(body: bytes, codec: str) -> str:
    """Return octets as text: undecodable ones replaced, line ends as LF, no mark, no NUL.

    HTML reads CR LF and CR as one line end and NUL as U+FFFD; lines of evidence are counted in that text.
    `codec` is one of those that `declared_charset` and `wide_codec` name; any other counts as UTF-8.
    """
    try:
        text = _decode(body, codec)
    except (LookupError, ValueError):
        text = body.decode("utf-8", errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff").replace("\0", "\ufffd")


@lru_cache(maxsize=2)
def _lines_before(text: str) -> tuple[int, ...]:
    """Return how many lines end before each block of a text."""
    blocks = range(0, len(text), _BLOCK)
    ends = accumulate(text.count("\n", start, start + _BLOCK) for start in blocks)
    return (0, *ends)


def line_at(text: str, position: int) -> int:
    """Return the number, from 1, of the line in which a position lies.

    Counts in one block only: a page may hold ten thousand statements, and each names its line.
    """
    block = position // _BLOCK
    before = _lines_before(text)[block] if block else 0
    return before + text.count("\n", block * _BLOCK, position) + 1


def decode_narrow(body: bytes, charset: str) -> str:
    """Return a page in an encoding that contains ASCII as text, by mark, header or `<meta>`."""
    return decode_octets(body, _narrow_codec(body, charset))
