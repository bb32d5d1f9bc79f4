"""From bytes to a checked model, or to problems that each name file and line.

Decides nothing about content: the models do. It translates what `tomllib` and `pydantic` report into
sentences for the person who edits the file, finds the line, and offers the nearest known word.
Imports no Scrapy, reads no file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from blocklists.errors import ExitCode, SekishoError
from policies.agents_lines import locate, nearest_line
from policies.agents_model import COUNTRY_PATTERN, TOKEN_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

#: Larger than any honest declaration; keeps a hostile file from occupying the process.
MAX_OCTETS = 262_144

#: What pydantic's own words leave open, said for the person who edits TOML.
_PATTERNS = {
    TOKEN_PATTERN: "a product token: letters, '-' and '_' only (RFC 9309 section 2.2.1)",
    COUNTRY_PATTERN: "a country code of two capital letters (ISO 3166-1), such as JP",
}
_TYPES = {
    "date_type": "must be a date without quotes, such as 2026-12-01",
    "int_type": "must be a whole number without quotes",
    "bool_type": "must be true or false without quotes",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list in square brackets",
    "model_type": "must be a table",
}

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: the line (counted from 1, None for the whole file), the key, a sentence."""

    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        """Return key and sentence, without the place."""
        return f"{self.field}: {self.message}" if self.field else self.message


class AgentError(SekishoError):
    """An agent file, or a change fragment, is missing or invalid; nothing is fetched under it.

    `problems` holds every problem found; `source` names the file.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        places = [
            (f"{self.source}:{problem.line}" if problem.line else self.source) for problem in self.problems
        ]
        lines = [
            f"{place}: {problem}" if place else str(problem)
            for place, problem in zip(places, self.problems, strict=True)
        ]
        if len(lines) == 1:
            return lines[0]
        return f"{len(lines)} problems in {self.source}\n" + "\n".join(f"  {line}" for line in lines)


def _models(annotation: object) -> list[type[BaseModel]]:
    """Return the models inside an annotation such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is None:
        return []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a table may hold."""
    current = model
    for part in path:
        if isinstance(part, int):
            continue
        field = next((f for name, f in current.model_fields.items() if (f.alias or name) == part), None)
        inside = _models(field.annotation) if field else []
        if not inside:
            return []
        current = inside[0]
    return [field.alias or name for name, field in current.model_fields.items()]


def _closest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004 - one line on a terminal


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    path, kind, context = error["loc"], error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        return f"unknown key{_closest(str(path[-1]), known) or '; known keys here: ' + ', '.join(known)}"
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        word = error["input"] if isinstance(error["input"], str) else ""
        return f"{_shown(error['input'])} is not one of {', '.join(known)}{_closest(word, known)}"
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"{_shown(error['input'])} is not {_PATTERNS.get(pattern, 'of the form ' + pattern)}"
    if kind in _TYPES:
        return _TYPES[kind]
    sentence = error["msg"]
    return sentence[0].lower() + sentence[1:]


def _problems(error: ValidationError, model: type[BaseModel], text: str) -> list[Problem]:
    places = locate(text)
    found = [
        Problem(
            line=nearest_line(places, details["loc"]) or 1,
            field=".".join(
                f"{part + 1}" if isinstance(part, int) else ascii(part)[1:-1] for part in details["loc"]
            ),
            message=_sentence(details, model),
        )
        for details in error.errors(include_url=False)
    ]
    return sorted(found, key=lambda problem: problem.line or 0)


def _table(raw: bytes, source: str) -> tuple[dict[str, Any], str]:
    """Parse TOML, or raise AgentError with the line on which reading stopped."""
    if len(raw) > MAX_OCTETS:
        sentence = f"has {len(raw)} octets; at most {MAX_OCTETS} are read"
        raise AgentError(source, [Problem(line=None, field="", message=sentence)])
    if raw.startswith(b"\xef\xbb\xbf"):
        sentence = "begins with a byte order mark; save it as UTF-8 without one"
        raise AgentError(source, [Problem(line=1, field="", message=sentence)])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        sentence = f"octet 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise AgentError(source, [Problem(line=line, field="", message=sentence)]) from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        sentence = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", sentence)
        line = int(place[1]) if place else text.rstrip("\n").count("\n") + 1
        sentence = re.sub(r" \(at [^()]*\)$", "", sentence)
        raise AgentError(source, [Problem(line=line, field="", message=f"not TOML: {sentence}")]) from None
    except RecursionError:
        sentence = "not TOML that can be read: arrays or tables are nested too deeply"
        raise AgentError(source, [Problem(line=None, field="", message=sentence)]) from None


def parse_table(raw: bytes, source: str, model: type[Model]) -> Model:
    """Return the checked model of a TOML document; AgentError names every problem, file and line."""
    table, text = _table(raw, source)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise AgentError(source, _problems(error, model, text)) from None
