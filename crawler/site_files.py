"""Fetches the files in which an origin states its rules, and keeps each for as long as it may be used.

Today that is robots.txt (RFC 9309). Each file is asked for through the same middlewares, log and door as
any page: it needs a permit, it is paced, and its octets are stored as evidence. Redirects are followed here,
hop by hop, each with its own decision, and the result counts for the origin that was asked first
(section 2.3.1.2). How an answer is read is decided in `policies/signals/robots_fetch.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from scrapy import Request, signals
from scrapy.exceptions import IgnoreRequest
from scrapy.http.request import NO_CALLBACK
from scrapy.utils.misc import build_from_crawler, load_object

from policies.facts import RobotsAccess
from policies.rules.robots import RobotsReadings, read_rules
from policies.signals.robots import cut_to_limit
from policies.signals.robots_fetch import MAX_HOPS, read_robots_answer, with_last_good
from policies.vocabulary import Action, Evidence, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint
    from policies.facts import RobotsFile
    from policies.vocabulary import Origin

logger = logging.getLogger(__name__)
RULE = "site_file"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Far above the 500 KiB that are read (RFC 9309 section 2.5), far below what could hurt: what is larger, or
# unpacks to more, counts as unreachable.
LARGEST_DOWNLOAD = 16 * 1024 * 1024
REMEMBERED_ORIGINS = 10_000
_KEPT = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.SITE_FILE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one hop came to: a response, or the words that say why there is none."""

    url: str
    response: Response | None
    error: str | None


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
        self._known: OrderedDict[Origin, SiteRobots] = OrderedDict()
        self._asking: dict[Origin, asyncio.Future[SiteRobots]] = {}
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
        file = known.file
        # A stale copy is as old as it is; it says itself when the site is to be asked again.
        until = file.expires_at if file.stale else min(file.expires_at, file.fetched_at + self._longest_us)
        return known if self._checkpoint.clock.now_us() < until else None

    async def robots(self, origin: Origin) -> SiteRobots:
        """Return the robots.txt of an origin, asking for it when needed; callers share one request."""
        known = self.usable(origin)
        if known is not None:
            return known
        asking = self._asking.get(origin)
        if asking is None:
            asking = self._asking[origin] = asyncio.ensure_future(self._obtain(origin))
            asking.add_done_callback(lambda _: self._asking.pop(origin, None))
        # One caller that goes away must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _obtain(self, origin: Origin) -> SiteRobots:
        previous = self._known.get(origin)
        file = await self._ask(origin)
        if file.access is RobotsAccess.UNREACHABLE:
            logger.warning("%s is unreachable: %s", file.url, file.problem or file.status)
            file = with_last_good(file, previous.file if previous else None, self._checkpoint.clock.now_us())
        readings = previous.readings.renewed(file) if previous else read_rules(file)
        found = SiteRobots(file=file, readings=readings)
        self._known[origin] = found
        self._known.move_to_end(origin)
        if len(self._known) > REMEMBERED_ORIGINS:
            self._known.popitem(last=False)
        self._checkpoint.tally.robots_files += 1
        self._crawler.stats.inc_value(f"sekisho/robots_fetches/{file.access.value}")
        return found

    async def _ask(self, origin: Origin) -> RobotsFile:
        """Ask for robots.txt, following redirects, and read the answer."""
        first = f"{origin}/robots.txt"
        url = first
        hops = 0
        parent: str | None = None
        while True:
            answer = await self._get(url, parent)
            response = answer.response
            location = _location(response)
            if location is not None:
                hops += 1
                if hops <= MAX_HOPS:
                    parent, url = url, location
                    continue
            return read_robots_answer(
                url=first,
                final_url=url,
                status=None if response is None else response.status,
                headers=() if response is None else _headers(response),
                body=b"" if response is None else response.body,
                fetched_at=self._checkpoint.clock.now_us(),
                hops=hops,
                error=answer.error,
            )

    async def _get(self, url: str, parent: str | None) -> Answer:
        """Send one request for a site file through middlewares and door."""
        stats = self._crawler.stats
        try:
            request = self._request(url, parent)
        except ValueError as error:
            return Answer(url, None, f"redirected to an address that cannot be asked: {error}")
        self._checkpoint.declare(request, RequestKind.ROBOTS)
        stats.inc_value("robotstxt/request_count")
        try:
            response = await self._crawler.engine.download_async(request)
        except IgnoreRequest as refusal:
            return Answer(url, None, f"not asked: {refusal}")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the file is unreachable
            stats.inc_value(f"robotstxt/exception_count/{type(error)}")
            return Answer(url, None, f"{type(error).__name__}: {error}"[:300])
        stats.inc_value("robotstxt/response_count")
        stats.inc_value(f"robotstxt/response_status_count/{response.status}")
        self._store(request, response)
        await self._announce(request, response)
        return Answer(url, response, None)

    def _request(self, url: str, parent: str | None) -> Request:
        config = self._checkpoint.config
        return Request(
            url,
            priority=1000,
            callback=NO_CALLBACK,
            meta={
                "dont_redirect": True,
                "dont_retry": True,
                "dont_cache": True,
                "dont_merge_cookies": True,
                "allow_offsite": True,
                "handle_httpstatus_all": True,
                "download_timeout": config.robots_timeout,
                "download_maxsize": LARGEST_DOWNLOAD,
                "download_warnsize": 0,
                **({"redirect_urls": [parent]} if parent else {}),
            },
        )

    def _store(self, request: Request, response: Response) -> None:
        """Record the response of a site file with the octets that are read, as evidence."""
        visit = self._checkpoint.visit(request)
        if visit is None or visit.receipt is None:
            return
        verdict = _KEPT
        if response.status in REDIRECTS:
            where = response.headers.get(b"Location", b"") or b""
            note = f"redirects to {where.decode('latin-1')[:400]}"
            evidence = Evidence(source="response header Location", note=note)
            verdict = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.SITE_FILE, evidence=(evidence,))
        self._checkpoint.record.response(
            visit, (verdict,), verdict, response, document=cut_to_limit(response.body)[0]
        )

    async def _announce(self, request: Request, response: Response) -> None:
        """Keep sending Scrapy's `robots_parsed`, which extensions and dashboards listen to."""
        if response.status in REDIRECTS:
            return
        parser = build_from_crawler(
            load_object(self._crawler.settings["ROBOTSTXT_PARSER"]),
            self._crawler,
            cut_to_limit(response.body)[0],
        )
        await self._crawler.signals.send_catch_log_async(
            signal=signals.robots_parsed, robotparser=parser, request=request
        )


def _location(response: Response | None) -> str | None:
    """Return where a response redirects to, or None when it does not."""
    if response is None or response.status not in REDIRECTS:
        return None
    location = response.headers.get(b"Location")
    if not location:
        return None
    try:
        return urljoin(response.url, location.decode("latin-1"))
    except ValueError:
        return None


def _headers(response: Response) -> tuple[tuple[str, str], ...]:
    """Return headers in order with names in lower case."""
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, values in response.headers.items()
        for value in values
    )
