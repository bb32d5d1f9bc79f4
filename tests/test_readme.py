"""README says only what is there: its settings, commands, files and make targets are compared with the code."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.config import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_names_every_setting_and_no_other():
    table = README[README.index("| setting |") : README.index("An unknown `SEKISHO_` setting")]
    assert set(re.findall(r"SEKISHO_[A-Z_]+", table)) == set(SETTINGS)


@pytest.mark.parametrize(
    "name", [name for name, (default, _) in SETTINGS.items() if isinstance(default, str)]
)
def test_readme_shows_the_default_of_a_text_setting(name):
    row = next(line for line in README.splitlines() if line.startswith("|") and f"`{name}`" in line)
    assert f"`{SETTINGS[name][0]}`" in row


def test_readme_names_every_command_and_each_answers_help():
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
        "sekisho.commands"
    ]
    named = set(re.findall(r"`sekisho ([a-z]+)", README))
    assert named == set(points)
    for command in points:
        shown = subprocess.run(
            [sys.executable, "-m", "crawler.cli", command, "--help"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.lower().startswith("examples"), f"help of {command} does not begin with examples"


def test_every_file_and_folder_that_readme_sends_a_reader_to_exists():
    section = README[README.index("| to understand |") :]
    named = re.findall(r"`([\w./-]+\.(?:py|md))`", section)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_readme_gives_every_exit_code():
    sentence = README[README.index("Exit codes:") :].split("\n", 1)[0]
    assert {int(code) for code in re.findall(r"\b(\d+) ", sentence)} == {int(code) for code in ExitCode}


def test_the_two_commands_are_make_targets_and_ci_calls_the_second():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^```\nmake (\w+)\n```", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_the_addon_line_of_readme_is_the_one_that_the_projects_own_settings_use():
    line = 'ADDONS = {"crawler.addon.SekishoAddon": 100}'
    assert line in README
    assert line in (ROOT / "crawler/settings.py").read_text()
