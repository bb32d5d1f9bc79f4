"""RFC 9309 sections 2.2 and 2.5 written out with regular expressions: slow, short, and independent of our reader.

It settles who is right where two readers differ: it imports nothing of the project, knows none of our lenient
readings, and each of its lines is to be held against the text of the section beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

LIMIT = 500 * 1024
LINE = re.compile(
    r"[ \t]*(user-agent|allow|disallow)[ \t]*:[ \t]*([^#]*?)[ \t]*(?:#.*)?", re.IGNORECASE | re.DOTALL
)
NAME = re.compile(r"\*(?!\S)|[A-Za-z_-]+")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|[^!&'()+,/:;=?@A-Za-z0-9._~-]")


def _escaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16)) if found[1] else found[0]
    return character if found[1] and UNRESERVED.fullmatch(character) else f"%{ord(character):02X}"


def normal(text: str) -> str:
    """Section 2.2.2: octets outside the unreserved ones are compared escaped, escaped unreserved ones are not."""
    return ESCAPE.sub(_escaped, text)


@lru_cache(maxsize=4096)
def pattern(value: str) -> tuple[re.Pattern[str], int]:
    """Section 2.2.3: `*` is any run, a last `$` the end; section 2.2.2: the most octets are the most specific."""
    anchored = value.endswith("$")
    pieces = [normal(piece) for piece in value.removesuffix("$").split("*")]
    expression = ".*".join(map(re.escape, pieces)) + (r"\Z" if anchored else "")
    octets = sum(map(len, pieces)) + len(pieces) - 1 + anchored - 2 * value.removesuffix("$").count("$")
    return re.compile(expression, re.DOTALL), octets


@dataclass
class Group:
    names: set[str] = field(default_factory=set)
    rules: list[tuple[bool, str]] = field(default_factory=list)


def within_limit(body: bytes) -> bytes:
    """Section 2.5: at least 500 KiB are read; a line that the limit divides is left out."""
    if len(body) <= LIMIT:
        return body
    kept = body[:LIMIT]
    return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]


def lines_of(body: bytes) -> list[str]:
    """Section 2.2: a line ends with CR, LF or CRLF. One character an octet."""
    return re.split(r"\r\n|\r|\n", within_limit(body.removeprefix(b"\xef\xbb\xbf")).decode("latin-1"))


class PlainRobots:
    """Groups of a file (section 2.2.1), other records left out (section 2.2.4)."""

    def __init__(self, body: bytes) -> None:
        self.groups: list[Group] = []
        naming = False
        for line in lines_of(body):
            found = LINE.fullmatch(line)
            if found is None:
                continue
            key, value = found[1].lower(), found[2]
            if key == "user-agent":
                if not naming:
                    self.groups.append(Group())
                name = NAME.match(value)
                self.groups[-1].names.add(name[0].lower() if name else "")
            elif self.groups and value.startswith("/" if key == "allow" else ("/", "*")):
                # A leading `*` is no path pattern in the grammar; it is counted against us, never for us.
                self.groups[-1].rules.append((key == "allow", value))
            naming = key == "user-agent"

    def rules_for(self, token: str) -> list[tuple[bool, str]]:
        """Section 2.2.1: all groups of the token together; if none, all groups of `*` together."""
        for name in (token.lower(), "*"):
            chosen = [group.rules for group in self.groups if name in group.names]
            if chosen:
                return [rule for rules in chosen for rule in rules]
        return []

    def allows(self, token: str, path: str) -> bool:
        """Section 2.2.2: the most octets decide, allow where they are equal; /robots.txt is always allowed."""
        path = judged(path)
        if path == "/robots.txt":
            return True
        best = max(
            (
                (octets, allow)
                for allow, (expression, octets) in self._compiled(token)
                if expression.match(path)
            ),
            default=(0, True),
        )
        return best[1]

    def _compiled(self, token: str):
        return [(allow, pattern(value)) for allow, value in self.rules_for(token)]


def judged(path: str) -> str:
    """The path and query in normal form, its dot segments resolved (RFC 3986 section 5.2.4)."""
    path, mark, query = normal(path).partition("?")
    out: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            out = out[:-1]
        elif segment != ".":
            out.append(segment)
    if segments[-1] in {".", ".."}:
        out.append("")
    return "/" + "/".join(out) + mark + query
