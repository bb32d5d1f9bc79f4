"""Pages that leave their window, change their mind, never end or want too much, and spiders that know scrapy-playwright.

One crawl with several pages carries most of it; what needs other settings has a crawl of its own.
"""

import itertools
import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from held import Held, read_until, until
from loopback import AGENT, Project, Reply, Web, page, robots

from crawler.browser.locate import NAMES

pytest.importorskip("playwright", reason="rendering needs the extra: pip install 'sekisho[browser]'")
pytest.importorskip("scrapy_playwright", reason="rendering needs the extra: pip install 'sekisho[browser]'")
if not any(shutil.which(name) for name in NAMES):
    pytest.skip("rendering needs Chromium on PATH (Debian: apt install chromium)", allow_module_level=True)

RULES = "User-agent: *\nDisallow: /private\n"
SETTINGS = """
SEKISHO_BROWSER_SANDBOX = False
SEKISHO_BROWSER_SKIP = "none"
SEKISHO_BROWSER_TIMEOUT = 8
SEKISHO_BROWSER_REQUESTS = 20
SEKISHO_BROWSER_BYTES = 300000
SEKISHO_BROWSER_PAGES = 4
SEKISHO_PROGRESS = False
"""
# As its documentation says to set it up, and without a word about Sekisho in the spider.
PLAYWRIGHT = """
DOWNLOAD_HANDLERS = {
    "http": "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler",
    "https": "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler",
}
PLAYWRIGHT_LAUNCH_OPTIONS = {"executable_path": "/nowhere/chromium", "args": ["--proxy-server=direct://"]}
"""
SPIDER = """
import scrapy
from scrapy_playwright.page import PageMethod


async def ask_past_the_browser(page):
    answer = await page.request.get(page.url.replace("/methods", "/private/past"))
    return answer.status


async def unroute(page):
    await page.context.unroute_all()
    return await page.evaluate("fetch('/private/unrouted').then(() => 'got', () => 'refused')")


class Pages(scrapy.Spider):
    name = "pages"
    handle_httpstatus_list = [404]

    def __init__(self, base):
        super().__init__()
        self.base = base

    def ask(self, path, **meta):
        return scrapy.Request(self.base + path, meta={"playwright": True, **meta}, errback=self.failed)

    async def start(self):
        for path in ("/leads", "/leads-private", "/leads-to-file", "/reloads", "/refreshes-private", "/drawn-gate",
                     "/drawn-noai", "/gate", "/file.pdf", "/missing", "/never-ends", "/spins", "/many", "/large", "/floods",
                     "/grows", "/private/page", "/sjis"):
            yield self.ask(path)
        yield self.ask("/methods", playwright_page_methods=[
            PageMethod("click", "button"),
            PageMethod("wait_for_selector", "#clicked"),
            PageMethod("evaluate", "document.title"),
            PageMethod("screenshot"),
            PageMethod(ask_past_the_browser),
        ])
        yield self.ask("/methods?unroute", playwright_page_methods=[PageMethod(unroute)])
        yield self.ask("/drawn-gate?shot", playwright_page_methods=[PageMethod("screenshot")])
        yield self.ask("/page?given", playwright_include_page=True)
        yield self.ask("/page?kwargs", playwright_context_kwargs={"proxy": {"server": "http://127.0.0.1:1"}})
        yield self.ask("/page?window", playwright_context_kwargs={"viewport": {"width": 400, "height": 300}},
                       playwright_page_goto_kwargs={"wait_until": "domcontentloaded"})
        yield scrapy.Request(self.base + "/page?plain", errback=self.failed)

    def results(self, request):
        methods = request.meta.get("playwright_page_methods") or []
        return [one.result if isinstance(one.result, (str, int)) else type(one.result).__name__ for one in methods]

    def parse(self, response):
        text = response.text if isinstance(response, scrapy.http.TextResponse) else ""
        yield {"got": response.url, "flags": response.flags, "text": text, "status": response.status,
               "results": self.results(response.request)}

    def failed(self, failure):
        yield {"failed": failure.request.url, "why": str(failure.value), "results": self.results(failure.request)}
"""
GATE = '{"@type": "NewsArticle", "isAccessibleForFree": false}'


def html(script, body=""):
    return page(f"{body}<script>{script}</script>")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pages"))
    project.append("project_settings.py", SETTINGS + PLAYWRIGHT)
    project.write("spiders/pages.py", SPIDER)
    with Web() as web:
        web.add("a.localhost", "/robots.txt", robots(RULES))
        web.default = Reply(404, (("Content-Type", "text/html"),), b"no such page")
        served = {
            "/leads": html("location.href = '/led'"),
            "/led": html("document.body.append('led here')"),
            "/leads-private": html("location.replace('/private/led')"),
            "/leads-to-file": html("location.href = '/led.pdf'"),
            "/reloads": html("if (!window.n) { window.n = 1; setTimeout(() => location.reload(), 50); } document.body.append('stayed')"),
            "/refreshes-private": page('<meta http-equiv="refresh" content="0; url=/private/refreshed">'),
            "/drawn-gate": html(
                "const s = document.createElement('script'); s.type = 'application/ld+json';"
                f"s.textContent = '{GATE}'; document.head.append(s);"),
            "/drawn-noai": html("document.head.insertAdjacentHTML('beforeend', '<meta name=robots content=noai>')"),
            "/gate": page(f'<script type="application/ld+json">{GATE}</script><script src="/gate.js"></script>'),
            "/never-ends": html("document.body.append('x')", '<script src="/slow.js"></script>'),
            "/spins": html("while (true) {}"),
            "/many": html("for (let i = 0; i < 60; i++) new Image().src = '/image' + i"),
            "/large": html("fetch('/large.bin').then((r) => r.text()).then((t) => document.body.append('got it'), () => document.body.append('went without'))"),
            "/grows": html("document.body.append('x'.repeat(400000))"),
            "/floods": html("(async () => { for (let i = 0; ; i++) await fetch('/flood' + i).catch(() => 0); })()"),
            "/page": page("plain"), "/page?given": page("x"), "/page?kwargs": page("x"), "/page?plain": page("plain"),
            "/page?window": html("document.body.append('w=' + innerWidth)"),
            "/private/page": page("x"),
        }  # fmt: skip
        for path, reply in served.items():
            web.add("a.localhost", path, reply)
        web.add("a.localhost", "/drawn-gate?shot", served["/drawn-gate"])
        methods = html(
            "document.querySelector('button').onclick = () => fetch('/word').then((r) => r.text())"
            ".then((t) => { document.body.insertAdjacentHTML('beforeend', '<p id=clicked>' + t + '</p>'); });",
            "<button>more</button>",
        )
        web.add("a.localhost", "/methods", methods)
        web.add("a.localhost", "/methods?unroute", methods)
        web.add("a.localhost", "/word", Reply(200, (("Content-Type", "text/plain"),), b"more words"))
        web.add("a.localhost", "/slow.js", Reply(200, (("Content-Type", "text/javascript"),), b"", delay=40))
        web.add("a.localhost", "/large.bin", Reply(200, (("Content-Type", "text/plain"),), b"x" * 400_000))
        for path in ("/file.pdf", "/led.pdf"):
            web.add("a.localhost", path, Reply(200, (("Content-Type", "application/pdf"),), b"%PDF-1.4 x"))
        sjis = '<!doctype html><meta charset="shift_jis"><title>関所</title><script>document.body.append("描画")</script>'
        web.add(
            "a.localhost",
            "/sjis",
            Reply(200, (("Content-Type", "text/html; charset=shift_jis"),), sjis.encode("shift_jis")),
        )
        crawl = project.scrapy(
            "crawl", "pages", "-a", f"base={web.url('a.localhost', '')}", "-o", "items.jsonl", timeout=100
        )
        lines = (crawl.folder / "items.jsonl").read_text().splitlines()
        yield web, crawl, [json.loads(line) for line in lines]


def got(pages, path):
    web, _, items = pages
    (one,) = [item for item in items if item.get("got") == web.url("a.localhost", path)]
    return one


def failed(pages, path):
    web, _, items = pages
    (one,) = [item for item in items if item.get("failed") == web.url("a.localhost", path)]
    return one


def test_such_a_crawl_ends_in_order_and_touches_nothing_private(pages):
    web, crawl, _ = pages
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert [path for path in web.paths() if path.startswith("/private")] == []
    assert "Traceback" not in crawl.stderr
    assert "never retrieved" not in crawl.stderr


def test_where_a_script_leads_the_window_is_a_request_of_its_own_with_its_page_as_parent(pages):
    web, crawl, _ = pages
    assert "led here" in got(pages, "/led")["text"]
    (asked,) = crawl.of(stage="request", url=web.url("a.localhost", "/led"))
    assert asked.parent_url == web.url("a.localhost", "/leads")
    (left,) = crawl.of(stage="response", url=web.url("a.localhost", "/leads"))
    assert (left.verdict, left.reason) == ("skip", "redirect")
    assert got(pages, "/led.pdf")["status"] == 200


@pytest.mark.parametrize("path", ["/private/led", "/private/refreshed"])
def test_where_a_page_must_not_lead_is_refused_by_robots_txt(pages, path):
    web, crawl, _ = pages
    assert crawl.reason(web.url("a.localhost", path)) == "robots_disallow"


def test_a_page_that_loads_itself_again_stays_as_it_is(pages):
    web, _, _ = pages
    assert "stayed" in got(pages, "/reloads")["text"]
    assert web.paths().count("/reloads") == 1


@pytest.mark.parametrize(("path", "reason"), [("/drawn-gate", "paywall"), ("/drawn-noai", "noai")])
def test_what_a_script_says_of_the_page_is_obeyed_like_what_the_server_says(pages, path, reason):
    web, crawl, _ = pages
    assert reason in failed(pages, path)["why"]
    assert reason in crawl.reason(web.url("a.localhost", path))


def test_a_page_that_is_refused_as_it_comes_is_not_rendered(pages):
    web, _, _ = pages
    assert "paywall" in failed(pages, "/gate")["why"]
    assert "/gate.js" not in web.paths()


def test_what_page_methods_took_from_a_refused_page_is_dropped(pages):
    assert failed(pages, "/drawn-gate?shot")["results"] == ["NoneType"]


def test_files_errors_and_requests_that_do_not_ask_for_it_are_not_rendered(pages):
    assert got(pages, "/file.pdf")["flags"] == []
    assert got(pages, "/missing")["flags"] == []
    assert got(pages, "/page?plain")["flags"] == []


def test_the_meta_keys_and_page_methods_of_scrapy_playwright_work(pages):
    methods = got(pages, "/methods")
    assert '<p id="clicked">more words</p>' in methods["text"]
    assert methods["results"][2:] == ["t", "bytes", 403]
    assert "w=400" in got(pages, "/page?window")["text"]


def test_what_a_page_method_sends_past_the_page_meets_the_dead_end(pages):
    web, crawl, _ = pages
    assert got(pages, "/methods?unroute")["results"] == ["got"]  # an answer, and it is the dead end's own
    tunnel = f"https://a.localhost:{web.port}/"  # of a tunnel only host and port are told
    for url in (web.url("a.localhost", "/private/unrouted"), tunnel):
        (record,) = crawl.of(url=url)
        assert (record.verdict, record.reason) == ("skip", "ungoverned")


@pytest.mark.parametrize("path", ["/page?given", "/page?kwargs"])
def test_a_request_that_wants_the_browser_itself_is_refused_before_anything_is_sent(pages, path):
    web, crawl, _ = pages
    assert "meta['playwright_" in failed(pages, path)["why"]
    assert crawl.reason(web.url("a.localhost", path)) == "render_failed"
    assert path not in web.paths()


@pytest.mark.parametrize("path", ["/never-ends", "/spins", "/grows"])
def test_a_page_that_does_not_end_or_grows_without_end_is_given_up(pages, path):
    web, crawl, _ = pages
    assert re.search("SEKISHO_BROWSER_|goes on asking", failed(pages, path)["why"])
    assert crawl.reason(web.url("a.localhost", path)) == "render_limit"


def test_a_page_that_never_stops_asking_reaches_its_site_no_more_often_than_its_limit_says(pages):
    web, crawl, _ = pages
    assert len([path for path in web.paths() if path.startswith("/flood")]) <= 21
    # Given up, or handed over with what it had: on a busy machine it may be ready before it has asked too often.
    floods = web.url("a.localhost", "/floods")
    assert (crawl.reason(floods) == "render_limit") is not (floods in crawl.kept())


def test_a_page_gets_so_many_parts_and_each_further_one_is_recorded(pages):
    web, crawl, _ = pages
    images = [path for path in web.paths() if path.startswith("/image")]
    assert len(images) == 20
    limited = [one.url for one in crawl.of(reason="render_limit", kind="subresource")]
    assert len([url for url in limited if "/image" in url]) == 40
    assert got(pages, "/many")["flags"] == ["playwright"]


def test_a_part_that_is_too_large_is_left_out(pages):
    assert "went without" in got(pages, "/large")["text"]


def test_a_page_in_another_encoding_is_handed_over_readable(pages):
    assert "関所" in got(pages, "/sjis")["text"]
    assert "描画" in got(pages, "/sjis")["text"]


def test_parts_keep_the_pace_that_their_site_asks_for(web, project):
    rules = "User-agent: *\nCrawl-delay: 0.25\n"
    web.add("a.localhost", "/robots.txt", robots(rules))
    web.add("a.localhost", "/page", html("for (const n of '123') fetch('/part' + n)"))
    project.append("project_settings.py", SETTINGS)
    project.write("policies_here/agents/examplebot.toml", AGENT)
    crawl = project.crawl(web.url("a.localhost", "/page"), options=("-a", "render=1"))
    assert {"/part1", "/part2", "/part3"} <= set(web.paths())
    times = sorted(one.at for one in web.received)
    assert min(after - before for before, after in itertools.pairwise(times)) >= 250_000
    assert crawl.kept() == [web.url("a.localhost", "/page")]


def test_a_browser_that_is_not_there_is_named_before_anything_is_sent(web, project):
    web.site("a.localhost", "", page=page("x"))
    project.append("project_settings.py", SETTINGS + 'SEKISHO_BROWSER = "/nowhere/chromium"\n')
    crawl = project.crawl(web.url("a.localhost", "/page"), options=("-a", "render=1"))
    assert crawl.code == 5
    assert "SEKISHO_BROWSER = '/nowhere/chromium'" in crawl.stderr
    assert "apt install chromium" in crawl.stderr
    assert web.received == []


def test_a_browser_that_does_not_start_costs_the_rendered_pages_alone(web, project):
    web.site("a.localhost", "", page=page("x"))
    project.append("project_settings.py", SETTINGS + 'SEKISHO_BROWSER = "false"\n')
    crawl = project.crawl(web.url("a.localhost", "/page"), options=("-a", "render=1"))
    assert crawl.reason(web.url("a.localhost", "/page")) == "render_failed"
    assert "does not start" in crawl.stderr
    assert crawl.kept() == []


def test_a_handler_made_from_scrapy_playwrights_own_is_not_used(web, project):
    web.site("a.localhost", "", page=page("x"))
    project.write(
        "own.py",
        "from scrapy_playwright.handler import ScrapyPlaywrightDownloadHandler\n\n\n"
        "class Own(ScrapyPlaywrightDownloadHandler):\n    pass\n",
    )
    project.append("project_settings.py", SETTINGS + 'DOWNLOAD_HANDLERS = {"http": "own.Own"}\n')
    crawl = project.crawl(web.url("a.localhost", "/page"))
    assert web.received == []
    assert "scrapy-playwright" in crawl.stderr


def processes():
    """Return the processes that run, each with its parent, by the process table of Linux."""
    running = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if words[0] != "Z":  # it has ended, and only waits to be counted
            running[int(stat.parent.name)] = int(words[1])
    return running


def descendants(pid):
    """Return the processes that stem from one."""
    parents = processes()
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.mark.parametrize(("with_signal", "sealed"), [(signal.SIGKILL, False), (signal.SIGINT, True)])
def test_chromium_ends_with_its_crawl_however_that_ends(web, project, with_signal, sealed):
    web.site("a.localhost", "", page=page('<script src="/slow.js"></script>'))
    held = Held(web, Reply(200, (("Content-Type", "text/javascript"),), b""))
    web.add("a.localhost", "/slow.js", held)
    project.append("project_settings.py", SETTINGS + "SEKISHO_BROWSER_TIMEOUT = 600\n")
    process = project.start("crawl", "site", "-a", f"url={web.url('a.localhost', '/page')}", "-a", "render=1")
    until(process, lambda: held.waiting)
    started = descendants(process.pid)
    assert len(started) > 2
    process.send_signal(with_signal)
    if sealed:
        read_until(process, "Closing spider (shutdown)")
        held.release()
    process.communicate(timeout=120)
    end = time.monotonic() + 60
    while left := processes().keys() & started:
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert ("run_closed" in {one.reason for one in project.records()}) is sealed
