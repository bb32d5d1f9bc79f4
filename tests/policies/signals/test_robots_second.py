"""The second reader can refuse, can never allow, can never crash, and cannot be made to cost much."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from policies.signals import robots_second
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
        b"".join(b"User agent: *a%d\n" % i for i in range(12_000))
        + b"\x85".join([b"disallow /%d" % i for i in range(9000)]),
        b"".join(b"User-agent: a%d\nDisallow: /\n" % i for i in range(15_000)),
        b"User-agent: *\n" + b"".join(b"Disallow: /*%d*a$\n" % i for i in range(20_000)),
        b"User-agent: *\nDisallow: /" + b"$" * 400_000,
        b"User-agent: *\nDisallow: /" + b"%41" * 150_000,
        b"".join(b"User-agent: a%d\n" % i for i in range(300)) + b"Request-rate: 1/5s 0600-0845\n" * 3_000,
    ],
)
def test_a_file_that_would_take_it_long_is_not_given_to_it(body):
    asked = reader(body)
    started = time.process_time()
    opinion = asked.ask("ExampleBot", f"{HOST}/")
    assert time.process_time() - started < 0.5
    assert not opinion.refuses
    assert "would take it too long" in opinion.note


def test_two_thousand_small_groups_and_a_thousand_wildcards_are_given_to_it():
    groups = b"".join(b"User-agent: a%d\nDisallow: /\n" % i for i in range(2_000))
    stars = b"".join(b"Disallow: /*%d*a$\n" % i for i in range(1_000))
    assert reader(groups + b"User-agent: *\nDisallow: /\n").ask("ExampleBot", f"{HOST}/").refuses
    assert reader(b"User-agent: *\n" + stars).ask("ExampleBot", f"{HOST}/999a").refuses


def large(more: bytes = b"") -> bytes:
    return b"User-agent: *\n" + b"".join(b"Disallow: /a/%d/\n" % i for i in range(20_000)) + more


def test_of_a_large_file_it_gets_what_could_match_the_url():
    asked = reader(large(b"Allow: /b/index.html\nDisallow: /b\nUser-agent: OtherBot\nDisallow: /\n"))
    for path, refused in (
        ("/a/19999/x", True),
        ("/a/1999", False),
        ("/%61/19999/", True),
        ("/a%2F19999/", False),
        ("/bc", True),
        ("/b/", False),
        ("/b/index.html", False),
        ("/", False),
        ("", False),
        ("?x", False),
    ):
        opinion = asked.ask("ExampleBot", f"{HOST}{path}")
        assert (opinion.refuses, opinion.note) == (refused, ""), path
        assert asked.ask("OtherBot", f"{HOST}{path}").refuses
    assert "not written plainly" in asked.ask("ExampleBot", f"{HOST}/a b").note


PATHS = st.lists(
    st.sampled_from(["a", "b", "/", "/", "%61", "%2f", "=", "%3d", "?", "&", "é", "index.html"]), max_size=6
)
VALUES = PATHS.flatmap(
    lambda parts: st.sampled_from(["", "/", "/", "*", "$"]).map(lambda first: first + "".join(parts))
)
LINES = st.tuples(
    st.sampled_from(
        [
            "Disallow: ",
            "disallow:",
            "Allow: ",
            "Allow :",
            "User-agent: ",
            "Crawl-delay: 5 ",
            "Disalow: ",
            "x: ",
        ]
    ),
    VALUES | st.sampled_from(["*", "ExampleBot", "OtherBot", "/a/*b$", "/a # c", " /index.html"]),
    st.sampled_from(["", "", " ", "\t# x", "$", "*"]),
    st.sampled_from(["\n", "\n", "\r\n", "\x85", "\n\n  "]),
).map("".join)


@settings(max_examples=200)
@given(st.lists(LINES, max_size=12), PATHS)
def test_what_is_left_out_for_a_url_never_changes_what_it_says(lines, path):
    text, url = "User-agent: *\nDisallow: /else\n" + "".join(lines), f"{HOST}/{''.join(path)}"
    asked = SecondReader(text.encode())
    work = iter((1e9,))  # the file as a whole is too much, what is left of it is not
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(robots_second, "_work", lambda _: next(work, 0))
        patched.setattr(robots_second, "_SMALL", 0)
        opinion = asked.ask("ExampleBot", url)
    assert (opinion.refuses, opinion.note) == (not Protego.parse(text).can_fetch(url, "ExampleBot"), "")


def test_too_many_wildcards_for_a_long_url_are_not_searched():
    asked = reader(b"User-agent: *\n" + b"Disallow: /*a*b\n" * 1_000)
    assert "too many wildcards" in asked.ask("ExampleBot", f"{HOST}/{'a' * 60_000}").note
    assert asked.ask("ExampleBot", f"{HOST}/ab").refuses


@pytest.mark.parametrize("length", [40, 60_000])
def test_rival_1_twelve_wildcards_cost_it_little(length):
    asked = reader(b"User-agent: *\nDisallow: /*a*a*a*a*a*a*a*a*a*a*a*a*b\n")
    started = time.process_time()
    assert not asked.ask("ExampleBot", f"{HOST}/{'a' * length}").refuses
    assert time.process_time() - started < 1
