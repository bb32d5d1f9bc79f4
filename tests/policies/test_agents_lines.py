"""The line finder agrees with tomllib on what a document holds, and with the eye on where."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agents_lines import locate, nearest_line

TRICKY = '''\
# [not.a.table]
title = "a # no comment \\" ]"   # a comment = 1
"quoted key" = 1
dotted . "key" = 'lit#eral'
long = """
fake = 1
[fake]
\\""" still inside""""
multi = [ # items
  "one",
  [2, 3],
  { inner = "x", other = [1] },
]
[table]
key = 1
[table.sub]
key = """one line"""
[[items]]
name = "first"
[items.part]
deep = 1
[[items]]
name = "second"
[[items.parts]]
n = 1
[[items.parts]]
n = 2
literal = \'\'\'
x = 1
\'\'\'
last = 2020-01-01T00:00:00Z'''


def paths(value: Any, base: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = {base} if base else set()
    for key, child in children:
        found |= paths(child, (*base, key))
    return found


def test_every_key_and_item_of_a_document_is_found():
    assert set(locate(TRICKY)) == paths(tomllib.loads(TRICKY))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("title",), "title ="),
        (("quoted key",), '"quoted key"'),
        (("dotted", "key"), "dotted ."),
        (("multi",), "multi ="),
        (("multi", 1), "[2, 3]"),
        (("multi", 2, "other"), "{ inner"),
        (("table", "sub", "key"), '"""one line'),
        (("items", 0, "part", "deep"), "deep ="),
        (("items", 1, "name"), '"second"'),
        (("items", 1, "parts", 1, "n"), "n = 2"),
        (("items", 1, "parts", 1, "last"), "last ="),
    ],
)
def test_a_place_is_the_line_where_the_key_stands(path, words):
    for text in (TRICKY, TRICKY.replace("\n", "\r\n")):
        assert locate(text)[path] == text[: text.index(words)].count("\n") + 1


def test_a_missing_key_is_placed_at_the_table_around_it():
    places = locate("a = 1\n[b]\nc = 1\n")
    assert nearest_line(places, ("b", "missing")) == 2
    assert nearest_line(places, ("missing",)) is None


@given(st.text(alphabet="ab=.[]{}\"'\\#,\n 1", max_size=80))
def test_any_valid_document_is_placed_completely(text):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        locate(text)  # never raises, whatever it is
        return
    assert set(locate(text)) == paths(document)
