"""The wording of laws as versioned data, and its reader.

One TOML file a version: which items exist, their labels, and which facts answer them. No label, number or
list of items stands in code, so a new version of a code is a new file. Pure but for reading
these shipped files.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blocklists.errors import UsageError

PRINCIPLE_CODE = "draft-2025-12"
EU_TEMPLATE = "eu-template-2025-07"

Text = Annotated[str, Field(min_length=1)]


class CodeItem(BaseModel):
    """One item of a code. `answers` names facts; `declared` marks what only the operator can answer.

    `withholds` names the facts that an explanation removes from the whole document; an item without any, that
    is not `declared` either, cannot be withheld.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text
    label_en: Text
    label_ja: Text
    level: Literal["full", "outline", "explain"]
    since: Text
    until: Text | None = None
    answers: tuple[Text, ...]
    declared: bool = False
    withholds: tuple[Text, ...] = ()

    @property
    def withholdable(self) -> bool:
        """Whether the operator may give an explanation in place of the answer."""
        return self.declared or bool(self.withholds)

    def label(self, language: str) -> str:
        """Return the label in a language."""
        return self.label_ja if language == "ja" else self.label_en


class Code(BaseModel):
    """One version of a code. `status_*` says what it is based on, in words for readers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code_version: Text
    title_en: Text
    title_ja: Text
    status_en: Text
    status_ja: Text
    items: tuple[CodeItem, ...] = Field(min_length=1)

    def title(self, language: str) -> str:
        """Return the title in a language."""
        return self.title_ja if language == "ja" else self.title_en

    def status(self, language: str) -> str:
        """Return the status in a language."""
        return self.status_ja if language == "ja" else self.status_en


def code_versions() -> tuple[str, ...]:
    """Return the names of the versions that are shipped."""
    return tuple(
        sorted(entry.name[:-5] for entry in files(__package__).iterdir() if entry.name.endswith(".toml"))
    )


def load_code(version: str) -> Code:
    """Return one version; UsageError when it is not shipped, ValueError when its file is not sound."""
    if version not in code_versions():
        raise UsageError(f"unknown code version {version!r}; this release holds {', '.join(code_versions())}")
    text = files(__package__).joinpath(f"{version}.toml").read_text(encoding="utf-8")
    try:
        return Code.model_validate(tomllib.loads(text))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"exporters/disclosure/codes/{version}.toml: {error}") from error
