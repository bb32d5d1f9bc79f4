"""The closing table: what it counts, and that no site can write on a terminal through it."""

import pytest

from crawler.extensions.progress import WIDEST, closing_table, progress_line
from crawler.tally import EXAMPLES, Tally, where_it_says_so
from policies.vocabulary import Action, Evidence, Reason, Verdict

HOSTILE = [
    "\x1b[2J\x1b[H\x1b]0;owned\x07",
    "\r\nsekisho: 0 fetched",
    "\u202e\u2066gpj.exe",
    "\x9b31m\x85next\u2028line",
    "\x00\x08\x7f",
    "\ud800",
    "a" * 100_000,
]


def refusal(reason=Reason.ROBOTS_DISALLOW, text="", note="", line=None, source="robots.txt"):
    evidence = Evidence(source=source, text=text, note=note, line=line)
    return Verdict(rule="robots", action=Action.SKIP, reason=reason, evidence=(evidence,))


def table(tally):
    return closing_table(tally, run_id="run-1", log="sqlite:///log.db")


def test_every_reason_is_counted_and_the_first_few_examples_are_kept():
    tally = Tally()
    for number in range(1_000):
        tally.skip(refusal(text="Disallow: /x", line=3), f"http://a.example/x{number}")
    tally.skip(refusal(Reason.HTTP_403), "http://a.example/closed", answered=True)
    assert tally.skipped == {"robots_disallow": 1_000, "http_403": 1}
    assert tally.answered == {"http_403": 1}
    assert len(tally.examples["robots_disallow"]) == EXAMPLES
    drawn = table(tally)
    assert "robots.txt line 3: Disallow: /x" in drawn
    assert "http://a.example/x0" in drawn
    assert "http://a.example/x999" not in drawn


def test_what_was_refused_before_and_after_a_request_is_told_apart():
    tally = Tally()
    for number in range(3):
        tally.skip(refusal(), f"http://a.example/{number}")
    tally.skip(refusal(Reason.HTTP_403), "http://a.example/closed", answered=True)
    words = [" ".join(line.split()) for line in table(tally).splitlines()]
    assert any(line.startswith("not asked 3 ") for line in words)
    assert any(line.startswith("not kept 1 ") for line in words)
    assert words.index("robots_disallow 3") < words.index("http_403 1")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_url_and_no_words_of_a_site_move_the_cursor_or_make_a_line(hostile):
    calm, tally = Tally(), Tally()
    calm.skip(refusal(text="x"), "http://a.example/")
    tally.skip(refusal(text=hostile), "http://a.example/" + hostile)
    drawn = table(tally)
    assert len(drawn.splitlines()) == len(table(calm).splitlines())
    assert all(character == "\n" or character.isprintable() for character in drawn)
    assert max(map(len, drawn.splitlines())) <= WIDEST + 20


def test_an_example_without_evidence_or_words_still_says_where():
    assert where_it_says_so(Verdict(rule="r", action=Action.SKIP, reason=Reason.OFFSITE)) == ""
    assert where_it_says_so(refusal(source="request URL")) == "request URL"
    assert where_it_says_so(refusal(note="no group")) == "robots.txt: no group"
    assert where_it_says_so(refusal(text="Disallow: /", note="n", line=2)) == "robots.txt line 2: Disallow: /"


def test_the_progress_line_is_one_line_and_survives_a_crawl_of_no_time():
    line = progress_line(Tally(fetched=3, kept=2, failed=1), queued=4, seconds=0)
    assert line == "sekisho: 3 fetched, 2 kept, 0 skipped, 1 failed, 4 queued, 0.0/s"
    assert progress_line(Tally(fetched=30), 0, 10).endswith("3.0/s")


def test_an_empty_crawl_has_a_table_too():
    words = [" ".join(line.split()) for line in table(Tally()).splitlines()]
    assert any(line.startswith("fetched 0 ") for line in words)
    assert "Every decision: sekisho log show run-1 --log sqlite:///log.db" in words
