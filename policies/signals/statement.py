"""One statement of a site about one use of its content, whatever family of signals it belongs to.

The common value of the readers in this folder: what was said, where, in which words, and what was wrong
with it. A reader hands back everything it recognised, permissions and unreadable values included, because
the evidence of a decision shows them; what a statement means for a purpose is `policies/precedence.py`.
Pure; imports the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TEXT_LIMIT = 500
"""Characters of a statement's raw text that are kept."""


class Family(StrEnum):
    """Which specification a statement is written in."""

    CONTENT_USAGE = "content-usage"
    CONTENT_SIGNAL = "content-signal"
    ROBOTS_NOINDEX = "robots-noindex"
    AI_PROHIBITION = "ai-prohibition"
    X_ROBOTS_TAG = "x-robots-tag"
    ROBOTS_META = "robots-meta"
    TDM = "tdm"
    RSL = "rsl"
    AI_TXT = "ai.txt"
    TRUST_TXT = "trust.txt"
    ASSET = "asset"


class Source(StrEnum):
    """What kind of place a statement was found in."""

    ROBOTS_TXT = "robots.txt"
    SITE_FILE = "site file"
    HEADER = "response header"
    PAGE = "page"
    ASSET = "asset"


class Stance(StrEnum):
    """What a statement says about its use. Unknown is neither a permission nor a refusal."""

    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"


class Problem(StrEnum):
    """What was wrong with a statement."""

    NONE = ""
    UNKNOWN_LABEL = "unknown-label"  # a use that the family does not know: ignored, logged
    MALFORMED = "malformed-reservation"  # a known use with a value that says nothing
    MISPLACED = "misplaced"  # where the family does not look: restrictions count, permissions do not
    BEYOND_LIMIT = "beyond-limit"  # behind what is read in full: restrictions count


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a site said about one use.

    `use` is the family's own label as it was written (`train-ai`, `noindex`, `tdm-reservation`), "" when the
    whole field could not be read; `text` is raw, decoded with replacement, at most `TEXT_LIMIT` characters;
    `line` counts from 1 where there are lines; `detail` holds what else was said: a path, a policy's
    address, a date, the value that could not be read.
    """

    family: Family
    use: str
    stance: Stance
    source: Source
    text: str = ""
    line: int | None = None
    problem: Problem = Problem.NONE
    detail: str = ""

    @property
    def denies(self) -> bool:
        """Whether it refuses its use."""
        return self.stance is Stance.DENY

    @property
    def remarks(self) -> str:
        """What was wrong and what else was said, for the note of an evidence."""
        return "; ".join(part for part in (self.problem.value, self.detail) if part)


_ORDER = {Stance.UNKNOWN: 0, Stance.ALLOW: 1, Stance.DENY: 2}


def combined(stances: tuple[Stance, ...]) -> Stance:
    """Return any refusal, else any permission, else unknown."""
    return max(stances, key=_ORDER.__getitem__, default=Stance.UNKNOWN)
