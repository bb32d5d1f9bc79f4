"""Rules and signals touch nothing: no clock, no chance, no file, no socket. Those arrive as arguments."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PURE = (
    "policies/vocabulary.py",
    "policies/facts.py",
    "policies/basis.py",
    "policies/rules",
    "policies/signals",
    "crawler/extensions/metrics.py",
)
IMPURE_MODULES = frozenset(
    {
        "os", "pathlib", "io", "socket", "ssl", "time", "random", "secrets", "uuid", "logging", "subprocess",
        "threading", "asyncio", "urllib.request", "http.client", "requests", "aiohttp", "sqlite3", "sqlalchemy",
        "tempfile", "shutil",
    }
)  # fmt: skip
IMPURE_CALLS = frozenset({"now", "utcnow", "today"})  # of datetime and date
IMPURE_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})


def pure_files():
    for name in PURE:
        path = ROOT / name
        yield from [path] if path.suffix else sorted(path.rglob("*.py"))


def impurities(source):
    """Return (line, what) of everything in a file that reaches outside its arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = []
        for name in names:
            if name in IMPURE_MODULES or name.split(".")[0] in IMPURE_MODULES:
                yield node.lineno, name
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and function.attr in IMPURE_CALLS:
                owner = function.value
                named = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if named in {"datetime", "date"}:
                    yield node.lineno, f"{named}.{function.attr}()"
            elif isinstance(function, ast.Name) and function.id in IMPURE_BUILTINS:
                yield node.lineno, f"{function.id}()"


def test_there_is_something_to_check():
    assert len(list(pure_files())) > len(PURE)


@pytest.mark.parametrize("path", list(pure_files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_rule_or_signal_reaches_nothing_but_its_arguments(path):
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}"
        for line, what in impurities(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import os", "os"),
        ("import os.path", "os.path"),
        ("from pathlib import Path", "pathlib"),
        ("def judge():\n    import random", "random"),
        ("from datetime import datetime\nx = datetime.now()", "datetime.now()"),
        ("import datetime\nx = datetime.datetime.utcnow()", "datetime.utcnow()"),
        ("from datetime import date\nx = date.today()", "date.today()"),
        ("x = open('file')", "open()"),
        ("from urllib import request", "urllib.request"),
        ("import logging", "logging"),
    ],
)
def test_reaching_outside_would_be_seen(source, what):
    assert what in {found for _, found in impurities(source)}


def test_reading_dates_that_arrive_is_not_an_impurity():
    source = "from datetime import datetime, UTC\nx = datetime.fromtimestamp(0, UTC)\nfrom urllib.parse import urlsplit\n"
    assert list(impurities(source)) == []
