"""Serve the demo web: several invented sites on this machine's loopback address, with one access log.

One server answers for every host of `site.toml`; their names lie under `.localhost`, which the crawler
always takes for this machine (RFC 6761 section 6.3), so neither root nor a name server is needed.
The access log is what a site owner would see: it is written before the answer leaves, one JSON object a
line (`ts` RFC 3339 UTC, `host`, `method`, `path`, `user_agent`, `status`).

    python deploy/demo/serve.py --port 8800 --access-log out/demo-access.jsonl

Uses the standard library only and knows nothing of the crawler.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import signal
import sys
import threading
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

SITE_FILE = Path(__file__).with_name("site.toml")
LOOPBACK = "127.0.0.1"

# Codes that are given before a request: with these, the server sees nothing of the address.
BEFORE_THE_REQUEST = frozenset(
    {"robots_disallow", "robots_unreachable", "crawl_delay_too_long", "piracy_list"}
)

PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title}</title>
{head}
</head>
<body>
<header><p>{site}</p></header>
<main>
<h1>{title}</h1>
{body}
</main>
<nav><ul>
{links}
</ul></nav>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the demo web says at one address; `expect` is the reason code promised for it, if any."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    expect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request that the server received, as a site owner's access log tells it."""

    ts: str
    host: str
    method: str
    path: str
    user_agent: str
    status: int


@dataclass(slots=True, kw_only=True)
class AccessLog:
    """Every visit in order of arrival, in memory and, when a file is given, one JSON object a line."""

    file: IO[str] | None = None
    visits: list[Visit] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, visit: Visit) -> None:
        """Remember a visit; flushed, so that another process may read while we serve."""
        with self.lock:
            self.visits.append(visit)
            if self.file is not None:
                line = {name: getattr(visit, name) for name in Visit.__slots__}
                self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self.file.flush()


def _html(media_type: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", media_type),)


def _page(host: dict[str, Any], page: dict[str, Any]) -> Answer:
    """Return the answer for one page of `site.toml`, still without ports in its addresses."""
    headers = tuple(page.get("headers", {}).items())
    if "location" in page:
        headers += (("Location", page["location"]),)
    media_type = page.get("media_type")
    if media_type is not None:
        body = page["body"].lstrip()
    else:
        media_type = "text/html; charset=utf-8"
        links = "\n".join(
            f'<li><a href="{html.escape(link)}">{html.escape(link)}</a></li>'
            for link in page.get("links", ())
        )
        body = PAGE.format(
            lang=page.get("lang", host["lang"]),
            title=html.escape(page["title"]),
            site=html.escape(host["title"]),
            head=page.get("head", ""),
            body=page.get("body", ""),
            links=links,
        )
    return Answer(
        status=page.get("status", HTTPStatus.OK),
        headers=(*_html(media_type), *headers),
        body=body.encode(),
        expect=page.get("expect", ""),
    )


def _robots(host: dict[str, Any]) -> Answer:
    """Return what `/robots.txt` says on a host."""
    plain = _html("text/plain; charset=utf-8")
    if "robots_location" in host:
        return Answer(status=HTTPStatus.FOUND, headers=(("Location", host["robots_location"]),), body=b"")
    status = host.get("robots_status", HTTPStatus.OK)
    return Answer(status=status, headers=plain, body=host.get("robots", "").lstrip().encode())


def _sitemap(host: dict[str, Any]) -> Answer:
    """Return the sitemap of a host's open pages (https://www.sitemaps.org/protocol.html)."""
    rows = "".join(
        f"<url><loc>http://{host['name']}{html.escape(page['path'])}</loc></url>\n"
        for page in host["page"]
        if page.get("expect") == "kept"
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'
    )
    return Answer(status=HTTPStatus.OK, headers=_html("application/xml; charset=utf-8"), body=body.encode())


def _with_port(text: str, port: int) -> str:
    """Write the port behind every host name of the demo that stands in an address."""
    return re.sub(r"(https?://[a-z-]+\.localhost)(?![\w.:-])", rf"\1:{port}", text)


def load_answers(port: int, site_file: Path = SITE_FILE) -> tuple[list[str], dict[tuple[str, str], Answer]]:
    """Return the hosts that are listed as piracy, and the answer at each (host, path with query)."""
    with site_file.open("rb") as stream:
        hosts = tomllib.load(stream)["host"]
    answers: dict[tuple[str, str], Answer] = {}
    for host in hosts:
        answers[host["name"], "/robots.txt"] = _robots(host)
        answers[host["name"], "/sitemap.xml"] = _sitemap(host)
        for page in host["page"]:
            answers[host["name"], page["path"]] = _page(host, page)
    ported = {
        place: Answer(
            status=answer.status,
            headers=tuple((name, _with_port(value, port)) for name, value in answer.headers),
            body=_with_port(answer.body.decode(), port).encode(),
            expect=answer.expect,
        )
        for place, answer in answers.items()
    }
    return [host["name"] for host in hosts if host.get("listed")], ported


class _Handler(BaseHTTPRequestHandler):
    """Answers from the table; the host of the request line's `Host` header chooses the site."""

    protocol_version = "HTTP/1.1"
    # One packet an answer: header and body written apart would wait for each other on a quiet line.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        host = self.headers.get("Host", "").rsplit(":", 1)[0].lower()
        unknown_host = host not in self.server.hosts
        missing = Answer(
            status=HTTPStatus.MISDIRECTED_REQUEST if unknown_host else HTTPStatus.NOT_FOUND,
            headers=_html("text/plain; charset=utf-8"),
            body=b"No such place in the demo web.\n",
        )
        answer = self.server.answers.get((host, self.path), missing)
        self.server.access.note(
            Visit(
                ts=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                host=host,
                method=self.command,
                path=self.path,
                user_agent=self.headers.get("User-Agent", ""),
                status=answer.status,
            )
        )
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing on the terminal: the access log is the record."""


class _Server(ThreadingHTTPServer):
    """One port of loopback, and the table that it answers from."""

    daemon_threads = True
    hosts: frozenset[str]
    answers: dict[tuple[str, str], Answer]
    access: AccessLog


class DemoWeb:
    """The demo web as a context manager: serving on entry, silent on exit.

    `port` 0 takes a free one. Raises OSError when the port is taken or the access log cannot be written.
    """

    def __init__(self, *, port: int = 0, access_log: Path | None = None) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)
        self._file: IO[str] | None = None
        if access_log is not None:
            try:
                access_log.parent.mkdir(parents=True, exist_ok=True)
                self._file = access_log.open("a", encoding="utf-8")
            except OSError:
                self._server.server_close()
                raise
        self.access = AccessLog(file=self._file)
        self.port: int = self._server.server_address[1]
        self.listed_hosts, self._server.answers = load_answers(self.port)
        self._server.hosts = frozenset(host for host, _ in self._server.answers)
        self._server.access = self.access
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._file is not None:
            self._file.close()

    def url(self, host: str, path: str = "/") -> str:
        """Return an address of the demo web."""
        return f"http://{host}:{self.port}{path}"

    @property
    def start_urls(self) -> list[str]:
        """One address a host: a list of seeds that holds a listed host too, as careless lists do."""
        return [self.url(host) for host in dict.fromkeys(host for host, _ in self._server.answers)]

    @property
    def expected(self) -> dict[str, str]:
        """The reason code that `site.toml` promises for each address."""
        return {self.url(*place): answer.expect for place, answer in self._promised()}

    @property
    def forbidden(self) -> frozenset[str]:
        """Addresses that nobody may ask for: the promised reason is given before a request."""
        return frozenset(
            self.url(*place) for place, answer in self._promised() if answer.expect in BEFORE_THE_REQUEST
        )

    @property
    def received(self) -> list[str]:
        """Every address that was asked for, in order of arrival, robots.txt and its kin included."""
        return [self.url(visit.host, visit.path) for visit in self.access.visits]

    def _promised(self) -> Iterator[tuple[tuple[str, str], Answer]]:
        return ((place, answer) for place, answer in self._server.answers.items() if answer.expect)

    def describe(self) -> dict[str, Any]:
        """Return what a reader of the ready file needs: the port, the seeds and the listed hosts."""
        return {
            "schema": "sekisho.demo/1",
            "port": self.port,
            "start_urls": self.start_urls,
            "listed_hosts": self.listed_hosts,
        }


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Exit code 0, or 1 when the port or a file cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=8800, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--ready-file", type=Path, help="JSON with port and start URLs, written when serving")
    parser.add_argument("--access-log", type=Path, help="JSON lines, one a request received")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with DemoWeb(port=options.port, access_log=options.access_log) as web:
            ready = json.dumps(web.describe(), indent=2)
            if options.ready_file is not None:
                beside = options.ready_file.with_name(options.ready_file.name + ".part")
                beside.write_text(ready + "\n", encoding="utf-8")
                beside.replace(options.ready_file)
            print(ready, flush=True)
            stop.wait()
    except OSError as error:
        print(f"demo web: cannot serve on {LOOPBACK}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
