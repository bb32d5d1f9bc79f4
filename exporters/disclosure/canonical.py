"""The canonical form of a disclosure: JSON by RFC 8785, schema `sekisho.disclosure/1`.

Language-neutral: facts, figures and claims as values; labels of the codes in both languages, because they are
data of the law. Whole numbers beyond 2^53-1 are written as text (RFC 8785 section 3.2.2.3). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rfc8785

from exporters.disclosure.document import SCHEMA
from exporters.disclosure.wording import iso_instant

if TYPE_CHECKING:
    from exporters.disclosure.claims import Claim
    from exporters.disclosure.codes import Code
    from exporters.disclosure.config import Bilingual
    from exporters.disclosure.document import Disclosure, Item
    from exporters.disclosure.figures import Figure, Scalar
    from exporters.disclosure.list_record import ListEvent
    from exporters.disclosure.sources import ListsInForce

_LARGEST = 2**53 - 1


def _cell(value: Scalar) -> Scalar:
    return str(value) if isinstance(value, int) and abs(value) > _LARGEST else value


def _figure(figure: Figure, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "columns": list(figure.columns),
        "rows": [[_cell(cell) for cell in row] for row in figure.rows],
        "sql": figure.sql,
        "params": [_cell(value) for value in figure.params],
        "statement": figure.statement,
    }


def _bilingual(text: Bilingual | None) -> dict[str, str] | None:
    return None if text is None else {"en": text.en, "ja": text.ja}


def _item(item: Item) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": item.item.id,
        "label": {"en": item.item.label_en, "ja": item.item.label_ja},
        "level": "explain" if item.status == "explanation" else item.item.level,
        "status": item.status,
        "facts": list(item.facts),
    }
    if item.declaration is not None:
        members["statement"] = _bilingual(item.declaration.statement)
        members["explanation"] = _bilingual(item.declaration.explanation)
        day = item.declaration.completion_date
        members["completion_date"] = day.isoformat() if day else None
    return members


def _code(code: Code, items: tuple[Item, ...]) -> dict[str, Any]:
    return {
        "code_version": code.code_version,
        "title": {"en": code.title_en, "ja": code.title_ja},
        "status": {"en": code.status_en, "ja": code.status_ja},
        "items": [_item(item) for item in items],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "made_in": "policy" if claim.promised else "disclosure",
        "status": claim.status.value,
        "tests": [
            {
                "id": test.id,
                "examined": test.examined.number,
                "contradicting": test.found.number,
                "documents_read": test.documents,
                "figures": [test.examined.id, test.found.id, test.examples.id],
                "examples": [
                    {"record": f"{segment}#{idx}", "ts_us": ts_us, "url": url, "reason": reason}
                    for segment, idx, ts_us, url, reason in test.examples.rows
                ],
            }
            for test in claim.tests
        ],
    }


def _lists(known: ListsInForce) -> dict[str, Any]:
    return {
        "sha256": known.sha256,
        "decisions": known.decisions,
        "first_us": known.first_us,
        "last_us": known.last_us,
        "problem": known.problem or None,
        "sources": [
            {"id": one.id, "title": one.title, "weight": one.weight, "authority": one.authority or None,
             "entries": one.entries, "sha256": one.sha256, "dated": one.dated or None,
             "report": one.report or None}
            for one in known.sources
        ],
        "overrides": [
            {"pattern": one.pattern, "match": one.match, "reason": one.reason, "expires": one.expires}
            for one in known.overrides
        ],
    }  # fmt: skip


def _list_event(event: ListEvent) -> dict[str, Any]:
    return {
        "ts_us": event.ts_us,
        "reason": event.reason,
        "list": event.list or None,
        "entries": event.entries,
        "before_sha256": event.before_sha256 or None,
        "sha256": event.sha256 or None,
        "accepted_by_operator": event.by_operator,
        "words": list(event.words),
    }


def encode_disclosure(document: Disclosure) -> bytes:
    """Return the canonical octets; the same document gives the same octets."""
    config = document.config
    scope = document.scope
    members: dict[str, Any] = {
        "schema": SCHEMA,
        "agent": document.agent,
        "generated_at": iso_instant(document.generated_us),
        "scope": {
            "from": None if scope.since_us is None else iso_instant(scope.since_us),
            "to": None if scope.until_us is None else iso_instant(scope.until_us),
        },
        "domain_rule": "sme" if document.sme else "standard",
        "authoritative_language": config.authoritative_language,
        "provider": None if config.provider is None else config.provider.model_dump(mode="json"),
        "models": [model.model_dump(mode="json") for model in config.models],
        "principle_code": _code(document.code, document.items),
        "eu_template": _code(document.eu, document.eu_items),
        "facts": {
            name: {
                "kind": fact.kind.value,
                "rows": [[_cell(cell) for cell in row] for row in fact.rows],
                "figures": list(fact.figures),
            }
            for name, fact in document.facts.items()
        },
        "withheld": sorted(document.withheld),
        "claims": [_claim(claim) for claim in document.claims],
        "contradicted": [claim.id for claim in document.contradicted],
        "waivers": [
            {"document": used.document, "granted_by": used.granted_by, "owner": used.owner,
             "expires": used.expires, "reasons": list(used.reasons), "hosts": list(used.hosts)}
            for used in document.waivers
        ],
        "policies": [
            {"sha256": known.sha256, "permits": known.permits, "first_us": known.first_us,
             "last_us": known.last_us, "problem": known.problem or None}
            for known in document.policies
        ],
        "lists": [_lists(known) for known in document.lists],
        "list_events": [_list_event(event) for event in document.list_events],
        "log": {
            "verified": document.verification.verified,
            "records": document.verification.records,
            "segments_checked": document.verification.segments,
            "problem": document.verification.problem or None,
            "segments": [
                {"segment": segment.id, "run": segment.run, "size": segment.size,
                 "root": segment.root or None, "opened_us": segment.opened_us, "sealed": segment.sealed}
                for segment in document.segments
            ],
        },
        "not_recorded": [
            {"subject": missing.subject, "why": missing.why, "detail": missing.detail or None,
             "count": missing.count}
            for missing in document.missing
        ],
        "figures": {
            figure.id: _figure(figure, number) for number, figure in enumerate(document.all_figures, 1)
        },
    }  # fmt: skip
    return rfc8785.dumps(members)
