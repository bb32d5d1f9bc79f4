"""A crawl at full speed for as long as SEKISHO_SOAK_SECONDS says (an hour by default), with a web full of faults.

Memory stays flat after warm-up, nothing arrives that was not decided before, and the crawl never stands still.
Run with `pytest -m long tests/soak`; `SEKISHO_SOAK_SECONDS=300` for a shorter one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import defaultdict, deque
from pathlib import Path
from statistics import fmean, median

import pytest
from loopback import Reply, Web, page, robots

SECONDS = float(os.environ.get("SEKISHO_SOAK_SECONDS", "3600"))
WARM_UP = 0.25  # of the time; not less than 30 s
HOSTS = 120
FAULTY = 24  # the first of them
STORM_EVERY_S, STORM_S, STORM_HOSTS = 60.0, 4.0, 40
LONGEST_SILENCE_S = 60.0
GROWTH = 1.10
SPIDER = """
from scrapy import Request, Spider

class Soak(Spider):
    name = "soak"

    async def start(self):
        self.asked = {}
        for _ in range(4):  # of each host, so that slow ones never hold up the rest
            for host in range(HOSTS):
                yield self.one_more(host)

    def one_more(self, host):
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
        return Reply(503, (("Retry-After", "1"),), b"storm") if stormy else page("calm " * 200)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(web, process):
    """Return (seconds, octets) samples of a crawl until it ends; fail when it stands still or does not end."""
    begin = time.monotonic()
    samples = []
    while process.poll() is None:
        now = time.monotonic()
        assert now - begin < SECONDS + 120, "the crawl does not end"
        assert now - max(web.last, begin) < LONGEST_SILENCE_S, "the crawl stands still"
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
        samples = watched(web, process)
        process.wait(timeout=60)
        listener.join(timeout=60)
    assert process.returncode == 0, "".join(said)
    warm = max(30.0, SECONDS * WARM_UP)
    after = [octets for at, octets in samples if at > warm]
    tenth = max(3, len(after) // 10)
    first, last = median(after[:tenth]), median(after[-tenth:])
    arrivals = sum(map(len, web.arrived.values()))
    print(
        f"{samples[-1][0]:.0f} s, {arrivals} pages asked for ({arrivals / samples[-1][0]:.0f}/s), "
        f"memory {first / 2**20:.1f} MB after warm-up, {last / 2**20:.1f} MB at the end, "
        f"at most {max(after) / 2**20:.1f} MB, {fmean(after) / 2**20:.1f} MB on average"
    )
    assert last <= first * GROWTH
    with sqlite3.connect(project.folder / "log.db") as log:
        check_log(log, web.arrived)
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


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
