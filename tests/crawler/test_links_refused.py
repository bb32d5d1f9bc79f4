"""Links that were left out are written down once, and the memory of them is bounded."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from scrapy import Request

from crawler import refusals as module
from crawler.refusals import Refusals
from crawler.tally import Tally
from policies.vocabulary import Reason


class Written:
    """Stands in the recorder's place."""

    def __init__(self):
        self.urls = []

    def refusal(self, facts, verdicts):
        self.urls.append((facts.url, verdicts[-1].reason))


def refused(urls):
    written = Written()
    agent = SimpleNamespace(policy=SimpleNamespace(user_agent="ExampleBot"))
    refusals = Refusals(SimpleNamespace(agent=agent, record=written, tally=Tally()))
    for url in urls:
        refusals.refuse(Request(url), Reason.OFFSITE, source="spider", note="")
    return refusals, written


def test_the_same_link_is_written_once_for_each_reason_and_counted_after_that():
    refusals, written = refused(["http://a.example/"] * 5)
    refusals.refuse(Request("http://a.example/"), Reason.DEPTH_LIMIT, source="setting", note="")
    assert written.urls == [("http://a.example/", Reason.OFFSITE), ("http://a.example/", Reason.DEPTH_LIMIT)]
    assert refusals.repeated == {"offsite": 4}


def test_ever_new_links_cost_no_more_memory_and_what_was_refused_lately_is_still_known(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 100)
    fresh = [f"http://a.example/{number}" for number in range(1050)]
    refusals, written = refused([*fresh, *fresh[-100:], fresh[0], *["http://a.example/menu"] * 3])
    assert len(refusals._seen) + len(refusals._seen_before) <= 200
    times = Counter(url for url, _ in written.urls)
    assert times.pop(fresh[0]) == 2  # long forgotten, so that it is on record twice rather than never
    assert set(times.values()) == {1}
    assert set(times) == {*fresh[1:], "http://a.example/menu"}
