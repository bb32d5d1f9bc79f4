"""Thirty hard cases of block lists: each has a test that carries its number, and what is fetched has a crawl.

A name says `hard_case_7`, `hard_cases_7_and_8`, `hard_cases_7_8_and_12` or `hard_cases_7_to_12`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ALL = set(range(1, 31))
#: These are about the files themselves: rows that are too wide or damaged, headers, formats that say the same.
NOT_FETCHED = {5, 25, 26, 29}
_CASES = re.compile(r"hard_cases?_(\d+(?:_(?:and|to)_\d+|_\d+)*)")


def numbers(name):
    found = set()
    for listed in _CASES.findall(name):
        for first, last in re.findall(r"(\d+)_to_(\d+)", listed):
            found |= set(range(int(first), int(last) + 1))
        found |= {int(one) for one in re.findall(r"\d+", listed)}
    return found


def cases_below(folder):
    found = set()
    for path in folder.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found |= numbers(node.name)
    return found


def test_a_name_says_which_cases_it_covers():
    assert numbers("test_hard_case_5_what_would_cover_2_strangers") == {5}
    assert numbers("test_hard_cases_21_and_22_no_way") == {21, 22}
    assert numbers("test_hard_cases_1_to_3_and_19_20_and_30_x") == {1, 2, 3, 19, 20, 30}
    assert numbers("test_nothing_hard_at_all_7") == set()


def test_every_one_of_the_thirty_hard_cases_has_a_test_of_its_number():
    assert cases_below(TESTS) == ALL


def test_every_hard_case_about_fetching_is_held_to_what_a_server_received():
    assert cases_below(TESTS / "crawls") >= ALL - NOT_FETCHED
