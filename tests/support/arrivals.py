"""What a server received, held against what the log says.

The law: every arrival has a decision of its own to fetch exactly that, durable in the log and made before it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Self

from crawler.decisionlog.reader import LogReader
from policies.basis import decode_basis
from policies.vocabulary import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loopback import Received, Web

    from crawler.decisionlog.stored import StoredRecord
    from policies.vocabulary import Assessment

LISTED_SPIDER = '''\
from pathlib import Path

import scrapy


class ListedSpider(scrapy.Spider):
    """Asks for the URLs of urls.txt, a file of the project, each exactly once and in this order."""

    name = "listed"

    async def start(self):
        for url in Path("urls.txt").read_text().splitlines():
            slot, _, url = url.rpartition(" ")
            meta = {"download_slot": slot} if slot else {}
            yield scrapy.Request(url, dont_filter=True, meta=meta, callback=self.parse, errback=self.failed)

    def parse(self, response):
        """A page was handed over."""

    def failed(self, failure):
        """A page was refused or lost."""
'''


def address(web: Web, one: Received) -> str:
    """Return the URL that an arrival was asked for under."""
    return web.url(one.host, one.path)


def as_sent(url: str) -> str:
    """Return a URL as it reads to a server: without its fragment, and with the root's slash."""
    url = url.partition("#")[0]
    scheme, _, rest = url.partition("://")
    host, mark, query = rest.partition("?")
    return f"{scheme}://{host if '/' in host else host + '/'}{mark}{query}"


def undecided(web: Web, received: Iterable[Received], records: Iterable[StoredRecord]) -> list[str]:
    """Return the arrivals that no decision of their own had permitted before; empty when the law holds.

    Give the arrivals and the records of one run.
    """
    decided: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records:
        if record.stage is Stage.REQUEST and record.verdict == "fetch" and record.url is not None:
            decided[record.method, as_sent(record.url)].append(record.ts_us)
    arrived: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for one in received:
        arrived[one.method, address(web, one)].append(one.at)
    broken = []
    for key, moments in arrived.items():
        permitted = sorted(decided.get(key, ()))
        for number, at in enumerate(sorted(moments)):
            if number >= len(permitted):
                broken.append(f"{key}: arrival {number + 1} has no decision")
            elif permitted[number] > at:
                broken.append(f"{key}: arrived {permitted[number] - at} µs before it was decided")
    return broken


class Bases:
    """The documents that a log's decisions stand on, decoded once each. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._reader = LogReader.open(f"sqlite:///{folder / 'log.db'}")
        self._known: dict[str, Assessment] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def of(self, record: StoredRecord) -> Assessment:
        """Return what a decision stands on."""
        assert record.basis_sha256 is not None
        found = self._known.get(record.basis_sha256)
        if found is None:
            document = self._reader.document(record.basis_sha256)
            assert document is not None
            found = self._known[record.basis_sha256] = decode_basis(document.body)
        return found
