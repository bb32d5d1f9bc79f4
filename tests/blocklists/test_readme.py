"""What the README shows is accepted as it stands, and its table says what the profiles do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import blocklists
from blocklists.entry import Weight
from blocklists.manifest import Format, Manifest
from blocklists.overrides import OverrideFile
from blocklists.profile import Effect, load_profile, profile_names

TEXT = (Path(blocklists.__file__).parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_valid(text):
    model = OverrideFile if "[[override]]" in text else Manifest
    assert model.model_validate(tomllib.loads(text))


def test_every_format_is_described():
    assert len(BLOCKS) == 4
    for form in Format:
        assert f"| `{form}` |" in TEXT or form is Format.OVERRIDES


def test_the_table_of_profiles_says_what_they_do():
    words = {Effect.BLOCK: "blocks", Effect.BLOCK_IF_REVIEWED: "blocks when reviewed", Effect.FLAG: "flags"}
    heading = next(line for line in TEXT.splitlines() if line.startswith("| weight |"))
    names = re.findall(r"`([a-z-]+)`", heading)
    assert sorted(names) == sorted(profile_names())
    for weight in Weight:
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{weight}` |"))
        cells = [cell.strip().partition(",")[0] for cell in row.strip("|").split("|")[1:]]
        assert cells == [words[load_profile(name).effects[weight]] for name in names]
