"""The basis of a decision as a document: every rule consulted, with its evidence, in canonical JSON.

Format `sekisho.basis/1` (RFC 8785 canonical JSON, so that its SHA-256 can be recomputed by anyone):
an object with `schema` and `rules`, an array in the order of consultation of objects with `rule`, `action`,
`reason`, optional `retry_at`, optional `others` (array of reasons for which the rule refuses as well), and
`evidence` (array of objects with the fields of `Evidence`; absent means
the field's default). Readers ignore members that they do not know. A record commits to this document by
digest, so that a thousand pages allowed by one line of one robots.txt share one document.
Pure: imports the vocabulary only.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import rfc8785

from policies.vocabulary import Action, Assessment, Citation, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "sekisho.basis/1"
#: What has no default is left out as well when it is empty.
_CITED: dict[str, Any] = dict.fromkeys(
    ("source_id", "pattern", "match", "weight", "text", "source_sha256"), ""
)


def _sparse(value: Evidence | Citation) -> dict[str, Any]:
    """Return the members of a value that differ from their defaults."""
    out: dict[str, Any] = {}
    for field in fields(value):
        member = getattr(value, field.name)
        if member is None or member in ("", ()):
            continue
        if field.name == "citations":
            member = [_sparse(citation) for citation in member]
        out[field.name] = member
    return out


def _verdict_members(verdict: Verdict) -> dict[str, Any]:
    out: dict[str, Any] = {
        "rule": verdict.rule,
        "action": verdict.action.value,
        "reason": verdict.reason.value,
    }
    if verdict.evidence:
        out["evidence"] = [_sparse(evidence) for evidence in verdict.evidence]
    if verdict.retry_at is not None:
        out["retry_at"] = verdict.retry_at
    if verdict.others:
        out["others"] = [reason.value for reason in verdict.others]
    return out


def encode_basis(assessment: Assessment) -> bytes:
    """Return the canonical document of an assessment."""
    return rfc8785.dumps(
        {"schema": SCHEMA, "rules": [_verdict_members(verdict) for verdict in assessment.verdicts]}
    )


def _evidence(members: dict[str, Any]) -> Evidence:
    known = {field.name for field in fields(Evidence)}
    values = {key: value for key, value in members.items() if key in known}
    cited = {field.name for field in fields(Citation)}
    values["citations"] = tuple(
        Citation(**_CITED | {key: value for key, value in citation.items() if key in cited})
        for citation in members.get("citations", ())
    )
    return Evidence(**{"source": ""} | values)


def decode_basis(document: bytes) -> Assessment:
    """Return the assessment that a basis document holds; ValueError when it is not one."""
    try:
        members = json.loads(document)
        if members["schema"] != SCHEMA:
            raise ValueError(f"unknown basis schema {members['schema']!r}; this version reads {SCHEMA}")
        return Assessment(
            verdicts=tuple(
                Verdict(
                    rule=rule["rule"],
                    action=Action(rule["action"]),
                    reason=Reason(rule["reason"]),
                    evidence=tuple(_evidence(evidence) for evidence in rule.get("evidence", ())),
                    retry_at=rule.get("retry_at"),
                    others=tuple(map(Reason, rule.get("others", ()))),
                )
                for rule in members["rules"]
            )
        )
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"not a basis document: {error!r}") from error


def quoted_by(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the digests (hex) of all that verdicts quote, each once, in their order."""
    digests = (evidence.sha256 for verdict in verdicts for evidence in verdict.evidence)
    return tuple(dict.fromkeys(filter(None, digests)))


def quoted_digests(document: bytes) -> tuple[bytes, ...]:
    """Return the digests of all that a basis document quotes; ValueError when it is none, or one is none."""
    try:
        return tuple(map(bytes.fromhex, quoted_by(decode_basis(document).verdicts)))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a basis document: {error!r}") from error
