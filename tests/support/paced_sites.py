"""Two hundred sites that each ask for a pace, and what their servers measured of a crawl.

A gap is measured between two arrivals at the server, without any tolerance. What the delays permit is counted
from the first arrival of each site: the most requests that could have come without breaking a word of it.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Self

from loopback import Received, Reply, Web, page, robots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback import Crawl, Project

SECOND = 1_000_000
WORDS = ("Crawl-delay: {delay:g}", "Request-rate: 1/{delay:g}")
SPIDER = '''\
from pathlib import Path

import scrapy


class PacedSpider(scrapy.Spider):
    """Asks for as many pages of each site as it is told, all of one site before the next site's."""

    name = "paced"

    async def start(self):
        for line in Path("sites.txt").read_text().splitlines():
            number, address = line.split(" ")
            for page in range(int(number)):
                yield scrapy.Request(f"{address}/{page}", dont_filter=True, errback=self.failed)

    def parse(self, response):
        """A page was handed over."""

    def failed(self, failure):
        """A page was refused or lost."""
'''


SETTINGS = """
SEKISHO_PROGRESS = False
LOG_LEVEL = "WARNING"
CLOSESPIDER_TIMEOUT = {seconds}
CONCURRENT_REQUESTS = 16
RETRY_TIMES = 5
"""


@dataclass(slots=True)
class Site:
    """One origin: what it asks for, on which arrival it says "too much" and for how long, and who came."""

    host: str
    port: int
    delay: float
    throttle: tuple[int, int, float, bool] | None = None  # arrival, status, seconds, as a date
    arrivals: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    closed: list[tuple[int, int]] = field(default_factory=list)  # from, until: microseconds

    @property
    def address(self) -> str:
        """The origin."""
        return f"http://{self.host}:{self.port}"

    @property
    def domain(self) -> str:
        """The registrable domain: `localhost` is a public suffix by the rule `*`."""
        return ".".join(self.host.split(".")[-2:])


class Sites:
    """The sites behind two loopback servers. A context manager."""

    def __init__(self, *, lone: int, families: int, two_ports: int, shortest: float, longest: float) -> None:
        self._stack = ExitStack()
        self._counts = (lone, families, two_ports, shortest, longest)
        self.sites: dict[tuple[str, int], Site] = {}

    def __enter__(self) -> Self:
        webs = [self._stack.enter_context(Web()) for _ in range(2)]
        for web in webs:
            web.hides_rights = False
            web.default = lambda received, port=web.port: self._answer(received, port)
        lone, families, two_ports, shortest, longest = self._counts
        wanted = [(f"site{number}.localhost", 0) for number in range(lone)]
        wanted += [(f"{name}.family{n}.localhost", 0) for n in range(families) for name in ("www", "api")]
        wanted += [(f"ports{number}.localhost", port) for number in range(two_ports) for port in (0, 1)]
        for number, (host, which) in enumerate(wanted):
            # Spread evenly, and neighbours (a family) far apart.
            part = number * 0.6180339887 % 1.0
            delay = round(shortest + (longest - shortest) * part, 2)
            throttle = None
            if number % 7 == 3:
                throttle = (5, (429, 503)[number % 2], 2.0, number % 3 == 0)
            self.sites[host, webs[which].port] = Site(host, webs[which].port, delay, throttle)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _answer(self, received: Received, port: int) -> Reply:
        site = self.sites[received.host, port]
        site.arrivals.append(received.at)
        site.paths.append(received.path)
        if received.path == "/robots.txt":
            words = WORDS[len(site.host) % len(WORDS)].format(delay=site.delay)
            return robots(f"User-agent: *\n{words}\nDisallow: /private\n")
        if site.throttle is not None and len(site.arrivals) == site.throttle[0]:
            _, status, seconds, as_date = site.throttle
            now = time.time_ns() // 1000
            until = now + round(seconds * SECOND)
            said = f"{seconds:.0f}"
            if as_date:
                until -= until % SECOND
                said = formatdate(until // SECOND, usegmt=True)
            site.closed.append((now, until))
            return page(status=status, headers=(("Retry-After", said),))
        if received.path.startswith("/.well-known/") or received.path.endswith(".txt"):
            return Reply(404)
        return page(f"<p>{received.path}</p>")

    # -- what was measured ----------------------------------------------------------------------------

    def families(self) -> Iterator[list[Site]]:
        """The sites of each registrable domain."""
        by_domain: defaultdict[str, list[Site]] = defaultdict(list)
        for site in self.sites.values():
            by_domain[site.domain].append(site)
        yield from by_domain.values()

    def violations(self) -> list[str]:
        """Every arrival that came too early for what its site, or its domain, had asked for."""
        found = []
        for site in self.sites.values():
            asked = site.delay * SECOND
            found += [
                f"{site.address}: {after - before} µs after the one before, {asked:.0f} asked"
                for before, after in itertools.pairwise(site.arrivals)
                if after - before < asked
            ]
        for family in self.families():
            found += _too_early_for_the_domain(family)
            for site in family:
                for begin, end in site.closed:
                    found += [
                        f"{one.address}: {end - at} µs before the end of the Retry-After of {site.address}"
                        for one in family
                        for at in one.arrivals
                        if begin < at < end and (one is site or site.throttle[1] == 429)
                    ]
        return found

    def came(self, end: int) -> int:
        """How many requests came until a moment."""
        return sum(at <= end for site in self.sites.values() for at in site.arrivals)

    def permitted(self, end: int, begin: int | None = None) -> int:
        """How many could have come until a moment, since each site's first (or since `begin` for all)."""
        return sum(_permitted(family, begin, end) for family in self.families())


def _too_early_for_the_domain(family: list[Site]) -> list[str]:
    """The arrivals of a family that came too soon after a sister's; before the first robots.txt was read,
    nobody had asked for anything."""
    least = min(site.delay for site in family) * SECOND
    arrivals = sorted(
        (at, path) for site in family for at, path in zip(site.arrivals, site.paths, strict=True)
    )
    while arrivals and arrivals[0][1] == "/robots.txt":
        arrivals.pop(0)
    return [
        f"{family[0].domain}: {after[0] - before[0]} µs between two of its hosts, {least:.0f} asked"
        for before, after in itertools.pairwise(arrivals)
        if after[0] - before[0] < least
    ]


def _permitted(family: list[Site], begin: int | None, end: int) -> int:
    """The most arrivals of a family that its words permit: they share the smallest delay of one of them."""
    first = min(site.arrivals[0] for site in family) if begin is None else begin
    least = round(min(site.delay for site in family) * SECOND)
    closed = sorted(span for site in family for span in site.closed)
    lost = 0
    for start, until in closed:
        if start < end and len(family) == 1:
            lost += max(0, min(until, end) - start - least)
    # Each of its robots.txt may come before any of them was read.
    return max(0, end - first - lost) // least + len(family)


def crawl_sites(project: Project, sites: Sites, seconds: int) -> Crawl:
    """Crawl the sites for so many seconds; each has more pages than its pace permits."""
    project.append("project_settings.py", SETTINGS.format(seconds=seconds))
    project.write("spiders/paced.py", SPIDER)
    lines = [f"{round(seconds / site.delay) + 2} {site.address}\n" for site in sites.sites.values()]
    project.write("sites.txt", "".join(lines))
    return project.scrapy("crawl", "paced", timeout=seconds * 2 + 60)


def reached(sites: Sites, seconds: int) -> float:
    """Print what was measured; return the part of what the delays permit that came within so many seconds."""
    first = min(site.arrivals[0] for site in sites.sites.values())
    end = first + seconds * SECOND
    came, permitted = sites.came(end), sites.permitted(end)
    from_the_start = sites.permitted(end, first)
    print(
        f"\n{len(sites.sites)} sites, {seconds} s: {came} requests, {came / permitted:.1%} of the {permitted} "
        f"permitted since each site's first, {came / from_the_start:.1%} since the first of all; "
        f"{len(sites.violations())} violations"
    )
    return came / permitted
