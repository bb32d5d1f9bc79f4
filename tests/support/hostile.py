"""The attempts of the hostile suite: one table, numbered, from which tests and `crawler/README.md` are made.

A number is never given to another attempt. `key` is also the word that its addresses carry, so that whatever a
server received of it can be found. Print the table with `python tests/support/hostile.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback import Crawl, Received, Web

    from crawler.decisionlog.stored import StoredRecord


class Ends(StrEnum):
    """How an attempt ends; the sentences are those of the README."""

    STOPPED = "stopped, recorded"
    IMPOSSIBLE = "has no effect"
    REFUSED = "refused by the tripwire, recorded"
    NOTED = "noted by the tripwire"
    NOT_STARTED = "the crawl does not start, exit 5"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way round the door. `reason` is the recorded code, empty where nothing is recorded of it."""

    number: int
    key: str
    says: str
    ends: Ends
    reason: str = ""


_S, _I, _R, _N, _X = Ends.STOPPED, Ends.IMPOSSIBLE, Ends.REFUSED, Ends.NOTED, Ends.NOT_STARTED
ROBOTS, PIRACY, SCOPE, NO_PERMIT = "robots_disallow", "piracy_list", "policy_scope", "no_permit"
UNPARSABLE, TRIP = "unparsable_url", "tripwire"

# What a spider asks for, by every interface that Scrapy offers to a spider.
ASKED = (
    Attempt(1, "dont_obey", '`meta["dont_obey_robotstxt"]`', _S, ROBOTS),
    Attempt(2, "listed", "a listed host with `dont_filter` and `allow_offsite`", _S, PIRACY),
    Attempt(3, "listed_dot", "a listed host with the root's dot", _S, PIRACY),
    Attempt(4, "listed_case", "a listed host in other letters", _S, PIRACY),
    Attempt(5, "slot", '`meta["download_slot"]` on a forbidden path', _S, ROBOTS),
    Attempt(6, "redirect", "a redirect to a forbidden path", _S, ROBOTS),
    Attempt(7, "refresh", "a meta refresh to a forbidden path", _S, ROBOTS),
    Attempt(8, "redirect_listed", "a redirect to a listed host", _S, PIRACY),
    Attempt(9, "again", "asking again, by `get_retry_request`, for what was refused", _S, ROBOTS),
    Attempt(10, "file", "`file:`", _S, UNPARSABLE),
    Attempt(11, "data", "`data:`", _S, UNPARSABLE),
    Attempt(12, "ftp", "`ftp:`", _S, UNPARSABLE),
    Attempt(13, "s3", "`s3:`", _S, UNPARSABLE),
    Attempt(14, "gopher", "a scheme that nobody knows", _S, UNPARSABLE),
    Attempt(15, "method", "POST, PUT, DELETE, OPTIONS, CONNECT, TRACE, and a method with a request in it", _S, SCOPE),
    Attempt(16, "form", "`FormRequest`", _S, SCOPE),
    Attempt(17, "userinfo", "a name and password in the URL", _S, SCOPE),
    Attempt(18, "authorization", "an `Authorization` header", _S, SCOPE),
    Attempt(19, "http_auth", "`http_user` and `http_pass`", _S, "robots_unreachable"),
    Attempt(20, "host_header", "a `Host` header of another site", _S, NO_PERMIT),
    Attempt(21, "host_header_too", "two `Host` headers", _S, NO_PERMIT),
    Attempt(22, "content", "a second request in the content of a GET", _S, NO_PERMIT),
    Attempt(23, "content_length", "the same, with a false `Content-Length`", _S, NO_PERMIT),
    Attempt(24, "proxy", "a listed host as the proxy", _S, NO_PERMIT),
    Attempt(25, "proxy_far", "a proxy where the agent must not go", _S, NO_PERMIT),
    Attempt(26, "engine_download", "`engine.download_async`", _S, ROBOTS),
    Attempt(27, "handlers", "`downloader.handlers.download_request_async`", _S, NO_PERMIT),
    Attempt(28, "handlers_declared", "the same under the declared User-Agent", _S, NO_PERMIT),
    Attempt(29, "listed_direct", "the same for a listed host", _S, NO_PERMIT),
    Attempt(30, "inner_handler", "`download_request` of the handler behind the door", _S, NO_PERMIT),
    Attempt(31, "replay", "sending an answered request again past the scheduler", _S, NO_PERMIT),
    Attempt(32, "replay_copy", "the same with its copy", _S, NO_PERMIT),
)  # fmt: skip

# What the same spider brings along: nobody listens to it.
UNHEARD = (
    Attempt(
        33, "user_agent", "another User-Agent by spider, setting, default header or request, one or two", _I
    ),
    Attempt(34, "cookie", "cookies that the spider brings along, by argument and by header", _S, SCOPE),
    Attempt(35, "crlf", "line breaks and a second request in a URL", _I),
    Attempt(36, "control_ports", "RemoteControl and the telnet console", _I),
    Attempt(37, "public_suffixes", "the Public Suffix List, fetched by the cookie middleware", _I),
)

# What code in the process opens by itself.
OPENED = (
    Attempt(38, "urllib", "`urllib` in a callback, to a host that is being crawled", _R, TRIP),
    Attempt(39, "http_client", "`http.client` to an address", _R, TRIP),
    Attempt(40, "raw_socket", "a socket", _R, TRIP),
    Attempt(41, "asyncio_streams", "`asyncio.open_connection`", _R, TRIP),
    Attempt(42, "aiohttp_session", "a session of aiohttp", _R, TRIP),
    Attempt(43, "own_handler", "a download handler that the spider builds", _R, TRIP),
    Attempt(44, "datagram", "a datagram", _R, TRIP),
    Attempt(45, "name", "a name look-up that carries data", _R, TRIP),
    Attempt(46, "thread", "`urllib` in a thread of its own", _R, TRIP),
    Attempt(
        47, "in_headers", "`urllib` in the signal `headers_received`, to the host that is answering", _R, TRIP
    ),
    Attempt(48, "program", "`subprocess`", _R, TRIP),
    Attempt(49, "shell_program", "`os.system`", _R, TRIP),
    Attempt(50, "pipeline", "`urllib` in an item pipeline", _R, TRIP),
    Attempt(51, "constructor", "`urllib` in the spider's constructor, before there is a log", _R, TRIP),
    Attempt(52, "module", "`urllib` while the spider's module is imported", _R, TRIP),
    Attempt(53, "library", "loading the C library, which can do all of this unseen", _N, TRIP),
)

# What a project's components do: `custom_settings`, middlewares before and after ours, pipelines.
COMPONENTS = (
    Attempt(54, "addons", "`ADDONS = {}` of a spider", _I),
    Attempt(55, "downloader", "`DOWNLOADER` of a spider", _I),
    Attempt(56, "middlewares", "our middlewares set to None by a spider", _I),
    Attempt(57, "extensions", "our extensions set to None by a spider", _I),
    Attempt(58, "download_handlers", "`DOWNLOAD_HANDLERS` of a spider, for http and `file:`", _I),
    Attempt(59, "robotstxt_obey", "`ROBOTSTXT_OBEY = False`", _I),
    Attempt(60, "http_cache", "the HTTP cache", _I),
    Attempt(61, "wire_settings", "`SEKISHO_TRIPWIRE` and `SEKISHO_DESTINATIONS` of a spider", _I),
    Attempt(62, "late=private", "another path after the decision", _S, NO_PERMIT),
    Attempt(63, "late=host", "another host after the decision", _S, NO_PERMIT),
    Attempt(64, "late=method", "another method after the decision", _S, NO_PERMIT),
    Attempt(65, "late=agent", "another User-Agent after the decision", _S, NO_PERMIT),
    Attempt(66, "late=more-agents", "a second User-Agent after the decision", _S, NO_PERMIT),
    Attempt(67, "late=no-agent", "no User-Agent after the decision", _S, NO_PERMIT),
    Attempt(68, "late=auth", "credentials after the decision", _S, NO_PERMIT),
    Attempt(69, "late=cookie", "a cookie after the decision", _S, NO_PERMIT),
    Attempt(70, "late=vhost", "a `Host` header after the decision", _S, NO_PERMIT),
    Attempt(71, "late=proxy", "a proxy after the decision", _S, NO_PERMIT),
    Attempt(72, "late=body", "content after the decision", _S, NO_PERMIT),
    Attempt(73, "middle=private", "another path between rules and decision", _S, NO_PERMIT),
    Attempt(74, "middle=auth", "credentials between rules and decision", _S, NO_PERMIT),
    Attempt(75, "late=replace", "another request in place of the decided one", _S, ROBOTS),
    Attempt(76, "early=answer", "a response that nobody sent", _S, "error_internal"),
    Attempt(77, "twice", "a middleware that sends a decided request twice", _S, NO_PERMIT),
    Attempt(78, "files", "the media pipeline: a forbidden path", _S, ROBOTS),
    Attempt(79, "files_listed", "the media pipeline: a listed host", _S, PIRACY),
    Attempt(80, "files_file", "the media pipeline: `file:`", _S, UNPARSABLE),
)

# What takes our parts out, and other commands.
TAKEN_OUT = (
    Attempt(81, "inside=downloader", "`DOWNLOADER` set by a spider above our priority", _X),
    Attempt(82, "inside=middlewares", "`DOWNLOADER_MIDDLEWARES` likewise", _X),
    Attempt(83, "inside=extensions", "`EXTENSIONS` likewise", _X),
    Attempt(84, "later=downloader", "`DOWNLOADER` set by a later add-on above our priority", _X),
    Attempt(85, "later=middlewares", "`DOWNLOADER_MIDDLEWARES` likewise", _X),
    Attempt(86, "later=extensions", "`EXTENSIONS` likewise, with the guard", _X),
    Attempt(87, "later=signals", "a later add-on that disconnects the guard", _S, NO_PERMIT),
    Attempt(
        88,
        "later=everything",
        "a later add-on that takes out door, middlewares, extensions and guard",
        _R,
        TRIP,
    ),
    Attempt(89, "fetch", "`scrapy fetch` of a forbidden page", _S, ROBOTS),
    Attempt(90, "shell", "`scrapy shell` on a forbidden page", _S, ROBOTS),
    Attempt(91, "parse", "`scrapy parse` of a forbidden page", _S, ROBOTS),
    Attempt(92, "later=door", "a later add-on that takes out door and guard and leaves the scheduler", _X),
)
ATTEMPTS = (*ASKED, *UNHEARD, *OPENED, *COMPONENTS, *TAKEN_OUT)


def words(address: str) -> set[str]:
    """Return the words of an address, to find an attempt by its key."""
    return set(re.split(r"[/?&#,:]", address)) | set(re.split(r"[/?&#,:=]", address))


class Outcome:
    """A crawl with the items that its spider yielded, and the web that it met."""

    def __init__(self, web: Web, crawl: Crawl) -> None:
        self.web = web
        self.crawl = crawl
        lines = (crawl.folder / "items.jsonl").read_text().splitlines()
        self.items = [json.loads(line) for line in lines]

    def refusals(self, attempt: str) -> set[str]:
        """Return what an attempt heard."""
        return {item["refused"] for item in self.items if item["attempt"] == attempt and "refused" in item}

    def got(self, attempt: str) -> list[str]:
        """Return what an attempt got."""
        return [item["got"] for item in self.items if item["attempt"] == attempt and "got" in item]

    def received(self, attempt: str) -> list[Received]:
        """Return what any server received of an attempt."""
        return [one for one in self.web.received if attempt in words(one.path)]

    def records(self, attempt: Attempt) -> list[StoredRecord]:
        """Return the records of refusals that name an attempt's address and its reason."""
        return [
            one
            for one in self.crawl.of(verdict="skip", reason=attempt.reason)
            if one.url and attempt.key in words(one.url)
        ]


def table() -> str:
    """Return the table for people, as Markdown."""
    rows = [f"| {one.number} | {one.says} | {one.ends.value} |" for one in ATTEMPTS]
    return "\n".join(("| no. | attempt | ends |", "|---|---|---|", *rows))


if __name__ == "__main__":
    print(table())
