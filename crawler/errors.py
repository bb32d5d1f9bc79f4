"""What the crawler says when it stops something.

    SetupError(SekishoError)    exit 5  the crawl cannot start guarded; nothing was fetched
    SekishoSkip(IgnoreRequest)          one request or response was refused; the log says why

`SekishoSkip` is an `IgnoreRequest`, so errbacks and Scrapy's own handling keep working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy.exceptions import IgnoreRequest

from blocklists.errors import ExitCode, SekishoError
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from policies.vocabulary import Verdict


_APPEAL = "; listed wrongly? sekisho blocklists why HOST says how it is freed"


class SetupError(SekishoError):
    """The crawl cannot start with its protection in place: says what is missing and what to do."""

    exit_code = ExitCode.REFUSED


class SekishoSkip(IgnoreRequest):
    """A request or response was refused.

    `reason` is the stable code, `rule` the rule that decided, `verdict` the whole answer with evidence.
    """

    def __init__(self, verdict: Verdict, url: str) -> None:
        self.verdict = verdict
        self.reason = verdict.reason
        self.rule = verdict.rule
        where = ""
        if verdict.evidence:
            evidence = verdict.evidence[0]
            line = f" line {evidence.line}" if evidence.line else ""
            words = evidence.text or evidence.note
            where = f" ({evidence.source}{line}: {words})" if words else f" ({evidence.source}{line})"
        appeal = _APPEAL if verdict.reason is Reason.PIRACY_LIST else ""
        super().__init__(f"{verdict.reason.value}: {url}{where}{appeal}")
