"""Fetches robots.txt of each origin, and keeps it for as long as it may be used (RFC 9309 section 2.4).

Requests and redirects are those of `site_fetch.py`; the result counts for the origin that was asked first
(section 2.3.1.2). How an answer is read is decided in `policies/signals/robots_fetch.py`. The other files in
which a site states its rules are in `rights_files.py`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapy import signals
from scrapy.utils.misc import build_from_crawler, load_object

from crawler.remembered import Remembered
from crawler.site_fetch import Manner, SharedAsks, SiteFetch
from policies.facts import RobotsAccess
from policies.rules.robots import RobotsReadings, read_rules
from policies.signals.robots import cut_to_limit
from policies.signals.robots_fetch import read_robots_answer, with_last_good
from policies.vocabulary import RequestKind

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint
    from policies.facts import RobotsFile
    from policies.vocabulary import Origin

logger = logging.getLogger(__name__)
# Far above the 500 KiB that are read (RFC 9309 section 2.5), far below what could hurt: what is larger, or
# unpacks to more, counts as unreachable.
LARGEST_DOWNLOAD = 16 * 1024 * 1024
REMEMBERED_ORIGINS = 10_000
REMEMBERED_OCTETS = 64 * 1024 * 1024
"""Octets of all robots.txt together; what is read of them takes about ten times as much memory."""


@dataclass(frozen=True, slots=True)
class SiteRobots:
    """One origin's robots.txt: the file as obtained, and its rules as read."""

    file: RobotsFile
    readings: RobotsReadings


class SiteFiles:
    """The robots.txt of each origin, asked for once at a time and refetched when it may no longer be used."""

    def __init__(self, crawler: Crawler, checkpoint: Checkpoint) -> None:
        self._crawler = crawler
        self._checkpoint = checkpoint
        self._known: Remembered[Origin, SiteRobots] = Remembered(
            most=REMEMBERED_ORIGINS,
            most_octets=REMEMBERED_OCTETS,
            octets_of=lambda known: len(known.file.body),
        )
        self._asking: SharedAsks[Origin, SiteRobots] = SharedAsks()
        manner = Manner(
            kind=RequestKind.ROBOTS,
            largest=LARGEST_DOWNLOAD,
            stored=_stored,
            stats="robotstxt",
            heard=self._announce,
        )
        self._fetch = SiteFetch(crawler, checkpoint, manner)
        self._longest_us = 1_000_000 * min(
            checkpoint.config.robots_cache_seconds, checkpoint.agent.policy.robots.max_age_seconds
        )

    def __len__(self) -> int:
        """Return how many origins are known."""
        return len(self._known)

    def usable(self, origin: Origin) -> SiteRobots | None:
        """Return what is known of an origin if it may still be used, without asking."""
        known = self._known.get(origin)
        if known is None:
            return None
        return known if self._checkpoint.clock.now_us() < self._until(known.file) else None

    def _until(self, file: RobotsFile) -> int:
        # A stale copy is as old as it is; it says itself when the site is to be asked again.
        return file.expires_at if file.stale else min(file.expires_at, file.fetched_at + self._longest_us)

    def lasts(self, origin: Origin, seconds: float) -> bool:
        """Whether what is known of an origin may still be used in so many seconds."""
        known = self._known.get(origin)
        moment = self._checkpoint.clock.now_us() + round(seconds * 1_000_000)
        return known is not None and moment < self._until(known.file)

    def outlives(self, origin: Origin, seconds: float) -> bool:
        """Whether a copy, counted from when it was obtained, may be used for longer than so many seconds."""
        known = self._known.get(origin)
        return known is None or self._until(known.file) - known.file.fetched_at > seconds * 1_000_000

    async def robots(self, origin: Origin) -> SiteRobots:
        """Return the robots.txt of an origin, asking for it when needed; callers share one request."""
        known = self.usable(origin)
        if known is not None:
            return known
        return await self._asking.get(origin, lambda: self._obtain(origin))

    async def _obtain(self, origin: Origin) -> SiteRobots:
        previous = self._known.get(origin)
        file = await self._ask(origin)
        if file.access is RobotsAccess.UNREACHABLE:
            logger.warning("%s is unreachable: %s", file.url, file.problem or file.status)
            file = with_last_good(file, previous.file if previous else None, self._checkpoint.clock.now_us())
        readings = previous.readings.renewed(file) if previous else read_rules(file)
        found = SiteRobots(file=file, readings=readings)
        self._known.keep(origin, found)
        self._checkpoint.tally.robots_files += 1
        self._crawler.stats.inc_value(f"sekisho/robots_fetches/{file.access.value}")
        return found

    async def _ask(self, origin: Origin) -> RobotsFile:
        """Ask for robots.txt, and read the answer."""
        url = f"{origin}/robots.txt"
        answer = await self._fetch.ask(url)
        return read_robots_answer(
            url=url,
            final_url=answer.final_url,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            fetched_at=answer.fetched_at,
            hops=answer.hops,
            error=answer.error,
        )

    async def _announce(self, request: Request, response: Response) -> None:
        """Keep sending Scrapy's `robots_parsed`, which extensions and dashboards listen to."""
        parser = build_from_crawler(
            load_object(self._crawler.settings["ROBOTSTXT_PARSER"]),
            self._crawler,
            _stored(response.body),
        )
        await self._crawler.signals.send_catch_log_async(
            signal=signals.robots_parsed, robotparser=parser, request=request
        )


def _stored(body: bytes) -> bytes:
    """Return the octets of a robots.txt that are read."""
    return cut_to_limit(body)[0]
