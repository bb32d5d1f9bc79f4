"""The octets of a robots.txt: how many are read, and in which encoding.

Holds the size limit and the byte order marks of RFC 9309 sections 2.3 and 2.5
(https://www.rfc-editor.org/rfc/rfc9309), and the cutting of one line's text for evidence.
Reads no rule, raises nothing, touches no clock and no network.
"""

from __future__ import annotations

MAX_BYTES = 512_000
"""The parser's limit in octets: 500 KiB, the least that RFC 9309 section 2.5 permits."""

TEXT_LIMIT = 500
"""Characters of a raw line that evidence keeps."""

_UTF8_BOM = b"\xef\xbb\xbf"
# The four-octet marks stand first: the UTF-32 one in little endian begins with that of UTF-16.
_WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le", 4),
    (b"\x00\x00\xfe\xff", "utf-32-be", 4),
    (b"\xff\xfe", "utf-16-le", 2),
    (b"\xfe\xff", "utf-16-be", 2),
)
# Files without a mark whose first character is plainly two octets wide ("U\0", "\0U", "#\0"…).
_WIDE_GUESSES = (("utf-16-le", 1), ("utf-16-be", 0))


def _wide_encoding(body: bytes) -> tuple[str, int, int]:
    """Return codec, octets a character and octets of the mark; an empty codec means single octets."""
    for mark, codec, width in _WIDE_BOMS:
        if body.startswith(mark):
            return codec, width, len(mark)
    head = body[:4]
    for codec, zero in _WIDE_GUESSES:
        zeros, letters = head[zero::2], head[1 - zero :: 2]
        if len(head) == 4 and not any(zeros) and all(0 < octet < 0x80 for octet in letters):  # noqa: PLR2004 - two UTF-16 units, ASCII
            return codec, 2, 0
    return "", 1, 0


def _last_line_end(body: bytes, codec: str, width: int) -> int:
    """Return the offset behind the last CR or LF in `body`, 0 when it has none."""
    if width == 1:
        return max(body.rfind(b"\n"), body.rfind(b"\r")) + 1
    end = 0
    for mark in ("\n", "\r"):
        unit = mark.encode(codec)
        position = body.rfind(unit)
        while position >= 0 and position % width:
            position = body.rfind(unit, 0, position + width - 1)
        end = max(end, position + width if position >= 0 else 0)
    return end


def cut_to_limit(body: bytes) -> tuple[bytes, bool]:
    """Return at most `MAX_BYTES` octets that end with a whole line, and whether anything was cut.

    A line that the limit divides is dropped: half of `Allow: /abc` must not become `Allow: /`
    (RFC 9309 section 2.5 sets the limit; dropping the rest of the line is our rule).
    A file whose first line alone is longer than the limit has no readable line at all.
    """
    if len(body) <= MAX_BYTES:
        return body, False
    codec, width, _ = _wide_encoding(body)
    kept = body[:MAX_BYTES]
    following = body[MAX_BYTES : MAX_BYTES + width]
    if following in ("\n".encode(codec or "ascii"), "\r".encode(codec or "ascii")):
        return kept, True
    return kept[: _last_line_end(kept, codec, width)], True


def readable_octets(body: bytes) -> tuple[bytes, str]:
    """Return the file as single-octet text without its byte order mark, and a problem in words or "".

    UTF-8 is the encoding of RFC 9309 section 2.3; every octet that is not UTF-8 stays as it is.
    UTF-16 and UTF-32 (by their mark, or by two plain characters at the start) are turned into UTF-8;
    where that fails the octets are not readable, and the caller must treat the file as unreachable.
    """
    codec, _, skip = _wide_encoding(body)
    if codec:
        try:
            return body[skip:].decode(codec).encode("utf-8"), ""
        except UnicodeError:
            return b"", f"announced as {codec} but not decodable as such"
    # Google's reader skips a beginning of the mark as well; a lone first octet of it is no rule anyway.
    for length in (3, 2, 1):
        if body.startswith(_UTF8_BOM[:length]):
            return body[length:], ""
    return body, ""


def shown(octets: bytes) -> str:
    """Return octets as evidence shows them: decoded with replacement, at most `TEXT_LIMIT` characters."""
    return octets[: TEXT_LIMIT * 4].decode("utf-8", "replace")[:TEXT_LIMIT]
