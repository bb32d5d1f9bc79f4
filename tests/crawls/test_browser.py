"""Pages in a browser, full of ways to the network: what the servers received decides whether one was open.

One crawl carries most attempts: a page that tries everything that a page can do, beside parts that may be asked
for, so that it renders. What one crawl cannot show has its own.
"""

import hashlib
import json
import shutil

import pytest
from arrivals import Bases, undecided
from loopback import Project, Reply, Web, page, robots

from crawler.browser.locate import NAMES

pytest.importorskip("playwright", reason="rendering needs the extra: pip install 'sekisho[browser]'")
if not any(shutil.which(name) for name in NAMES):
    pytest.skip("rendering needs Chromium on PATH (Debian: apt install chromium)", allow_module_level=True)

UA = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"
RULES = "User-agent: *\nDisallow: /private\n"
SETTINGS = """
SEKISHO_BROWSER_SANDBOX = False
SEKISHO_BROWSER_SKIP = "none"
SEKISHO_PROGRESS = False
"""
SPIDER = '''
import json
from pathlib import Path

from scrapy import Request, Spider


class Rendered(Spider):
    """Renders the URLs of urls.txt and yields what it was handed."""

    name = "rendered"

    async def start(self):
        for url in Path("urls.txt").read_text().splitlines():
            yield Request(url, meta={"playwright": True}, errback=self.failed)

    def parse(self, response):
        yield {"url": response.url, "body": response.text, "flags": response.flags}

    def failed(self, failure):
        yield {"failed": failure.request.url, "why": str(failure.value)}
'''


def script(body, **headers):
    return Reply(200, (("Content-Type", "text/javascript"), *headers.items()), body.encode())


def to(url, status=302):
    return Reply(status, (("Location", url),), b"")


HOSTILE = """
<!doctype html><html><head><title>t</title>
<link rel="stylesheet" href="/open/style.css">
<link rel="stylesheet" href="/open/moved.css">
<link rel="stylesheet" href="/private/style.css">
<link rel="preload" as="script" href="/private/preload.js">
<link rel="prefetch" href="/private/prefetch">
<link rel="modulepreload" href="/private/module.js">
<link rel="prerender" href="/private/prerender">
<link rel="dns-prefetch" href="//private-dns.localhost">
<link rel="preconnect" href="//pirate.localhost:{port}">
<link rel="manifest" href="/private/manifest.json">
<link rel="icon" href="/private/icon.png">
<script type="speculationrules">{{"prefetch":[{{"source":"list","urls":["/private/speculated"]}}],
  "prerender":[{{"source":"list","urls":["/private/prerendered"]}}]}}</script>
<style>@font-face {{ font-family: f; src: url("/private/font.woff2"); }} p {{ font-family: f; }}
  body {{ background: url("/private/background.png"); }}</style>
</head><body><p>text</p>
<ul id="seen"></ul>
<img src="/open/image.png"><img src="/private/image.png"><img src="/open/to-private"><img src="/open/to-pirate">
<img srcset="/private/srcset.png 1x"><picture><source srcset="/private/source.png"><img src="/open/image.png"></picture>
<img src="{pirate}/image.png">
<video src="/private/video.mp4" autoplay></video><audio src="/private/audio.mp3" autoplay></audio>
<object data="/private/object.pdf"></object><embed src="/private/embed.pdf">
<iframe src="/open/frame"></iframe><iframe src="/open/frame-moved"></iframe>
<iframe src="/private/frame"></iframe><iframe src="{pirate}/frame"></iframe>
<iframe srcdoc="<img src='/private/srcdoc.png'>"></iframe>
<svg><image href="/private/svg.png"></image></svg>
<script src="/private/script.js"></script>
<script src="{pirate}/script.js"></script>
<a id="ping" href="#here" ping="/private/ping">x</a>
<script>
const seen = (name) => {{ const li = document.createElement("li"); li.textContent = name; document.getElementById("seen").append(li); }};
const quiet = (doing) => {{ try {{ const p = doing(); if (p && p.catch) p.catch(() => {{}}); }} catch (error) {{ }} }};
seen("ua=" + navigator.userAgent);
addEventListener("message", (said) => seen(said.data), {{ once: true }});
quiet(() => fetch("/open/data.json").then((r) => r.json()).then((d) => seen("data=" + d.word)));
quiet(() => fetch("/open/data-moved").then((r) => r.json()).then((d) => seen("moved=" + d.word)));
quiet(() => fetch("{other}/unshared.json").then((r) => seen("unshared-read")));
quiet(() => fetch("/open/to-unshared").then((r) => seen("unshared-read-by-redirect")));
quiet(() => fetch("/private/fetch").then(() => seen("fetch-got")));
quiet(() => fetch("/open/to-private-fetch"));
quiet(() => fetch("/open/post", {{ method: "POST", body: "x" }}));
quiet(() => fetch("/open/authorized", {{ headers: {{ Authorization: "Bearer x" }} }}));
quiet(() => fetch("/private/keepalive", {{ keepalive: true }}));
quiet(() => {{ const x = new XMLHttpRequest(); x.open("GET", "/private/xhr"); x.send(); }});
quiet(() => navigator.sendBeacon("/private/beacon", "x"));
quiet(() => navigator.sendBeacon("/open/beacon", "x"));
quiet(() => new WebSocket("ws://a.localhost:{port}/private/ws"));
quiet(() => new WebSocket("ws://a.localhost:{port}/open/ws"));
quiet(() => new EventSource("/open/events"));
quiet(() => navigator.serviceWorker.register("/open/worker.js"));
quiet(() => new Worker("/open/dedicated.js"));
quiet(() => new SharedWorker("/open/shared.js"));
quiet(() => new RTCPeerConnection({{ iceServers: [{{ urls: "stun:127.0.0.1:{port}" }}] }}).createOffer());
quiet(() => new WebTransport("https://a.localhost:{port}/private/transport"));
quiet(() => import("/private/dynamic.js"));
quiet(() => window.open("/private/window"));
quiet(() => window.open("/open/window"));
quiet(() => document.getElementById("ping").click());
quiet(() => {{ const f = document.createElement("form"); f.method = "POST"; f.action = "/private/form"; document.body.append(f); f.submit(); }});
quiet(() => {{ const f = document.createElement("iframe"); f.src = "/private/dynamic-frame"; document.body.append(f); }});
quiet(() => fetch("/open/slow"));
quiet(() => alert("stop"));
quiet(() => confirm("stop"));
quiet(() => {{ document.cookie = "script=1"; }});
</script></body></html>
"""


class Seen:
    """A crawl with what its spider was handed, and the web that it met."""

    def __init__(self, web, crawl):
        self.web = web
        self.crawl = crawl
        path = crawl.folder / "items.jsonl"
        self.items = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def body(self, url):
        (one,) = [item for item in self.items if item.get("url") == url]
        return one["body"]

    def why(self, url):
        return [item["why"] for item in self.items if item.get("failed") == url]


def render(project, web, *urls, settings="", spider=SPIDER):
    project.append("project_settings.py", SETTINGS + settings)
    project.write("spiders/rendered.py", spider)
    project.write("urls.txt", "\n".join(urls) + "\n")
    crawl = project.scrapy("crawl", "rendered", "-o", "items.jsonl", timeout=90)
    return Seen(web, crawl)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("hostile"))
    with Web() as web:
        for host in ("a.localhost", "other.localhost", "pirate.localhost"):
            web.add(host, "/robots.txt", robots(RULES))
        pirate, other = web.url("pirate.localhost", ""), web.url("other.localhost", "")
        web.default = page("open")
        cookie = (("Set-Cookie", "server=1; Path=/"),)
        text = HOSTILE.format(port=web.port, pirate=pirate, other=other)
        url = web.add(
            "a.localhost", "/page", Reply(200, (("Content-Type", "text/html"), *cookie), text.encode())
        )
        css = (("Content-Type", "text/css"),)
        web.add("a.localhost", "/open/style.css", Reply(200, css, b'@import url("/private/imported.css");'))
        web.add("a.localhost", "/open/moved.css", to(other + "/styles/real.css"))
        web.add("other.localhost", "/styles/real.css", Reply(200, css, b'@import url("nested.css");'))
        web.add("other.localhost", "/styles/nested.css", Reply(200, css, b"p { color: red; }"))
        web.add("a.localhost", "/open/image.png", Reply(200, (("Content-Type", "image/png"),), b""))
        web.add("a.localhost", "/open/to-private", to("/private/redirected.png"))
        web.add("a.localhost", "/open/to-private-fetch", to("/private/redirected-fetch"))
        web.add("a.localhost", "/open/to-pirate", to(pirate + "/redirected.png"))
        web.add("a.localhost", "/open/frame-moved", to(other + "/frames/real"))
        web.add("other.localhost", "/frames/real", page('<script src="nested.js"></script>'))
        web.add("other.localhost", "/frames/nested.js", script("fetch('/private/from-frame');"))
        web.add(
            "a.localhost",
            "/open/frame",
            page("<script>setInterval(() => parent.postMessage('frame', '*'), 50)</script>"),
        )
        data = (("Content-Type", "application/json"),)
        web.add("a.localhost", "/open/data.json", Reply(200, data, b'{"word": "fetched"}'))
        web.add("a.localhost", "/open/data-moved", to("/open/data.json", 307))
        web.add("a.localhost", "/open/to-unshared", to(other + "/unshared.json"))
        web.add("other.localhost", "/unshared.json", Reply(200, data, b'{"word": "unshared"}'))
        web.add("a.localhost", "/open/dedicated.js", script(
            "fetch('/private/from-worker');"
            f"new WebSocket('ws://a.localhost:{web.port}/private/worker-ws'); importScripts('/private/imported.js');"))  # fmt: skip
        web.add("a.localhost", "/open/shared.js", script("fetch('/private/from-shared');"))
        yield render(project, web, url)


# Every address that must stay untouched, by the reason that its refusal gives.
ROBOTS = [
    "style.css",
    "preload.js",
    "module.js",
    "image.png",
    "srcset.png",
    "source.png",
    "svg.png",
    "srcdoc.png",
    "video.mp4",
    "object.pdf",
    "embed.pdf",
    "frame",
    "script.js",
    "font.woff2",
    "background.png",
    "imported.css",
    "redirected.png",
    "redirected-fetch",
    "fetch",
    "prefetch",
    "audio.mp3",
    "imported.js",
    "keepalive",
    "xhr",
    "from-frame",
    "from-worker",
    "dynamic.js",
    "dynamic-frame",
]


def test_nothing_that_is_refused_reaches_a_server(hostile):
    web = hostile.web
    assert [one.path for one in web.received if one.path.startswith("/private")] == []
    assert [one.path for one in web.received if one.host == "pirate.localhost"] == []
    assert {one.method for one in web.received} == {"GET"}
    opened = {one.path for one in web.received if one.path.startswith("/open")}
    assert not opened & {
        "/open/post",
        "/open/beacon",
        "/open/ws",
        "/open/events",
        "/open/worker.js",
        "/open/window",
    }
    assert "/open/authorized" not in opened


def test_every_arrival_was_decided_before_and_the_log_verifies(hostile):
    assert undecided(hostile.web, hostile.web.received, hostile.crawl.records) == []
    project = Project.at(hostile.crawl.folder)
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("name", ROBOTS)
def test_a_part_that_robots_txt_forbids_is_recorded_as_forbidden_with_its_page(hostile, name):
    records = hostile.crawl.of(url=hostile.web.url("a.localhost", f"/private/{name}"))
    records += hostile.crawl.of(url=hostile.web.url("other.localhost", f"/private/{name}"))
    assert {one.reason for one in records} == {"robots_disallow"}
    assert {one.kind for one in records} == {"subresource"}
    assert all(one.parent_url for one in records)


CLOSED = {
    "websocket": "ws://a.localhost:{port}/private/ws",
    "another websocket": "ws://a.localhost:{port}/open/ws",
    "service worker": "{a}/open/worker.js",
    "WebRTC": "stun:127.0.0.1:{port}",
    "WebTransport": "https://a.localhost:{port}/private/transport",
    "a stream of events": "{a}/open/events",
    "a window": "{a}/open/window",
    "a forbidden window": "{a}/private/window",
    "speculation rules": "{a}/private/speculated",
    "prerendering": "{a}/private/prerendered",
    "a shared worker": "{a}/private/from-shared",
    "a websocket of a worker": "https://a.localhost:{port}/",
}


@pytest.mark.parametrize("way", CLOSED)
def test_what_no_rule_can_judge_is_closed_and_recorded(hostile, way):
    url = CLOSED[way].format(a=hostile.web.url("a.localhost", ""), port=hostile.web.port)
    assert {one.reason for one in hostile.crawl.of(url=url)} == {"ungoverned"}


@pytest.mark.parametrize(
    "path", ["/open/post", "/open/beacon", "/private/beacon", "/private/form", "/open/authorized"]
)
def test_what_pages_send_by_other_methods_or_with_credentials_is_refused_by_rule_scope(hostile, path):
    (record,) = hostile.crawl.of(url=hostile.web.url("a.localhost", path))
    assert (record.verdict, record.reason) == ("skip", "policy_scope")


@pytest.mark.parametrize("path", ["/image.png", "/script.js", "/frame", "/redirected.png"])
def test_a_part_on_a_listed_host_is_refused_by_the_list(hostile, path):
    (record,) = hostile.crawl.of(url=hostile.web.url("pirate.localhost", path))
    assert (record.verdict, record.reason) == ("skip", "piracy_list")


def test_a_page_that_may_be_rendered_shows_what_its_scripts_made(hostile):
    body = hostile.body(hostile.web.url("a.localhost", "/page"))
    for word in (f"ua={UA}", "data=fetched", "moved=fetched", "frame"):
        assert f"<li>{word}</li>" in body
    assert "<li>unshared-read" not in body
    assert "<li>fetch-got" not in body


def test_a_page_is_asked_for_once_and_the_record_of_keeping_it_says_how_it_was_rendered(hostile):
    url = hostile.web.url("a.localhost", "/page")
    assert hostile.web.paths("a.localhost").count("/page") == 1
    (kept,) = hostile.crawl.of(stage="response", kind="page")
    assert (kept.url, kept.verdict) == (url, "keep")
    assert kept.body_sha256 == hashlib.sha256(hostile.body(url).encode()).hexdigest()
    (received,) = hostile.crawl.of(stage="outcome", kind="page")
    assert received.body_sha256 != kept.body_sha256
    with Bases(hostile.crawl.folder) as bases:
        (shown,) = [one for one in bases.of(kept).verdicts if one.rule == "browser"]
    assert shown.evidence[0].text.startswith("Chromium ")
    assert "asked" in shown.evidence[0].note
    assert "dialogs closed" in shown.evidence[0].note


def test_the_browser_looks_like_the_agent_that_is_declared_and_like_no_other(hostile):
    for one in hostile.web.received:
        assert one.headers["user-agent"] == UA
        assert not [name for name in one.headers if name.startswith(("sec-", "x-"))]


def test_redirected_styles_and_frames_load_their_parts_from_where_they_really_stand(hostile):
    assert {"/styles/nested.css", "/frames/nested.js"} <= set(hostile.web.paths("other.localhost"))
    record = hostile.crawl.of(url=hostile.web.url("other.localhost", "/private/from-frame"))[0]
    assert record.parent_url == hostile.web.url("other.localhost", "/frames/real")


def test_cookies_are_scrapys_own_and_stay_with_the_site_of_the_page(hostile):
    sent = {one.path: one.headers.get("cookie") for one in hostile.web.received}
    assert sent["/open/style.css"] == "server=1"
    assert sent["/styles/real.css"] is None
    assert not [cookie for cookie in sent.values() if cookie and "script" in cookie]
