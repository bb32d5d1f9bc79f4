"""The hard cases that are about fetching, in one crawl: what a server received says who was visited.

The numbers are those of the list of hard cases that block lists are held to (`tests/blocklists/test_hard_cases.py`
sees that none is missing). `{p}` is the port of the loopback web; `localhost` is no public suffix, so that names
below it stand for sites.
"""

from __future__ import annotations

import json

import pytest
from loopback import page, robots

from crawler.decisionlog.export import Exporter
from crawler.decisionlog.reader import LogReader

LISTS = {
    # id: (lines of the manifest beside the usual, rows)
    "court": (
        'weight = "court_order"\nauthority = "A court"\ndecision_ref = "C-1"\n',
        (
            "bad.localhost sub.mix.localhost foo.blog.localhost xn--fa-hia.localhost 127.9.8.7 thrice.localhost "
            "a.lifted.localhost"
        ).replace(" ", "\n"),
    ),
    "paths": (
        'weight = "operator"\nformat = "ut1"\n',
        None,
    ),
    "zone": (
        'weight = "operator"\nformat = "rpz"\n',
        (
            "apex.localhost CNAME .\n*.below.localhost CNAME .\nall.localhost CNAME .\n*.all.localhost CNAME .\n"
            "mail.all.localhost CNAME rpz-passthru.\n"
        ),
    ),
    "wild": ('weight = "operator"\nformat = "wildcard"\n', "*.wild.localhost\n"),
    "filters": (
        'weight = "operator"\nformat = "adblock"\n',
        (
            "||thrice.localhost^\n||own.localhost^\n@@||ok.own.localhost^\n@@||a.lifted.localhost^\n"
            "@@||kept.own.localhost^\n||kept.own.localhost^$important\n"
        ),
    ),
    "hosts": (
        'weight = "operator"\nformat = "hosts"\n',
        "::1 localhost\n0.0.0.0 0.0.0.0\n127.0.0.1 one.localhost two.localhost # both\n0.0.0.0 thrice.localhost\n",
    ),
    "ended": ('weight = "operator"\nvalid_until = 2020-01-01\n', "ended.localhost\n"),
    "report": ('weight = "government_report_no_finding"\n', "named.localhost\n"),
}

#: Hard case: (address, whether its server may receive it).
CASES = {
    1: [("http://BAD.localhost.:{p}/1", False)],
    2: [
        ("http://a.b.bad.localhost:{p}/2", False),
        ("http://notbad.localhost:{p}/2", True),
        ("http://bad.localhost.evil.localhost:{p}/2", True),
    ],
    3: [
        ("http://x.sub.mix.localhost:{p}/3", False),
        ("http://mix.localhost:{p}/3", True),
        ("http://other.mix.localhost:{p}/3", True),
    ],
    4: [("http://www.foo.blog.localhost:{p}/4", False), ("http://bar.blog.localhost:{p}/4", True)],
    6: [
        ("http://bad.localhost:{p}/6", False),
        ("http://u:p@bad.localhost:{p}/6", False),
        ("http://ok.localhost:{p}/6?u=bad.localhost", True),
    ],
    7: [("http://bad.localhost:{p}\\@ok.localhost/7", False)],
    8: [("http://%62ad.localhost:{p}/8", False), ("http://bad.localhost%2e:{p}/8", False)],
    9: [
        ("http://\uff42\uff41\uff44.localhost:{p}/9", False),
        ("http://bad\u3002localhost:{p}/9", False),
        ("http://b\u00adad.localhost:{p}/9", False),
        ("http://b\nad.localhost:{p}/9", False),
        ("http://ba\td.localhost:{p}/9", False),
    ],
    10: [("http://fa\u00df.localhost:{p}/10", True), ("http://xn--fa-hia.localhost:{p}/10", False)],
    11: [
        ("http://127.9.8.7:{p}/11", False),
        ("http://2131298311:{p}/11", False),
        ("http://0x7f090807:{p}/11", False),
        ("http://127.9.8.6:{p}/11", True),
    ],
    12: [("http://[::ffff:127.9.8.7]:{p}/12", False)],
    13: [
        ("http://paths.localhost:{p}/un/lucas", False),
        ("http://paths.localhost:{p}/un/lucas/13", False),
        ("http://paths.localhost:{p}/un/lucasX", True),
        ("http://paths.localhost:{p}/13", True),
    ],
    14: [
        ("http://paths.localhost:{p}/forum.php?f=20", False),
        ("http://paths.localhost:{p}/forum.php?f=21", True),
    ],
    15: [
        ("http://apex.localhost:{p}/15", False),
        ("http://www.apex.localhost:{p}/15", True),
        ("http://below.localhost:{p}/15", True),
        ("http://www.below.localhost:{p}/15", False),
        ("http://wild.localhost:{p}/15", False),
    ],
    16: [("http://mail.all.localhost:{p}/16", True), ("http://www.all.localhost:{p}/16", False)],
    17: [
        ("http://ok.own.localhost:{p}/17", True),
        ("http://a.lifted.localhost:{p}/17", False),
        ("http://kept.own.localhost:{p}/17", False),
    ],
    19: [("http://thrice.localhost:{p}/19", False)],
    20: [("http://ended.localhost:{p}/20", True)],
    27: [("http://one.localhost:{p}/27", False), ("http://two.localhost:{p}/27", False)],
    30: [("http://named.localhost:{p}/30", True)],
}
SPIDER = """
import json
import scrapy


class Cases(scrapy.Spider):
    name = "cases"

    async def start(self):
        for url in json.load(open("cases.json")):
            try:
                yield scrapy.Request(url, dont_filter=True, errback=self.failed)
            except ValueError as error:
                self.logger.info("no request at all: %r: %s", url, error)

    def parse(self, response):
        pass

    def failed(self, failure):
        pass
"""


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """Crawl every address; return what arrived as (host, target), the port, the crawl, the evidence by URL."""
    from loopback import Project, Web

    with Web() as web:
        web.listed.clear()
        # One socket for the names, and one for each address that is asked for by its number.
        for address in ("127.9.8.6", "127.9.8.7"):
            web.listen_also(address)
        project = Project(tmp_path_factory.mktemp("cases"))
        for path in (project.folder / "lists").iterdir():
            path.unlink()
        for name, (more, rows) in LISTS.items():
            text = f'id = "{name}"\ntitle = "{name}"\nfile = "{name}.txt"\n{more}'
            project.write(f"lists/{name}.toml", text.replace("paths.txt", "paths"))
            if rows is not None:
                project.write(f"lists/{name}.txt", rows)
        project.write("lists/paths/domains", "path-list.localhost\n")
        project.write("lists/paths/urls", "paths.localhost/un/lucas\npaths.localhost/forum.php?f=20\n")
        web.default = lambda got: robots("") if got.path == "/robots.txt" else page("x")
        urls = [url.replace("{p}", str(web.port)) for cases in CASES.values() for url, _ in cases]
        project.write("cases.json", json.dumps(urls))
        project.write("spiders/cases.py", SPIDER)
        crawl = project.scrapy("crawl", "cases", timeout=120)
        assert crawl.code == 0, crawl.stderr[-3000:]
        arrived = {(one.host, one.path) for one in web.received}
        with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
            exporter = Exporter(reader)
            evidence = {one.url: exporter.evidence(one) for one in crawl.of(stage="request", kind="page")}
        yield arrived, web.port, crawl, evidence


@pytest.mark.parametrize("number", CASES)
def test_hard_cases_1_to_4_and_6_to_17_and_19_20_27_and_30_reach_a_server_only_where_they_may(
    visited, number
):
    arrived, port, _, _ = visited
    for url, may in CASES[number]:
        _, _, rest = url.replace("{p}", str(port)).partition("://")
        target = "/" + rest.partition("/")[2]
        hosts = sorted(host for host, path in arrived if path == target)
        if may:
            host = rest.rpartition(f":{port}")[0].replace("\u00df", "ss")
            assert host in hosts, (number, url)
            continue
        wanted = {
            one.replace("{p}", "").partition("://")[2].partition(":")[0].replace("\u00df", "ss")
            for one, allowed in CASES[number]
            if allowed and one.endswith(target)
        }
        assert set(hosts) <= wanted, (number, url, hosts)


def test_hard_cases_1_to_4_nothing_at_all_reached_a_listed_host_not_even_for_its_robots_txt(visited):
    arrived, _, _, _ = visited
    hosts = {host.rstrip(".").lower() for host, _ in arrived}
    listed = {"bad.localhost", "a.b.bad.localhost", "x.sub.mix.localhost", "www.foo.blog.localhost", "127.9.8.7",
              "xn--fa-hia.localhost", "apex.localhost", "www.below.localhost", "wild.localhost",
              "www.all.localhost", "a.lifted.localhost", "kept.own.localhost", "thrice.localhost", "one.localhost",
              "two.localhost", "[::ffff:127.9.8.7]", "2131298311", "0x7f090807"}  # fmt: skip
    assert hosts & listed == set()
    assert {"127.9.8.6", "fass.localhost", "ended.localhost", "named.localhost"} <= hosts


def test_hard_cases_6_to_12_are_refused_for_the_list_or_as_what_no_agent_may_ask_for(visited):
    _, _, crawl, _ = visited
    refused = {one.reason for one in crawl.of(stage="request", verdict="skip", kind="page")}
    assert refused <= {"piracy_list", "unparsable_url", "policy_scope"}, refused
    assert "piracy_list" in refused


def test_hard_case_19_a_skip_in_the_log_cites_all_three_lists_with_their_lines(visited):
    _, port, _, evidence = visited
    cited = evidence[f"http://thrice.localhost:{port}/19"]["citations"]
    assert {(one["source_id"], one["line"]) for one in cited} == {("court", 6), ("filters", 1), ("hosts", 4)}


def test_hard_case_30_a_named_site_is_visited_with_the_report_in_the_record(visited):
    _, port, _, evidence = visited
    found = evidence[f"http://named.localhost:{port}/30"]
    cited = [one for part in (found, *found["also"]) for one in part["citations"]]
    assert [one["weight"] for one in cited] == ["government_report_no_finding"]
