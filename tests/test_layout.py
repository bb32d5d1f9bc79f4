"""The tree stays as the design draws it: few places, small files, honest checks."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("blocklists", "policies", "crawler", "exporters")
SOURCE = (*PACKAGES, "deploy")
TOP_LEVEL = {
    # what the design fixes
    "pyproject.toml", "README.md", "crawler", "policies", "blocklists", "exporters", "deploy", "tests",
    # what tools require
    "scrapy.cfg", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci", ".gitignore",
    ".dockerignore", "constraints.lock",
}  # fmt: skip
LONGEST_FILE = 350
# Files that may be longer, each with its reason; the list may only shrink.
LONGER_FILES: dict[str, int] = {}
NAMELESS = {"utils.py", "helpers.py", "common.py", "base.py", "manager.py", "misc.py"}


def tracked():
    """Return every path under version control; skip where there is no repository (an unpacked archive)."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if listed.returncode:
        pytest.skip("not a git repository")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def source_files():
    return [path for package in SOURCE for path in sorted((ROOT / package).rglob("*.py"))]


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_the_top_level_is_fixed():
    assert {name.split("/", 1)[0] for name in tracked()} <= TOP_LEVEL


def test_no_file_grows_beyond_what_a_reader_holds_in_mind():
    lengths = {relative(path): path.read_text(encoding="utf-8").count("\n") for path in source_files()}
    assert {
        name: lines for name, lines in lengths.items() if lines > LONGER_FILES.get(name, LONGEST_FILE)
    } == {}
    unneeded = {name for name in LONGER_FILES if lengths.get(name, 0) <= LONGEST_FILE}
    assert unneeded == set(), "these are short enough now: take them off the list"


def test_every_module_has_a_name_that_says_what_it_holds():
    assert [relative(path) for path in source_files() if path.name in NAMELESS] == []


def test_every_source_file_says_what_it_is_for():
    silent = [
        relative(path)
        for path in source_files()
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_no_check_vanishes_under_python_o():
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert found == [], "an assert is gone under `python -O`: raise instead"


def test_every_silenced_lint_rule_is_named():
    bare = re.compile(r"#\s*(noqa(?!:\s*[A-Z]+[0-9])|type:\s*ignore(?!\[))")
    found = [
        f"{relative(path)}:{number}"
        for path in source_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_the_wheel_brings_exactly_the_four_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert patterns == [f"{name}*" for name in PACKAGES]
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert folders == set(PACKAGES), "a new top-level package would be installed under a name of its own"


def test_every_package_tells_type_checkers_that_it_is_typed():
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").exists()] == []


def test_nothing_private_or_local_is_shipped():
    # Written apart, so that this file does not name what it forbids.
    forbidden = re.compile("|".join([r"/wo" + r"rk/", r"/ho" + r"me/", r"/ro" + r"ot/", r"\bTO" + r"DO\b"]))
    found = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in {
            ".py",
            ".toml",
            ".md",
            ".cfg",
            ".yaml",
            ".yml",
            ".json",
            ".j2",
            ".css",
            ".txt",
            "",
        }:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {match.group()}" for match in forbidden.finditer(text)]
    assert found == []


def test_tests_mirror_the_tree():
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= {
        *SOURCE,
        "conformance",
        "crawls",
        "benchmarks",
        "hostile",
        "sites",
        "soak",
        "support",
        "fuzz",
    }
    assert list((ROOT / "tests").rglob("__init__.py")) == []
