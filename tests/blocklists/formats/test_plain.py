"""Every row becomes an entry or is listed with its line and a reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entry import Match
from blocklists.formats.plain import parse_plain
from blocklists.host import canonical_host


def parse(octets, scope=Match.SUBTREE):
    return parse_plain(octets, scope=scope)


def patterns(octets, scope=Match.SUBTREE):
    return [row.pattern for row in parse(octets, scope).rows]


def test_hard_case_26_line_ends_blanks_comments_and_marks_do_not_change_names():
    octets = (
        b"\xef\xbb\xbf# title\r\n\r\nBAD.example\r\n"
        b"  two.example.   # inline\n\t#comment\ntracker.studio.coother.example \nlast.example"
    )
    parsed = parse(octets)
    assert [(row.line_no, row.pattern) for row in parsed.rows] == [
        (3, "bad.example"),
        (4, "two.example"),
        (6, "tracker.studio.coother.example"),
        (7, "last.example"),
    ]
    assert parsed.rejected == ()
    assert parsed.rows[1].text == "two.example.   # inline"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"a\x00b.example", "NUL"),
        (b"0.0.0.0 bad.example", "holds ' '"),
        (b"||bad.example^", "holds '|'"),
        (b"*.bad.example", r"holds '\*'"),
        (b"https://bad.example/", "holds '/'"),
        (b"bad.example#comment", "holds '#'"),
        (b"%62ad.example", "holds '%'"),
        (b"bad..example", "not a host name"),
        (b".bad.example", "not a host name"),
        (b"256.1.1.1", "not a host name"),
        (b"xn--a.example", "not a valid A-label"),
        (b"xn--.example", "not a valid A-label"),
        (b"1844316419", "write 109.238.9.3"),
        (b"\xff\xfe.example", "not|holds"),
        (b"a" * 5000, "longer than"),
        (b"localhost", "names this machine"),
    ],
)
def test_a_row_that_is_no_name_is_rejected_with_its_line(row, why):
    parsed = parse(b"ok.example\n" + row + b"\n")
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    (problem,) = parsed.rejected
    assert problem.line_no == 2
    assert len(problem.text) <= 500
    assert re.search(why, problem.why)


@pytest.mark.parametrize("row", [b"0.0.0.0", b"127.0.0.1", b"::", b"::1", b"[::1]", b"localhost.localdomain"])
def test_hard_case_12_rows_for_this_machine_never_become_entries(row):
    parsed = parse(row)
    assert not parsed.rows
    assert len(parsed.rejected) == 1


def test_hard_case_11_and_12_addresses_become_address_entries():
    parsed = parse(b"109.238.9.3\n::ffff:109.238.9.4\n2001:DB8:0::1")
    assert [(row.pattern, row.match) for row in parsed.rows] == [
        ("109.238.9.3", Match.IP),
        ("109.238.9.4", Match.IP),
        ("2001:db8::1", Match.IP),
    ]


@pytest.mark.parametrize("row", ["blogspot.com", "github.io", "com", "zip", "co.uk"])
def test_hard_case_5_what_would_cover_strangers_is_quarantined(row):
    parsed = parse(f"ok.example\n{row}\n".encode())
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    assert [(problem.line_no, problem.text) for problem in parsed.quarantined] == [(2, row)]
    assert parsed.rejected == ()


def test_a_public_suffix_may_be_listed_for_itself_alone():
    assert patterns(b"blogspot.com\ncom", Match.HOST) == ["blogspot.com"]


def test_hard_case_10_unicode_rows_become_the_name_that_was_registered():
    assert patterns("faß.de\n日本.example\nｂａｄ。example\n💩.example".encode()) == [
        "xn--fa-hia.de",
        "xn--wgv71a.example",
        "bad.example",
        "xn--ls8h.example",
    ]


def test_a_repeated_name_is_one_entry_of_its_first_line():
    parsed = parse(b"bad.example\nBAD.example.\nbad.example # again\n")
    assert [(row.line_no, row.pattern) for row in parsed.rows] == [(1, "bad.example")]
    assert parsed.duplicates == 2
    assert parsed.total == 3


def test_an_exotic_line_separator_does_not_shift_line_numbers():
    parsed = parse("a.example # x\u2028y\x0bz\x85\nb.example".encode())
    assert [(row.line_no, row.pattern) for row in parsed.rows] == [(1, "a.example"), (2, "b.example")]


@given(st.binary(max_size=200))
def test_no_octets_make_it_raise_and_every_row_is_accounted_for(octets):
    parsed = parse(octets)
    stripped = [line.strip(b" \t\r") for line in octets.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    assert parsed.total == sum(bool(line) and not line.startswith(b"#") for line in stripped)
    for row in parsed.rows:
        assert canonical_host(row.pattern) == row.pattern


@given(st.lists(st.text(alphabet="abß日.-_xn💩 \t#", max_size=20), max_size=10))
def test_a_pattern_is_always_canonical(lines):
    for pattern in patterns("\n".join(lines).encode()):
        assert canonical_host(pattern) == pattern
        assert "." in pattern
