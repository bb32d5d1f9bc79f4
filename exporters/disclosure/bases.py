"""Reads the bases of decisions again: was the rule consulted, and did it let the request pass?

A `fetch` whose own basis holds a refusal, or lacks the verdict of the rule that a promise rests on, contradicts
that promise, whatever the record's verdict says. Many decisions share one basis, so each is read once.
Asks the log; writes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.disclosure.figures import Query, ask
from policies.basis import decode_basis

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporters.disclosure.figures import Log, Scope
    from policies.vocabulary import Assessment, Reason

#: More doubtful bases than this are not named one by one: the claim is contradicted already.
NAMED = 500

PERMIT_BASES = Query(
    id="permit_bases",
    columns=("basis_sha256",),
    sql=(
        "SELECT DISTINCT COALESCE(basis_sha256, '') FROM decisions\n"
        "WHERE stage = 'request' AND verdict = 'fetch' AND kind = 'page' AND {scope}\nORDER BY 1"
    ),
)
KEEP_BASES = Query(
    id="keep_bases",
    columns=("basis_sha256",),
    sql=(
        "SELECT DISTINCT COALESCE(basis_sha256, '') FROM decisions\n"
        "WHERE stage = 'response' AND verdict = 'keep' AND kind = 'page' AND {scope}\nORDER BY 1"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Digests of bases that do not carry the promise (at most `NAMED`), of `documents` that were read."""

    id: str
    digests: tuple[str, ...]
    documents: int


class Bases:
    """The bases of one log, each decoded once. Absent, altered or unreadable ones carry no promise."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, Assessment | None] = {}

    def read(self, sha256: str) -> Assessment | None:
        """Return the assessment under a digest, or None when it cannot be shown."""
        if sha256 not in self._known:
            self._known[sha256] = self._decode(sha256)
        return self._known[sha256]

    def _decode(self, sha256: str) -> Assessment | None:
        raw = self._log.document(sha256) if sha256 else None
        if raw is None or hashlib.sha256(raw).hexdigest() != sha256:
            return None
        try:
            return decode_basis(raw)
        except ValueError:
            return None

    def _doubtful(
        self, query: Query, scope: Scope, identity: str, fault: Callable[[Assessment], bool]
    ) -> Doubt:
        digests = [str(row[0]) for row in ask(self._log, query, scope).rows]
        doubtful = []
        for sha256 in digests:
            assessment = self.read(sha256)
            if assessment is None or fault(assessment):
                doubtful.append(sha256)
        return Doubt(id=identity, digests=tuple(doubtful[:NAMED]), documents=len(digests))

    def doubtful_permits(self, scope: Scope, rule: str, reasons: Collection[Reason]) -> Doubt:
        """Return the bases of page permits in which a rule is missing or refuses, or a reason refuses."""

        def fault(assessment: Assessment) -> bool:
            consulted = [verdict for verdict in assessment.verdicts if verdict.rule == rule]
            refused = any(
                not verdict.action.passes and (verdict.rule == rule or verdict.reason in reasons)
                for verdict in assessment.verdicts
            )
            return not consulted or refused

        return self._doubtful(PERMIT_BASES, scope, "permit_against_its_basis", fault)

    def doubtful_keeps(self, scope: Scope, reasons: Collection[Reason]) -> Doubt:
        """Return the bases of kept pages in which a verdict refuses for one of the reasons."""

        def fault(assessment: Assessment) -> bool:
            return any(
                not verdict.action.passes and verdict.reason in reasons for verdict in assessment.verdicts
            )

        return self._doubtful(KEEP_BASES, scope, "kept_against_its_basis", fault)
