"""Rule `ai_txt`: whether a site's ai.txt lets an address be used for training.

Implements Spawning's ai.txt (https://site.spawning.ai/spawning-ai-txt) as a verdict; it speaks of training
only. A file that is absent, was not obtained or is of another format says nothing.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.ai_txt import AiTxt, parse_ai_txt
from policies.signals.rights_fetch import RightsAccess
from policies.vocabulary import Action, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.judged_rows import Intent
    from policies.signals.rights_fetch import RightsFile

RULE = "ai_txt"


class AiTxtReading:
    """One origin's ai.txt, its rules, and the verdicts made so far."""

    __slots__ = ("_verdicts", "file", "rules")

    def __init__(self, file: RightsFile) -> None:
        self.file = file
        self.rules: AiTxt | None = parse_ai_txt(file.body) if file.access is RightsAccess.OBTAINED else None
        self._verdicts: dict[tuple[int | None, str, Intent, Action], Verdict] = {}

    @property
    def speaks(self) -> bool:
        """Whether the file holds a statement at all."""
        return self.rules is not None and self.rules.speaks

    def judge(self, url: str, intent: Intent, *, passed: Action) -> Verdict:
        """Return the verdict on a URL of the file's origin; the same deciding line gives the same object."""
        if self.rules is None or not self.rules.speaks:
            return nothing_found(RULE, passed)
        answer = self.rules.judge(intent.token, url)
        key = (answer.line, answer.note, intent, passed)
        known = self._verdicts.get(key)
        if known is not None:
            return known
        remarks = (answer.note, f"group {answer.group}" if answer.group else "", self.rules.problem)
        note = "; ".join(words for words in remarks if words)
        evidence = self.file.evidence(line=answer.line, text=answer.text, note=note)
        if answer.allowed:
            reason = Reason.KEPT if passed is Action.KEEP else Reason.ALLOWED
            made = Verdict(rule=RULE, action=passed, reason=reason, evidence=(evidence,))
        else:
            finding = Finding(row=Row.AI_TXT, reason=Reason.AI_TXT, evidence=evidence)
            made = judge_findings(RULE, [finding], intent, passed=passed)
        self._verdicts[key] = made
        return made
