"""Profiles: which legal weights block, which only flag, and why; comply or explain in one file each.

Decides how much the word of a court, an authority, a rights holder or a volunteer counts under one set of
duties. The profiles are data (`profiles/*.toml`): every weight has a line that says what it does and why, and
a refusal or a flag cites that line.
Reads the profile's file and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blocklists.entry import NEEDS_AUTHORITY, Weight
from blocklists.errors import ListError
from blocklists.manifest import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blocklists.entry import Entry, Source

DEFAULT_PROFILE = "default"


class Effect(StrEnum):
    """What an entry of a weight does to a visit."""

    BLOCK = "block"
    BLOCK_IF_REVIEWED = (
        "block_if_reviewed"  # only lists whose manifest says when the operator went through it
    )
    FLAG = "flag"  # recorded with the visit, which goes ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What each weight does, and why.

    `jurisdictions` limits entries of weights that cite a decision: those of other jurisdictions flag. It is
    empty for no limit, and an entry that names no jurisdiction is never let off for that. `sha256` is the
    hex digest of the profile's file.
    """

    name: str
    title: str
    effects: Mapping[Weight, Effect]
    reasons: Mapping[Weight, str]
    jurisdictions: frozenset[str]
    sha256: str

    def blocks(self, entry: Entry, source: Source) -> bool:
        """Whether an entry blocks, as far as its weight, its jurisdiction and its list's review go."""
        effect = self.effects[entry.weight]
        if effect is Effect.FLAG or (effect is Effect.BLOCK_IF_REVIEWED and source.reviewed_on is None):
            return False
        if not self.jurisdictions or entry.weight not in NEEDS_AUTHORITY or not entry.jurisdiction:
            return True
        return entry.jurisdiction.upper() in self.jurisdictions

    def why(self, entry: Entry, source: Source) -> str:
        """Return the sentence of the profile that decides about an entry, and what kept it from blocking."""
        effect = self.effects[entry.weight]
        said = f"profile {self.name}: {entry.weight.value} {_WORDS[effect]}: {self.reasons[entry.weight]}"
        if effect is not Effect.FLAG and not self.blocks(entry, source):
            held = (
                "the list has not been reviewed"
                if effect is Effect.BLOCK_IF_REVIEWED and source.reviewed_on is None
                else f"jurisdiction {entry.jurisdiction} is outside the profile"
            )
            return f"{said} ({held}, so it only flags)"
        return said


_WORDS = {
    Effect.BLOCK: "blocks",
    Effect.BLOCK_IF_REVIEWED: "blocks when reviewed",
    Effect.FLAG: "only flags",
}


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    effect: Effect
    why: str = Field(min_length=1, max_length=400)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=200)
    jurisdictions: tuple[str, ...] = ()
    weights: dict[Weight, _Rule]

    @model_validator(mode="after")
    def _says_something_of_every_weight(self) -> Self:
        missing = [weight.value for weight in Weight if weight not in self.weights]
        if missing:
            raise ValueError(
                f"says nothing of {', '.join(missing)}; every weight needs an effect and a reason"
            )
        return self


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that ship with the package."""
    folder = files("blocklists").joinpath("profiles")
    return tuple(
        sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
    )


@cache
def load_profile(name: str) -> Profile:
    """Return a profile by its name, or from a file when `name` ends in `.toml`.

    Raises ListError, with the known names, when there is none, and with file and key when it is not in order.
    """
    if name.endswith(".toml"):
        return parse_profile(Path(name).stem, Path(name), _read(Path(name)))
    if name not in profile_names():
        raise ListError(
            f"SEKISHO_PROFILE: no profile is named {name!r}; known are {', '.join(profile_names())}, or give "
            "the path of a .toml file"
        )
    octets = files("blocklists").joinpath("profiles", f"{name}.toml").read_bytes()
    return parse_profile(name, Path("blocklists", "profiles", f"{name}.toml"), octets)


def parse_profile(name: str, path: Path, octets: bytes) -> Profile:
    """Return the profile that the octets of a file hold; `path` serves the messages of ListError."""
    file = parse_model(path, octets, _File)
    return Profile(
        name=name,
        title=file.title,
        effects={weight: rule.effect for weight, rule in file.weights.items()},
        reasons={weight: rule.why for weight, rule in file.weights.items()},
        jurisdictions=frozenset(code.upper() for code in file.jurisdictions),
        sha256=sha256(octets).hexdigest(),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ListError(
            f"{path}: the profile cannot be read ({error.strerror}); check SEKISHO_PROFILE"
        ) from error
