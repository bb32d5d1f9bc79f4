"""What sites may send and pages may link to: each is a logged skip or a logged outcome, and the crawl goes on.

Two crawls meet everything at once: `asked` every broken robots.txt, `met` every broken page, redirect and URL.
"""

import gzip
import json
import zlib

import pytest
from arrivals import as_sent, undecided
from loopback import Project, Reply, Web, page, robots

URLS_SPIDER = '''
import json
from pathlib import Path
from scrapy import Request, Spider

class Urls(Spider):
    """Asks for the URLs of urls.json; those that are none are counted by Scrapy's own ValueError."""
    name = "urls"

    async def start(self):
        for url in json.loads(Path("urls.json").read_text()):
            try:
                yield Request(url, dont_filter=True, callback=self.parse, errback=self.failed)
            except ValueError:
                yield {"no_request": url}

    def parse(self, response):
        yield {"got": response.url}

    def failed(self, failure):
        yield {"lost": failure.request.url}
'''
SETTINGS = """
SEKISHO_ROBOTS_TIMEOUT = 4
DOWNLOAD_TIMEOUT = 4
RETRY_ENABLED = False
CONCURRENT_REQUESTS = 32
DOWNLOAD_MAXSIZE = 33554432
"""
RULES = b"User-agent: *\nDisallow: /no\n"
LINE = b"# " + b"x" * 97 + b"\n"


def head(*lines):
    return "\r\n".join(("HTTP/1.1 200 OK", *lines)).encode() + b"\r\n"


def bomb(size):
    """Return `size` octets of blanks, packed to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\n" * 2**20
    return b"".join(packer.compress(block) for _ in range(size // 2**20)) + packer.flush()


BOMB = bomb(256 * 2**20)
GZIP = (("Content-Encoding", "gzip"),)
# What robots.txt is, and why /yes is refused then; None: it is fetched, and /no is not.
ROBOTS = {
    "large": (robots(RULES + LINE * 100_000), None),
    "large-before": (robots(LINE * 100 + RULES + LINE * 100_000), None),
    "nul": (robots(RULES + b"\x00Disallow: /yes\n\x00\x00\nDisallow: /\x00x\n\x00"), None),
    "latin-1": (robots(b"# r\xe8gles\n" + RULES + b"Disallow: /\xe9t\xe9\n"), None),
    "bom": (robots(b"\xef\xbb\xbf" + RULES), None),
    "no-newline": (robots(RULES.rstrip(b"\n")), None),
    "cr-only": (robots(RULES.replace(b"\n", b"\r")), None),
    "groups": (
        robots(b"".join(b"User-agent: bot%d\nDisallow: /\n" % number for number in range(50_000)) + RULES),
        "any",  # 1.4 MB: the last group lies beyond what is read
    ),
    "agents": (robots(b"".join(b"User-agent: b%d\n" % number for number in range(25_000)) + RULES), None),
    "one-line": (robots(b"User-agent: *\nDisallow: /no" + b"x" * 600_000), "any"),
    "utf-16": (robots(b"\xff\xfe" + RULES.decode().encode("utf-16-le")), "any"),
    "utf-16-unmarked": (robots(RULES.decode().encode("utf-16-be")), "any"),
    "gzip": (Reply(200, GZIP, gzip.compress(RULES)), None),
    "gzip-garbage": (Reply(200, GZIP, b"\x1f\x8b garbage"), "robots_unreachable"),
    "gzip-not": (Reply(200, GZIP, RULES), "robots_unreachable"),
    "gzip-bomb": (Reply(200, GZIP, BOMB), "robots_unreachable"),
    "too-large": (Reply(200, (), b"\n" * (17 * 2**20)), "robots_unreachable"),
    "late": (Reply(200, (), RULES, delay=20), "robots_unreachable"),
    "headers-forever": (Reply(raw=head("X-A: b"), drip=b"X-Drip: y\r\n"), "robots_unreachable"),
    "body-forever": (
        Reply(raw=head("Content-Type: text/plain", "") + RULES, drip=b"# more\n"),
        "robots_unreachable",
    ),
    "cut": (Reply(raw=head("Content-Length: 1000", "") + RULES), "robots_unreachable"),
    "chunks-cut": (
        Reply(raw=head("Transfer-Encoding: chunked", "") + b"10\r\nUser-agent: *\nDi"),
        "robots_unreachable",
    ),
    "garbage": (Reply(raw=b"\x00\xff garbage\r\n\r\n"), "robots_unreachable"),
    "status-garbage": (Reply(raw=b"HTTP/1.1 abc OK\r\n\r\n"), "robots_unreachable"),
    "closed": (Reply(close=True), "robots_unreachable"),
    "status-999": (Reply(999, (), RULES), "robots_unreachable"),
    "to-nowhere": (Reply(302, (), b""), "robots_unreachable"),
    "to-javascript": (Reply(302, (("Location", "javascript:alert(1)"),), b""), "robots_unreachable"),
    "to-file": (Reply(302, (("Location", "file:///etc/hostname"),), b""), "robots_unreachable"),
    "to-garbage": (Reply(302, (("Location", "http://[::1/\xff"),), b""), "robots_unreachable"),
    "to-listed": (
        Reply(302, (("Location", "http://pirate.localhost/robots.txt"),), b""),
        "robots_unreachable",
    ),
    "to-8k": (Reply(302, (("Location", "/" + "x" * 8_000),), b""), None),
    "to-64k": (
        Reply(302, (("Location", "/" + "x" * 65_000),), b""),
        "robots_unreachable",
    ),  # no such header is read
}


class Met:
    """A crawl, the web that it met, and what its spider yielded."""

    def __init__(self, web, project, urls, options=()):
        project.write("spiders/urls.py", URLS_SPIDER)
        project.append("project_settings.py", SETTINGS)
        project.write("urls.json", json.dumps(urls))
        self.web = web
        self.project = project
        self.crawl = project.scrapy("crawl", "urls", "-o", "items.jsonl", *options)
        lines = (project.folder / "items.jsonl").read_text().splitlines()
        self.items = [json.loads(line) for line in lines]

    def reasons(self, url):
        return {one.reason for one in self.crawl.of(url=url) if one.verdict in ("skip", "failed")}

    def holds(self):
        """Assert what holds whatever was met."""
        assert self.crawl.code == 0, self.crawl.stderr[-4000:]
        assert [one.reason for one in self.crawl.of(stage="run")] == [
            "run_opened",
            "guard_armed",
            "run_closed",
        ]
        assert undecided(self.web, self.web.received, self.crawl.records) == []
        fetched = {one.idx for one in self.crawl.of(stage="request", verdict="fetch")}
        assert sorted(one.ref_idx for one in self.crawl.of(stage="outcome")) == sorted(fetched)
        assert "sekisho: " not in [
            line[:9] for line in self.crawl.stderr.splitlines() if "fetched," not in line
        ]
        verified = self.project.sekisho("log", "verify", "--log", "sqlite:///log.db")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        exported = self.project.sekisho("log", "export", "--log", "sqlite:///log.db")
        assert exported.returncode == 0, exported.stderr[-2000:]
        assert len(exported.stdout.splitlines()) == len(self.crawl.records) - len(self.crawl.of(stage="run"))


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("asked"))
    with Web() as web:
        web.default = page("open")
        for name, (reply, _) in ROBOTS.items():
            web.add(f"{name}.localhost", "/robots.txt", reply)
        web.add("to-8k.localhost", "/" + "x" * 8_000, robots(RULES))
        urls = [web.url(f"{name}.localhost", path) for name in ROBOTS for path in ("/yes", "/no")]
        yield Met(web, project, urls)


def test_a_crawl_that_meets_every_broken_robots_txt_ends_in_order(asked):
    asked.holds()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_broken_robots_txt_is_obeyed_as_far_as_it_can_be_read_and_forbids_all_where_it_cannot(asked, name):
    host = f"{name}.localhost"
    yes, no = (asked.web.url(host, path) for path in ("/yes", "/no"))
    expected = ROBOTS[name][1]
    received = [path for path in asked.web.paths(host) if path in ("/yes", "/no")]
    if expected is None:
        assert received == ["/yes"]
        assert asked.reasons(no) == {"robots_disallow"}
    elif expected == "any":
        assert all(asked.crawl.of(url=url, stage="request") for url in (yes, no))
    else:
        assert received == []
        assert asked.reasons(yes) == asked.reasons(no) == {expected}


def test_each_robots_txt_was_asked_for_once_however_it_failed(asked):
    asked_for = [one.host for one in asked.web.received if one.path == "/robots.txt"]
    assert sorted(asked_for) == sorted(f"{name}.localhost" for name in ROBOTS)


def ld(text):
    return page(f'<script type="application/ld+json">{text}</script>')


def coded(coding, body):
    return Reply(200, (("Content-Type", "text/html"), ("Content-Encoding", coding)), body)


def to(location, status=302):
    return Reply(status, (("Location", location),), b"moved")


# Path, reply, and whether the spider gets the page: True, False, or None where either is right.
PAGES = {
    "/ld-broken": (ld('{"@type": "Article", "isAccessibleForFree": '), None),
    "/ld-garbage": (ld("\x00\xff{]"), None),
    "/ld-deep": (ld('{"a":' * 10_000 + "1" + "}" * 10_000), None),
    "/ld-deep-list": (ld("[" * 10_000 + "]" * 10_000), None),
    "/ld-huge": (ld('{"a": "' + "x" * 5_000_000 + '"}'), None),
    "/ld-many": (page('<script type="application/ld+json">{}</script>' * 20_000), None),
    "/ld-digits": (ld('{"isAccessibleForFree": ' + "9" * 100_000 + "}"), None),
    "/ld-surrogate": (ld('{"@type": "\\ud800", "name": "\\udfff"}'), None),
    "/html-deep": (page("<div itemscope itemtype='http://schema.org/Article'>" * 20_000), None),
    "/html-open": (Reply(200, (("Content-Type", "text/html"),), b"<a href='" + b"x" * 1_000_000), None),
    "/html-binary": (Reply(200, (("Content-Type", "text/html"),), bytes(range(256)) * 1_000), None),
    "/charset": (Reply(200, (("Content-Type", "text/html; charset=no-such-thing"),), b"<p>x"), True),
    "/type-garbage": (Reply(200, (("Content-Type", "\xff;;=;\x01/"),), b"<p>x"), None),
    "/type-long": (Reply(200, (("Content-Type", "text/" + "x" * 10_000),), b"<p>x"), None),
    "/empty": (Reply(200, (("Content-Type", "text/html"),), b""), True),
    "/gzip-garbage": (coded("gzip", b"this was never packed"), None),
    "/gzip-cut": (coded("gzip", gzip.compress(b"<p>" + b"x" * 10_000)[:-40]), None),
    "/gzip-bomb": (coded("gzip", bomb(64 * 2**20)), False),
    "/deflate-garbage": (coded("deflate", b"\x00\x01\x02"), None),
    "/br-garbage": (coded("br", b"\xff\xff\xff"), None),
    "/zstd-garbage": (coded("zstd", b"\x28\xb5\x2f\xfd\xff"), None),
    "/coding-unknown": (coded("x-nobody, gzip", b"?"), None),
    "/coding-many": (coded(", ".join(["gzip"] * 1_000), b"?"), None),
    "/cut": (Reply(raw=head("Content-Type: text/html", "Content-Length: 99999", "") + b"<p>"), None),
    "/headless": (Reply(raw=b"<html>HTTP/0.9"), False),
    "/head-garbage": (Reply(raw=b"HTTP/1.1 200 OK\r\n\xff\xfe\r\nno colon\r\n\r\nx"), None),
    "/head-long": (Reply(raw=head("X: " + "y" * 200_000, "Content-Length: 1", "") + b"x"), None),
    "/two-lengths": (Reply(raw=head("Content-Length: 1", "Content-Length: 3", "") + b"xyz"), False),
    "/length-minus": (Reply(raw=head("Content-Length: -1", "") + b"xyz"), False),
    "/chunks-garbage": (Reply(raw=head("Transfer-Encoding: chunked", "") + b"zz\r\nx"), None),
    "/late": (Reply(200, (), b"x", delay=20), False),
    "/head-forever": (Reply(raw=head("X-A: b"), drip=b"X-Drip: y\r\n"), False),
    "/body-forever": (Reply(raw=head("Content-Type: text/html", "") + b"<p>", drip=b"x"), False),
    "/closed": (Reply(close=True), False),
    **{f"/status-{code}": (Reply(code, (("Content-Type", "text/html"),), b"body"), None if code < 300 else False)
       for code in (100, 204, 205, 206, 300, 304, 404, 405, 410, 418, 500, 501, 599, 600, 999)},
    "/to-empty": (to(""), False),
    "/to-slashes": (to("//"), False),
    "/to-bytes": (to("/caf\xe9\xff\x80"), None),
    "/to-javascript": (to("javascript:alert(1)"), False),
    "/to-mailto": (to("mailto:a@example.com"), False),
    "/to-data": (to("data:text/html,hello"), False),
    "/to-file": (to("file:///etc/hostname"), False),
    "/to-open-bracket": (to("http://[::1"), False),
    "/to-port": (to("http://a.localhost:99999/"), False),
    "/to-no-host": (to("http:///x"), False),
    "/to-userinfo": (to("http://user:pw@a.localhost/"), False),
    "/to-backslash": (to("http:\\\\pirate.localhost\\x"), False),
    "/to-backslash-host": (to("/\\pirate.localhost/x"), False),
    "/to-tab": (to("ht\ttp://pirate.localhost/"), False),
    "/to-64k": (to("/" + "x" * 70_000), False),
    "/to-self": (to("/to-self"), False),
    "/to-listed": (to("http://pirate.localhost/"), False),
    "/refresh-garbage": (page('<meta http-equiv="refresh" content="0; url=http://[">'), None),
    "/refresh-listed": (page('<meta http-equiv=refresh content="0;url=//pirate.localhost/">'), False),
    "/refresh-javascript": (page('<meta http-equiv="refresh" content="0;url=javascript:alert(1)">'), None),
}  # fmt: skip
ODD_URLS = [
    *(f"http://a.localhost:{port}/p" for port in ("0", "", "65536", "-1", "x", "99999999999", "８０", "1e3")),
    *(f"http://{host}/" for host in ("", ".", "..", "a..localhost", "-", "*", "a_b.localhost", "[", "[::1", "[::1]:x")),
    *(f"http://{host}/" for host in ("[v1.x]", "[::ffff:127.0.0.1%25lo]", "xn--", "xn--a", "x" * 64 + ".localhost")),
    *(f"http://{host}/" for host in ("a" * 300, "%61.localhost%2e.example", "a%00.localhost", "a b.localhost", "☃.localhost")),
    *(f"http://{host}/" for host in ("999.999.999.999", "0x7f.1.2.3.4", "1.2.3", "127.1.", "256", "0300.0.0.1.")),
    *("http://user:secret@a.localhost/", "http://@a.localhost/", "http://a.localhost@192.0.2.1/", "http://:@a.localhost/"),
    *("http:/a.localhost/", "http:a.localhost", "http:////a.localhost/", "https://", "http://", "http:", "HTTP://A.LOCALHOST:1/"),
    *("//a.localhost/", "a.localhost", "", "?", "#", "mailto:x@example.com", "javascript:alert(1)", "about:blank", "ws://a.localhost/"),
    *("http:\\\\a.localhost\\x", "http://192.0.2.1\\@a.localhost/", "http://a.localhost\\@192.0.2.1/", "http://192.0.2.1#@a.localhost/"),
]  # fmt: skip
LISTED = [
    "PIRATE.localhost",
    "pirate.localhost.",
    "www.pirate.localhost",
    "pir%61te.localhost",
    "ｐirate.localhost",
    "pirate。localhost",
]


def web_urls(web):
    """Return URLs of hosts that are there, spelt oddly."""
    port = web.port
    return [
        *(f"http://{host}:{port}/film" for host in LISTED),
        f"http://a.localhost:{port}/{'x' * 60_000}",
        f"http://a.localhost:{port}/{'x' * 65_600}",
        f"http://a.localhost:{port}/?{'q=%ff&' * 8_000}",
        f"http://a.localhost:{port}",
        f"http://a.localhost:{port}?query",
        f"http://a.localhost:{port}/#fragment\x00",
        f"http://a.localhost:{port}/a/../../b/./c//d",
        f"http://a.localhost:{port}/no/../yes",
        f"http://a.localhost:{port}/yes/../no",
        f"http://a.localhost:{port}/%6e%6F",
        f"http://a.localhost:{port}//no",
        f"http://a.localhost:{port}\\no",
        f"http://a.localhost:{port}/\\no",
        f"http://a.localhost:{port}/yes\r\nX: y",
        f"http://a.localhost:{port}/日本語?ｑ=é#☃",
        f"http://a.localhost:{port}/%zz%",
        f"http://a.localhost:{port}/%00",
        f"http://a.localhost:{port}/\ud800",
        f" \t http://a.localhost:{port}/blanks \n",
        f"http://A.LocalHost.:{port}/dot",
        f"http://127.1:{port}/short",
        f"http://2130706433:{port}/number",
        f"http://0x7f000001:{port}/hex",
        f"http://[::ffff:127.0.0.1]:{port}/mapped",
    ]


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("met"))
    with Web() as web:
        web.default = page("open")
        web.add("a.localhost", "/robots.txt", robots(RULES))
        for path, (reply, _) in PAGES.items():
            web.add("a.localhost", path, reply)
        for number in range(5):
            web.add(f"ring{number}.localhost", "/x", to(web.url(f"ring{(number + 1) % 5}.localhost", "/x")))
        urls = [web.url("a.localhost", path) for path in PAGES]
        yield Met(web, project, [*urls, web.url("ring0.localhost", "/x"), *ODD_URLS, *web_urls(web)])


def test_a_crawl_that_meets_every_broken_page_redirect_and_url_ends_in_order(met):
    met.holds()


@pytest.mark.parametrize("path", PAGES)
def test_a_broken_page_is_kept_or_skipped_by_a_record_and_its_request_has_its_outcome(met, path):
    url = met.web.url("a.localhost", path)
    handed = {"got": url} in met.items
    expected = PAGES[path][1]
    if expected is not None:
        assert handed is expected
    asked = met.crawl.of(url=url, stage="request", verdict="fetch")
    assert asked
    ends = met.crawl.of(url=url, stage="outcome")
    assert [one.ref_idx for one in ends] == [one.idx for one in asked]
    if ends[0].verdict == "received":
        judged = met.crawl.of(url=url, stage="response")
        assert judged, "received, and nobody judged it"
        # A page that refreshes is kept, and then Scrapy follows it instead of handing it on.
        assert handed is (judged[-1].verdict == "keep" and not path.startswith("/refresh"))


def test_a_body_that_is_not_what_its_coding_says_leaves_a_row_that_says_so(met):
    rows = met.crawl.of(reason="error_internal", stage="response")
    paths = {one.url.rsplit("/", 1)[1] for one in rows if one.url}
    assert paths >= {"gzip-garbage", "gzip-cut", "br-garbage"}
    assert {(one.verdict, one.size, one.status) for one in rows} == {("skip", 0, 200)}


def test_a_redirect_circle_between_hosts_ends_and_every_hop_has_its_decision(met):
    hops = [one for one in met.web.received if one.host.startswith("ring") and one.path == "/x"]
    assert 5 <= len(hops) <= 25
    assert len(met.crawl.of(stage="response", reason="redirect")) >= len(hops)


def test_no_spelling_of_a_listed_host_received_anything(met):
    assert [one for one in met.web.received if "film" in one.path or "pirate" in one.host] == []


def test_no_spelling_of_a_forbidden_path_was_received(met):
    assert [one for one in met.web.received if one.path in ("/no", "/%6e%6F", "/%6E%6F")] == []


def test_nothing_left_this_machine(met):
    hosts = {one.host for one in met.crawl.of(stage="request", verdict="fetch")}
    assert {host for host in hosts if not host.endswith("localhost")} <= {
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    }


def test_a_url_beyond_64_kib_is_not_sent_and_has_its_row(met):
    assert max(len(path) for path in met.web.paths()) < 65_536
    assert len([one for one in met.crawl.of(reason="url_length") if len(one.url or "") > 65_536]) >= 1


def test_what_scrapy_takes_for_a_request_has_a_record(met):
    ended = {as_sent(item[key]) for item in met.items for key in ("got", "lost") if key in item}
    assert len(ended) > 100
    assert ended - {as_sent(one.url) for one in met.crawl.records if one.url} == set()
