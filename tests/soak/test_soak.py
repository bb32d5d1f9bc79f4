"""A crawl at full speed for as long as SEKISHO_SOAK_SECONDS says (an hour by default), with a web full of faults.

Memory stays flat after warm-up, nothing arrives that was not decided before, and the crawl never stands still.
Run with `pytest -m long -s tests/soak`; `SEKISHO_SOAK_SECONDS=300` for a shorter one.

Every page has an address of its own, so that whatever is kept of a page adds up; requests are not filtered
for duplicates, since Scrapy's filter holds the fingerprint of each address for as long as the crawl lasts
(about 130 octets) and would hide what is ours. Two figures are compared, the first tenth of the time after
warm-up with the last:

- resident memory, by its median, within 10 %: what the system sees, fragmentation and libraries included;
- memory blocks of Python, by their minimum, within 3 %: half an object a page is seen within five minutes.

Warm-up is over when everything that fills has been full: each host has been met, with its robots.txt and its
files of rights, in the first seconds; storms have come by, which make the largest crowd, in the first two
minutes; the first pages of each host, and every eighth after them, have a basis of their own, so that what is
remembered of records (4,096 bases, 20,000 digests) is full after 22,000 pages and turns over from then on; and
Twisted has kept its first idle connections for as long as it does, 240 s. Shorter runs take a quarter of their
time, which must do for 22,000 pages. Sealing comes after the last page and has a bound of its own.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from pathlib import Path
from statistics import fmean

import pytest
from growth import growth_of_floor, growth_of_typical
from loopback import Reply, Web, page, robots

SECONDS = float(os.environ.get("SEKISHO_SOAK_SECONDS", "3600"))
WARM_UP_S = min(300.0, max(30.0, SECONDS / 4))
HOSTS = 120
FAULTY = 24  # the first of them
FILLS = 230  # pages of a host after which what is remembered of records is full
STORM_EVERY_S, STORM_S, STORM_HOSTS = 60.0, 4.0, 40
LONGEST_SILENCE_S = 60.0
ENDING_S = 120.0 + SECONDS / 10  # what is under way, and sealing a segment of millions of records
GROWTH = 1.10  # of resident memory
GROWTH_OF_FLOOR = 1.03  # of Python's own blocks
GROWTH_AT_SEAL = 1.5  # of resident memory, for as long as sealing takes
SPIDER = """
import sys
import time

from scrapy import Request, Spider

class Soak(Spider):
    name = "soak"

    async def start(self):
        self.asked = {}
        self.begin = self.noted = time.monotonic()
        self.blocks = open("blocks.txt", "w", buffering=1)
        for _ in range(4):  # of each host, so that slow ones never hold up the rest
            for host in range(HOSTS):
                yield self.one_more(host)

    def closed(self, reason):
        self.blocks.close()

    def one_more(self, host):
        now = time.monotonic()
        if now - self.noted >= 0.5:
            self.noted = now
            print(now - self.begin, sys.getallocatedblocks(), file=self.blocks)
        number = host + HOSTS * self.asked.get(host, 0)
        self.asked[host] = self.asked.get(host, 0) + 1
        return Request(f"http://h{host}.localhost:{self.port}/p/{number}", dont_filter=True,
                       callback=self.parse, errback=self.failed, cb_kwargs={"host": host})

    def parse(self, response, host):
        yield self.one_more(host)

    def failed(self, failure):
        yield self.one_more(failure.request.cb_kwargs["host"])
""".replace("HOSTS", str(HOSTS))
SETTINGS = f"""
SEKISHO_PROGRESS = False
CLOSESPIDER_TIMEOUT = {SECONDS}
DOWNLOAD_TIMEOUT = 3
CONCURRENT_REQUESTS = 32
RETRY_TIMES = 1
LOG_LEVEL = "WARNING"
MEMUSAGE_ENABLED = False
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n"
FAULTS = (
    Reply(close=True),
    Reply(raw=HEAD + b"half"),
    Reply(raw=b"\x00\xff\xfe garbage\r\n\r\n"),
    Reply(raw=HEAD.replace(b"1000", b"-3") + b"x"),
    Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    Reply(200, (("Content-Encoding", "gzip"),), b"no gzip at all"),
    Reply(500, (), b"broken"),
    Reply(200, (), b"late", delay=6),
)


class FaultyWeb(Web):
    """Answers by the number in the path; remembers arrivals in little memory."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: defaultdict[int, list[int]] = defaultdict(list)
        self.others = 0
        self.last = time.monotonic()
        self.begin = time.monotonic()
        self.default = self.answer

    def answer(self, one):
        self.last = time.monotonic()
        self.received.clear()
        self.rights_received.clear()
        if one.path == "/robots.txt":
            self.others += 1
            return robots("User-agent: *\nDisallow: /private\n")
        number = int(one.path.rsplit("/", 1)[1])
        self.arrived[number].append(one.at)
        host = number % HOSTS
        if host < FAULTY:
            return FAULTS[(number // HOSTS + host) % len(FAULTS)]
        stormy = (self.last - self.begin) % STORM_EVERY_S < STORM_S and host < FAULTY + STORM_HOSTS
        if stormy:
            return Reply(503, (("Retry-After", "1"),), b"storm")
        # Some say something of their own, so that the basis of their record is no other's.
        count = number // HOSTS
        own = count < FILLS or not count % 8
        return page("calm " * 200, headers=(("Content-Usage", f"train-ai=y, n{number}=y"),) if own else ())


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(web, process):
    """Return (seconds, octets) samples of a crawl until it ends; fail when it stands still or does not end."""
    begin = time.monotonic()
    samples = []
    while process.poll() is None:
        now = time.monotonic()
        assert now - begin < SECONDS + ENDING_S, "the crawl does not end"
        still = now - max(web.last, begin) >= LONGEST_SILENCE_S
        assert not still or now - begin > SECONDS, "the crawl stands still"
        try:
            samples.append((now - begin, resident(process.pid)))
        except (FileNotFoundError, ProcessLookupError, IndexError):
            break
        time.sleep(1)
    return samples


@pytest.mark.long
def test_a_long_crawl_among_faults_stays_small_logs_all_and_never_stands_still(project):
    project.append("project_settings.py", SETTINGS)
    project.write("spiders/soak.py", SPIDER)
    with FaultyWeb() as web:
        process = project.start("crawl", "soak", "-a", f"port={web.port}")
        # A pipe that nobody empties stops whoever writes a line too much into it.
        said: deque[str] = deque(maxlen=50)
        listener = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
        listener.start()
        try:
            samples = watched(web, process)
            process.wait(timeout=60)
        finally:
            process.kill()  # a crawl that failed here must not go on alone
        listener.join(timeout=60)
    assert process.returncode == 0, "".join(said)
    judge_memory(samples, project.folder / "blocks.txt", sum(map(len, web.arrived.values())))
    with sqlite3.connect(project.folder / "log.db") as log:
        check_log(log, web.arrived)
    verified = subprocess.run(
        [sys.executable, "-m", "crawler.cli", "log", "verify", "--log", "sqlite:///log.db"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=60 + SECONDS,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def judge_memory(samples, noted, arrivals):
    """Print what was measured, and assert that the crawl did not grow; see the module."""
    until = SECONDS * 0.98 - 5  # the crawl's clock started later than ours
    memory = growth_of_typical(samples, warm=WARM_UP_S, until=until)
    lines = [line.split() for line in noted.read_text().splitlines()]
    floor = growth_of_floor([(float(at), float(n)) for at, n in lines], warm=WARM_UP_S, until=until)
    sealing = max(octets for _, octets in samples)
    average = fmean(octets for at, octets in samples if WARM_UP_S <= at <= until)
    print(
        f"{samples[-1][0]:.0f} s, {arrivals} pages asked for ({arrivals / SECONDS:.0f}/s), "
        f"memory {memory.first / 2**20:.1f} MB after warm-up, {memory.last / 2**20:.1f} MB at the end "
        f"({memory.ratio - 1:+.1%}), at most {memory.most / 2**20:.1f} MB, {average / 2**20:.1f} MB on average, "
        f"{sealing / 2**20:.1f} MB with sealing; blocks of Python at least {floor.first:.0f} after warm-up, "
        f"{floor.last:.0f} at the end ({floor.ratio - 1:+.1%})"
    )
    assert memory.ratio <= GROWTH
    assert floor.ratio <= GROWTH_OF_FLOOR
    assert sealing <= memory.first * GROWTH_AT_SEAL


def check_log(log, arrived):
    """Assert that each arrival has an earlier decision of its own, and each decision an outcome."""
    decided = defaultdict(list)
    query = "SELECT url, ts_us FROM decisions WHERE stage = 'request' AND verdict = 'fetch' AND kind = 'page'"
    for url, ts_us in log.execute(query):
        decided[int(url.rsplit("/", 1)[1])].append(ts_us)
    broken = [
        number
        for number, moments in arrived.items()
        if len(moments) > len(decided[number])
        or any(permit > at for permit, at in zip(sorted(decided[number]), sorted(moments), strict=False))
    ]
    assert broken == []
    ended = {at for (at,) in log.execute("SELECT ref_idx FROM decisions WHERE stage = 'outcome'")}
    permitted = {at for (at,) in log.execute("SELECT idx FROM decisions WHERE verdict = 'fetch'")}
    assert permitted - ended == set()
    counts = dict(
        log.execute("SELECT reason, count(*) FROM decisions WHERE stage = 'outcome' GROUP BY reason")
    )
    print(counts)
    assert counts["received"] > 0 < counts["error_network"]
