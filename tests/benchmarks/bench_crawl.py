"""Crawl ratio: pages/s of the same crawl on the same loopback site, guarded against stock, in paired runs.

    python tests/benchmarks/bench_crawl.py [--pages 2000] [--pairs 5] [--handler default|aiohttp]

Stock is Scrapy with ROBOTSTXT_OBEY; guarded is the add-on with everything on. Both use the same download
handler, spider, concurrency and log level, run one after the other, and the order alternates from pair to
pair. Quote the median ratio: single figures of a shared machine say little. Exit code 1 below --least.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

PAGE_OCTETS = 10_000
HANDLERS = {
    "default": None,
    "aiohttp": "scrapy.core.downloader.handlers._aiohttp.AiohttpDownloadHandler",
}


class Site(asyncio.Protocol):
    """A fast loopback site: an index that links to every page, pages of ten kilobytes, a robots.txt."""

    def __init__(self, pages: int) -> None:
        filler = ("<p>" + "Lorem ipsum dolor sit amet, consectetur. " * 12 + "</p>\n") * 40
        head = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Page</title></head><body>"
        self.page = (head + filler)[: PAGE_OCTETS - 14].encode() + b"</body></html>"
        links = "".join(f'<a href="/page/{number}">{number}</a>\n' for number in range(pages))
        self.index = (head + links + "</body></html>").encode()
        rules = "".join(f"Disallow: /private/{number}/\n" for number in range(20))
        self.robots = f"User-agent: *\n{rules}Disallow: /*?session=\n".encode()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1]
            kind, body = b"text/html; charset=utf-8", self.page
            if target == b"/robots.txt":
                kind, body = b"text/plain", self.robots
            elif target == b"/":
                body = self.index
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (kind, len(body), body)
            )


def serve(pages: int, port_out: multiprocessing.Queue) -> None:
    """Run the site until killed."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Site(pages), "127.0.0.1", 0, backlog=512
        )
        port_out.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def child(url: str, options: argparse.Namespace) -> None:
    """Run one crawl in this process and print its figures as JSON."""
    from scrapy import Spider, signals
    from scrapy.crawler import AsyncCrawlerProcess

    class Bench(Spider):
        name = "bench"
        start_urls = (url,)

        def parse(self, response):
            for href in response.css("a::attr(href)").getall():
                yield response.follow(href, callback=self.parse)

    settings: dict[str, object] = {
        "CONCURRENT_REQUESTS": options.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": options.concurrency,
        "LOG_LEVEL": "WARNING",
        "ROBOTSTXT_OBEY": True,
        "USER_AGENT": "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)",
        "ROBOTSTXT_USER_AGENT": "ExampleBot",
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
    }
    if HANDLERS[options.handler]:
        settings["DOWNLOAD_HANDLERS"] = {
            "http": HANDLERS[options.handler],
            "https": HANDLERS[options.handler],
        }
    if options.guarded:
        settings |= {
            "ADDONS": {"crawler.addon.SekishoAddon": 100},
            "SEKISHO_POLICIES": f"{options.folder}/policies_here",
            "SEKISHO_BLOCKLISTS": f"{options.folder}/lists",
            "SEKISHO_LOG": f"sqlite:///{options.folder}/log-{time.time_ns()}.db",
            "SEKISHO_PROGRESS": False,
        }
    if options.plain_gc:
        import gc

        gc.freeze = gc.unfreeze = lambda: None
        gc.set_threshold = lambda *_: None
        gc.collect = lambda *_: 0
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(Bench)
    times: dict[str, float] = {}
    crawler.signals.connect(
        lambda: times.__setitem__("start", time.perf_counter()), signals.engine_started, weak=False
    )
    crawler.signals.connect(
        lambda reason: times.__setitem__("end", time.perf_counter()), signals.spider_closed, weak=False
    )
    cpu = time.process_time()
    process.crawl(crawler)
    process.start()
    print(
        json.dumps(
            {
                "pages": crawler.stats.get_value("response_received_count"),
                "seconds": times["end"] - times["start"],
                "cpu": time.process_time() - cpu,
            }
        )
    )


def run(url: str, guarded: bool, options: argparse.Namespace, folder: str) -> dict[str, float]:
    """Run one crawl in a process of its own and return its figures."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", url, "--handler", options.handler, "--folder", folder,
         "--concurrency", str(options.concurrency), *(["--guarded"] if guarded else []), *(["--plain-gc"] if options.plain_gc else [])],
        capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"a run failed:\n{done.stderr[-3000:]}")
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    figures["rate"] = figures["pages"] / figures["seconds"]
    return figures


def compare(options: argparse.Namespace) -> int:
    """Run the pairs, print every figure, return the exit code."""
    from loopback import Project

    ports: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(options.pages, ports), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ports.get(timeout=10)}/"
    ratios, cpu_ratios = [], []
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        Project(Path(folder))
        print(
            f"{options.pages} pages of {PAGE_OCTETS} octets, {options.concurrency} at a time, handler {options.handler}"
        )
        for number in range(-1, options.pairs):
            order = (False, True) if number % 2 else (True, False)
            pair = {guarded: run(url, guarded, options, folder) for guarded in order}
            if number < 0:
                continue  # the first pair warms caches
            stock, ours = pair[False], pair[True]
            assert stock["pages"] >= options.pages, pair
            assert ours["pages"] >= options.pages, pair
            ratios.append(ours["rate"] / stock["rate"])
            cpu_ratios.append(stock["cpu"] / ours["cpu"])
            print(
                f"  pair {number + 1}: stock {stock['rate']:7.1f} pages/s ({stock['cpu']:.2f} s CPU)   "
                f"guarded {ours['rate']:7.1f} pages/s ({ours['cpu']:.2f} s CPU)   ratio {ratios[-1]:.3f}"
            )
    server.kill()
    median = statistics.median(ratios)
    print(f"crawl ratio, median of {len(ratios)} pairs: {median:.3f} (least {min(ratios):.3f}, most {max(ratios):.3f}); "
          f"CPU ratio {statistics.median(cpu_ratios):.3f}")  # fmt: skip
    return 1 if median < options.least else 0


def main() -> int:
    """Parse arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--handler", choices=list(HANDLERS), default="default")
    parser.add_argument("--least", type=float, default=0.0, help="exit with 1 below this median ratio")
    parser.add_argument("--dir", help="folder on the disk that the log is to be measured on")
    parser.add_argument(
        "--plain-gc", action="store_true", help="leave the cyclic collector as Python sets it"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--guarded", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default=".", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options)
        return 0
    return compare(options)


if __name__ == "__main__":
    sys.exit(main())
