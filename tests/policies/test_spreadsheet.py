"""No text becomes a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.spreadsheet import spreadsheet_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r", "\n=1", "\0=1", "＝1", "  =1"])
def test_what_begins_a_formula_gets_an_apostrophe(text):
    assert spreadsheet_cell(text) == f"'{text}"


def test_what_is_no_text_stays_and_nothing_is_empty():
    assert spreadsheet_cell(None) == ""
    assert spreadsheet_cell(-1) == -1
    assert spreadsheet_cell("https://a.example/=1") == "https://a.example/=1"


@given(st.text())
def test_no_cell_begins_like_a_formula(text):
    cell = spreadsheet_cell(text)
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert not cell.startswith(("\t", "\r", "\n", "\0"))
    assert cell in (text, f"'{text}")
