"""Rendered pages of https sites: secure to the browser, and governed like any other."""

import os
import shutil

import pytest
from arrivals import undecided
from loopback import Project, Reply, Web, page, robots
from tls import server_context

from crawler.browser.locate import NAMES

pytest.importorskip("playwright", reason="rendering needs the extra: pip install 'sekisho[browser]'")
if not any(shutil.which(name) for name in NAMES):
    pytest.skip("rendering needs Chromium on PATH (Debian: apt install chromium)", allow_module_level=True)

SPIDER = '''
from pathlib import Path

from scrapy import Request, Spider


class Secure(Spider):
    """Renders one page."""

    name = "secure"

    async def start(self):
        yield Request(Path("page.txt").read_text(), meta={"playwright": True})

    def parse(self, response):
        yield {"said": response.css("#said::text").getall()}
'''
SAYS = """
<p id="said"></p><script>
const said = [`secure ${isSecureContext}`, `cookie ${document.cookie}`];
const show = () => { document.getElementById("said").textContent = said.join(", "); };
const ask = (path) => fetch(path).then((got) => got.text()).then((text) => said.push(text), () => said.push("closed")).then(show);
ask("/open.txt").then(() => ask("/private.txt")).then(() => ask(PLAIN));
</script>
"""


def test_a_page_of_an_https_site_is_rendered_as_secure_and_its_parts_meet_the_same_rules(tmp_path):
    project = Project(tmp_path / "project")
    tls, plain = Web(), Web()
    tls.tls = server_context(tmp_path)
    with tls, plain:
        plain.default = page("plain")
        tls.add("a.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
        insecure = plain.url("plain.localhost", "/part.txt")
        cookie = (("Set-Cookie", "seen=1; Secure"), ("Content-Type", "text/html"))
        body = f"<!doctype html>{SAYS.replace('PLAIN', repr(insecure))}".encode()
        url = tls.add("a.localhost", "/page", Reply(200, cookie, body))
        tls.add("a.localhost", "/open.txt", Reply(200, (("Content-Type", "text/plain"),), b"open"))
        project.append(
            "project_settings.py",
            f"\nSEKISHO_BROWSER_SANDBOX = {os.geteuid() != 0}\nSEKISHO_PROGRESS = False\n",
        )
        project.write("spiders/secure.py", SPIDER)
        project.write("page.txt", url)
        crawl = project.scrapy("crawl", "secure", "-o", "items.jsonl", timeout=90)
    assert crawl.code == 0, crawl.stderr
    assert f"sandbox {'on' if os.geteuid() else 'off'}" in crawl.stderr
    # Cookies are Scrapy's alone. A plain address of this machine is no mixed content: it is asked for by our
    # rules too, and then closed to the page, because the other origin does not share it.
    assert '"secure true, cookie , open, closed, closed"' in (project.folder / "items.jsonl").read_text()
    assert sorted(tls.paths()) == ["/open.txt", "/page", "/robots.txt"]
    assert sorted(plain.paths()) == ["/part.txt", "/robots.txt"]
    for web in (tls, plain):
        assert undecided(web, web.received, crawl.records) == []
    assert [one.reason for one in crawl.records if (one.url or "").endswith("/private.txt")] == [
        "robots_disallow"
    ]
