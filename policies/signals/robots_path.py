"""Paths and path patterns of robots.txt: one normal form for both sides, and a matcher in linear time.

Implements RFC 9309 section 2.2.2 and 2.2.3 (https://www.rfc-editor.org/rfc/rfc9309) with the escapes of
RFC 3986 sections 2.1-2.3 and the dot segments of its section 5.2.4.
An escaped unreserved octet is decoded, every other escape is written in upper case, and an octet that a
URI cannot hold is escaped; so `%7E` equals `~`, `%3c` equals `%3C`, and `%2F` differs from `/`.
No regular expression is made from a pattern: a hostile pattern costs one left-to-right search a piece.
Pure; raises nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

# An escape, a `%` that begins none, or an octet outside `pchar / "/" / "?"` of RFC 3986 section 3.3.
# `*` and `$` are among the latter because RFC 9309 section 2.2.3 writes their literals `%2A` and `%24`.
_TO_REWRITE = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?@!&'()+,;=]")

_PLAIN_URL = re.compile(r"https?://[^/?#]+(/[A-Za-z0-9\-._~:/?@!&'()+,;=]*)")
_URL = re.compile(r"(?is:https?://([^/?#]*)([^#]*))")
_PLAIN_WITH_STARS = re.compile(rb"[A-Za-z0-9\-._~:/?@!&'()+,;=*]*")
# What normal_lines() rewrites: as above, but no `*`, no line end, and no `$` before one.
_ODD = re.compile(rb"(%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?@!&'()+,;=*$\n]|\$(?![\n]|\Z))")
_INNER_DOLLAR = re.compile(rb"\$(?![\n]|\Z)")
# A `%` that is cut off: what stands before the end of a pattern, or before a star, begins an escape.
_CUT = rb"%[0-9A-Fa-f]?(?=[*\n]|\Z)"
_CUT_ESCAPE = re.compile(_CUT)
_CUT_OR_ODD = re.compile(rb"(%b)|%b" % (_CUT, _ODD.pattern))
_PLAIN_PATTERN = re.compile(rb"[A-Za-z0-9\-._~:/?@!&'()+,;=]*")


def _rewritten() -> dict[bytes, bytes]:
    table = {bytes((octet,)): b"%%%02X" % octet for octet in range(256)}
    for octet in range(256):
        normal = bytes((octet,)) if octet in _UNRESERVED else b"%%%02X" % octet
        upper, lower = b"%02X" % octet, b"%02x" % octet
        for first in {upper[:1], lower[:1]}:
            for second in {upper[1:], lower[1:]}:
                table[b"%" + first + second] = normal
    return table


_REWRITTEN = _rewritten()


def normal_octets(octets: bytes) -> str:
    """Return octets of a path or query in normal form (ASCII, escapes as the module docstring says)."""
    if _PLAIN_PATTERN.fullmatch(octets):
        return octets.decode("ascii")
    return _TO_REWRITE.sub(lambda found: _REWRITTEN[found[0]], octets).decode("ascii")


def _without_dot_segments(path: str) -> str:
    """Return an absolute path with `.` and `..` resolved (RFC 3986 section 5.2.4)."""
    out: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if out:
                out.pop()
        elif segment != ".":
            out.append(segment)
    if segments[-1] in {".", ".."}:
        out.append("")
    return "/" + "/".join(out)


def judged_path(url: str) -> str | None:
    """Return the path and query of an absolute http(s) URL as rules are matched against it.

    The fragment is dropped, an absent path is `/`, dot segments are resolved in the path only.
    None when the URL is not absolute http(s) with an authority: then nothing may be fetched.
    """
    plain = _PLAIN_URL.fullmatch(url)
    if plain and "/." not in plain[1]:
        return plain[1]
    parts = _URL.match(url)
    if parts is None or not parts[1]:
        return None
    rest = parts[2]
    path, mark, query = normal_octets(rest.encode("utf-8", "surrogatepass")).partition("?")
    if not path.startswith("/"):
        path = f"/{path}"
    if "/." in path:
        path = _without_dot_segments(path)
    return f"{path}{mark}{query}"


def normal_lines(values: list[bytes]) -> tuple[list[str], bool]:
    """Return patterns in normal form with their `*` and a `$` at their end, and whether one has another `$`.

    None of them holds a line end. Done for all at once, because a file has tens of thousands.
    `/%` and `/a%2*` say octet by octet (RFC 9309 section 2.2.2) that whatever goes on from there is meant:
    such a beginning of an escape stays as it is. Any other `%` that begins none is the octet itself, `%25`.
    """
    joined = b"\n".join(values)
    if _ODD.search(joined) is None:
        return joined.decode("ascii").split("\n") if values else [], False
    if _CUT_ESCAPE.search(joined) is None:
        parts = _ODD.split(joined)
        parts[1::2] = map(_REWRITTEN.__getitem__, parts[1::2])
    else:
        parts = _CUT_OR_ODD.split(joined)
        parts[1::3] = (cut.upper() if cut else b"" for cut in parts[1::3])
        parts[2::3] = (_REWRITTEN[odd] if odd else b"" for odd in parts[2::3])
    return b"".join(parts).decode("ascii").split("\n"), _INNER_DOLLAR.search(joined) is not None


class PathPattern(NamedTuple):
    """A compiled path pattern; a named tuple, because a file has thousands of them.

    `prefix` is what stands before the first `*`; `pieces` what stands between and behind the stars
    (None without a star); `anchored` says whether it ends in `$`; `octets` is the length that decides
    which rule is the most specific: the normal form with its `*` and `$`.
    """

    prefix: str
    pieces: tuple[str, ...] | None
    anchored: bool
    octets: int

    @property
    def is_prefix(self) -> bool:
        """Whether matching is a comparison with the beginning of the path, as long as `octets`."""
        return self.pieces is None and not self.anchored and self.octets == len(self.prefix)

    def matches(self, path: str) -> bool:
        """Return whether the pattern matches a path in normal form.

        Each piece is searched once, from where the one before it ended; the leftmost place is enough,
        because what comes later only gets more room. Linear in the path for every piece.
        """
        if not path.startswith(self.prefix):
            return False
        if self.pieces is None:
            return not self.anchored or len(path) == len(self.prefix)
        position = len(self.prefix)
        for piece in self.pieces[:-1]:
            found = path.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
        last = self.pieces[-1]
        if self.anchored:
            return len(path) - len(last) >= position and path.endswith(last)
        return not last or path.find(last, position) >= 0


def compile_pattern(value: bytes) -> PathPattern:
    """Return the pattern of a rule's value; every octet string has one."""
    anchored = value.endswith(b"$")
    if anchored:
        value = value[:-1]
    if _PLAIN_WITH_STARS.fullmatch(value):
        literals = value.decode("ascii").split("*")
    else:
        literals = [normal_octets(piece) for piece in value.split(b"*")]
    # A literal `$` is one octet of specificity although its normal form `%24` has three.
    octets = sum(map(len, literals)) + len(literals) - 1 + anchored - 2 * value.count(b"$")
    pieces = None
    if len(literals) > 1:
        # A run of stars is one star: empty pieces between two stars match everywhere.
        pieces = (*(piece for piece in literals[1:-1] if piece), literals[-1])
    return PathPattern(prefix=literals[0], pieces=pieces, anchored=anchored, octets=octets)
