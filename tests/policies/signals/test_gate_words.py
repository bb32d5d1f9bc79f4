from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import ExitCode
from policies.paywall_vendors import PaywallVendorsError, load_paywall_vendors, parse_paywall_vendors
from policies.signals.gate_words import GAP, Vendor, find_vendors, folded, folded_blocks, make_table, place_of

TABLE = make_table(
    (
        Vendor(name="A", hosts=("a.example", "cdn.b.example")),
        Vendor(name="S", hosts=("news.example",), needs="/swg/"),
    ),
    own_gate=("paywall",),
    gates=("subscribe * to read",),
    meters=("articles left",),
)
FILE = """
schema = "sekisho.paywall-vendors/1"
[[vendor]]
name = "A"
hosts = ["a.example"]
[own_gate]
words = ["paywall"]
[[language]]
code = "en"
gates = ["x"]
meters = ["y"]
"""


def test_the_shipped_table_is_read_and_every_phrase_is_folded_and_found_in_itself():
    table = load_paywall_vendors()
    assert len(table.hosts) >= 25
    assert len(table.gates) >= 300
    for parts in (*table.gates, *table.meters):
        assert parts == tuple(folded(part) for part in parts)
        assert place_of(folded_blocks([" x ".join(parts)]), parts) >= 0


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "nonsense = [",
        FILE.replace("vendors/1", "vendors/2"),
        FILE.replace('hosts = ["a.example"]', 'hosts = "a.example"'),
        FILE.replace('"a.example"', '"A b"'),
        FILE.replace('"a.example"', '"a.example", "a.example"'),
        FILE.replace('gates = ["x"]', 'gates = ["*"]'),
        FILE.replace('meters = ["y"]', ""),
        FILE.replace("[own_gate]", "[other]"),
    ],
)
def test_a_table_that_cannot_be_read_stops_the_crawl_and_says_what_to_do(broken):
    with pytest.raises(PaywallVendorsError, match=r"paywall_vendors\.toml") as raised:
        parse_paywall_vendors(broken)
    assert raised.value.exit_code is ExitCode.REFUSED
    parse_paywall_vendors(FILE)


@pytest.mark.parametrize(
    ("octets", "names"),
    [
        (b'<script src="https://a.example/x.js">', ("A",)),
        (b'<script src="//x.y.a.example:8080/x.js">', ("A",)),
        (b'{"u":"https:\\/\\/cdn.b.example\\/x"}', ("A",)),
        (b"https://b.example/ https://aa.example/ https://a.example.org/ a.example", ()),
        (b"https://news.example/story", ()),
        (b"https://news.example/swg/js/x.js", ("S",)),
        (b"https://a.example. https://a.example/", ("A",)),
    ],
)
def test_vendors_are_found_by_host_and_below_it_and_nowhere_else(octets, names):
    assert find_vendors(octets, TABLE) == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Subscribe to read", True),
        ("SUBSCRIBE now,\u00a0today, to\u200b read on", True),
        ("Ｓｕｂｓｃｒｉｂｅ to read", True),
        ("subscribe" + "x" * (GAP + 1) + "to read", False),
        ("to read, subscribe", False),
        ("subscribe. subscribe to read", True),
    ],
)
def test_a_phrase_is_found_whatever_its_case_its_spaces_and_its_gap(text, found):
    (parts,) = TABLE.gates
    assert (place_of(folded_blocks([" ".join(text.split())]), parts) >= 0) is found


def test_the_parts_of_a_phrase_stand_in_one_block():
    (parts,) = TABLE.gates
    assert place_of(folded_blocks(["Subscribe", "to read"]), parts) == -1
    assert place_of(folded_blocks(["x", "Subscribe to read"]), parts) == 2


@given(st.binary(max_size=200), st.lists(st.text(max_size=40), max_size=5))
def test_nothing_makes_the_search_fail(octets, blocks):
    find_vendors(octets.lower(), TABLE)
    text = folded_blocks(" ".join(block.split()) for block in blocks)
    for parts in load_paywall_vendors().gates[:20]:
        place_of(text, parts)
