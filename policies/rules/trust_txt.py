"""Rule `trust_txt`: whether a publisher's trust.txt lets its content be used for training.

Implements the `datatrainingallowed` attribute of trust.txt (https://journallist.net) as a verdict; it speaks
of training only. A repeated attribute is invalid; a `no` among the repeated values refuses by policy.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.rights_fetch import RightsAccess
from policies.signals.trust_txt import TrustTxt, parse_trust_txt
from policies.vocabulary import Action, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.judged_rows import Intent
    from policies.signals.rights_fetch import RightsFile

RULE = "trust_txt"


class TrustTxtReading:
    """One origin's trust.txt, what it says, and the verdicts made so far."""

    __slots__ = ("_verdicts", "file", "statement")

    def __init__(self, file: RightsFile) -> None:
        self.file = file
        self.statement: TrustTxt | None = (
            parse_trust_txt(file.body) if file.access is RightsAccess.OBTAINED else None
        )
        self._verdicts: dict[tuple[Intent, Action], Verdict] = {}

    def judge(self, intent: Intent, *, passed: Action) -> Verdict:
        """Return the verdict on every URL of the file's origin."""
        statement = self.statement
        if statement is None or statement.line is None:
            return nothing_found(RULE, passed)
        known = self._verdicts.get((intent, passed))
        if known is None:
            known = self._verdicts[intent, passed] = self._made(statement, intent, passed)
        return known

    def _made(self, statement: TrustTxt, intent: Intent, passed: Action) -> Verdict:
        evidence = self.file.evidence(line=statement.line, text=statement.text, note=statement.problem)
        if not statement.refused:
            reason = Reason.KEPT if passed is Action.KEEP else Reason.ALLOWED
            return Verdict(rule=RULE, action=passed, reason=reason, evidence=(evidence,))
        row = Row.TRUST_TXT if statement.allowed is False else Row.TRUST_TXT_INVALID
        finding = Finding(row=row, reason=Reason.TRUST_TXT, evidence=evidence)
        return judge_findings(RULE, [finding], intent, passed=passed)
