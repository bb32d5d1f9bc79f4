"""What asking for robots.txt came to: an answer's status, headers and octets in, a `RobotsFile` out.

Implements RFC 9309 section 2.3.1 (access results), 2.4 (caching) and 2.5 (limit),
https://www.rfc-editor.org/rfc/rfc9309, with RFC 9111 sections 5.2.2 and 5.3 (Cache-Control, Expires) and
RFC 9110 section 10.2.3 (Retry-After). Where the RFC leaves a choice, ours is the stricter one:

| answer | reading |
|---|---|
| 2xx | its rules; an empty one has none; HTML that holds no group has none, and `problem` says so |
| 206, and 202 without content | unreachable: what was sent is not the whole file |
| 3xx that could not be followed, more than `MAX_HOPS` hops | unreachable: nothing was obtained |
| 401, 403 | denied (RFC 9309 would permit access) |
| 407, 429 | unreachable: the proxy's word, not the site's; an overloaded server is like 5xx |
| other 4xx | unavailable: no rules, whatever the body says |
| 5xx, any other status, no response | unreachable |
| a bot challenge in place of the file, whatever the status | unreachable |
| octets whose announced encoding they do not have | unreachable |

Pure: it sends nothing, and the time is an argument.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256 as sha256_of

from policies.facts import RobotsAccess, RobotsFile
from policies.signals.challenge import challenge_of_page
from policies.signals.retry_after import parse_retry_after
from policies.signals.robots import parse_robots
from policies.signals.robots_octets import cut_to_limit

MAX_HOPS = 5
"""Redirects that are followed; RFC 9309 section 2.3.1.2 asks for at least five."""

_SECOND = 1_000_000
LONGEST_USE = 24 * 3600 * _SECOND
"""A copy is used for 24 hours at most (RFC 9309 section 2.4), in microseconds."""

SHORTEST_USE = 60 * _SECOND
"""A copy is used for a minute even if its headers ask for none (`no-store`, `max-age=0`): otherwise each page
would cost its host two requests, and the verdict on one page could change while it waits its turn."""

RETRY_AFTER_FAILURE = 600 * _SECOND
"""An unreachable file is asked for again after ten minutes, unless Retry-After says otherwise."""

LAST_GOOD_USE = 30 * 24 * 3600 * _SECOND
"""How old a last good copy may be that stands in for an unreachable file (RFC 9309 section 2.3.1.4)."""

Headers = tuple[tuple[str, str], ...]

# Header and the beginnings of its value (lower case) that name a challenge or a block of a bot.
_CHALLENGES = (
    ("cf-mitigated", ("challenge",)),
    ("x-amzn-waf-action", ("challenge", "captcha")),
    ("x-vercel-mitigated", ("",)),
)
# Headers that name a bot defence without saying that it struck: they count together with an HTML answer.
_DEFENCES = ("x-datadome", "x-kpsdk-ct", "x-kpsdk-r", "x-kpsdk-v")
_CHALLENGE_WORDS = (
    b"/cdn-cgi/challenge-platform",
    b"captcha-delivery.com",
    b"px-captcha",
    b"_incapsula_resource",
    b"awswafintegration",
)
# Without a header of its own a challenge counts only on a small page: of real answers of 2019, pages of 210
# and 823 octets were challenges, and one of 12 kB was an ordinary "not found" with the vendor's script.
_CHALLENGE_SIZE = 8 * 1024
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,12})\"?\s*(?=,|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*(?:no-cache|no-store)\s*(?==|,|$)", re.IGNORECASE)
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|script|meta|!--|\?xml)", re.IGNORECASE
)


def _values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _moment(value: str) -> int | None:
    """Return an HTTP-date as microseconds, or None when it is none."""
    try:
        moment = parsedate_to_datetime(value)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * _SECOND)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _is_markup(headers: Headers, body: bytes) -> bool:
    types = _values(headers, "content-type")
    declared = types[0].split(";", 1)[0].strip().lower() if types else ""
    return declared in {"text/html", "application/xhtml+xml"} or _MARKUP.match(body) is not None


def named_challenge(headers: Headers, body: bytes) -> str:
    """Return which bot challenge was served, or ""."""
    for name, beginnings in _CHALLENGES:
        for value in _values(headers, name):
            if value.strip().lower().startswith(beginnings):
                return f"bot challenge ({name}: {value.strip()[:80]})"
    if not _is_markup(headers, body):
        return ""
    for name in _DEFENCES:
        if _values(headers, name):
            return f"bot challenge (HTML with header {name})"
    vendor = challenge_of_page(body)
    if vendor:
        return f"bot challenge (page of {vendor})"
    if len(body) <= _CHALLENGE_SIZE:
        lowered = body.lower()
        for words in _CHALLENGE_WORDS:
            if words in lowered:
                return f"bot challenge (page holds {words.decode()})"
    return ""


def fresh_for(headers: Headers, fetched_at: int) -> int:
    """Return for how long a copy may be used, in microseconds: never above `LONGEST_USE`."""
    control = ",".join(_values(headers, "cache-control"))
    if _NOT_KEPT.search(control):
        return SHORTEST_USE
    found = _MAX_AGE.search(control)
    asked = LONGEST_USE
    if found:
        ages = [
            int(value)
            for value in _values(headers, "age")
            if re.fullmatch(r"\d{1,12}", value.strip(), re.ASCII)
        ]
        asked = (int(found[1]) - max(ages, default=0)) * _SECOND
    elif expires := _values(headers, "expires"):
        # Against the server's own clock where it tells it; a date that is none means "already expired".
        dates = _values(headers, "date")
        sent_at = _moment(dates[0]) if dates else None
        until = _moment(expires[0])
        asked = 0 if until is None else until - (fetched_at if sent_at is None else sent_at)
    return max(SHORTEST_USE, min(asked, LONGEST_USE))


def retry_pause(headers: Headers, fetched_at: int) -> int:
    """Return after how long an unreachable file is asked for again, in microseconds."""
    values = _values(headers, "retry-after")
    asked = parse_retry_after(values[0], now_us=fetched_at) if values else None
    wait = RETRY_AFTER_FAILURE if asked is None else round(asked * _SECOND)
    return max(SHORTEST_USE, min(wait, LONGEST_USE))


_STATUSES = {
    202: (RobotsAccess.UNREACHABLE, "without content: the file was not sent"),
    206: (RobotsAccess.UNREACHABLE, "only a part of the file was sent"),
    304: (RobotsAccess.UNREACHABLE, "no copy was offered that could be unchanged"),
    401: (RobotsAccess.DENIED, "robots.txt itself is refused"),
    403: (RobotsAccess.DENIED, "robots.txt itself is refused"),
    407: (RobotsAccess.UNREACHABLE, "a proxy refuses, the site was not asked"),
    429: (RobotsAccess.UNREACHABLE, "too many requests"),
}


def _access_by_status(status: int, headers: Headers, body: bytes) -> tuple[RobotsAccess, str]:
    """Return how a status counts, and the problem in words or ""."""
    if status in _STATUSES and not (status == 202 and body.strip()):  # noqa: PLR2004 - Accepted
        access, words = _STATUSES[status]
        return access, f"HTTP {status}: {words}"
    match status // 100:
        case 2:
            return RobotsAccess.RULES, ""
        case 3:
            where = _values(headers, "location")
            words = f"a redirect to {where[0][:200]} that was not followed" if where else "a redirect nowhere"
            return RobotsAccess.UNREACHABLE, f"HTTP {status}: {words}"
        case 4:
            return RobotsAccess.UNAVAILABLE, ""
        case _:
            return RobotsAccess.UNREACHABLE, f"HTTP {status}"


def _access_of(
    status: int | None, headers: Headers, body: bytes, hops: int, error: str | None
) -> tuple[RobotsAccess, str]:
    """Return how the answer counts, and the problem in words or ""."""
    if error is not None or status is None:
        return RobotsAccess.UNREACHABLE, error or "no response"
    if hops > MAX_HOPS:
        return RobotsAccess.UNREACHABLE, f"more than {MAX_HOPS} redirects"
    challenge = named_challenge(headers, body)
    if challenge:
        return RobotsAccess.UNREACHABLE, f"HTTP {status}: {challenge} in place of the file"
    return _access_by_status(status, headers, body)


def _oddity(headers: Headers, body: bytes, truncated: bool) -> tuple[bool, str]:
    """Return whether the octets are unreadable, and what is odd about a file that was sent, or ""."""
    rules = parse_robots(body)
    if rules.problem:
        return True, f"robots.txt is unreadable: {rules.problem}"
    words = []
    if rules.group_count == 0 and _is_markup(headers, body):
        words.append("HTML in place of robots.txt: it holds no rules")
    if truncated:
        words.append(f"only the first {len(body)} octets were read: the file is longer than the limit")
    return False, "; ".join(words)


def read_robots_answer(
    *,
    url: str,
    final_url: str,
    status: int | None,
    headers: Headers,
    body: bytes,
    fetched_at: int,
    hops: int,
    error: str | None,
) -> RobotsFile:
    """Return what asking for `url` came to.

    `headers` keeps order and repeats, values as text; `body` is decoded from its content coding; `hops`
    counts the redirects that were met; `error` says why there is no usable response (network, TLS, timeout,
    too large, refused by our own rules), and None means that there is one. Times are UTC microseconds.
    The file keeps the octets only where they were read as rules: nobody can obey the body of a 404 by
    mistake. `sha256` is of what is kept.
    """
    access, problem = _access_of(status, headers, body, hops, error)
    kept, truncated = cut_to_limit(body) if access is RobotsAccess.RULES else (b"", False)
    if access is RobotsAccess.RULES:
        unreadable, problem = _oddity(headers, kept, truncated)
        access = RobotsAccess.UNREACHABLE if unreadable else access
    if access is RobotsAccess.UNREACHABLE:
        wait = retry_pause(headers, fetched_at)
    else:
        wait = fresh_for(headers, fetched_at)
    return RobotsFile(
        url=url,
        final_url=final_url,
        access=access,
        status=status,
        body=kept,
        sha256=sha256_of(kept).hexdigest(),
        fetched_at=fetched_at,
        expires_at=fetched_at + wait,
        problem=problem,
        truncated=truncated,
    )


def with_last_good(failed: RobotsFile, previous: RobotsFile | None, now: int) -> RobotsFile:
    """Return the copy to use after a refetch: the last good one while the file is unreachable, or `failed`.

    RFC 9309 section 2.3.1.4 permits a cached copy for a reasonably long time; here `LAST_GOOD_USE` counted
    from when the copy was obtained, whatever happened since. The copy keeps its octets, its digest and its
    `fetched_at`; it is asked for again when `failed` would be. Any answer other than unreachable stands.
    """
    if failed.access is not RobotsAccess.UNREACHABLE or previous is None or previous.url != failed.url:
        return failed
    if previous.access not in {RobotsAccess.RULES, RobotsAccess.UNAVAILABLE}:
        return failed
    if not 0 <= now - previous.fetched_at <= LAST_GOOD_USE:
        return failed
    obtained = datetime.fromtimestamp(previous.fetched_at // _SECOND, UTC).isoformat().replace("+00:00", "Z")
    return replace(
        previous,
        stale=True,
        expires_at=min(failed.expires_at, previous.fetched_at + LAST_GOOD_USE),
        problem=f"unreachable ({failed.problem}); the copy of {obtained} is used",
    )
