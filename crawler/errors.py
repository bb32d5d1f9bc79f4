"""What the crawler says when it stops something.

    SetupError(SekishoError)    exit 5  the crawl cannot start guarded; nothing was fetched
    SekishoSkip(IgnoreRequest)          one request or response was refused; the log says why

`SekishoSkip` is an `IgnoreRequest`, so errbacks and Scrapy's own handling keep working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy.exceptions import IgnoreRequest

from blocklists.errors import ExitCode, SekishoError
from blocklists.host import split_origin
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from policies.vocabulary import Verdict


def _appeal(verdict: Verdict, url: str) -> str:
    """Return how a site that is listed wrongly is freed, for a refusal by the block lists."""
    if verdict.reason is not Reason.PIRACY_LIST:
        return ""
    parts = split_origin(url)
    host = parts[1] if parts else "HOST"
    free = f"sekisho blocklists override {host} --reason … --owner … --until …"
    told = verdict.evidence[0].note if verdict.evidence else ""
    more = f" ({told})" if told else ""
    return f"; listed wrongly? See `sekisho blocklists why {host}`, free it with `{free}`{more}"


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
        super().__init__(f"{verdict.reason.value}: {url}{where}{_appeal(verdict, url)}")
