"""Waivers: the one way in which a licence or contract permits what a site's signals refuse.

A waiver file (TOML, format `sekisho.waivers/1`) names a document, its owner in the operator's house, what it
covers and the day on which it ends; each use is a reason code of its own in the log and is disclosed:

    schema = "sekisho.waivers/1"

    [[waivers]]
    document = "CONTRACT-2026-014"     # the id under which the document can be shown
    owner = "Rights desk"              # who answers for it
    granted_by = "Example Press Ltd."
    hosts = ["news.example.com", "*.example.org"]
    paths = ["/archive/"]              # as in robots.txt; left out: every path
    waives = ["tdm_reservation", "licence_terms"]
    purposes = ["ai-training"]
    effective_from = 2026-04-01
    expires = 2027-03-31               # the last day (UTC) on which it holds
    note = "Text only."

What a waiver can never lift is everything that is not a statement of rights: listed piracy domains, the
operator's own scope, an unreachable robots.txt, the pace, and refused access (401, 403, a challenge, a
login), because getting through those would mean going round a barrier. An expired waiver lifts nothing.
Finding one is pure; `load_waivers` reads the file. Keys are closed, and a mistake is told with file and line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from blocklists.domain import is_public_suffix
from blocklists.host import canonical_host, is_ip_address
from policies.agents_lines import locate, nearest_line
from policies.agents_model import Day, Line, Part, Text
from policies.agents_problems import AgentError, Problem, parse_table
from policies.signals.robots_path import compile_pattern, judged_path
from policies.vocabulary import Action, Evidence, Purpose, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date
    from pathlib import Path

    from policies.facts import RequestFacts
    from policies.signals.robots_path import PathPattern

FORMAT = "sekisho.waivers/1"

#: Reason codes that a document of the rights holder can lift.
WAIVABLE = frozenset(
    {
        Reason.ROBOTS_DISALLOW,
        Reason.ROBOTS_DENIED,
        Reason.ROBOTS_NOINDEX,
        Reason.AI_AGENTS_BLOCKED,
        Reason.AI_PROHIBITION,
        Reason.USAGE_PREFERENCE,
        Reason.CONTENT_SIGNAL,
        Reason.TDM_RESERVATION,
        Reason.LICENCE_TERMS,
        Reason.LICENCE_UNKNOWN,
        Reason.AI_TXT,
        Reason.TRUST_TXT,
        Reason.X_ROBOTS_TAG,
        Reason.ROBOTS_META,
        Reason.NOAI,
        Reason.ASSET_RIGHTS,
        Reason.PAYWALL_STRUCTURED_DATA,
        Reason.PAYWALL_MARKUP,
        Reason.PAYWALL_METERED,
    }
)


class WaiverError(AgentError):
    """A waiver file is missing or invalid; nothing is fetched until it is right or no longer named."""


def _host(value: str) -> str:
    """Accept a canonical host, or `*.` and a host below which everything is meant."""
    subtree = value.startswith("*.")
    name = value.removeprefix("*.")
    canonical = canonical_host(name) if not re.search(r"[\s/:@?#*]", name) or name.startswith("[") else None
    if canonical is None:
        raise PydanticCustomError("host", "is not a host name such as news.example.com or *.example.com")
    if canonical != name.strip("[]"):
        raise PydanticCustomError("host", "must be written as {form}", {"form": canonical})
    if subtree and (is_ip_address(canonical) or is_public_suffix(canonical)):
        raise PydanticCustomError(
            "host", "covers names of many owners; name the domain of one owner, such as *.example.com"
        )
    return value


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise PydanticCustomError("path", "must begin with a slash; it is matched as in robots.txt")
    return value


def _waivable(value: Reason) -> Reason:
    if value not in WAIVABLE:
        known = ", ".join(sorted(reason.value for reason in WAIVABLE))
        raise PydanticCustomError(
            "waives", "'{code}' cannot be waived; what can: {known}", {"code": value.value, "known": known}
        )
    return value


Host = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_host)]
PathRule = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_path)]


class Waiver(Part):
    """One grant. `expires` is the last UTC day on which it holds, `effective_from` the first."""

    document: Line
    owner: Line
    granted_by: Line
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    paths: Annotated[tuple[PathRule, ...], Field(min_length=1)] = ("/",)
    waives: Annotated[tuple[Annotated[Reason, AfterValidator(_waivable)], ...], Field(min_length=1)]
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)]
    effective_from: Day | None = None
    expires: Day
    note: Text | None = None

    @field_validator("hosts", "paths", "waives", "purposes")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, item in enumerate(value):
            if item in value[:index]:
                raise PydanticCustomError("duplicate", "names '{item}' twice", {"item": str(item)})
        return value

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.effective_from is not None and self.expires < self.effective_from:
            raise PydanticCustomError("period", "expires before it takes effect")
        return self

    def holds_on(self, today: date) -> bool:
        """Return whether a UTC day lies in its period."""
        return (self.effective_from is None or self.effective_from <= today) and today <= self.expires


class WaiverFile(Part):
    """The whole file."""

    schema_id: Annotated[Literal["sekisho.waivers/1"], Field(alias="schema")]
    waivers: Annotated[tuple[Waiver, ...], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWaiver:
    """A waiver with its place: `source` is the file, `line` counts from 1, `sha256` is of its octets."""

    waiver: Waiver
    source: str
    line: int | None
    sha256: str
    paths: tuple[PathPattern, ...]

    def covers(self, facts: RequestFacts, reason: Reason, purposes: Collection[Purpose], today: date) -> bool:
        """Return whether it lifts a refusal with this reason, for all of an agent's purposes, on this day."""
        waiver = self.waiver
        if reason not in waiver.waives or not waiver.holds_on(today):
            return False
        if not purposes or not set(purposes) <= set(waiver.purposes):
            return False
        path = judged_path(facts.url)
        if path is None or facts.origin is None:
            return False
        return any(_covers_host(host, facts.host) for host in waiver.hosts) and any(
            pattern.matches(path) for pattern in self.paths
        )


def _covers_host(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern.strip("[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waivers:
    """All waivers of one file. `sha256` is the hex digest of its octets, None for no file."""

    placed: tuple[PlacedWaiver, ...] = ()
    source: str = ""
    sha256: str | None = None
    raw: bytes = b""

    def lapsed(self, today: date) -> tuple[PlacedWaiver, ...]:
        """Return the waivers that do not hold on a UTC day, for a warning before a crawl."""
        return tuple(one for one in self.placed if not one.waiver.holds_on(today))


NO_WAIVERS = Waivers()


def find_waivers(
    waivers: Waivers, facts: RequestFacts, verdict: Verdict, today: date, purposes: Collection[Purpose]
) -> tuple[PlacedWaiver, ...]:
    """Return the waivers that lift a refusal together, one for each of its reasons; none when one is missing.

    `verdict` is one that does not pass, `today` the UTC day, `purposes` all purposes of the agent: a grant
    for one of them does not permit what is collected for the others too. A grant that covers one reason of a
    rule lifts nothing while the rule refuses for another one as well.
    """
    if verdict.action.passes:
        return ()
    found: list[PlacedWaiver] = []
    for reason in (verdict.reason, *verdict.others):
        placed = next((one for one in waivers.placed if one.covers(facts, reason, purposes, today)), None)
        if placed is None or reason not in WAIVABLE:
            return ()
        found.append(placed)
    return tuple(found)


def lift(verdict: Verdict, placed: Sequence[PlacedWaiver], *, passed: Action) -> Verdict:
    """Return the verdict that stands in for a refusal: it passes, names the documents, keeps the evidence.

    `placed` is what `find_waivers` returned, one waiver a reason; `passed` is FETCH before a request and KEEP
    after its response. `grants_of` reads the documents back.
    """
    reasons = (verdict.reason, *verdict.others)
    grants = tuple(
        Evidence(
            source=one.source,
            line=one.line,
            text=f'document = "{one.waiver.document}"',
            sha256=one.sha256,
            note=(
                f"lifts {reason.value} (rule {verdict.rule}); granted by {one.waiver.granted_by}; "
                f"owner {one.waiver.owner}; until {one.waiver.expires.isoformat()}"
            ),
        )
        for reason, one in zip(reasons, placed, strict=True)
    )
    return replace(
        verdict,
        action=passed,
        reason=Reason.WAIVER_USED,
        evidence=(*grants, *verdict.evidence),
        retry_at=None,
        others=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One use of a waiver as a record shows it: `reason` is what was lifted, `expires` an ISO date."""

    document: str
    reason: str
    rule: str
    granted_by: str
    owner: str
    expires: str
    sha256: str


_DOCUMENT = re.compile(r'document = "(.*)"', re.DOTALL)
_GRANTED = re.compile(
    r"lifts ([a-z0-9_]+) \(rule ([a-z0-9_]+)\); granted by (.*); owner (.*); until (\d{4}-\d\d-\d\d)",
    re.DOTALL,
)


def grants_of(verdict: Verdict) -> tuple[Grant, ...]:
    """Return the documents that a recorded verdict names for having been lifted; none when it was not."""
    found: list[Grant] = []
    for evidence in verdict.evidence if verdict.reason is Reason.WAIVER_USED else ():
        named, granted = _DOCUMENT.fullmatch(evidence.text), _GRANTED.fullmatch(evidence.note)
        if named is None or granted is None:
            break  # the grants stand first; behind them is what they lifted
        reason, rule, granted_by, owner, expires = granted.groups()
        found.append(
            Grant(
                document=named[1],
                reason=reason,
                rule=rule,
                granted_by=granted_by,
                owner=owner,
                expires=expires,
                sha256=evidence.sha256 or "",
            )
        )
    return tuple(found)


def refusals_lifted(verdict: Verdict) -> tuple[Verdict, ...]:
    """Return the refusal that a recorded verdict stands in for, as before it was lifted; else nothing."""
    grants = grants_of(verdict)
    if not grants:
        return ()
    first, *others = (Reason(grant.reason) for grant in grants)
    return (
        replace(
            verdict,
            action=Action.SKIP,
            reason=first,
            others=tuple(others),
            evidence=verdict.evidence[len(grants) :],
        ),
    )


def parse_waivers(raw: bytes, source: str) -> Waivers:
    """Return the waivers of a file; WaiverError names every problem, `source` and line."""
    try:
        parsed = parse_table(raw, source, WaiverFile)
    except AgentError as error:
        raise WaiverError(source, error.problems) from None
    places = locate(raw.decode("utf-8"))
    sha256 = hashlib.sha256(raw).hexdigest()
    placed = tuple(
        PlacedWaiver(
            waiver=waiver,
            source=source,
            line=nearest_line(places, ("waivers", index, "document")),
            sha256=sha256,
            paths=tuple(compile_pattern(path.encode("utf-8", "surrogatepass")) for path in waiver.paths),
        )
        for index, waiver in enumerate(parsed.waivers)
    )
    return Waivers(placed=placed, source=source, sha256=sha256, raw=raw)


def load_waivers(path: Path) -> Waivers:
    """Read a waiver file; WaiverError when it cannot be read or is invalid."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = Problem(line=None, field="", message=f"cannot be read: {error.strerror}")
        raise WaiverError(str(path), [problem]) from None
    return parse_waivers(raw, str(path))
