"""A UT1 folder names hosts, and paths on hosts that are spared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entry import Match, Weight
from blocklists.formats.ut1 import parse_ut1
from blocklists.matcher import DictMatcher, blocking_hits
from blocklists.source import ListFile, Manifest, build_source, parse_list


def parse(domains, urls):
    return parse_ut1(domains.encode(), urls.encode(), scope=Match.SUBTREE)


def test_hard_cases_13_and_14_paths_are_paths_and_hosts_are_hosts():
    parsed = parse(
        "bad.example\n109.238.9.4\n",
        "angelfire.com/un/lucasferrand\n109.238.9.3/torrent\nelcachondeo.cl/foro/forumdisplay.php?f=20\n",
    )
    assert [(row.line_no, row.pattern, row.match.value) for row in parsed.rows] == [
        (1, "bad.example", "subtree"),
        (2, "109.238.9.4", "ip"),
        (1, "angelfire.com/un/lucasferrand", "url_prefix"),
        (2, "109.238.9.3/torrent", "url_prefix"),
        (3, "elcachondeo.cl/foro/forumdisplay.php?f=20", "url_prefix"),
    ]
    assert [row.text for row in parsed.rows] == [row.pattern for row in parsed.rows]


def test_hard_cases_13_and_14_decide_as_the_rows_say():
    manifest = Manifest(id="ut1", title="UT1", file="warez", format="ut1", weight=Weight.OPERATOR)
    file = ListFile(
        octets=b"bad.example\n",
        urls=b"angelfire.com/un/lucasferrand\n109.238.9.3/torrent\nforum.example/d.php?f=20\n",
    )
    loaded = build_source(manifest, file, parse_list(manifest, file, where="ut1"))
    lists = DictMatcher.of([loaded.entries], [loaded.source])

    def blocked(host, url):
        return bool(blocking_hits(lists.match(host, now_us=0, url=f"http://{host}{url}")))

    assert blocked("angelfire.com", "/un/lucasferrand")
    assert blocked("angelfire.com", "/un/lucasferrand/a")
    assert not blocked("angelfire.com", "/un/lucasferrandX")
    assert not blocked("angelfire.com", "/")
    assert blocked("109.238.9.3", "/torrent/x")
    assert not blocked("109.238.9.3", "/")
    assert blocked("forum.example", "/d.php?f=20")
    assert not blocked("forum.example", "/d.php?f=21")
    assert blocked("x.bad.example", "/")


@pytest.mark.parametrize("row", ["bad.example", "bad.example/", "https://bad.example/#x", "bad.example/?"])
def test_a_path_row_without_a_path_is_not_widened_to_its_host(row):
    parsed = parse("ok.example", row)
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    assert "names no path" in parsed.quarantined[0].why


@pytest.mark.parametrize("row", ["/a", "bad..example/a", "bad.example/a b", "localhost/a", "b:81/a", "com/a"])
def test_a_path_row_on_no_site_is_not_applied(row):
    parsed = parse("ok.example", row)
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    assert len(parsed.rejected + parsed.quarantined) == 1


def test_scheme_and_case_of_a_host_do_not_matter_and_those_of_a_path_do():
    rows = parse("", "HTTP://Bad.Example./A/b%20c\nx.example?q=1").rows
    assert [row.pattern for row in rows] == ["bad.example/A/b%20c", "x.example/?q=1"]


def test_the_digest_of_a_folder_covers_both_files():
    assert ListFile(octets=b"a", urls=b"b").sha256 != ListFile(octets=b"a", urls=b"c").sha256
    assert ListFile(octets=b"a", urls=b"b").sha256 != ListFile(octets=b"ab", urls=b"").sha256
    assert ListFile(octets=b"a", urls=b"b").size == 2


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_no_octets_make_it_raise(domains, urls):
    parsed = parse_ut1(domains, urls, scope=Match.SUBTREE)
    assert len(parsed.rows) == len(list(parsed.rows))
