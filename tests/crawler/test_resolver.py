"""Names under `.localhost` lead to this machine (RFC 6761 section 6.3), whichever reactor or handler asks."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler.resolver import LoopbackNameResolver, _install_on_loop, is_localhost_name

# One request through the whole of Scrapy, in a process of its own because a reactor is installed once.
CRAWL = """
import json, sys
import scrapy
from scrapy.crawler import AsyncCrawlerProcess, CrawlerProcess

class Probe(scrapy.Spider):
    name = "probe"
    async def start(self):
        yield scrapy.Request(sys.argv[1], callback=self.parse, errback=self.failed)
    def parse(self, response):
        print(response.text)
    def failed(self, failure):
        print(type(failure.value).__name__)

settings = {"LOG_LEVEL": "ERROR", "RETRY_ENABLED": False, "TELNETCONSOLE_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False, "HTTPPROXY_ENABLED": False, "DNS_TIMEOUT": 5,
            **json.loads(sys.argv[2])}
asyncio_wanted = "Select" not in settings.get("TWISTED_REACTOR", "")
process = (AsyncCrawlerProcess if asyncio_wanted else CrawlerProcess)(settings)
process.crawl(Probe)
process.start()
"""
INSTALLED = {"EXTENSIONS": {"crawler.resolver.LoopbackNames": 0}}
AIOHTTP = {"http": "scrapy.core.downloader.handlers._aiohttp.AiohttpDownloadHandler"}
VARIANTS = {
    "default handler on the asyncio reactor": {},
    "no reactor": {"TWISTED_REACTOR_ENABLED": False},
    "asyncio handler beside a reactor": {"DOWNLOAD_HANDLERS": AIOHTTP},
    "reactor without asyncio": {"TWISTED_REACTOR": "twisted.internet.selectreactor.SelectReactor"},
    "another resolver of the project": {"TWISTED_DNS_RESOLVER": "scrapy.resolver.CachingHostnameResolver"},
}


@pytest.fixture(scope="module")
def greeting_port():
    class Greeting(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def fetch(url, settings):
    result = subprocess.run(
        [sys.executable, "-c", CRAWL, url, json.dumps(settings)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_rfc6761_a_name_under_localhost_reaches_this_machine(settings, greeting_port):
    url = f"http://news.localhost:{greeting_port}/"
    assert fetch(url, {**INSTALLED, **settings}) == f"news.localhost:{greeting_port}"


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST.", "news.localhost", "a.b.LocalHost", b"news.localhost"]
)
def test_rfc6761_localhost_and_everything_below_it_is_recognised(name):
    assert is_localhost_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "localhost.example.com", "notlocalhost", ".localhost", "127.0.0.1", None, b"\xff.example"],
)
def test_rfc6761_no_other_name_is_taken_for_this_machine(name):
    assert not is_localhost_name(name)


class RecordingResolver:
    def __init__(self):
        self.asked = []

    def resolveHostName(self, receiver, name, *rest, **named):  # noqa: N802 - Twisted's name
        self.asked.append((name, rest, named))


def test_the_resolver_behind_never_hears_a_localhost_name_and_gets_the_rest_unchanged():
    behind = RecordingResolver()
    resolver = LoopbackNameResolver(behind)
    resolver.resolveHostName(object(), "news.localhost", portNumber=80)
    resolver.resolveHostName(object(), "example.com", 443, None, "TCP")
    assert behind.asked == [("127.0.0.1", (), {"portNumber": 80}), ("example.com", (443, None, "TCP"), {})]


def test_a_loop_answers_in_the_family_that_was_asked_for_and_only_once_wrapped():
    async def resolve():
        loop = asyncio.get_running_loop()
        _install_on_loop(loop)
        wrapped = loop.getaddrinfo
        _install_on_loop(loop)
        assert loop.getaddrinfo is wrapped
        four = await loop.getaddrinfo("x.localhost", 80, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        six = await loop.getaddrinfo("x.localhost", 80, type=socket.SOCK_STREAM, family=socket.AF_INET6)
        return four[0][4][0], six[0][4][0]

    assert asyncio.run(resolve()) == ("127.0.0.1", "::1")
