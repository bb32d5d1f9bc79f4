"""Reads the bases of decisions again: whether the rule was consulted, and whether it let the request pass.

A decision whose own basis holds a refusal, or lacks the verdict of the rule that a promise rests on,
contradicts that promise, whatever the record's verdict says. Many decisions share one basis, so each is
read once. Asks the log; writes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.disclosure.figures import Query, ask
from policies.basis import decode_basis

if TYPE_CHECKING:
    from collections.abc import Collection

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

    def doubtful(self, query: Query, scope: Scope, rule: str, reasons: Collection[Reason]) -> Doubt:
        """Return the bases in which a rule is missing or refuses, or that refuse for one of the reasons.

        `query` is `PERMIT_BASES` or `KEEP_BASES`; an empty `rule` need not have been consulted.
        """
        digests = [str(row[0]) for row in ask(self._log, query, scope).rows]
        found = tuple(sha256 for sha256 in digests if self._contradicts(sha256, rule, reasons))
        return Doubt(digests=found[:NAMED], documents=len(digests))

    def _contradicts(self, sha256: str, rule: str, reasons: Collection[Reason]) -> bool:
        assessment = self.read(sha256)
        if assessment is None:
            return True
        verdicts = assessment.verdicts
        if rule and all(verdict.rule != rule for verdict in verdicts):
            return True
        return any(
            not verdict.action.passes and (verdict.rule == rule or verdict.reason in reasons)
            for verdict in verdicts
        )
