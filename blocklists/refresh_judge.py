"""Whether an answer to a list request becomes the list: accepted, unchanged, held for review, or failed.

Decides that nothing takes the place of a good list unless it looks like the same list a little later. What
cannot be trusted is held with every concern in words; the last good list stays in force.
Pure: the answer, the parsed list and the time arrive as arguments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blocklists.canaries import CanaryProblem, Sign
from blocklists.host import canonical_host
from blocklists.refresh_minisign import parse_public_key, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SHRINK = 0.20
MOST_GROWTH = 0.50
#: Below this many entries a share says nothing: one site more or less is a large part of a short list.
SHARES_COUNT_FROM = 50
#: What an answer may have, compressed or not (also asked of the downloader, which stops there).
MAX_ANSWER_OCTETS = 128 * 1024 * 1024
_OK = 200
_NOT_MODIFIED = 304


class Outcome(StrEnum):
    """What becomes of an answer."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    HELD = "held"
    FAILED = "failed"


class Concern(StrEnum):
    """Why an answer is not simply accepted. The first group is never waived."""

    UNREACHABLE = "unreachable"
    STATUS = "status"
    HOST_NOT_PINNED = "host_not_pinned"
    NOTHING_TO_KEEP = "nothing_to_keep"  # 304 without a local copy
    NOT_A_LIST = "not_a_list"
    NOT_UNDERSTOOD = "not_understood"
    TOO_LARGE = "too_large"
    DIGEST = "digest"
    SIGNATURE = "signature"
    UNWANTED_NAME = "unwanted_name"  # a must-not canary is listed
    COUNT = "count"
    # what a person may accept after review
    SHRUNK = "shrunk"
    GREW = "grew"
    MISSING_NAME = "missing_name"  # a must-have canary is not listed


ACCEPTABLE = frozenset({Concern.SHRUNK, Concern.GREW, Concern.MISSING_NAME})
#: Another address of the same list may do better.
WORTH_ANOTHER_ADDRESS = frozenset(
    {
        Concern.UNREACHABLE,
        Concern.STATUS,
        Concern.HOST_NOT_PINNED,
        Concern.NOT_A_LIST,
        Concern.NOT_UNDERSTOOD,
        Concern.COUNT,
        Concern.TOO_LARGE,
        Concern.DIGEST,
        Concern.SIGNATURE,
    }
)


_CANARIES = {Sign.UNWANTED: Concern.UNWANTED_NAME, Sign.MISSING: Concern.MISSING_NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What an answer has to meet. Hosts are canonical; empty texts demand nothing; changes are shares."""

    pinned_hosts: frozenset[str]
    sha256: str = ""
    minisign_key: str = ""
    most_shrink: float = MOST_SHRINK
    most_growth: float = MOST_GROWTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one address answered: `url` where it came from in the end; `error` in words when nothing came."""

    url: str
    status: int | None = None
    body: bytes = b""
    signature: bytes = b""
    etag: str = ""
    last_modified: str = ""
    error: str = ""
    too_large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """The list that is in force: digest of its octets and number of its entries."""

    sha256: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a parser made of an answer.

    `problem` says why it is no list; `miscounted` that its header states another number of entries than it
    holds; `canaries` is what the canaries show.
    """

    entries: int = 0
    problem: str = ""
    miscounted: str = ""
    canaries: tuple[CanaryProblem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of an answer, and every concern with its words."""

    outcome: Outcome
    concerns: tuple[tuple[Concern, str], ...] = ()
    sha256: str = ""

    @property
    def words(self) -> str:
        """The concerns as one line."""
        return "; ".join(words for _, words in self.concerns)

    def tries_elsewhere(self) -> bool:
        """Whether another address of the same list may do better."""
        return any(concern in WORTH_ANOTHER_ADDRESS for concern, _ in self.concerns)


def judge_answer(
    demands: Demands,
    answer: Answer,
    last: LastGood | None,
    read: Callable[[bytes], Reading],
    *,
    accepted_sha256: str = "",
) -> Decision:
    """Decide about an answer.

    `last` is None when no copy of this list is in force; `read` parses octets and is only called for an
    answer that looks like a list. `accepted_sha256` is the digest that a person accepted after review: it
    lifts the concerns in `ACCEPTABLE` for exactly these octets, and no other.
    """
    refused = _refuse_transport(demands, answer, last)
    if refused is not None:
        return refused
    body = answer.body
    digest = hashlib.sha256(body).hexdigest()
    concerns = _look_at(demands, answer, digest)
    if not concerns and last is not None and last.sha256 == digest:
        return Decision(outcome=Outcome.UNCHANGED, sha256=digest)
    if not concerns:
        concerns = _read_through(demands, read(body), last)
    if accepted_sha256 == digest:
        concerns = [(concern, words) for concern, words in concerns if concern not in ACCEPTABLE]
    outcome = Outcome.HELD if concerns else Outcome.ACCEPTED
    return Decision(outcome=outcome, concerns=tuple(concerns), sha256=digest)


def is_pinned(url: str, pinned_hosts: frozenset[str]) -> bool:
    """Whether an address may be asked for a list: http(s), and its host is one of the pinned ones."""
    try:
        parts = urlsplit(url)
        host = canonical_host(parts.hostname or "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host is not None and host in pinned_hosts


def _failed(concern: Concern, words: str) -> Decision:
    return Decision(outcome=Outcome.FAILED, concerns=((concern, words),))


def _refuse_transport(  # noqa: PLR0911 - one way out a refusal
    demands: Demands, answer: Answer, last: LastGood | None
) -> Decision | None:
    """Return the decision about an answer that brought no list at all, or None."""
    if answer.too_large:
        return _failed(Concern.TOO_LARGE, f"more than {MAX_ANSWER_OCTETS} octets, unpacked or not")
    if answer.error or answer.status is None:
        return _failed(Concern.UNREACHABLE, answer.error or "no answer")
    if not is_pinned(answer.url, demands.pinned_hosts):
        pinned = ", ".join(sorted(demands.pinned_hosts))
        return _failed(Concern.HOST_NOT_PINNED, f"answered by {answer.url[:200]}, pinned are {pinned}")
    if answer.status == _NOT_MODIFIED:
        if last is None:
            return _failed(Concern.NOTHING_TO_KEEP, "304, but no copy of this list is here")
        return Decision(outcome=Outcome.UNCHANGED, sha256=last.sha256)
    if answer.status != _OK:
        return _failed(Concern.STATUS, f"status {answer.status}")
    return None


def _look_at(demands: Demands, answer: Answer, digest: str) -> list[tuple[Concern, str]]:
    """Return what is wrong with octets before anybody reads them."""
    body = answer.body
    if len(body) > MAX_ANSWER_OCTETS:
        return [(Concern.TOO_LARGE, f"{len(body)} octets, a list may have {MAX_ANSWER_OCTETS}")]
    if not body.strip():
        return [(Concern.NOT_A_LIST, "the answer is empty")]
    if looks_like_a_page(body):
        return [(Concern.NOT_A_LIST, "a web page in place of a list")]
    concerns = []
    if demands.sha256 and demands.sha256 != digest:
        concerns.append((Concern.DIGEST, f"SHA-256 is {digest}, pinned is {demands.sha256}"))
    if demands.minisign_key:
        wrong = _wrong_with_signature(demands.minisign_key, answer)
        if wrong:
            concerns.append((Concern.SIGNATURE, wrong))
    return concerns


def looks_like_a_page(body: bytes) -> bool:
    """Whether octets begin like markup or like an error document in JSON."""
    head = body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith((b"<", b'{"error', b'{"message'))


def _wrong_with_signature(key: str, answer: Answer) -> str:
    try:
        public = parse_public_key(key)
    except ValueError as error:
        return f"the pinned key {error}"
    if not answer.signature:
        return "a minisign key is pinned, and no signature was found"
    return what_is_wrong(public, answer.signature, answer.body)


def _read_through(demands: Demands, reading: Reading, last: LastGood | None) -> list[tuple[Concern, str]]:
    """Return what is wrong with a list that was read."""
    if reading.problem:
        return [(Concern.NOT_UNDERSTOOD, reading.problem)]
    if reading.miscounted:
        return [(Concern.COUNT, reading.miscounted)]
    concerns = _size_change(demands, reading.entries, last)
    concerns += [(_CANARIES[problem.sign], str(problem)) for problem in reading.canaries]
    return concerns


def _size_change(demands: Demands, entries: int, last: LastGood | None) -> list[tuple[Concern, str]]:
    if last is None or max(entries, last.entries) < SHARES_COUNT_FROM:
        return []
    words = f"{last.entries} entries before, {entries} now"
    if entries < last.entries * (1 - demands.most_shrink):
        return [(Concern.SHRUNK, f"{words}: shrank by more than {demands.most_shrink:.0%}")]
    if entries > last.entries * (1 + demands.most_growth):
        return [(Concern.GREW, f"{words}: grew by more than {demands.most_growth:.0%}")]
    return []
