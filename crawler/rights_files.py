"""Fetches the files in which an origin states its rights, and keeps each for as long as it may be used.

These are `/.well-known/tdmrep.json`, the RSL licences that robots.txt or a page names, ai.txt and trust.txt.
They are read for compliance only: whatever robots.txt says of them they are asked for, each request is a
decision in the log with its octets as evidence, and none is handed to a spider. Only the files that could
change a verdict for the agent's purposes are asked for, one at a time for each address however many callers
wait, and when an origin does not answer the first it is not bothered with the others.
Requests and redirects are those of `site_fetch.py`; how an answer is read is in
`policies/signals/rights_fetch.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from blocklists.host import split_origin
from crawler.remembered import Remembered
from crawler.site_fetch import Manner, SharedAsks, SiteFetch
from policies.precedence import Effect, Row
from policies.rules.ai_txt import AiTxtReading
from policies.rules.rsl import Licences, RslReading, read_licence
from policies.rules.trust_txt import TrustTxtReading
from policies.signals.licence_links import MOST_LICENCES, LicenceLink, Place, links_of_robots
from policies.signals.rights_fetch import (
    MAX_OCTETS,
    Family,
    RightsAccess,
    RightsFile,
    not_asked,
    read_rights_answer,
    with_last_good_copy,
)
from policies.signals.tdmrep import TdmReading
from policies.vocabulary import RequestKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrapy.crawler import Crawler

    from crawler.checkpoint import Checkpoint
    from crawler.site_files import SiteFiles, SiteRobots
    from policies.rules.judged_rows import Intent
    from policies.vocabulary import Origin

logger = logging.getLogger(__name__)
# Above what is read, so that a file of exactly the limit and a little more is told apart from an endless one.
LARGEST_DOWNLOAD = 2 * 1024 * 1024
REMEMBERED_FILES = 20_000
REMEMBERED_ORIGINS = 10_000
REMEMBERED_LICENCES = 4_096
REMEMBERED_OCTETS = 64 * 1024 * 1024
"""Octets of the files in each of the three memories below, which mostly are the same files."""
MOST_OCTETS = 3 * REMEMBERED_OCTETS
"""Octets of them together, should they have no file in common."""
# Addresses of licences that the pages of one origin may send us to: a site that names another one on every
# page must not make us ask somebody else for each of them.
MOST_NAMED_BY_PAGES = 256
WELL_KNOWN = {
    Family.TDMREP: ("/.well-known/tdmrep.json",),
    Family.AI_TXT: ("/ai.txt", "/.well-known/ai.txt"),
    Family.TRUST_TXT: ("/trust.txt", "/.well-known/trust.txt"),
}
_ROWS = {
    Family.TDMREP: (Row.TDM_RESERVATION, Row.TDM_MALFORMED),
    Family.RSL: (Row.LICENCE_TERMS, Row.LICENCE_UNKNOWN),
    Family.AI_TXT: (Row.AI_TXT,),
    Family.TRUST_TXT: (Row.TRUST_TXT, Row.TRUST_TXT_INVALID),
}


def families_for(intent: Intent) -> frozenset[Family]:
    """Return the families that could change a verdict for an agent; the others are not asked for."""
    return frozenset(
        family for family, rows in _ROWS.items() if any(intent.effect(row) is not Effect.NONE for row in rows)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRights:
    """What an origin's files of rights say, each with its file for evidence.

    A reading is None when its family does not concern the agent; a file that is absent or was not obtained
    has a reading that says nothing. `licences` are those that robots.txt names. `expires_at` (UTC,
    microseconds) is when the first of them is to be asked for again.
    """

    origin: Origin
    tdmrep: TdmReading | None
    ai_txt: AiTxtReading | None
    trust_txt: TrustTxtReading | None
    licences: Licences
    expires_at: int

    @property
    def files(self) -> tuple[RightsFile, ...]:
        """Every file that was asked for, in the order of the families."""
        readings = (self.tdmrep, self.ai_txt, self.trust_txt)
        files = [reading.file for reading in readings if reading is not None]
        return (*files, *(one.file for one in self.licences.readings if one.file is not None))


class RightsFiles:
    """See the module. `intent` says which families concern the agent."""

    def __init__(
        self, crawler: Crawler, checkpoint: Checkpoint, site_files: SiteFiles, intent: Intent
    ) -> None:
        self._crawler = crawler
        self._checkpoint = checkpoint
        self._site_files = site_files
        self._families = families_for(intent)
        manner = Manner(
            kind=RequestKind.SITE_FILE,
            largest=LARGEST_DOWNLOAD,
            stored=lambda body: body[:MAX_OCTETS],
            stats="sekisho/rights_files",
        )
        self._fetch = SiteFetch(crawler, checkpoint, manner)
        self._files: Remembered[tuple[Family, str], RightsFile] = Remembered(
            most=REMEMBERED_FILES,
            most_octets=REMEMBERED_OCTETS,
            octets_of=lambda file: len(file.body),
        )
        self._asking: SharedAsks[tuple[Family, str], RightsFile] = SharedAsks()
        self._read: Remembered[tuple[LicenceLink, int], RslReading] = Remembered(
            most=REMEMBERED_LICENCES,
            most_octets=REMEMBERED_OCTETS,
            octets_of=lambda read: len(read.file.body) if read.file else 0,
        )
        self._licences: OrderedDict[tuple[int, ...], Licences] = OrderedDict()
        self._named: OrderedDict[tuple[str, str, int] | None, set[str]] = OrderedDict()
        self._known: Remembered[Origin, tuple[SiteRobots, SiteRights]] = Remembered(
            most=REMEMBERED_ORIGINS,
            most_octets=REMEMBERED_OCTETS,
            octets_of=lambda known: sum(len(file.body) for file in known[1].files),
        )
        self._gathering: SharedAsks[Origin, SiteRights] = SharedAsks()

    def __len__(self) -> int:
        """Return how many files are known."""
        return len(self._files)

    def usable(self, origin: Origin) -> SiteRights | None:
        """Return what is known of an origin if it may still be used, without asking.

        A robots.txt that was read again makes it unusable: its License lines may be others.
        """
        known = self._known.get(origin)
        if known is None or known[0] is not self._site_files.usable(origin):
            return None
        return known[1] if self._checkpoint.clock.now_us() < known[1].expires_at else None

    async def rights(self, origin: Origin) -> SiteRights:
        """Return what an origin's files say, asking for them when needed; callers share the requests."""
        known = self.usable(origin)
        if known is not None:
            return known
        return await self._gathering.get(origin, lambda: self._gather(origin))

    async def licences(
        self, links: Sequence[LicenceLink], *, page_url: str = "", page_body: bytes | None = None
    ) -> Licences:
        """Return the licences that a header, a page or a robots.txt names, asking for their files.

        `page_url` and `page_body` belong to the response that named them; without links nothing is asked.
        """
        if Family.RSL not in self._families or not links:
            return Licences(())
        kept = links[:MOST_LICENCES]
        files = await asyncio.gather(*(self._licence_file(link, page_url) for link in kept))
        readings = [
            self._reading(link, file, page_url, page_body) for link, file in zip(kept, files, strict=True)
        ]
        for link in links[MOST_LICENCES : MOST_LICENCES + 1]:
            words = f"more than {MOST_LICENCES} licences are named; {MOST_LICENCES} are read"
            beyond = LicenceLink(place=link.place, url="", line=link.line, text=link.text, problem=words)
            readings.append(read_licence(beyond, None, page_url=page_url, page_body=page_body))
        return self._judging(readings)

    def _reading(
        self, link: LicenceLink, file: RightsFile | None, page_url: str, page_body: bytes | None
    ) -> RslReading:
        """Return what a naming comes to; a file that every page of a site names is read once."""
        if file is None:
            return read_licence(link, None, page_url=page_url, page_body=page_body)
        key = (link, id(file))
        known = self._read.get(key)
        if known is None or known.file is not file:
            known = read_licence(link, file)
            self._read.keep(key, known)
        self._read.use(key)
        return known

    def _judging(self, readings: Sequence[RslReading]) -> Licences:
        """Return the same object for the same readings, so that verdicts and their documents are shared."""
        key = tuple(map(id, readings))
        known = self._licences.get(key)
        if known is None or any(one is not two for one, two in zip(known.readings, readings, strict=True)):
            known = self._licences[key] = Licences(readings)
        _remember(self._licences, key, REMEMBERED_LICENCES)
        return known

    async def _licence_file(self, link: LicenceLink, page_url: str) -> RightsFile | None:
        if not link.url:
            return None
        if link.place is not Place.ROBOTS and not self._may_be_named(link.url, page_url):
            now = self._checkpoint.clock.now_us()
            words = f"not asked: pages of this site name more than {MOST_NAMED_BY_PAGES} licences"
            return not_asked(Family.RSL, link.url, words, now_us=now, expires_at=now + 60_000_000)
        return await self._file(Family.RSL, link.url, page_url or None)

    def _may_be_named(self, url: str, page_url: str) -> bool:
        """Return whether pages of an origin may still send us to a licence that they did not name before."""
        named = self._named.setdefault(split_origin(page_url), set())
        _remember(self._named, split_origin(page_url), REMEMBERED_ORIGINS)
        if url in named:
            return True
        if len(named) >= MOST_NAMED_BY_PAGES:
            return False
        named.add(url)
        return True

    async def _gather(self, origin: Origin) -> SiteRights:
        robots = await self._site_files.robots(origin)
        tdm = await self._well_known(origin, Family.TDMREP)
        silent = tdm is not None and tdm.access is RightsAccess.UNOBTAINABLE and tdm.status is None
        robots_url = robots.file.url
        licences, ai, trust = await asyncio.gather(
            self.licences(links_of_robots(robots.readings.rules), page_url=robots_url),
            self._well_known(origin, Family.AI_TXT, silent=silent),
            self._well_known(origin, Family.TRUST_TXT, silent=silent),
        )
        files = [one for one in (tdm, ai, trust) if one is not None]
        files += [one.file for one in licences.readings if one.file is not None]
        lasting = self._checkpoint.clock.now_us() + self._longest_us()
        found = SiteRights(
            origin=origin,
            tdmrep=TdmReading(tdm) if tdm else None,
            ai_txt=AiTxtReading(ai) if ai else None,
            trust_txt=TrustTxtReading(trust) if trust else None,
            licences=licences,
            expires_at=min((file.expires_at for file in files), default=lasting),
        )
        self._known.keep(origin, (robots, found))
        return found

    def _longest_us(self) -> int:
        return 1_000_000 * self._checkpoint.config.robots_cache_seconds

    async def _well_known(self, origin: Origin, family: Family, *, silent: bool = False) -> RightsFile | None:
        """Return an origin's file of a family: the first of its places where there is a file.

        None when the family does not concern the agent; `silent` says that the origin did not answer.
        """
        if family not in self._families:
            return None
        file: RightsFile | None = None
        for path in WELL_KNOWN[family]:
            url = f"{origin}{path}"
            if silent:
                now = self._checkpoint.clock.now_us()
                words = "not asked: the origin did not answer a moment ago"
                return not_asked(family, url, words, now_us=now, expires_at=now + 60_000_000)
            found = await self._file(family, url, None)
            if found.access is not RightsAccess.ABSENT:
                return found
            file = file or found
        return file

    async def _file(self, family: Family, url: str, parent: str | None) -> RightsFile:
        """Return one file, asking for it when what is known may not be used any more."""
        key = (family, url)
        known = self._files.get(key)
        if known is not None and self._checkpoint.clock.now_us() < known.expires_at:
            self._files.use(key)
            return known
        return await self._asking.get(key, lambda: self._obtain(family, url, parent))

    async def _obtain(self, family: Family, url: str, parent: str | None) -> RightsFile:
        answer = await self._fetch.ask(url, parent)
        file = read_rights_answer(
            family=family,
            url=url,
            final_url=answer.final_url,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            fetched_at=answer.fetched_at,
            hops=answer.hops,
            error=answer.error,
        )
        if file.access is RightsAccess.UNOBTAINABLE:
            logger.warning("%s was not obtained: %s", url, file.problem)
            file = with_last_good_copy(file, self._files.get((family, url)), self._checkpoint.clock.now_us())
        self._files.keep((family, url), file)
        self._crawler.stats.inc_value(f"sekisho/rights_fetches/{family.value}/{file.access.value}")
        return file


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _remember(kept: OrderedDict[_Key, _Value], key: _Key, most: int) -> None:
    """Note that an entry was used; where there are too many, forget the one used longest ago."""
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
