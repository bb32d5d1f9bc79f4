"""An HTTP structured field that is a Dictionary (RFC 9651): octets in, members or a problem in words out.

The parsing is that of `http-sf`, by the editor of RFC 9651 (https://www.rfc-editor.org/rfc/rfc9651); here its
input is bounded, and its errors do not travel. Pure; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from http_sf import StructuredFieldError, Token, parse

MAX_OCTETS = 8_192
"""Octets of one field that are read. The specifications ask for no more; servers send at most as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a Dictionary, without parameters. `token` is None when the value is no Token."""

    key: str
    token: str | None
    written: str


def _member(key: str, member: object) -> Member:
    value = member[0] if isinstance(member, tuple) else member
    return Member(key=key, token=str(value) if isinstance(value, Token) else None, written=_words(value))


def _words(value: object) -> str:
    kind = type(value).__name__
    return f"the {kind} {str(value)[:40]!r}" if kind != "list" else "an inner list"


def parse_dictionary(octets: bytes) -> tuple[tuple[Member, ...], str]:
    """Return the members, last one of a repeated key, and "" ; or nothing and what is wrong in words."""
    if len(octets) > MAX_OCTETS:
        return (), f"longer than {MAX_OCTETS} octets"
    try:
        # The library has one result type for all kinds of fields.
        found = cast("dict[str, Any]", parse(octets, tltype="dictionary"))
        return tuple(_member(key, member) for key, member in found.items()), ""
    except StructuredFieldError as error:
        return (), str(error)[:200] or "not a Dictionary of RFC 9651"
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError, AttributeError) as error:
        # The library has no further errors that we know of; one that we do not know is no permission.
        return (), f"unreadable ({type(error).__name__})"
