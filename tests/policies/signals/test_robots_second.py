"""The second reader can refuse, can never allow, can never crash, and cannot be made to cost much."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from policies.signals.robots import parse_robots
from policies.signals.robots_second import SecondReader

HOST = "https://example.com"


def reader(body: bytes) -> SecondReader:
    return SecondReader(parse_robots(body).octets)


def test_it_reads_what_protego_reads():
    asked = reader(b"User-agent: *\nDisallow: /a%3Fb\n")
    assert asked.ask("ExampleBot", f"{HOST}/a?b").refuses
    assert not asked.ask("ExampleBot", f"{HOST}/c").refuses


def test_octets_that_are_not_utf_8_are_escaped_for_it_and_not_deleted():
    asked = reader(b"User-agent: *\nDisallow: /caf\xe9\n")
    assert asked.ask("ExampleBot", f"{HOST}/caf%E9").refuses
    assert not asked.ask("ExampleBot", f"{HOST}/caf").refuses


def test_utf_16_reaches_it_decoded():
    assert (
        reader(b"\xff\xfe" + "User-agent: *\nDisallow: /\n".encode("utf-16-le"))
        .ask("ExampleBot", f"{HOST}/")
        .refuses
    )


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_octets_and_no_url_make_it_fail(body, tail):
    reader(body).ask("ExampleBot", f"{HOST}/{tail}")
    reader(body).ask("ExampleBot", tail)


def test_an_exception_in_its_parser_is_no_opinion(monkeypatch):
    def broken(cls, text):
        raise RecursionError

    monkeypatch.setattr(Protego, "parse", classmethod(broken))
    asked = reader(b"User-agent: *\nDisallow: /\n")
    for _ in range(2):
        opinion = asked.ask("ExampleBot", f"{HOST}/")
        assert not opinion.refuses
        assert opinion.note == "second reader failed: RecursionError"


def test_an_exception_in_its_matcher_is_no_opinion_on_that_url(monkeypatch):
    asked = reader(b"User-agent: *\nDisallow: /\n")
    with monkeypatch.context() as patched:
        patched.setattr(Protego, "can_fetch", lambda *_: 1 / 0)
        opinion = asked.ask("ExampleBot", f"{HOST}/")
        assert (opinion.refuses, opinion.note) == (False, "second reader failed: ZeroDivisionError")
    assert asked.ask("ExampleBot", f"{HOST}/").refuses


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"User-agent: a%d\n" % i for i in range(9000))
        + b"".join(b"Disallow: /%d\n" % i for i in range(9000)),
        b"".join(b"User-agent: a%d\n" % i for i in range(14000)) * 2,
        b"".join(b"User agent: *a%d\n" % i for i in range(9000))
        + b"\x85".join([b"disallow /%d" % i for i in range(9000)]),
    ],
)
def test_a_file_that_multiplies_is_not_given_to_it(body):
    asked = reader(body)
    started = time.perf_counter()
    opinion = asked.ask("ExampleBot", f"{HOST}/")
    assert time.perf_counter() - started < 2
    assert not opinion.refuses
    assert "would make more than" in opinion.note


def test_fifteen_thousand_small_groups_are_given_to_it():
    body = (
        b"".join(b"User-agent: a%d\nDisallow: /\n" % i for i in range(15_000))
        + b"User-agent: *\nDisallow: /\n"
    )
    assert reader(body).ask("ExampleBot", f"{HOST}/").refuses


def test_too_many_wildcards_for_a_long_url_are_not_searched():
    asked = reader(b"User-agent: *\n" + b"Disallow: /*a*b\n" * 20_000)
    assert "too many wildcards" in asked.ask("ExampleBot", f"{HOST}/{'a' * 60_000}").note
    assert asked.ask("ExampleBot", f"{HOST}/ab").refuses


@pytest.mark.parametrize("length", [40, 60_000])
def test_rival_1_twelve_wildcards_cost_it_little(length):
    asked = reader(b"User-agent: *\nDisallow: /*a*a*a*a*a*a*a*a*a*a*a*a*b\n")
    started = time.perf_counter()
    assert not asked.ask("ExampleBot", f"{HOST}/{'a' * length}").refuses
    assert time.perf_counter() - started < 1
