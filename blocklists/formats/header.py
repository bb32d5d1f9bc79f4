"""What the comments at the head of a list say of it: title, version, dates, and how many entries it holds.

Decides only what can be read for certain; anything else (`%timestamp%`, a date in a German locale, `Updated
regularly`) is no statement. No specification exists; the keys are those of hagezi, blocklistproject and
AdBlock lists (https://adblockplus.org/filters#special-comments).
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_HEAD_OCTETS = 16_384
_HEAD_LINES = 100
_KEY = re.compile(r"[!#;]+[ \t]*([A-Za-z][A-Za-z ]{0,30}):[ \t]*(.*)")
_COUNT = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9}")
_EXPIRES = re.compile(r"([0-9]{1,4})[ \t]*(d|day|days|h|hour|hours)\b.*", re.IGNORECASE)
_COUNTS = frozenset({"entries", "number of entries", "domains", "number of domains"})
_DATES = (
    "%d %b %Y %H:%M UTC",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The statements of a list about itself; empty or None where it makes none that can be read.

    `expires_hours` is the interval at which its publisher wants it to be fetched; `last_modified` is UTC in
    microseconds; `entries` is what `ParsedList.total` or `ParsedList.records` has to equal.
    """

    title: str = ""
    version: str = ""
    syntax: str = ""
    expires_hours: int | None = None
    last_modified: int | None = None
    entries: int | None = None


def read_header(octets: bytes) -> Header:
    """Return the statements in the comments of the first 16 KiB and 100 lines."""
    said: dict[str, str] = {}
    for line in (
        octets[:_HEAD_OCTETS].decode("utf-8", "replace").removeprefix("\ufeff").split("\n")[:_HEAD_LINES]
    ):
        text = line.strip(" \t\r")
        found = _KEY.fullmatch(text)
        if found is not None:
            said.setdefault(found[1].strip().lower(), found[2].strip())
    counts = [said[key] for key in sorted(_COUNTS & said.keys())]
    return Header(
        title=said.get("title", "")[:200],
        version=said.get("version", "")[:100],
        syntax=(said.get("syntax") or said.get("format", ""))[:100],
        expires_hours=_hours(said.get("expires", "")),
        last_modified=_moment(said.get("last modified", "")),
        entries=_count(counts[0]) if counts else None,
    )


def _count(text: str) -> int | None:
    return int(text.replace(",", "")) if _COUNT.fullmatch(text) else None


def _hours(text: str) -> int | None:
    found = _EXPIRES.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) * (24 if found[2].lower().startswith("d") else 1)


def _moment(text: str) -> int | None:
    for form in _DATES:
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(moment.timestamp()) * 1_000_000
    return None
