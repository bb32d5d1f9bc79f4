"""CSV and native rows cite their own authority, and a row that does not make sense is rejected with its line."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entry import EntryAction, Match, Weight
from blocklists.formats.csv_rows import Columns, parse_csv
from blocklists.formats.native import parse_native
from blocklists.formats.row import RowDetails

FULL = {
    "pattern": "Bad.example",
    "match": "host",
    "action": "block",
    "category": "streaming",
    "weight": "court_order",
    "authority": "Example District Court",
    "jurisdiction": "DK",
    "decision_ref": "BS-1/2025",
    "decision_date": "2025-03-01",
    "valid_from": "2025-03-02",
    "valid_until": "2028-03-01",
    "source_url": "https://court.example/1",
    "note": "for people",
}


def native(*rows, known=False, scope=Match.SUBTREE):
    octets = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
    return parse_native(octets, scope=scope, authority_known=known)


def table(text, *, delimiter=",", known=False, date_format="%Y-%m-%d", **names):
    columns = Columns(names={"pattern": "Domain"} | names, delimiter=delimiter, date_format=date_format)
    return parse_csv(text.encode(), scope=Match.SUBTREE, columns=columns, authority_known=known)


def test_a_native_row_carries_everything_that_a_refusal_has_to_cite():
    (row,) = native(FULL).rows
    assert (row.pattern, row.match, row.action) == ("bad.example", Match.HOST, EntryAction.BLOCK)
    assert json.loads(row.text) == FULL
    assert row.details == RowDetails(
        weight=Weight.COURT_ORDER,
        authority="Example District Court",
        jurisdiction="DK",
        decision_ref="BS-1/2025",
        decision_date=date(2025, 3, 1),
        valid_from=date(2025, 3, 2),
        valid_until=date(2028, 3, 1),
        source_url="https://court.example/1",
        category="streaming",
    )


def test_a_native_row_needs_nothing_but_a_pattern():
    rows = native({"pattern": "bad.example"}, "", {"pattern": "109.238.9.3"}, {"pattern": "x.example/a"}).rows
    assert [(row.line_no, row.pattern, row.match) for row in rows] == [
        (1, "bad.example", Match.SUBTREE),
        (3, "109.238.9.3", Match.IP),
        (4, "x.example/a", Match.URL_PREFIX),
    ]


def test_hard_case_19_two_decisions_about_one_name_are_two_rows():
    one = {"pattern": "bad.example", "authority": "A", "decision_ref": "1"}
    parsed = native(one, one | {"authority": "B"}, one)
    assert [row.details.authority for row in parsed.rows] == ["A", "B"]
    assert parsed.duplicates == 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('"bad.example"', "not a JSON object"),
        ("{}", "has no `pattern`"),
        ('{"pattern":"a.example","pattern":"b.example"}', "names a member twice"),
        ({"pattern": "a.example", "colour": "red"}, "unknown member 'colour'"),
        ({"pattern": ["a.example"]}, "`pattern` is not text"),
        ({"pattern": "a.example", "weight": "rumour"}, "`weight` is 'rumour'; it may be court_order"),
        ({"pattern": "a.example", "weight": "court_order"}, "no `authority` is named"),
        ({"pattern": "a.example", "match": "everything"}, "`match` is 'everything'"),
        ({"pattern": "a.example", "action": "override"}, "overrides.toml"),
        ({"pattern": "a.example", "decision_date": "2025-02-30"}, "`decision_date` is '2025-02-30'"),
        ({"pattern": "a.example", "valid_until": "soon"}, "`valid_until` is 'soon'"),
        (
            {"pattern": "a.example", "valid_from": "2026-02-01", "valid_until": "2026-01-01"},
            "later than `valid_until`",
        ),
        ({"pattern": "a.example", "match": "ip"}, "is not an IP address"),
        ({"pattern": "1.2.3.4", "match": "host"}, "cannot have the match 'host'"),
        ({"pattern": "a.example", "decision_ref": "x" * 3000}, "longer than 2000"),
        ({"pattern": "a.example", "authority": "A\x1b[31m"}, "`authority` holds a control character"),
        (r'{"pattern": "a.example", "authority": "\ud800"}', "or half a character"),
        (r'{"pattern": "\ud800.example"}', "or half a character"),
        (r'{"pattern": "a.example", "\ud800": "x"}', "unknown member"),
        ("[" * 20_000, "longer than 16384"),
        ("[" * 10_000, "not a JSON object"),
        ('{"pattern": NaN}', "not text"),
    ],
)
def test_a_native_row_that_makes_no_sense_is_rejected(row, expected):
    parsed = native({"pattern": "ok.example"}, row)
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    (problem,) = parsed.rejected
    assert problem.line_no == 2
    assert re.search(expected, problem.why)


def test_a_row_may_rest_on_the_authority_of_its_manifest():
    (row,) = native({"pattern": "a.example", "weight": "court_order"}, known=True).rows
    assert row.details.weight is Weight.COURT_ORDER


def test_a_public_suffix_in_a_native_list_is_quarantined():
    parsed = native({"pattern": "blogspot.com"}, {"pattern": "blogspot.com", "match": "host"})
    assert [row.match for row in parsed.rows] == [Match.HOST]
    assert [problem.line_no for problem in parsed.quarantined] == [1]


def test_columns_are_found_by_their_headings_in_any_order():
    parsed = table(
        '\ufeffDato;Sag;Domain;Note\r\n01-03-2025;"BS-1; 2025";Bad.example;x\r\n;;other.example;\r\n',
        delimiter=";",
        date_format="%d-%m-%Y",
        decision_date="Dato",
        decision_ref="Sag",
    )
    first, second = parsed.rows
    assert (first.line_no, first.pattern) == (2, "bad.example")
    assert first.details.decision_date == date(2025, 3, 1)
    assert first.details.decision_ref == "BS-1; 2025"
    assert second.details is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("https://bad.example/", ("bad.example", Match.SUBTREE)),
        ("HTTP://www.Bad.example", ("www.bad.example", Match.SUBTREE)),
        ("https://host.example/~pirate/", ("host.example/~pirate/", Match.URL_PREFIX)),
        ("109.238.9.3", ("109.238.9.3", Match.IP)),
    ],
)
def test_an_address_in_a_cell_names_what_it_says_and_no_more(cell, expected):
    (row,) = table(f"Domain\n{cell}\n").rows
    assert (row.pattern, row.match) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a.example", "has 1 cells, but the heading has 2"),
        ('"a.example,x', "is not a row of CSV"),
        ('"a"b.example,x', "is not a row of CSV"),
        ("a.example,yesterday", "`decision_date` is 'yesterday'"),
        (",2025-01-01", "has no `pattern`"),
    ],
)
def test_a_csv_row_that_makes_no_sense_is_rejected(row, expected):
    parsed = table(f"Domain,Date\nok.example,2025-01-01\n{row}\n", decision_date="Date")
    assert [entry.pattern for entry in parsed.rows] == ["ok.example"]
    (problem,) = parsed.rejected
    assert problem.line_no == 3
    assert re.search(expected, problem.why)


def test_a_csv_file_without_a_mapped_column_is_at_fault():
    parsed = table("Host,Date\na.example,2025-01-01\n")
    assert not parsed.rows
    assert parsed.fault == "has no column 'Domain' in its heading (line 1: Host, Date)"


@given(st.binary(max_size=200))
def test_no_octets_make_either_raise(octets):
    parse_native(octets, scope=Match.SUBTREE, authority_known=False)
    columns = Columns(names={"pattern": "a", "decision_date": "b"}, date_format="%d.%m.%y")
    parse_csv(b"a,b\n" + octets, scope=Match.SUBTREE, columns=columns, authority_known=True)


@given(
    st.dictionaries(
        st.sampled_from(sorted(FULL)), st.one_of(st.none(), st.text(max_size=12), st.integers()), max_size=6
    )
)
def test_any_object_is_a_row_or_a_problem(members):
    parsed = native(members)
    assert len(parsed.rows) + len(parsed.rejected) + len(parsed.quarantined) == 1
