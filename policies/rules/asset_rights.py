"""Rule `asset_rights`: whether a file refuses, in itself, what the agent collects for.

Judges what `policies/signals/asset_rights.py` finds: PLUS/IPTC data mining values and CAWG training-mining
assertions. An in-file TDMRep reservation belongs to the family of TDMRep, whose statements supersede one
another, and is handed on with the reading instead of being judged here.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.asset_rights import SILENT, AssetRights, Refusal, is_asset, read_asset_rights
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent

RULE = "asset_rights"
_ROWS = {
    Refusal.MINING: Row.ASSET_MINING,
    Refusal.MINING_EXCEPT_SEARCH: Row.ASSET_MINING_EXCEPT_SEARCH,
    Refusal.TRAINING: Row.ASSET_TRAINING,
    Refusal.INFERENCE: Row.ASSET_INFERENCE,
}


def open_asset(response: ResponseFacts) -> AssetRights:
    """Return the rights that a response carries in itself; nothing for a page or another text."""
    return read_asset_rights(response.body) if is_asset(response.media_type, response.body) else SILENT


def judge_opened_asset(response: ResponseFacts, rights: AssetRights, intent: Intent) -> Verdict:
    """Return SKIP when a file refuses a purpose of the agent; `rights` is `open_asset(response)`."""
    if not rights.statements:
        return nothing_found(RULE, Action.KEEP)
    sha256 = hashlib.sha256(response.body).hexdigest()
    findings = [
        Finding(
            row=_ROWS[statement.refuses],
            reason=Reason.ASSET_RIGHTS,
            evidence=Evidence(
                source=response.url,
                text=statement.text,
                sha256=sha256,
                note="; ".join(
                    filter(None, (f"{statement.scheme} at octet {statement.offset}", statement.note))
                ),
            ),
        )
        for statement in rights.statements
    ]
    return judge_findings(RULE, findings, intent, passed=Action.KEEP)


def judge_asset(response: ResponseFacts, intent: Intent) -> Verdict:
    """Return SKIP when a response carries a refusal of a purpose of the agent in itself."""
    return judge_opened_asset(response, open_asset(response), intent)
