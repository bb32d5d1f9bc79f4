"""The label-boundary law, terms, and what a source may lift."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entries import Entries
from blocklists.entry import BLOCKING, Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.matcher import DictMatcher, Matcher, blocking_hits, overriding_hits, reaches, standing_blocks

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000


def source(source_id="a", weight=Weight.OPERATOR):
    return Source(source_id=source_id, title=source_id, sha256="0" * 64, weight=weight)


def entry(pattern, *, match=Match.SUBTREE, source_id="a", line_no=1, weight=Weight.OPERATOR, **more):
    return Entry(
        pattern_raw=pattern,
        pattern=pattern,
        match=match,
        source_id=source_id,
        line_no=line_no,
        weight=weight,
        **more,
    )


def matcher(*entries, ids="abc") -> Matcher:
    return DictMatcher(entries, [source(source_id) for source_id in ids])


def listed(lists, host, url=""):
    return bool(blocking_hits(lists.match(host, now_us=NOW, url=url)))


def test_hard_case_2_labels_are_the_boundary():
    lists = matcher(entry("bad.example"))
    assert listed(lists, "bad.example")
    assert listed(lists, "a.b.bad.example")
    for host in ("notbad.example", "bad.example.org", "bad.example.evil.test", "example"):
        assert not listed(lists, host)


def test_hard_case_3_a_listed_subdomain_covers_what_is_below_it_and_nothing_beside_it():
    lists = matcher(entry("sub.mix.example"))
    assert listed(lists, "x.sub.mix.example")
    assert not listed(lists, "mix.example")
    assert not listed(lists, "other.mix.example")


def test_hard_case_4_one_blog_is_not_its_host():
    lists = matcher(entry("foo.blogspot.com"))
    assert listed(lists, "www.foo.blogspot.com")
    assert not listed(lists, "bar.blogspot.com")


def test_a_host_entry_covers_that_host_alone():
    lists = matcher(entry("bad.example", match=Match.HOST))
    assert listed(lists, "bad.example")
    assert not listed(lists, "a.bad.example")


def test_hard_case_11_an_address_entry_covers_that_address_alone():
    lists = matcher(entry("109.238.9.3", match=Match.IP))
    assert listed(lists, "109.238.9.3")
    assert not listed(lists, "9.109.238.9.3.example")
    assert not listed(lists, "109.238.9.30")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://angelfire.com/un/lucas", True),
        ("http://angelfire.com/un/lucas/", True),
        ("http://angelfire.com/un/lucas/a?b", True),
        ("http://angelfire.com/un/%6cucas/a", True),
        ("http://angelfire.com/./un/x/../lucas/a", True),
        ("http://angelfire.com/un/lucas?x#y", True),
        ("http://angelfire.com/un/lucasX", False),
        ("http://angelfire.com/un/Lucas", False),
        ("http://angelfire.com/", False),
        ("http://angelfire.com", False),
        ("http://angelfire.com?/un/lucas", False),
        ("http://angelfire.com/#/un/lucas", False),
    ],
)
def test_hard_case_13_a_path_entry_covers_that_path_and_below(url, expected):
    lists = matcher(entry("angelfire.com/un/lucas", match=Match.URL_PREFIX))
    assert listed(lists, "angelfire.com", url) is expected
    assert not listed(lists, "www.angelfire.com", url)


def test_hard_case_14_a_path_entry_with_a_query_covers_that_query_alone():
    lists = matcher(
        entry("forum.example/d.php?f=20", match=Match.URL_PREFIX),
        entry("109.238.9.3/torrent", match=Match.URL_PREFIX, line_no=2),
    )
    assert listed(lists, "forum.example", "http://forum.example/d.php?f=20")
    assert listed(lists, "forum.example", "http://forum.example/d.php?f=20&p=2")
    assert not listed(lists, "forum.example", "http://forum.example/d.php?f=21")
    assert not listed(lists, "forum.example", "http://forum.example/d.php?f=200")
    assert not listed(lists, "forum.example", "http://forum.example/d.php")
    assert listed(lists, "109.238.9.3", "http://109.238.9.3/torrent/x")
    assert not listed(lists, "109.238.9.3", "http://109.238.9.3/")


def test_hard_cases_16_and_17_a_source_lifts_its_own_blocks_and_nobody_elses():
    lists = matcher(
        entry("bad.example"),
        entry("mail.bad.example", action=EntryAction.ALLOW, line_no=2),
        entry("worse.mail.bad.example", line_no=3),
    )
    assert listed(lists, "bad.example")
    assert not listed(lists, "mail.bad.example")
    assert not listed(lists, "x.mail.bad.example")
    assert listed(lists, "worse.mail.bad.example")
    both = matcher(
        entry("ok.bad.example", action=EntryAction.ALLOW),
        entry("bad.example", source_id="b", weight=Weight.COURT_ORDER),
    )
    assert listed(both, "ok.bad.example")


def test_hard_case_15_an_entry_for_what_is_below_spares_the_host_itself():
    lists = matcher(entry("bad.example", match=Match.BELOW))
    assert listed(lists, "a.bad.example")
    assert listed(lists, "a.b.bad.example")
    assert not listed(lists, "bad.example")
    assert not listed(lists, "notbad.example")


def test_hard_case_17_an_important_block_withstands_its_own_list_and_an_important_allow_lifts_it():
    block = entry("ok.bad.example", important=True)
    allow = entry("ok.bad.example", action=EntryAction.ALLOW, line_no=2)
    assert listed(matcher(block, allow), "ok.bad.example")
    assert not listed(matcher(entry("ok.bad.example"), allow), "ok.bad.example")
    lifted = entry("ok.bad.example", action=EntryAction.ALLOW, line_no=2, important=True)
    assert not listed(matcher(block, lifted), "ok.bad.example")


def test_hard_case_18_an_override_lifts_every_block_however_narrow_and_hides_none():
    override = entry("bad.example", source_id="c", action=EntryAction.OVERRIDE)
    blocks = [entry("www.bad.example", match=Match.HOST), entry("bad.example", source_id="b", important=True)]
    lists = matcher(*blocks, override)
    hits = lists.match("www.bad.example", now_us=NOW)
    assert blocking_hits(hits) == ()
    assert {hit.entry for hit in standing_blocks(hits)} == set(blocks)
    assert [hit.entry for hit in overriding_hits(hits)] == [override]
    assert listed(lists, "worse.example") is False


def test_hard_case_19_one_source_may_cite_two_decisions_about_one_name():
    one = entry("bad.example", authority="A", decision_ref="1")
    other = entry("bad.example", authority="B", decision_ref="2", line_no=2)
    lists = matcher(one, other, entry("bad.example", authority="A", decision_ref="1", line_no=3))
    assert [hit.entry for hit in lists.match("bad.example", now_us=NOW)] == [one, other]
    assert len(lists) == 2


def test_the_longest_listed_path_comes_first():
    lists = matcher(
        entry("home.example/a", match=Match.URL_PREFIX),
        entry("home.example/a/b", match=Match.URL_PREFIX, line_no=2),
        entry("home.example", match=Match.HOST, line_no=3),
    )
    hits = lists.match("home.example", now_us=NOW, url="http://home.example/a/b/c")
    assert [hit.entry.line_no for hit in hits] == [2, 1, 3]


def test_hard_case_19_every_source_is_cited_and_one_removal_keeps_the_block():
    rows = [
        entry("bad.example", source_id=source_id, line_no=line)
        for source_id, line in (("c", 9), ("a", 4), ("b", 1))
    ]
    hits = matcher(*rows).match("www.bad.example", now_us=NOW)
    assert [(hit.entry.source_id, hit.entry.line_no) for hit in hits] == [("a", 4), ("b", 1), ("c", 9)]
    assert listed(matcher(*rows[:2]), "bad.example")


def test_the_most_specific_entry_comes_first():
    lists = matcher(
        entry("example"), entry("bad.example", line_no=2), entry("a.bad.example", match=Match.HOST, line_no=3)
    )
    hits = lists.match("a.bad.example", now_us=NOW)
    assert [hit.entry.pattern for hit in hits] == ["a.bad.example", "bad.example", "example"]


def test_hard_case_20_an_entry_blocks_on_the_days_of_its_term_and_on_no_other():
    lists = matcher(entry("bad.example", valid_from=date(2026, 11, 20), valid_until=date(2026, 11, 22)))
    day = 86_400_000_000
    midnight = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
    in_force = {
        moment: bool(lists.match("bad.example", now_us=moment))
        for moment in (
            midnight - 2 * day - 1,
            midnight - 2 * day,
            midnight,
            midnight + day - 1,
            midnight + day,
        )
    }
    assert list(in_force.values()) == [False, True, True, True, False]


def test_hard_case_30_government_reports_are_seen_and_do_not_block():
    report = entry("vk.com", weight=Weight.GOVERNMENT_REPORT_NO_FINDING)
    hits = matcher(report).match("m.vk.com", now_us=NOW)
    assert len(hits) == 1
    assert blocking_hits(hits) == ()
    assert set(Weight) - {Weight.GOVERNMENT_REPORT_NO_FINDING} == BLOCKING


def test_a_profile_decides_which_weights_block():
    hits = matcher(entry("bad.example", weight=Weight.COMMUNITY)).match("bad.example", now_us=NOW)
    assert blocking_hits(hits)
    assert blocking_hits(hits, weights=frozenset({Weight.COURT_ORDER})) == ()


def test_hard_case_29_order_and_repetition_of_rows_change_no_decision():
    rows = [entry(f"s{number}.example", line_no=number) for number in range(20)]
    again = [entry(row.pattern, line_no=row.line_no + 100) for row in rows]
    one = matcher(*rows)
    other = matcher(*reversed([*rows, *again]))
    assert len(one) == len(other) == 20
    for row in rows:
        assert one.match(row.pattern, now_us=NOW) == other.match(row.pattern, now_us=NOW)


def test_an_entry_of_an_unknown_source_is_an_error():
    with pytest.raises(ListError, match="'z', which does not exist"):
        matcher(entry("bad.example", source_id="z"))


NAMES = st.lists(st.sampled_from(["a", "b", "bad", "notbad", "example", "org"]), min_size=1, max_size=5).map(
    ".".join
)


@given(st.lists(NAMES, max_size=6), NAMES)
def test_a_host_matches_if_and_only_if_it_or_a_parent_is_listed(patterns, host):
    lists = matcher(*(entry(pattern, line_no=line) for line, pattern in enumerate(patterns)))
    labels = host.split(".")
    parents = {".".join(labels[cut:]) for cut in range(len(labels))}
    assert listed(lists, host) is bool(parents & set(patterns))


@given(st.lists(NAMES, max_size=6), NAMES, NAMES)
def test_labels_in_front_never_unblock(patterns, host, more):
    lists = matcher(*(entry(pattern, line_no=line) for line, pattern in enumerate(patterns)))
    if listed(lists, host):
        assert listed(lists, f"{more}.{host}")


ENTRIES = st.builds(
    entry,
    NAMES,
    match=st.sampled_from([Match.HOST, Match.SUBTREE, Match.BELOW]),
    source_id=st.sampled_from("abc"),
    line_no=st.integers(min_value=1, max_value=9),
    action=st.sampled_from([EntryAction.BLOCK, EntryAction.ALLOW]),
)


@given(st.lists(ENTRIES, max_size=8), NAMES)
def test_the_index_finds_what_reaches_a_host_and_nothing_else(entries, host):
    found = {hit.entry.pattern for hit in matcher(*entries).match(host, now_us=NOW)}
    assert found == {one.pattern for one in entries if reaches(one, host)}


@given(st.lists(ENTRIES, max_size=8), NAMES)
def test_whole_lists_and_single_entries_make_the_same_matcher(entries, host):
    by_source = [
        Entries.of(sorted((one for one in entries if one.source_id == name), key=lambda one: one.line_no))
        for name in sorted({one.source_id for one in entries})
    ]
    whole = DictMatcher.of(reversed(by_source), [source(name) for name in "abc"])
    single = matcher(*entries)
    assert len(whole) == len(single)
    assert whole.match(host, now_us=NOW) == single.match(host, now_us=NOW)


def test_a_path_entry_reaches_its_path():
    one = entry("home.example/a?b=1", match=Match.URL_PREFIX)
    assert reaches(one, "home.example", "http://home.example/a?b=1")
    assert not reaches(one, "home.example", "http://home.example/a?b=2")
    assert not reaches(one, "www.home.example", "http://www.home.example/a?b=1")
