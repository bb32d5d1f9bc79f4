"""Each line format reads its own glyphs, and gives every other row back with its line and a reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entry import EntryAction, Match
from blocklists.formats.adblock import parse_adblock
from blocklists.formats.dnsmasq import parse_dnsmasq
from blocklists.formats.hosts import parse_hosts
from blocklists.formats.plain import parse_plain
from blocklists.formats.rpz import parse_rpz
from blocklists.formats.unbound import parse_unbound
from blocklists.formats.wildcard import parse_wildcard

PARSERS = {
    "plain": parse_plain,
    "hosts": parse_hosts,
    "adblock": parse_adblock,
    "wildcard": parse_wildcard,
    "dnsmasq": parse_dnsmasq,
    "unbound": parse_unbound,
    "rpz": parse_rpz,
}


def read(form, text, scope=Match.SUBTREE):
    octets = text if isinstance(text, bytes) else text.encode()
    return PARSERS[form](octets, scope=scope)


def found(form, text, scope=Match.SUBTREE):
    return [(row.line_no, row.pattern, row.match.value) for row in read(form, text, scope).rows]


def why(form, text):
    parsed = read(form, text)
    assert not parsed.rows
    (problem,) = parsed.rejected + parsed.quarantined
    return problem.why


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("plain", "bad.example"),
        ("hosts", "0.0.0.0 bad.example"),
        ("hosts", "127.0.0.1\tBAD.example # note"),
        ("hosts", ":: bad.example."),
        ("adblock", "||bad.example^"),
        ("adblock", "||BAD.example.^$document,important"),
        ("wildcard", "*.bad.example"),
        ("wildcard", "*.bad.example # note"),
        ("dnsmasq", "local=/bad.example/"),
        ("dnsmasq", "server=/bad.example/"),
        ("dnsmasq", "address=/bad.example/"),
        ("dnsmasq", "address=/bad.example/#"),
        ("dnsmasq", "address=/bad.example/0.0.0.0"),
        ("dnsmasq", "address=/bad.example/::"),
        ("unbound", 'local-zone: "bad.example." always_null'),
        ("unbound", "local-zone: bad.example always_nxdomain"),
        ("unbound", 'local-zone:   "BAD.example"   always_refuse  # note'),
        ("rpz", "bad.example CNAME .\n*.bad.example CNAME ."),
        ("rpz", "*.bad.example 300 IN CNAME *.\nbad.example IN 60 CNAME rpz-drop."),
    ],
)
def test_every_notation_of_a_block_gives_one_entry(form, row):
    parsed = read(form, f"\ufeff{row}\r\n")
    assert [(entry.pattern, entry.match, entry.action) for entry in parsed.rows] == [
        ("bad.example", Match.SUBTREE, EntryAction.BLOCK)
    ]
    assert parsed.rejected == parsed.quarantined == ()
    assert parsed.fault == ""


def test_hard_case_12_rows_of_every_hosts_file_are_passed_over():
    text = (
        "127.0.0.1 localhost localhost.localdomain\n::1 localhost ip6-localhost\nfe80::1%lo0 localhost\n"
        "255.255.255.255 broadcasthost\n0.0.0.0 0.0.0.0\nff02::1 ip6-allnodes\n0.0.0.0 bad.example\n"
    )
    parsed = read("hosts", text)
    assert found("hosts", text) == [(7, "bad.example", "subtree")]
    assert parsed.total == 1


def test_hard_case_27_one_row_may_name_several_hosts():
    assert found("hosts", "0.0.0.0 a.example b.example # c.example") == [
        (1, "a.example", "subtree"),
        (1, "b.example", "subtree"),
    ]
    assert found("dnsmasq", "server=/a.example/b.example/\naddress=/x.example/#") == [
        (1, "a.example", "subtree"),
        (1, "b.example", "subtree"),
        (2, "x.example", "subtree"),
    ]
    assert "sends the name on to '1.2.3.4'" in why("dnsmasq", "server=/x.example/1.2.3.4")


def test_a_bad_name_does_not_hide_the_good_ones_before_it():
    parsed = read("hosts", "0.0.0.0 a.example b..example")
    assert [row.pattern for row in parsed.rows] == ["a.example"]
    assert [problem.line_no for problem in parsed.rejected] == [1]


@pytest.mark.parametrize(
    ("form", "row", "expected"),
    [
        ("hosts", "93.184.216.34 bad.example", "begins with '93.184.216.34'"),
        ("hosts", "bad.example", "begins with 'bad.example'"),
        ("hosts", "0.0.0.0", "names nothing"),
        ("hosts", "\x0c", "begins with"),
        ("hosts", "0.0.0.0\u3000bad.example", "begins with"),
        ("hosts", "0.0.0.0 1.2.3.4", "address in the place of a name"),
        ("adblock", "bad.example", "not a host rule"),
        ("adblock", "|https://bad.example^", "not a host rule"),
        ("adblock", "||bad.example", "not a host rule"),
        ("adblock", "||bad.example/dl/^", "not a host rule"),
        ("adblock", "||bad.*^", "not a host rule"),
        ("adblock", "/bad[0-9]+/", "not a host rule"),
        ("adblock", "bad.example##.ad", "not a host rule"),
        ("adblock", "||bad.example^$domain=ok.example", "option 'domain=ok.example'"),
        ("adblock", "||bad.example^$third-party", "option 'third-party'"),
        ("adblock", "||bad.example^$", "option ''"),
        ("wildcard", "bad.example", r"does not begin with '\*.'"),
        ("wildcard", "*.*.bad.example", r"holds '\*'"),
        ("wildcard", "*bad.example", r"does not begin with '\*.'"),
        ("wildcard", "*.1.2.3.4", "address below an asterisk"),
        ("dnsmasq", "server=/bad.example/#", "sends the name on"),
        ("dnsmasq", "address=/bad.example/1.2.3.4", "answers with '1.2.3.4'"),
        ("dnsmasq", "address=/#/", "is not local="),
        ("dnsmasq", "local=//", "names nothing"),
        ("dnsmasq", "cname=bad.example,ok.example", "is not local="),
        ("unbound", 'local-zone: "bad.example." always_transparent', "type 'always_transparent'"),
        ("unbound", 'local-zone: "bad.example." static', "type 'static'"),
        ("unbound", 'local-data: "bad.example. A 0.0.0.0"', "is not a row of the form"),
        ("rpz", "bad.example A 1.2.3.4", "is not a CNAME record"),
        ("rpz", "bad.example CNAME block.page.example.", "leads to 'block.page.example.'"),
        ("rpz", "bad.example CNAME rpz-tcp-only.", "leads to 'rpz-tcp-only.'"),
        ("rpz", "32.3.9.238.109.rpz-ip CNAME .", "triggered by an address"),
        ("rpz", "ns1.bad.example.rpz-nsdname CNAME .", "triggered by an address"),
        ("rpz", "bad.example.zone.example. CNAME .", "absolute name outside the zone"),
        ("rpz", " CNAME .", "is not a CNAME record"),
        ("plain", "xn--a.example", "not a valid A-label"),
        ("adblock", "||xn--a.example^", "not a valid A-label"),
    ],
)
def test_what_a_format_does_not_mean_is_rejected_with_a_reason(form, row, expected):
    assert re.search(expected, why(form, row))


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("hosts", "0.0.0.0 {}"),
        ("adblock", "||{}^"),
        ("adblock", "@@||{}^"),
        ("wildcard", "*.{}"),
        ("dnsmasq", "local=/{}/"),
        ("unbound", 'local-zone: "{}." always_null'),
        ("rpz", "*.{} CNAME ."),
    ],
)
@pytest.mark.parametrize("name", ["blogspot.com", "github.io", "com", "zip", "foo.ck"])
def test_hard_case_5_what_would_cover_strangers_is_quarantined_in_every_format(form, row, name):
    parsed = read(form, row.format(name))
    assert not parsed.rows
    assert parsed.rejected == ()
    assert len(parsed.quarantined) == 1


def test_hard_case_5_a_public_suffix_in_an_allow_list_is_quarantined_too():
    parsed = read("wildcard", "*.edu\n*.bad.example")
    assert [row.pattern for row in parsed.rows] == ["bad.example"]
    assert [problem.text for problem in parsed.quarantined] == ["*.edu"]


def test_hard_case_15_a_zone_distinguishes_apex_and_below_and_a_wildcard_file_does_not():
    assert found("rpz", "bad.example CNAME .") == [(1, "bad.example", "host")]
    assert found("rpz", "*.bad.example CNAME .") == [(1, "bad.example", "below")]
    assert found("rpz", "*.bad.example CNAME .\nx.example CNAME .\nbad.example CNAME .") == [
        (1, "bad.example", "subtree"),
        (2, "x.example", "host"),
    ]
    assert found("wildcard", "*.bad.example") == [(1, "bad.example", "subtree")]


def test_hard_case_16_a_zone_may_let_a_name_pass():
    rows = read("rpz", "*.bad.example CNAME .\nmail.bad.example CNAME rpz-passthru.").rows
    assert [(row.pattern, row.match, row.action) for row in rows] == [
        ("bad.example", Match.BELOW, EntryAction.BLOCK),
        ("mail.bad.example", Match.HOST, EntryAction.ALLOW),
    ]


def test_hard_case_17_adblock_rules_may_lift_and_insist():
    rows = read("adblock", "[Adblock Plus]\n! c\n@@||ok.bad.example^\n||ok.bad.example^$important\n").rows
    assert [(row.line_no, row.pattern, row.action, row.important) for row in rows] == [
        (3, "ok.bad.example", EntryAction.ALLOW, False),
        (4, "ok.bad.example", EntryAction.BLOCK, True),
    ]


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("abcd"), st.sampled_from([".", "rpz-passthru."])),
        max_size=12,
    )
)
def test_a_zone_means_what_its_records_say_in_whatever_order(records):
    lines = [f"{'*.' * wild}{name}.example CNAME {target}" for wild, name, target in records]
    parsed = read("rpz", "\n".join(lines))
    meant = set()
    for name in "abcd":
        for target, action in ((".", "block"), ("rpz-passthru.", "allow")):
            apex, below = ((wild, name, target) in records for wild in (False, True))
            if apex or below:
                match = "subtree" if apex and below else "host" if apex else "below"
                meant.add((f"{name}.example", match, action))
    assert {(row.pattern, row.match.value, row.action.value) for row in parsed.rows} == meant
    assert [row.line_no for row in parsed.rows] == sorted(row.line_no for row in parsed.rows)
    for row in parsed.rows:
        assert row.text == lines[row.line_no - 1]
        assert row.pattern in row.text
    assert (parsed.records, len(parsed.rows) <= len(records)) == (len(records), True)


def test_the_frame_of_a_zone_is_no_row():
    zone = """$TTL 300
@ IN SOA localhost. root.localhost. (
    1763260200 ; serial
    43200 3600 86400 300 )
  NS  localhost.
@ 3600 IN NS localhost.
$ORIGIN zone.example.
; comment
bad.example.zone.example. CNAME . ; note
*.bad.example CNAME .
"""
    parsed = read("rpz", zone)
    assert [(row.line_no, row.pattern, row.match) for row in parsed.rows] == [
        (9, "bad.example", Match.SUBTREE)
    ]
    assert parsed.rejected == ()
    assert parsed.records == 2


def test_hard_case_26_damage_changes_no_name_and_is_listed():
    text = b"\xef\xbb\xbf0.0.0.0 a.example\r\n0.0.0.0 b\x00.example\r\n\t0.0.0.0  c.example  \r\n0.0.0.0 d.example"
    parsed = read("hosts", text)
    assert [(row.line_no, row.pattern) for row in parsed.rows] == [
        (1, "a.example"),
        (3, "c.example"),
        (4, "d.example"),
    ]
    assert [problem.line_no for problem in parsed.rejected] == [2]


def test_a_row_is_cited_as_it_was_read():
    assert read("hosts", "\n 0.0.0.0  bad.example # why \r\n").rows[0].text == "0.0.0.0  bad.example # why"
    assert read("adblock", "||a.example^\n||b.example^").rows[1].text == "||b.example^"
    assert read("rpz", "*.b.example CNAME .\nb.example CNAME .").rows[0].text == "*.b.example CNAME ."


def test_line_numbers_are_true_beyond_the_first_block():
    names = [f"s{number}.example" for number in range(9_000)]
    rows = read("adblock", "".join(f"||{name}^\n" for name in names)).rows
    for place in (0, 1, 4_321, 8_999):
        assert (rows[place].line_no, rows[place].pattern) == (place + 1, names[place])
        assert rows[place].text == f"||{names[place]}^"
    assert rows[-1].text == "||s8999.example^"
    assert [row.pattern for row in rows[10:12]] == ["s10.example", "s11.example"]


def test_a_line_longer_than_64_kib_is_one_rejected_row_and_shifts_no_number():
    parsed = read("plain", f"a.example\n{'x' * 200_000}\nb.example\n{'y' * 70_000}")
    assert [(row.line_no, row.pattern) for row in parsed.rows] == [(1, "a.example"), (3, "b.example")]
    assert [problem.line_no for problem in parsed.rejected] == [2, 4]
    assert all(len(problem.text) == 500 for problem in parsed.rejected)


def test_reading_stops_when_more_is_wrong_than_any_list_may_have():
    parsed = read("plain", "||x^\n" * 5_000)
    assert len(parsed.rejected) == 1_001
    assert "more than 1000 rows up to line 1001" in parsed.fault


def test_repetitions_in_any_spelling_are_one_entry():
    parsed = read("adblock", "||a.example^\n||A.example^\n||a.example^$important\n||a.example^$important")
    assert [(row.line_no, row.important) for row in parsed.rows] == [(1, False), (3, True)]
    assert parsed.duplicates == 2
    zone = read("rpz", "a.example CNAME .\nA.example CNAME .\na.example CNAME .")
    assert (len(zone.rows), zone.duplicates, zone.records) == (1, 2, 3)


def test_a_hosts_list_can_mean_the_names_alone():
    assert found("hosts", "0.0.0.0 bad.example\n0.0.0.0 BLOGSPOT.com", Match.HOST) == [
        (1, "bad.example", "host"),
        (2, "blogspot.com", "host"),
    ]
