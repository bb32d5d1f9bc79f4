"""What only the operator can say: `disclosure.toml`, validated, closed, and optional.

An item carries a `statement`, or an `explanation` for withholding it, in both languages, never neither
(comply or explain: PC-S.5, PC-E.1). "Not yet" is no explanation without a date (PC-O.6, PC-E.4): write
`completion_date`. Reads one file; no clock.
"""

from __future__ import annotations

import tomllib
from datetime import date  # noqa: TC003 - pydantic reads it at run time
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from blocklists.errors import ExitCode, SekishoError
from exporters.disclosure.codes import EU_TEMPLATE, PRINCIPLE_CODE

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.disclosure.codes import Code

Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]+$")]


class ConfigError(SekishoError):
    """`disclosure.toml` cannot be read or says something that it may not; nothing is published."""

    exit_code = ExitCode.REFUSED


class Part(BaseModel):
    """A closed, frozen table."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(Part):
    """One text in both languages, so that neither page has a hole."""

    en: Words
    ja: Words


class Declaration(Part):
    """What the operator says about one item: a statement, or an explanation for withholding it."""

    statement: Bilingual | None = None
    explanation: Bilingual | None = None
    completion_date: Annotated[date, Strict()] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.statement is None and self.explanation is None:
            raise ValueError("needs a statement or an explanation, in both languages")
        return self


class Provider(Part):
    """Who publishes, when it is not the crawler's operator."""

    name: Line
    name_ja: Line | None = None
    url: Line | None = None
    role: Literal["developer", "provider", "not_covered"] | None = None


class Model(Part):
    """One system that the collected data serves."""

    name: Line
    version: Line | None = None


class DisclosureConfig(Part):
    """The whole file; every key may be absent, and what is absent is listed as not recorded."""

    schema_id: Annotated[Literal["sekisho.disclosure-config/1"], Field(alias="schema")] = (
        "sekisho.disclosure-config/1"
    )
    code_version: str = PRINCIPLE_CODE
    eu_template: str = EU_TEMPLATE
    authoritative_language: Literal["ja", "en"] | None = None
    provider: Provider | None = None
    models: tuple[Model, ...] = ()
    items: dict[str, Declaration] = Field(default_factory=dict)


def load_config(path: Path | None) -> DisclosureConfig:
    """Read `disclosure.toml`, or return the empty configuration for None. ConfigError names place and key."""
    if path is None:
        return DisclosureConfig()
    try:
        return DisclosureConfig.model_validate(tomllib.loads(path.read_bytes().decode("utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; correct --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (octet {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ConfigError(f"{path}: {problems}") from error


def check_items(config: DisclosureConfig, codes: tuple[Code, ...]) -> None:
    """Refuse declarations about items that do not exist or that may not be withheld (ConfigError)."""
    known = {item.id: item for code in codes for item in code.items}
    for identity, declaration in config.items.items():
        item = known.get(identity)
        if item is None:
            raise ConfigError(
                f"items.{identity}: no such item in {' or '.join(code.code_version for code in codes)}; "
                f"known are {', '.join(known)}"
            )
        if declaration.explanation is not None and not item.withholdable:
            open_to_it = ", ".join(one.id for one in known.values() if one.withholdable)
            raise ConfigError(
                f"items.{identity}: cannot be withheld: it is computed from the log and other items rest on "
                f"it; give a statement instead (an explanation is possible for {open_to_it})"
            )
