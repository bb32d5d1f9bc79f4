"""How many permits are out and not used yet, where many pages of a site wait for the same."""

from __future__ import annotations

from collections import defaultdict

from arrivals import LISTED_SPIDER, undecided
from loopback import FILES_OF_RIGHTS, Reply, page

HOSTS, PAGES, AT_ONCE, AT_ONE_HOST = 4, 240, 16, 4


def _most_out(web, crawl, pages):
    """Return how many permits were out at once whose request had not arrived."""
    arrived = defaultdict(list)
    for one in web.received:
        arrived[web.url(one.host, one.path)].append(one.at)
    steps = []
    for permitted in crawl.of(stage="request", verdict="fetch", kind="page"):
        steps += [(permitted.ts_us, 1), (arrived[permitted.url].pop(0), -1)]
    assert len(steps) == 2 * pages
    out, most = 0, 0
    for _, step in sorted(steps):
        out += step
        most = max(most, out)
    return most


def test_permits_are_given_when_there_is_a_place_and_not_all_at_once_when_the_files_of_a_site_arrive(
    web, project
):
    hosts = [f"s{number}.localhost" for number in range(HOSTS)]
    for host in hosts:
        web.site(host, "")
        for path in FILES_OF_RIGHTS:
            web.add(host, path, Reply(404, delay=0.2))
    web.default = page("x", delay=0.02)
    project.append("project_settings.py", f"\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = {AT_ONCE}\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(hosts[number % HOSTS], f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    crawl = project.scrapy("crawl", "listed")
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert undecided(web, web.received, crawl.records) == []
    assert _most_out(web, crawl, PAGES) <= AT_ONCE


def test_of_a_slow_host_no_more_are_permitted_than_it_is_asked_at_once(web, project):
    web.site("slow.localhost", "")
    web.default = page("x", delay=0.3)
    project.append("project_settings.py", "\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = 32\n")
    project.append("project_settings.py", f"CONCURRENT_REQUESTS_PER_DOMAIN = {AT_ONE_HOST}\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url("slow.localhost", f"/p/{number}") for number in range(40)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    crawl = project.scrapy("crawl", "listed")
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert undecided(web, web.received, crawl.records) == []
    assert _most_out(web, crawl, 40) <= AT_ONE_HOST
