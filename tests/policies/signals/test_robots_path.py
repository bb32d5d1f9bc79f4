"""Normal forms and the matcher: equal to the obvious definition, and linear in the path."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.robots_path import compile_pattern, judged_path, normal_octets


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://a", "/"),
        ("http://a?x", "/?x"),
        ("HTTPS://A:8080/b#c", "/b"),
        ("http://u:p@a/b?c=d?e", "/b?c=d?e"),
        ("http://[::1]:80/b", "/b"),
        ("http://a//b//", "//b//"),
        ("http://a/b?", "/b?"),
        ("http://a/..", "/"),
        ("http://a/b/..", "/"),
        ("http://a/b/.", "/b/"),
        ("http://a/...", "/..."),
        ("http://a/.b", "/.b"),
        ("http://a/%zz%", "/%25zz%25"),
        ("http://a/\ud800", "/%ED%A0%80"),
    ],
)
def test_a_url_has_one_path_to_judge(url, path):
    assert judged_path(url) == path


@pytest.mark.parametrize("length", [40, 60_000])
def test_rival_1_twelve_wildcards_against_a_path_of_one_letter_are_linear(length):
    pattern = compile_pattern(b"/" + b"*a" * 12 + b"*b")
    path = "/" + "a" * length
    started = time.process_time()
    assert not pattern.matches(path)
    assert pattern.matches(path + "b")
    assert time.process_time() - started < 0.25


def test_a_pattern_of_a_hundred_thousand_stars_is_linear():
    pattern = compile_pattern(b"/" + b"*a" * 100_000 + b"*b$")
    started = time.process_time()
    assert not pattern.matches("/" + "a" * 60_000)
    assert time.process_time() - started < 1


ALPHABET = st.text(alphabet="ab/.*$", max_size=9)


@given(tail=ALPHABET, path=st.text(alphabet="ab/.", max_size=12))
def test_matching_equals_its_definition_as_a_regular_expression(tail, path):
    value = f"/{tail}"
    anchored = value.endswith("$")
    body = value[:-1] if anchored else value
    definition = ".*".join(re.escape(piece) for piece in body.split("*")) + (r"\Z" if anchored else "")
    subject = f"/{path}"
    assert compile_pattern(value.encode()).matches(subject) == bool(re.match(definition, subject, re.DOTALL))


@given(st.binary(max_size=40))
def test_the_normal_form_is_ascii_and_stable(octets):
    once = normal_octets(octets)
    assert once.isascii()
    assert normal_octets(once.encode()) == once


@given(st.text(max_size=60))
def test_no_text_makes_a_path_fail(text):
    path = judged_path(f"http://a/{text}")
    assert path is not None
    assert path.startswith("/")
    assert path.isascii()


@given(st.text(alphabet="a./%2eE?", max_size=30))
def test_a_judged_path_holds_no_dot_segment(text):
    path = judged_path(f"http://a/{text}").partition("?")[0]
    assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("value", "octets"),
    [("/a", 2), ("/a*", 3), ("/a$", 3), ("/*.htm", 6), ("/a$b", 4), ("/%61", 2), ("/é", 7), ("/%2F", 4)],
)
def test_specificity_counts_octets_of_the_normal_form(value, octets):
    assert compile_pattern(value.encode()).octets == octets
