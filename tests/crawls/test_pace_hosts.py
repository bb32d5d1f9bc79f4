"""Two hundred sites, each with a pace of its own: none is broken, and no time is lost that nobody asked for."""

from __future__ import annotations

import pytest
from paced_sites import Sites, crawl_sites, reached


@pytest.mark.parametrize(("seconds", "shortest"), [(12, 0.4), pytest.param(120, 0.1, marks=pytest.mark.long)])
def test_two_hundred_sites_are_each_served_at_their_pace_and_none_earlier(project, seconds, shortest):
    with Sites(lone=150, families=20, two_ports=5, shortest=shortest, longest=5.0) as sites:
        crawl = crawl_sites(project, sites, seconds)
        assert crawl.code == 0, crawl.stderr[-3000:]
        assert all(site.arrivals for site in sites.sites.values())
        part = reached(sites, seconds - 1)
        assert sites.violations() == []
        assert part >= 0.9
