"""The decision log has 25 acceptance checks; each has tests, which carry its number in their name."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
CHECKS = range(1, 26)
PREFIX = "test_check_"
# Of these a part takes minutes: `make test-long` runs it, and what runs in seconds is a sample of the same.
PARTLY_LONG = {3, 4, 6, 10, 15, 17, 24}


def numbered():
    """Return the names of the numbered tests by number, and of those the ones marked as long."""
    found, long = {}, {}
    texts = [path.read_text() for path in TESTS.rglob("test_*.py")]
    for text in texts:
        for node in ast.walk(ast.parse(text)) if f"def {PREFIX}" in text else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(PREFIX):
                number = int(node.name.removeprefix(PREFIX).partition("_")[0])
                marks = {ast.unparse(mark) for mark in node.decorator_list}
                (long if "pytest.mark.long" in marks else found).setdefault(number, set()).add(node.name)
    return found, long


def test_each_of_the_25_acceptance_checks_has_a_test_in_every_run():
    found, long = numbered()
    assert set(found) == set(CHECKS), f"without a test: {sorted(set(CHECKS) - set(found))}"
    assert set(long) >= PARTLY_LONG
