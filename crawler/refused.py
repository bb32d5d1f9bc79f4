"""Remembers which addresses were refused in this crawl, so that nothing asks for them again in another guise.

A refusal is an answer. Asking once more with a fresh cookie jar, another proxy, another method or another
header would go round it, whether Scrapy's retry, a project's own component or the spider does so. The same
crawl may ask again after a day, which is how long a site's robots.txt is believed, too.
Holds digests only; bounded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from crawler.checkpoint import Checkpoint

RULE = "refused"
REMEMBERED_FOR_US = 24 * 3600 * 1_000_000
REMEMBERED_ADDRESSES = 200_000

#: Refusals of access: what a site, its defence, its licence desk or its publisher said no to.
REFUSALS = frozenset(
    {
        Reason.HTTP_401,
        Reason.HTTP_402,
        Reason.HTTP_403,
        Reason.HTTP_407,
        Reason.LEGAL_BLOCK,
        Reason.BOT_CHALLENGE,
        Reason.CRAWLER_CHARGED,
        Reason.CREDENTIALS_REQUESTED,
        Reason.LOGIN_REQUIRED,
        Reason.PAYWALL_STRUCTURED_DATA,
        Reason.PAYWALL_MARKUP,
        Reason.PAYWALL_METERED,
        Reason.PAYWALL_GATE,
    }
)
_books: WeakKeyDictionary[Checkpoint, RefusedAddresses] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """What was refused: the reason, when (UTC microseconds), and the number of the record that says so."""

    reason: Reason
    at_us: int
    record: int | None


def _key(url: str) -> bytes:
    return hashlib.sha256(url.partition("#")[0].encode("utf-8", "surrogatepass")).digest()[:16]


class RefusedAddresses:
    """See the module. One for each crawl: `RefusedAddresses.of(checkpoint)`."""

    def __init__(self) -> None:
        self._refused: OrderedDict[bytes, _Refusal] = OrderedDict()

    @staticmethod
    def of(checkpoint: Checkpoint) -> RefusedAddresses:
        """Return the book of a crawl, made when it is first asked for."""
        book = _books.get(checkpoint)
        if book is None:
            book = _books[checkpoint] = RefusedAddresses()
        return book

    def note(self, url: str, verdict: Verdict, *, now_us: int, record: int | None) -> None:
        """Remember a verdict on an answer if it refuses access; `record` is the number of its decision."""
        if verdict.reason not in REFUSALS:
            return
        self._refused[_key(url)] = _Refusal(reason=verdict.reason, at_us=now_us, record=record)
        self._refused.move_to_end(_key(url))
        if len(self._refused) > REMEMBERED_ADDRESSES:
            self._refused.popitem(last=False)

    def judge(self, url: str, *, now_us: int) -> Verdict | None:
        """Return the refusal to ask again, or None where nothing was refused."""
        refused = self._refused.get(_key(url)) if self._refused else None
        if refused is None or now_us - refused.at_us > REMEMBERED_FOR_US:
            return None
        where = "" if refused.record is None else f" (decision {refused.record} of this run)"
        note = f"refused in this run{where}; a refusal is not asked again under another guise"
        evidence = Evidence(source="this run", text=url[:500], fetched_at=refused.at_us, note=note)
        return Verdict(rule=RULE, action=Action.SKIP, reason=refused.reason, evidence=(evidence,))
