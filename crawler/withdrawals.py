"""The withdrawals that a log holds: which record each of them withdraws, and what refused the page.

Reads only; imports no Scrapy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crawler.decisionlog import schema
from policies.basis import decode_basis
from policies.reapply import KEPT_BY, withdrawn_record
from policies.vocabulary import Reason, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.selection import Selection
    from crawler.decisionlog.stored import StoredRecord
    from policies.vocabulary import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One withdrawal that a log holds: its own record, what refused the page, and the record withdrawn."""

    record: StoredRecord
    because: tuple[Verdict, ...]
    segment: str
    idx: int
    kept_us: int | None
    kept_by: str

    def is_of(self, kept: Selection) -> bool:
        """Whether the page that was kept is among those selected: by host, run, agent and time of keeping.

        A page whose host was erased is of no host, one whose time is not known of no period.
        """
        host, at = self.record.host or "", self.kept_us
        return (
            (not kept.hosts or any(host == one or host.endswith(f".{one}") for one in kept.hosts))
            and (not kept.runs or self.kept_by in kept.runs)
            and (not kept.agents or self.record.agent in kept.agents)
            and (kept.since is None or (at is not None and at >= kept.since))
            and (kept.until is None or (at is not None and at < kept.until))
        )


def withdrawals(reader: LogReader) -> Iterator[Withdrawal]:
    """Yield every withdrawal that a log holds, in the order of recording."""
    withdrawn = schema.record.c.reason == Reason.WITHDRAWN.value
    for record in reader.records(stages=(Stage.RESPONSE,), where=(withdrawn,)):
        document = reader.document(record.basis_sha256) if record.basis_sha256 else None
        verdicts = decode_basis(document.body).verdicts if document is not None else ()
        named = withdrawn_record(verdicts)
        if named is None:
            continue
        kept = verdicts[0].evidence[0]
        yield Withdrawal(
            record=record,
            because=verdicts[1:],
            segment=named[0],
            idx=named[1],
            kept_us=kept.fetched_at,
            kept_by=kept.note.removeprefix(KEPT_BY),
        )
