"""Two hundred sites, each with a pace of its own: none is broken, and no time is lost that nobody asked for."""

from __future__ import annotations

import pytest
from paced_sites import SECOND, SPIDER, Sites

SETTINGS = """
SEKISHO_PROGRESS = False
LOG_LEVEL = "WARNING"
CLOSESPIDER_TIMEOUT = {seconds}
CONCURRENT_REQUESTS = 16
RETRY_TIMES = 5
"""


def _crawl(project, sites, seconds):
    project.append("project_settings.py", SETTINGS.format(seconds=seconds))
    project.write("spiders/paced.py", SPIDER)
    lines = [f"{round(seconds / site.delay) + 2} {site.address}\n" for site in sites.sites.values()]
    project.write("sites.txt", "".join(lines))
    return project.scrapy("crawl", "paced", timeout=seconds * 2 + 60)


def _report(sites, seconds):
    first = min(site.arrivals[0] for site in sites.sites.values())
    end = first + seconds * SECOND
    came, permitted = sites.came(end), sites.permitted(end)
    from_the_start = sites.permitted(end, first)
    print(
        f"\n{len(sites.sites)} sites, {seconds} s: {came} requests, {came / permitted:.1%} of the {permitted} "
        f"permitted since each site's first, {came / from_the_start:.1%} since the first of all; "
        f"{len(sites.violations())} violations"
    )
    return came / permitted


@pytest.mark.parametrize(("seconds", "shortest"), [(12, 0.4), pytest.param(120, 0.1, marks=pytest.mark.long)])
def test_two_hundred_sites_are_each_served_at_their_pace_and_none_earlier(project, seconds, shortest):
    with Sites(lone=150, families=20, two_ports=5, shortest=shortest, longest=5.0) as sites:
        crawl = _crawl(project, sites, seconds)
        assert crawl.code == 0, crawl.stderr[-3000:]
        assert all(site.arrivals for site in sites.sites.values())
        reached = _report(sites, seconds - 1)
        assert sites.violations() == []
        assert reached >= 0.9
