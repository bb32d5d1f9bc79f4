"""The door under the other Pythons that this version names: the hostile suite, run by each that is at hand.

An interpreter is at hand when it has the packages of the `test` extra: name its path in SEKISHO_PYTHONS (paths
with colons between them), or have it on PATH as `python3.12` or `python3.13`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from loopback import ROOT

VERSIONS = ("3.11", "3.12", "3.13")
ASK = "import sys, scrapy, psycopg, pytest, h2; print('%d.%d' % sys.version_info[:2])"
SUITE = ("tests/hostile/test_asked.py", "tests/hostile/test_opened.py", "tests/hostile/test_components.py")


def interpreter(version: str) -> str | None:
    """Return the path of a Python of this version that can run the suite, or None."""
    named = [path for path in os.environ.get("SEKISHO_PYTHONS", "").split(":") if path]
    found = shutil.which(f"python{version}")
    for path in [sys.executable, *named, *([found] if found else [])]:
        asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False, timeout=60)
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return path
    return None


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_the_hostile_suite_holds_under_each_python(version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} with the packages of the test extra: name one in SEKISHO_PYTHONS")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert run.returncode == 0, run.stdout[-6000:]
