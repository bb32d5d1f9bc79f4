"""What the crawl tests stand on: a loopback web that remembers what it received, and a crawl of it.

The web is one asyncio server in a thread. Hosts are told apart by the Host header, so that any number of
`*.localhost` origins costs one socket. The crawl is a real `scrapy` process in a project of its own.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.stored import StoredRecord

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it reached the server; `at` is the wall clock in microseconds."""

    at: int
    host: str
    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. `raw` replaces everything that would be written; `delay` is in seconds.

    `drip` goes out after the rest again and again, 20 times a second, for as long as the client listens.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    delay: float = 0.0
    close: bool = False
    drip: bytes = b""


def page(
    body: str = "", *, status: int = 200, headers: tuple[tuple[str, str], ...] = (), delay: float = 0.0
) -> Reply:
    """Return an HTML reply."""
    html = f"<!doctype html><html><head><title>t</title></head><body>{body}</body></html>"
    return Reply(status, (("Content-Type", "text/html; charset=utf-8"), *headers), html.encode(), delay=delay)


def robots(text: str | bytes, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return a robots.txt."""
    body = text.encode() if isinstance(text, str) else text
    return Reply(status, (("Content-Type", "text/plain; charset=utf-8"), *headers), body)


Answerer = Callable[[Received], "Reply | Awaitable[Reply]"]


FILES_OF_RIGHTS = frozenset(
    {"/.well-known/tdmrep.json", "/ai.txt", "/.well-known/ai.txt", "/trust.txt", "/.well-known/trust.txt"}
)


class Web:
    """See the module. A context manager; `received` is complete once the crawl has ended.

    Every guarded crawl asks each origin for its files of rights. Where a test gives none, these requests are
    answered with 404 and noted in `rights_received`, so that `received` holds what the test is about; with
    `hides_rights` off they are requests like any other.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.rights_received: list[Received] = []
        self.hides_rights = True
        self.listed: set[str] = {
            "pirate.localhost"
        }  # hosts of which nothing may be asked, a file of rights neither
        self.replies: dict[tuple[str, str], Reply | Answerer] = {}
        self.default: Reply | Answerer = Reply(404, (("Content-Type", "text/plain"),), b"no such page")
        self.port = 0
        self.tls: ssl.SSLContext | None = None  # set it before entering for a web of https addresses
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, host: str, path: str = "/") -> str:
        """Return the address of a path on a host of this web."""
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def add(self, host: str, path: str, reply: Reply | Answerer) -> str:
        """Answer a path on a host; return its address."""
        self.replies[host, path] = reply
        return self.url(host, path)

    def site(self, host: str, robots_txt: str | Reply, **pages: Reply) -> None:
        """Add a host with its robots.txt and pages named by their first path segment."""
        self.add(host, "/robots.txt", robots_txt if isinstance(robots_txt, Reply) else robots(robots_txt))
        for name, reply in pages.items():
            self.add(host, f"/{name}", reply)

    def paths(self, host: str | None = None) -> list[str]:
        """Return the paths received, of one host or of all."""
        return [one.path for one in self.received if host in (None, one.host)]

    def soon(self, act: Callable[[], object]) -> None:
        """Have something done in the server's own thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)

    def listen_also(self, address: str) -> None:
        """Serve the same web on another loopback address, on the same port."""
        assert self._loop is not None
        serving = asyncio.start_server(self._serve, address, self.port, backlog=64, limit=2**20)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        server = loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024, limit=2**20, ssl=self.tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks))
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
        ):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        at = time.time_ns() // 1000
        first, *rest = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in rest if line)
        }
        host = headers.get("host", "").rsplit(":", 1)[0]
        received = Received(at, host, method, target, headers)
        if self.hides_rights and target in FILES_OF_RIGHTS and (host, target) not in self.replies:
            self.rights_received.append(received)
            writer.write(b"HTTP/1.1 404 X\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        self.received.append(received)
        reply = self.replies.get((host, target), self.default)
        if callable(reply):
            answered = reply(received)
            reply = await answered if isinstance(answered, Awaitable) else answered
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            while reply.drip:
                writer.write(reply.drip)
                await writer.drain()
                await asyncio.sleep(0.05)
            return False
        if reply.close:
            return False
        lines = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        body = b"" if method == "HEAD" else reply.body
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()
        return True


AGENT = """\
schema = "sekisho.agent/1"
token = "ExampleBot"
version = 1
effective_from = 2026-01-01
user_agent = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"
purposes = ["ai-training"]
honours = ["robots-txt", "crawl-delay", "access-restrictions", "login-walls", "paywalls", "legal-blocks", "piracy-lists"]

[operator]
name = "Example Corp."
name_ja = "例示株式会社"
url = "https://www.example.com/"

[contact]
email = "bot@example.com"
info_page = "https://bot.example.com/"

[collection]
start = 2026-01-01
ongoing = true
"""
LIST_MANIFEST = """\
id = "test"
title = "Test list"
file = "test.txt"
format = "plain"
scope = "subtree"
weight = "court_order"
authority = "Test court"
decision_ref = "T-1"
url = "https://lists.example.com/test.txt"
licence = "Apache-2.0"
"""
SETTINGS = """\
BOT_NAME = "test"
ADDONS = {"crawler.addon.SekishoAddon": 100}
SPIDER_MODULES = ["spiders"]
LOG_LEVEL = "INFO"
DNS_TIMEOUT = 5
SEKISHO_POLICIES = "policies_here"
SEKISHO_BLOCKLISTS = "lists"
SEKISHO_LOG = "sqlite:///log.db"
RETRY_TIMES = 1
"""


@dataclass(slots=True)
class Crawl:
    """What a crawl came to."""

    code: int
    stdout: str
    stderr: str
    folder: Path
    records: list[StoredRecord] = field(default_factory=list)

    def of(self, **wanted: object) -> list[StoredRecord]:
        """Return the records whose fields have these values."""
        return [
            one for one in self.records if all(getattr(one, name) == value for name, value in wanted.items())
        ]

    def reason(self, url: str) -> str | None:
        """Return the reason of the last refusal of a URL, before or after its response; None if there is none."""
        reasons = [one.reason for one in self.records if one.url == url and one.verdict == "skip"]
        return reasons[-1] if reasons else None

    def kept(self) -> list[str]:
        """Return the URLs whose bodies were handed to the spider."""
        return [one.url for one in self.of(verdict="keep", kind="page") if one.url]


class Project:
    """A Scrapy project in a folder, guarded by one line in its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self.write("scrapy.cfg", "[settings]\ndefault = project_settings\n")
        self.write("project_settings.py", SETTINGS)
        self.write("spiders/__init__.py", "")
        self.write("policies_here/agents/examplebot.toml", AGENT)
        self.write("lists/test.toml", LIST_MANIFEST)
        self.write("lists/test.txt", "pirate.localhost\n")

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Return the project that stands in a folder already, as it is."""
        project = cls.__new__(cls)
        project.folder = folder
        project._started = []
        return project

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def append(self, name: str, text: str) -> None:
        """Add lines to a file of the project."""
        path = self.folder / name
        path.write_text(path.read_text() + text)

    def environment(self) -> dict[str, str]:
        """Return the environment of the project's processes: no proxies, no settings from outside."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for name in list(kept):
            if name.startswith(("SEKISHO_", "SCRAPY_")):
                del kept[name]
        kept["PYTHONPATH"] = os.pathsep.join((str(self.folder), str(ROOT)))
        kept["PYTHONWARNINGS"] = "default"
        return kept

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `scrapy` command."""
        process = subprocess.Popen(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed left running, so that the next ones neither wait for it nor warn of it."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def crawl(self, *urls: str, options: tuple[str, ...] = (), timeout: float = 60) -> Crawl:
        """Run the ready-made spider over URLs."""
        return self.scrapy("crawl", "site", "-a", f"url={','.join(urls)}", *options, timeout=timeout)

    def crawl_without_log(self, *urls: str) -> Crawl:
        """Run the ready-made spider where no log can be expected; none is read."""
        process = self.start("crawl", "site", "-a", f"url={','.join(urls)}")
        stdout, stderr = process.communicate(timeout=60)
        return Crawl(process.returncode, stdout, stderr, self.folder)

    def scrapy(self, *arguments: str, timeout: float = 60) -> Crawl:
        """Run a `scrapy` command to its end and read the log."""
        process = self.start(*arguments)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"the crawl hung:\n{stderr[-4000:]}") from None
        return Crawl(process.returncode, stdout, stderr, self.folder, self.records())

    def sekisho(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a `sekisho` command."""
        return subprocess.run(
            [sys.executable, "-m", "crawler.cli", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
        )

    def records(self) -> list[StoredRecord]:
        """Return every record of the project's log."""
        log = self.folder / "log.db"
        if not log.exists() or not log.stat().st_size:  # a crawl that begins makes the file before its tables
            return []
        with LogReader.open(f"sqlite:///{log}") as reader:
            return list(reader.records())
