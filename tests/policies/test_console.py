"""Tables that stay aligned in Japanese, and output that hostile text cannot leave."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.console import OutputFormat, as_json, as_jsonl, display_width, printable, render, shorten, table


def test_columns_align_when_cells_are_wide():
    lines = table(["A", "B"], [["日本", "x"], ["a", "y"]]).splitlines()
    assert [display_width(line[: line.index(mark)]) for line, mark in zip(lines, "Bxy", strict=True)] == [
        6,
        6,
        6,
    ]


def test_numbers_stand_right():
    assert table(["N"], [[1], [1000]]).splitlines() == ["   N", "   1", "1000"]


def test_a_row_of_another_length_is_an_error():
    with pytest.raises((ValueError, IndexError)):
        table(["A", "B"], [["only one"]])


def test_no_rows_leave_the_headings():
    assert table(["A", "B"], []) == "A  B"


@given(st.text(max_size=40))
def test_no_text_reaches_the_terminal_with_controls(text):
    shown = table(["T"], [[text]])
    assert "\x1b" not in shown
    assert shown.count("\n") == 1
    assert all(
        character.isprintable() or character in "\n\u3000\xa0" or character.isspace() for character in shown
    )
    shown.encode("utf-8")


def test_an_escape_sequence_is_shown_not_obeyed():
    assert printable("\x1b[31mred\u202e") == "\\x1b[31mred\\u202e"


@given(st.text(max_size=40), st.integers(1, 20))
def test_shortening_keeps_the_width(text, cells):
    assert display_width(shorten(text, cells)) <= max(cells, 1)


@given(st.text(max_size=40))
def test_json_gives_the_text_back_and_is_utf8(text):
    document = as_json("sekisho.test/1", {"text": text})
    document.encode("utf-8")
    assert json.loads(document) == {"schema": "sekisho.test/1", "text": text}
    line = as_jsonl([{"text": text}])
    assert "\n" not in line
    assert json.loads(line) == {"text": text}


def test_the_same_rows_in_every_format():
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert json.loads(render(OutputFormat.JSON, "s/1", "rows", ["a", "b"], rows)) == {
        "schema": "s/1",
        "rows": rows,
    }
    assert [
        json.loads(line) for line in render(OutputFormat.JSONL, "s/1", "rows", ["a"], rows).splitlines()
    ] == rows
    assert render(OutputFormat.TABLE, "s/1", "rows", ["a", "b"], rows).splitlines()[0] == "A  B"
