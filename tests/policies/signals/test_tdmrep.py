"""tdmrep.json: what it reserves, and that nothing in it can stop the reader."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.rights_fetch import Family, read_rights_answer
from policies.signals.statement import Problem, Stance
from policies.signals.tdmrep import Layer, TdmReading, TdmReservation, parse_tdmrep, superseding

HOST = "https://a.example"


def said(body, path="/x"):
    body = body if isinstance(body, bytes) else body.encode()
    found = parse_tdmrep(body).reservation_for(HOST + path)
    return None if found is None else found.reserved


def entry(location, reservation, **more):
    return {"location": location, "tdm-reservation": reservation, **more}


def test_case_45_an_object_in_place_of_the_array_says_nothing_and_is_reported():
    read = parse_tdmrep(b'{"location":"/*","tdm-reservation":1}')
    assert read.invalid
    assert read.reservation_for(f"{HOST}/x") is None
    assert "object in place of the array" in read.problems[0]


@pytest.mark.parametrize(
    ("value", "reserved"),
    [
        ("1", True), ("0", False), ('"1"', True), ('"0"', False), ("true", None), ("2", None), ("1.0", None),
        ("null", None), ('"yes"', None), ("[1]", None), ("-1", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_case_45_only_0_and_1_and_their_text_are_values(value, reserved):
    body = f'[{{"location":"/","tdm-reservation":{value}}}]'
    assert said(body) is reserved
    assert bool(parse_tdmrep(body.encode()).problems) is (reserved is None)


def test_case_45_the_first_match_wins_over_a_later_longer_one():
    assert said(json.dumps([entry("/a", 0), entry("/a/secret", 1)]), "/a/secret") is False
    assert said(json.dumps([entry("/a/secret", 1), entry("/a", 0)]), "/a/secret") is True


def test_a_first_match_with_an_error_is_unset_and_does_not_fall_through():
    assert said(json.dumps([entry("/", 2), entry("/", 1)])) is None


def test_no_match_is_unset():
    assert said(json.dumps([entry("/a", 1)]), "/b") is None


@pytest.mark.parametrize(
    ("location", "path", "matches"),
    [
        ("/*.jpg", "/a/b.jpg", True), ("/*.jpg$", "/a.jpg?x", False), ("*", "/x", True), ("/A", "/a", False),
        ("/%7Ex", "/~x", True), ("/a%2Fb", "/a/b", False), ("images/", "/images/1", True),
        ("https://a.example/in/", "/in/1", True), ("", "/x", True), ("/ツ", "/%E3%83%84", True),
    ],
)  # fmt: skip
def test_locations_match_as_paths_of_robots_txt(location, path, matches):
    assert said(json.dumps([entry(location, 1)]), path) is (True if matches else None)


def test_of_a_repeated_name_the_restriction_holds():
    assert said('[{"location":"/","tdm-reservation":1,"tdm-reservation":0}]') is True
    assert said('[{"location":"/","tdm-reservation":0,"tdm-reservation":1}]') is True


def test_a_policy_is_kept_beside_a_reservation_only():
    file = parse_tdmrep(
        json.dumps(
            [entry("/a", 1, **{"tdm-policy": "https://p/1"}), entry("/b", 0, **{"tdm-policy": "p"})]
        ).encode()
    )
    assert file.reservation_for(f"{HOST}/a").policy == "https://p/1"
    assert file.reservation_for(f"{HOST}/b").policy == ""


def test_the_line_of_the_deciding_entry_is_known():
    body = '[\n {"location": "/a",\n  "tdm-reservation": 1},\n {\n  "tdm-reservation": 1,\n  "location": "/b"}\n]'
    file = parse_tdmrep(body.encode())
    assert file.reservation_for(f"{HOST}/a").line == 2
    assert file.reservation_for(f"{HOST}/b").line == 6


def test_case_46_each_more_embedded_statement_supersedes_and_absence_never_resets():
    file = TdmReservation(reserved=True, layer=Layer.FILE)
    header = TdmReservation(reserved=False, layer=Layer.HEADER)
    meta = TdmReservation(reserved=True, layer=Layer.META)
    assert superseding((file, header)) is header
    assert superseding((header, file)) is header
    assert superseding((file, header, meta)) is meta
    assert superseding((file,)) is file
    assert superseding(()) is None
    twice = TdmReservation(reserved=True, layer=Layer.HEADER)
    assert superseding((header, twice)) is twice


def reading(body, status=200, error=None):
    return TdmReading(
        read_rights_answer(
            family=Family.TDMREP, url=f"{HOST}/.well-known/tdmrep.json", final_url=f"{HOST}/.well-known/tdmrep.json",
            status=status, headers=(), body=body, fetched_at=0, hops=0, error=error,
        )
    )  # fmt: skip


def test_case_48_html_in_place_of_the_file_is_absence():
    page = reading(b"<!doctype html><html></html>")
    assert page.tdm is None
    assert page.statement_for(f"{HOST}/x") is None


@pytest.mark.parametrize(("status", "error"), [(404, None), (503, None), (None, "timeout"), (403, None)])
def test_what_was_not_obtained_is_not_implemented(status, error):
    assert (
        reading(b'[{"location":"/","tdm-reservation":1}]', status, error).statement_for(f"{HOST}/x") is None
    )


def test_a_file_too_long_to_be_read_is_reported():
    statement = reading(b"[" + b" " * 600_000 + b"]").statement_for(f"{HOST}/x")
    assert (statement.stance, statement.problem) == (Stance.UNKNOWN, Problem.MALFORMED)


def test_a_statement_carries_words_place_and_problem():
    good = reading(json.dumps([entry("/", 1, **{"tdm-policy": "https://p/"})]).encode())
    statement = good.statement_for(f"{HOST}/x")
    assert statement.stance is Stance.DENY
    assert "https://p/" in statement.detail
    evidence = good.evidence_of(statement)
    assert evidence.line == 1
    assert len(evidence.sha256) == 64
    bad = reading(b"{}").statement_for(f"{HOST}/x")
    assert (bad.stance, bad.problem) == (Stance.UNKNOWN, Problem.MALFORMED)
    assert "object" in bad.detail


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000, b'{"a":' * 10_000, b"[" * 10_000 + b"]" * 10_000, b"", b"\xff\xfe[", b"[1,2,{}]", b"[[]]", b'"x"',
        b'[{"location":1,"tdm-reservation":1}]', b'[{"tdm-reservation":1}]', b"\0" * 100, b'[{"location":"\\ud800"}]',
        b"[" + b"9" * 100_000 + b"]",
    ],
)  # fmt: skip
def test_hostile_json_reserves_nothing_and_is_reported(body):
    read = parse_tdmrep(body)
    assert read.reservation_for(f"{HOST}/x") is None
    assert read.problems


def test_more_entries_than_are_read_reserve_everything():
    read = parse_tdmrep(b"[" + b"{}," * 30_000 + b"{}]")
    assert read.reservation_for(f"{HOST}/x").reserved
    assert "entries" in read.problems[0]


def test_half_a_megabyte_is_read_in_time():
    entries = [entry(f"/{number}*a", 1) for number in range(3_900)]
    body = json.dumps(entries).encode()
    start = time.process_time()
    read = parse_tdmrep(body)
    assert time.process_time() - start < 0.5
    assert len(read) == 3_900
    start = time.process_time()
    assert read.reservation_for(f"{HOST}/" + "b" * 60_000).reserved  # too costly to tell: read as reserved
    assert read.reservation_for(f"{HOST}/0xa").reserved
    assert time.process_time() - start < 0.5


@given(st.binary(max_size=300))
def test_no_octets_raise(body):
    parse_tdmrep(body).reservation_for(f"{HOST}/x")


LEAF = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["location", "tdm-reservation", "tdm-policy", "x"]), inner, max_size=4
        )
    ),
)


@given(JSON, st.text(max_size=30))
def test_no_json_raises_and_only_an_entry_with_1_reserves(value, path):
    text = json.dumps(value)
    found = parse_tdmrep(text.encode()).reservation_for(f"{HOST}/{path}")
    if found is not None and found.reserved:
        assert '"tdm-reservation": 1' in text or '"tdm-reservation": "1' in text or '1"' in text
