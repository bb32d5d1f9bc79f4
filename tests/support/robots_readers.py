"""Two readers of robots.txt that others wrote, and why they refuse what RFC 9309 allows.

`google` is Google's parser in C++ (fast-robotstxt, whose build also decodes reserved escapes and drops an empty
query); `robotspy` is a reader in Python after RFC 9309. A departure is named by cause: `DEPARTURES` rewrites the file or the
URL in a way that changes nothing under the section named, and the reader then no longer refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from plain_robots import judged, normal, pattern, within_limit
from robots.parser import RobotsParser
from robotstxt import RobotsMatcher

_HIGH_OCTET = re.compile(rb"[\x80-\xff]")


def as_text(body: bytes) -> str:
    """Both readers want text; octets that are not UTF-8 stand as escapes, as section 2.2.2 compares them."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _HIGH_OCTET.sub(lambda found: b"%%%02X" % found[0][0], body).decode("ascii")


class _Robotspy(RobotsParser):
    """As published, but for one defect: there, a group that names an agent again and others with it gives all of them the
    agent's earlier rules, in the order of a set, so that the answer depends on the hash seed of the process.
    """

    def update_rules(self, agents, rules):
        for agent in dict.fromkeys(agents):
            merged = self.agents_rules.get(agent, []) + rules
            merged.sort(key=lambda rule: (len(rule.path), rule.allowed), reverse=True)
            self.agents_rules[agent] = merged


@lru_cache(maxsize=4)
def _robotspy_of(body: bytes) -> _Robotspy:
    return _Robotspy.from_string(as_text(body))


@lru_cache(maxsize=4)
def _text_of(body: bytes) -> str:
    return as_text(body)


_MATCHER = RobotsMatcher()


def google_allows(body: bytes, token: str, path: str) -> bool:
    return _MATCHER.is_allowed(_text_of(body), token, f"https://site.example{path}")


def robotspy_allows(body: bytes, token: str, path: str) -> bool:
    return _robotspy_of(body).can_fetch(token, f"https://site.example{path}")


READERS: dict[str, Callable[[bytes, str, str], bool]] = {"google": google_allows, "robotspy": robotspy_allows}

_AGENT_LINE = re.compile(rb"(?im)^([ \t]*user-agent[ \t]*:[ \t]*)([^\r\n#]*)")
_NAME = re.compile(rb"\*(?![^\s\xa0])|[A-Za-z_-]+")
_RULE_LINE = re.compile(rb"(?im)^([ \t]*(?:dis)?allow[ \t]*:[ \t]*)([^\r\n#]*)")
_NOT_UNRESERVED = re.compile(
    r"%(?!2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])[0-9A-Fa-f]{2}"
)


def _plainly_named(body: bytes, path: str) -> tuple[bytes, str]:
    def rewritten(found):
        name = _NAME.match(found[2])
        return found[1] + (name[0] if name else b"Nobody") + b" "

    return _AGENT_LINE.sub(rewritten, body), path


_ROUND = bytes.maketrans(b"[]", b"()")


def _without_globs(body: bytes, path: str) -> tuple[bytes, str]:
    """Brackets become round ones on both sides; a rule with `?` that does not match the URL becomes empty."""

    def rewritten(found):
        value = found[2].strip()
        matches = not set(b"?[").intersection(value) or pattern(value.decode("latin-1"))[0].match(
            judged(path)
        )
        return found[1] + found[2].translate(_ROUND) if matches else found[1]

    return _RULE_LINE.sub(rewritten, body), path.replace("[", "(").replace("]", ")")


class Departure(NamedTuple):
    """Why a reader departs, the section that decides, and the rewriting that shows it."""

    section: str
    why: str
    rewrite: Callable[[bytes, str], tuple[bytes, str]]


DEPARTURES: dict[str, Departure] = {
    "beyond-the-limit": Departure(
        "2.5", "rules behind the first 500 KiB are not read", lambda body, path: (within_limit(body), path)
    ),
    "robots-txt-itself": Departure(
        "2.2.2",
        "/robots.txt is always allowed, however its unreserved characters are escaped",
        lambda body, path: (b"", path) if normal(path) == "/robots.txt" else (body, path),
    ),
    "reserved-escape": Departure(
        "2.2.2",
        "an escaped reserved octet (%2F, %3F, %26, %24…) is not the octet itself; both readers decode it",
        lambda body, path: (body, _NOT_UNRESERVED.sub("Q", path)),
    ),
    "empty-segment": Departure(
        "2.2.2",
        "paths are compared octet by octet; robotspy makes one slash of several",
        lambda body, path: (body, re.sub("/(?=/)", "/Q", path)),
    ),
    "empty-query": Departure(
        "2.2.2",
        "paths are compared octet by octet, and `?` is one; Google's build drops it where no query follows",
        lambda body, path: (body, path + "Q" if path.endswith("?") else path),
    ),
    "dollar-is-the-end": Departure(
        "2.2.3",
        "a last `$` is the end of the URL and never the character; robotspy compares it as one too",
        lambda body, path: (body, path.replace("$", "Q")),
    ),
    "glob": Departure(
        "2.2.3",
        "`*` and `$` are the only special characters; to robotspy `?` and `[` are those of a shell",
        _without_globs,
    ),
    "agent-line-unread": Departure(
        "2.2.1",
        "a user-agent line begins a group whatever it names, and `*` is a name only when it stands alone; robotspy "
        "skips a line that begins with a digit or goes on with an s, so that its rules go to the group before it",
        _plainly_named,
    ),
    "dot-segments": Departure(
        "2.2.2",
        "paths are those of a URI, whose dot segments are resolved (RFC 3986 section 6.2.2.3); robotspy keeps them",
        lambda body, path: (body, judged(path)),
    ),
    "line-end": Departure(
        "2.2",
        "a CR alone ends a line; to robotspy only LF does",
        lambda body, path: (re.sub(rb"\r\n?", b"\n", body), path),
    ),
}


def departure_of(reader: str, body: bytes, token: str, path: str) -> str:
    """Name why a reader refuses: the smallest set of rewritings after which it does not, or ""."""
    allows = READERS[reader]
    for size in (1, 2):
        for names in combinations(DEPARTURES, size):
            file, address = body, path
            for name in names:
                file, address = DEPARTURES[name].rewrite(file, address)
            if (file, address) != (body, path) and allows(file, token, address):
                return "+".join(names)
    return ""
