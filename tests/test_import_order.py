"""Imports go one way only (design: layout and import order), and what must not meet Scrapy never does.

blocklists <- policies <- crawler.decisionlog <- { crawler (may import Scrapy), exporters }
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The longest matching prefix decides the layer. Every first-party package and framework that is not named
# in a layer's set is forbidden there; a layer may always import itself.
MAY_IMPORT = {
    "blocklists": set(),
    "policies": {"blocklists"},
    "crawler.decisionlog": {"policies", "blocklists"},
    "crawler": {"crawler.decisionlog", "policies", "blocklists", "scrapy", "twisted"},
    "exporters": {"crawler.decisionlog", "policies", "blocklists"},
    "deploy": set(),
}
FRAMEWORKS = {"scrapy", "twisted"}
WATCHED = set(MAY_IMPORT) | FRAMEWORKS
# Modules of `crawler` that `exporters` and `crawler.decisionlog` pass through: they import nothing at all.
EMPTY = {"crawler"}
# Packages of data files whose reader stands in `__init__.py`, beside the files that it reads.
READERS = {"exporters/disclosure/codes/__init__.py", "exporters/disclosure/wording/__init__.py"}


def layer_of(module, names=WATCHED):
    """Return the longest watched prefix of a dotted module name, or None."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in names:
            return prefix
    return None


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree, module, *, is_package):
    """Yield (line, dotted name) of every import anywhere in a file, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - (node.level - is_package)]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from crawler import decisionlog` names the module in its second half.
                yield node.lineno, f"{base}.{alias.name}" if base else alias.name


def violations(root):
    """Return every edge that goes the wrong way, as `file:line layer -> import`."""
    found = []
    for package in sorted({name.split(".")[0] for name in MAY_IMPORT}):
        for path in sorted((root / package).rglob("*.py")):
            module = module_name(path, root)
            layer = layer_of(module, set(MAY_IMPORT))
            tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            for line, name in imports_of(tree, module, is_package=path.name == "__init__.py"):
                target = layer_of(name)
                if target is None or target == layer:
                    continue
                if target not in MAY_IMPORT[layer]:
                    found.append(f"{path.relative_to(root)}:{line} {layer} -> {name}")
    return found


def test_no_import_goes_the_wrong_way():
    assert violations(ROOT) == []


def test_a_wrong_import_would_be_seen(tmp_path):
    files = {
        "policies/decide.py": "import scrapy\n",
        "exporters/page.py": "from crawler.decisionlog import record\nfrom crawler.door import Downloader\n",
        "exporters/late.py": "def build():\n    from crawler import addon\n    return addon\n",
        "crawler/decisionlog/store.py": "from ..errors import SetupError\nfrom .record import Entry\n",
        "crawler/decisionlog/record.py": "import twisted.internet.defer\n",
        "crawler/cli.py": "import exporters\nimport scrapy\nimport policies.vocabulary\n",
        "blocklists/host.py": "if False:\n    from policies import vocabulary\n",
        "deploy/run.py": "import crawler\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert violations(tmp_path) == [
        "blocklists/host.py:2 blocklists -> policies.vocabulary",
        "crawler/cli.py:1 crawler -> exporters",
        "crawler/decisionlog/record.py:1 crawler.decisionlog -> twisted.internet.defer",
        "crawler/decisionlog/store.py:1 crawler.decisionlog -> crawler.errors.SetupError",
        "deploy/run.py:1 deploy -> crawler",
        "exporters/late.py:2 exporters -> crawler.addon",
        "exporters/page.py:2 exporters -> crawler.door.Downloader",
        "policies/decide.py:1 policies -> scrapy",
    ]


def test_the_package_that_everybody_passes_through_imports_nothing():
    for name in EMPTY:
        path = ROOT / name / "__init__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert list(imports_of(tree, name, is_package=True)) == [], path


def test_package_files_hold_a_docstring_and_re_exports_at_most():
    for package in ("blocklists", "policies", "crawler", "exporters"):
        for path in (ROOT / package).rglob("__init__.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert ast.get_docstring(tree), f"{path} needs a docstring"
            if path.relative_to(ROOT).as_posix() in READERS:
                continue
            allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
            for node in tree.body:
                assert isinstance(node, allowed), f"{path}:{node.lineno} holds code"
                if isinstance(node, ast.Assign):
                    assert [target.id for target in node.targets] == ["__all__"], f"{path}:{node.lineno}"


def test_what_runs_beside_the_crawler_leaves_scrapy_out_of_its_process():
    modules = sorted(
        module_name(path, ROOT)
        for folder in ("blocklists", "policies", "crawler/decisionlog", "exporters")
        for path in (ROOT / folder).rglob("*.py")
    )
    code = (
        "import importlib, json, sys\n"
        f"for name in json.loads({json.dumps(json.dumps(modules))}): importlib.import_module(name)\n"
        "print(json.dumps([name for name in ('scrapy', 'twisted') if name in sys.modules]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == []
