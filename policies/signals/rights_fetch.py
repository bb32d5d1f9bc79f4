"""What asking for a file of rights came to: an answer's status, headers and octets in, a `RightsFile` out.

The files are `/.well-known/tdmrep.json` (https://github.com/w3c/tdm-reservation-protocol), ai.txt
(https://site.spawning.ai/spawning-ai-txt), trust.txt (https://journallist.net) and RSL documents
(https://rslstandard.org/rsl). None of their specifications reads an error as a refusal, so what was not
obtained says nothing here; what follows from it differs from family to family and is decided where the family
is judged. How long a copy may be used is the same as for robots.txt (`robots_fetch.py`).

| answer | reading |
|---|---|
| 200, 203 with content | obtained |
| 2xx without content, 404, 410, other 4xx | absent |
| 401, 402, 403, 407, 429, 5xx, no response, too many hops, too large | not obtained |
| a bot challenge, whatever the status | not obtained |
| HTML, where no HTML is meant (a soft 404, a single-page application, a login page) | absent, RSL: obtained |

Pure: it sends nothing, and the time is an argument. Never raises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256 as sha256_of

from policies.signals.robots_fetch import (
    LAST_GOOD_USE,
    MAX_HOPS,
    Headers,
    fresh_for,
    named_challenge,
    retry_pause,
)
from policies.vocabulary import Evidence

MAX_OCTETS = 512_000
"""Octets that are read of one file of rights; a longer one counts as not obtained, because half a list of
exceptions says the opposite of the whole."""

_CONTENT = frozenset((200, 203))
_REFUSED = frozenset((401, 402, 403, 407, 429))
_BEFORE_MARKUP = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\f"


class Family(StrEnum):
    """Which specification a file belongs to."""

    TDMREP = "tdmrep"
    AI_TXT = "ai_txt"
    TRUST_TXT = "trust_txt"
    RSL = "rsl"


class RightsAccess(StrEnum):
    """What asking came to."""

    OBTAINED = "obtained"
    ABSENT = "absent"
    UNOBTAINABLE = "unobtainable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsFile:
    """One file of rights as it was obtained.

    `url` is the address that was asked first and `final_url` where redirects ended; `status` the last HTTP
    status (None without a response); `body` the octets that are read, empty unless OBTAINED; `sha256` their
    hex digest; times are UTC microseconds; `problem` says in words why there is nothing to read, or what was
    odd; `stale` marks a last good copy that is used because asking again failed.
    """

    family: Family
    url: str
    final_url: str
    access: RightsAccess
    status: int | None
    body: bytes
    sha256: str
    fetched_at: int
    expires_at: int
    problem: str = ""
    stale: bool = False

    def evidence(self, *, line: int | None = None, text: str = "", note: str = "") -> Evidence:
        """Return evidence that points into this file."""
        notes = [note, "" if self.final_url == self.url else f"obtained from {self.final_url[:300]}"]
        notes.append(self.problem)
        return Evidence(
            source=self.url[:2000],
            line=line,
            text=text,
            sha256=self.sha256 if self.access is RightsAccess.OBTAINED else None,
            fetched_at=self.fetched_at,
            note="; ".join(words for words in notes if words),
        )


def _access_of(  # noqa: PLR0917 - the parts of one answer
    family: Family, status: int | None, headers: Headers, body: bytes, hops: int, error: str | None
) -> tuple[RightsAccess, str]:
    """Return how the answer counts, and the problem in words or ""."""
    failed = ""
    if error is not None or status is None:
        failed = error or "no response"
    elif hops > MAX_HOPS:
        failed = f"more than {MAX_HOPS} redirects"
    elif challenge := named_challenge(headers, body):
        failed = f"HTTP {status}: {challenge} in place of the file"
    elif status in _REFUSED or status >= 500 or status < 200:  # noqa: PLR2004 - classes of RFC 9110 section 15
        failed = f"HTTP {status}"
    elif 300 <= status < 400:  # noqa: PLR2004 - as above
        failed = f"HTTP {status}: a redirect that leads nowhere"
    elif status in _CONTENT and len(body) > MAX_OCTETS:
        failed = f"{len(body)} octets; at most {MAX_OCTETS} are read"
    if failed:
        return RightsAccess.UNOBTAINABLE, failed
    if status not in _CONTENT:
        return RightsAccess.ABSENT, f"HTTP {status}"
    if not body.strip():
        return RightsAccess.ABSENT, "the file is empty"
    # By the octets and not by the declared type: misconfigured servers send JSON and text as text/html.
    if family is not Family.RSL and body.lstrip(_BEFORE_MARKUP).startswith(b"<"):
        return RightsAccess.ABSENT, "HTML in place of the file"
    return RightsAccess.OBTAINED, ""


def read_rights_answer(
    *,
    family: Family,
    url: str,
    final_url: str,
    status: int | None,
    headers: Headers,
    body: bytes,
    fetched_at: int,
    hops: int,
    error: str | None,
) -> RightsFile:
    """Return what asking for `url` came to.

    `headers` keeps order and repeats, names in lower case; `body` is decoded from its content coding; `hops`
    counts the redirects that were met; `error` says why there is no usable response, and None means that
    there is one. Times are UTC microseconds.
    """
    access, problem = _access_of(family, status, headers, body, hops, error)
    kept = body if access is RightsAccess.OBTAINED else b""
    failed = access is RightsAccess.UNOBTAINABLE
    wait = retry_pause(headers, fetched_at) if failed else fresh_for(headers, fetched_at)
    return RightsFile(
        family=family,
        url=url,
        final_url=final_url,
        access=access,
        status=status,
        body=kept,
        sha256=sha256_of(kept).hexdigest(),
        fetched_at=fetched_at,
        expires_at=fetched_at + wait,
        problem=problem,
    )


def not_asked(family: Family, url: str, why: str, *, now_us: int, expires_at: int) -> RightsFile:
    """Return the file that stands for an address that cannot be asked, such as a relative License line."""
    return RightsFile(
        family=family,
        url=url,
        final_url=url,
        access=RightsAccess.UNOBTAINABLE,
        status=None,
        body=b"",
        sha256=sha256_of(b"").hexdigest(),
        fetched_at=now_us,
        expires_at=expires_at,
        problem=why,
    )


def with_last_good_copy(failed: RightsFile, previous: RightsFile | None, now_us: int) -> RightsFile:
    """Return the copy to use after asking again: the last one obtained while the file cannot be, or `failed`.

    A reservation that was read must not lapse because a server is down: the copy stands in for as long as
    one of robots.txt would (`LAST_GOOD_USE`), and is asked for again when `failed` would be.
    """
    if failed.access is not RightsAccess.UNOBTAINABLE or previous is None or previous.url != failed.url:
        return failed
    if previous.access is not RightsAccess.OBTAINED or not 0 <= now_us - previous.fetched_at <= LAST_GOOD_USE:
        return failed
    return replace(
        previous,
        stale=True,
        expires_at=min(failed.expires_at, previous.fetched_at + LAST_GOOD_USE),
        problem=f"not obtained again ({failed.problem}); the earlier copy is used",
    )
