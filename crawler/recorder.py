"""Writes what was decided and what came of it: the only place where the crawler makes log entries.

A fetch decision is awaited until it is durable; everything else is handed to the writer and must reach the
disk in order, or the crawl stops (`AsyncLog.append` raises as soon as the writer has failed).

The files of sites that verdicts quote are kept here for as long as they may be quoted, and go with every
record that quotes them: beside a crawl somebody may erase one from the log, or prune the run that stored it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, TypedDict

from blocklists.domain import registrable_domain
from crawler import rights_files, site_files
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.rows import digested
from crawler.errors import SetupError
from crawler.remembered import Remembered
from policies.basis import encode_basis, quoted_by
from policies.vocabulary import Action, Assessment, Reason, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrapy.http import Response

    from crawler.decisionlog.aio import AsyncLog
    from crawler.decisionlog.record import Receipt
    from crawler.decisionlog.rows import Digested
    from crawler.decisionlog.stored import StoredRecord
    from crawler.visit import Visit
    from policies.facts import RequestFacts
    from policies.vocabulary import RequestKind, Verdict

REMEMBERED_BASES = 4_096
REMEMBERED_FILES = site_files.REMEMBERED_ORIGINS + rights_files.REMEMBERED_FILES
REMEMBERED_OCTETS = site_files.REMEMBERED_OCTETS + rights_files.MOST_OCTETS
"""As many as the two keep, whose octets these mostly are; but earlier versions of a file count here too.

One that was forgotten all the same is not stored again: what quotes it after an erasure ends the crawl
(LogError), since it could not be shown.
"""


class _About(TypedDict):
    agent: str
    policy_sha256: str
    blocklist_sha256: str
    kind: RequestKind
    method: str
    url: str
    parent_url: str | None
    host: str | None
    domain: str | None
    ref_idx: int
    attempt: int


class _Basis:
    """Verdicts, kept alive so that their identities stay true, and what every record of them needs."""

    __slots__ = ("encoded", "quoted", "verdicts", "waived")

    def __init__(self, verdicts: tuple[Verdict, ...]) -> None:
        self.verdicts = verdicts
        self.encoded = encode_basis(Assessment(verdicts=verdicts))
        self.waived = any(verdict.reason is Reason.WAIVER_USED for verdict in verdicts)
        self.quoted = quoted_by(verdicts)


class Recorder:
    """See the module. `agent`, `policy_sha256` and `blocklist_sha256` go into every entry.

    An entry about a request names the state of the lists that judged it, also when another one came into
    force (`lists`) before its answer.
    """

    def __init__(self, log: AsyncLog, *, agent: str, policy_sha256: str, blocklist_sha256: str) -> None:
        self._log = log
        self._agent = agent
        self._policy = policy_sha256
        self.lists = blocklist_sha256
        self._bases: OrderedDict[tuple[int, ...], _Basis] = OrderedDict()
        self._files: Remembered[str, Digested] = Remembered(
            most=REMEMBERED_FILES,
            most_octets=REMEMBERED_OCTETS,
            octets_of=lambda file: len(file[1].body),
        )

    def _basis(self, verdicts: Sequence[Verdict]) -> _Basis:
        """Return what verdicts come to; rules return the same objects again, so identity is the cache key."""
        key = tuple(map(id, verdicts))
        found = self._bases.get(key)
        if found is None:
            found = self._bases[key] = _Basis(tuple(verdicts))
            if len(self._bases) > REMEMBERED_BASES:
                self._bases.popitem(last=False)
        return found

    def _quoted(self, basis: _Basis) -> list[Digested]:
        """Return the files of sites that verdicts quote. Pages are named too, and not kept."""
        found = []
        for digest in basis.quoted:
            file = self._files.get(digest)
            if file is not None:
                self._files.use(digest)
                found.append(file)
        return found

    def _request_entry(
        self,
        facts: RequestFacts,
        basis: _Basis,
        verdict: str,
        reason: str,
        *,
        attempt: int,
        lists: str,
    ) -> Entry:
        return Entry(
            stage=Stage.REQUEST,
            verdict=verdict,
            reason=reason,
            agent=self._agent,
            policy_sha256=self._policy,
            blocklist_sha256=lists,
            kind=facts.kind,
            method=facts.method,
            url=facts.url,
            parent_url=facts.parent_url,
            host=facts.host or None,
            domain=registrable_domain(facts.host) if facts.host else None,
            basis=basis.encoded,
            attempt=attempt,
        )

    async def fetch(self, visit: Visit) -> Receipt:
        """Record the decision to fetch; return when it is durable. LogError when it cannot be.

        Its reason says when a waiver was needed, so that each use is found by its reason.
        """
        basis = self._basis(visit.verdicts)
        entry = self._request_entry(
            visit.facts,
            basis,
            Action.FETCH.value,
            (Reason.WAIVER_USED if basis.waived else Reason.ALLOWED).value,
            attempt=visit.attempt,
            lists=visit.lists,
        )
        return await self._log.append_durable(entry, self._quoted(basis))

    def refusal(
        self, facts: RequestFacts, verdicts: Sequence[Verdict], attempt: int = 0, *, lists: str = ""
    ) -> None:
        """Record a decision not to fetch; the last verdict decides."""
        deciding, basis = verdicts[-1], self._basis(verdicts)
        self._log.append(
            self._request_entry(
                facts,
                basis,
                deciding.action.value,
                deciding.reason.value,
                attempt=attempt,
                lists=lists or self.lists,
            ),
            self._quoted(basis),
        )

    def received(self, visit: Visit, receipt: Receipt, response: Response) -> None:
        """Record what came back of a request that left: status, octets, digest and media type."""
        body = response.body
        self._log.append(
            Entry(
                stage=Stage.OUTCOME,
                verdict="received",
                reason=Reason.RECEIVED.value,
                **self._about(visit, receipt),
                status=response.status,
                size=len(body),
                body_sha256=visit.digest(body),
                media_type=visit.declared_type(response),
            )
        )

    def failed(self, visit: Visit, receipt: Receipt, error: str) -> None:
        """Record that a request left and no answer came, with the error in one line."""
        self._log.append(
            Entry(
                stage=Stage.OUTCOME,
                verdict="failed",
                reason=Reason.ERROR_NETWORK.value,
                **self._about(visit, receipt),
                error=error,
            )
        )

    def not_sent(self, visit: Visit, receipt: Receipt) -> None:
        """Record that a request that had been decided did not leave, so that its decision has an end."""
        self._log.append(
            Entry(
                stage=Stage.OUTCOME,
                verdict=Action.DEFER.value,
                reason=Reason.NOT_SENT.value,
                **self._about(visit, receipt),
            )
        )

    def response(
        self,
        visit: Visit,
        verdicts: Sequence[Verdict],
        deciding: Verdict,
        response: Response,
        document: bytes | None = None,
    ) -> None:
        """Record whether a response was kept. `document` is stored as evidence (a site file's octets)."""
        if visit.receipt is None:
            raise SetupError(f"a response for {visit.facts.url} came without a recorded decision")
        kept = deciding.action is Action.KEEP
        body, basis = response.body, self._basis(verdicts)
        documents = self._quoted(basis)
        if document is not None:
            documents.append(self._file(visit.facts.kind.value, document, response.status))
        self._log.append(
            Entry(
                stage=Stage.RESPONSE,
                verdict=deciding.action.value,
                reason=deciding.reason.value,
                **self._about(visit, visit.receipt),
                basis=basis.encoded,
                status=response.status,
                size=len(body) if kept else 0,
                body_sha256=visit.digest(body) if kept else None,
                media_type=visit.declared_type(response),
            ),
            documents,
        )

    def _file(self, kind: str, octets: bytes, status: int) -> Digested:
        """Return a file of a site as a document; one that may be quoted is remembered."""
        file = digested(Document(kind=kind, body=octets))
        if 200 <= status < 300:  # noqa: PLR2004 - nothing is read of any other answer
            self._files.keep(file[0].hex(), file)
        return file

    async def withdrawn(self, kept: StoredRecord, verdicts: Sequence[Verdict]) -> Receipt:
        """Record that what an earlier run kept is withdrawn; return when it is durable.

        The record carries the digest of the body that was kept; which record kept it is in the basis, because
        an index alone means nothing in another segment.
        """
        basis = self._basis(verdicts)
        return await self._log.append_durable(
            Entry(
                stage=Stage.RESPONSE,
                verdict=Action.SKIP.value,
                reason=Reason.WITHDRAWN.value,
                agent=self._agent,
                policy_sha256=self._policy,
                blocklist_sha256=self.lists,
                kind=kept.kind,
                method=kept.method,
                url=kept.url,
                host=kept.host,
                domain=kept.domain,
                basis=basis.encoded,
                status=kept.status,
                size=0,
                body_sha256=kept.body_sha256,
                media_type=kept.media_type,
            ),
            self._quoted(basis),
        )

    def _about(self, visit: Visit, receipt: Receipt) -> _About:
        """Return what every record says of the request that it belongs to."""
        facts = visit.facts
        return {
            "agent": self._agent,
            "policy_sha256": self._policy,
            "blocklist_sha256": visit.lists or self.lists,
            "kind": facts.kind,
            "method": facts.method,
            "url": facts.url,
            "parent_url": facts.parent_url,
            "host": facts.host or None,
            "domain": registrable_domain(facts.host) if facts.host else None,
            "ref_idx": receipt.idx,
            "attempt": visit.attempt,
        }

    def tripped(self, verdict: Verdict, host: str | None) -> None:
        """Record something that the tripwire refused: no request of ours, and no URL is known."""
        self._log.append(
            Entry(
                stage=Stage.REQUEST,
                verdict=verdict.action.value,
                reason=verdict.reason.value,
                agent=self._agent,
                policy_sha256=self._policy,
                blocklist_sha256=self.lists,
                host=host,
                domain=registrable_domain(host) if host else None,
                basis=self._basis((verdict,)).encoded,
            )
        )

    def noticed(self, reason: Reason, document: Document) -> None:
        """Record something about the run itself without waiting for it."""
        self._log.append(self._run_entry(reason, document), (document,))

    async def note(
        self, reason: Reason, document: Document | None = None, *, extra: Sequence[Document] = ()
    ) -> None:
        """Record something about the run itself, durably.

        Its document is the record's body; `extra` is stored too.
        """
        await self._log.append_durable(
            self._run_entry(reason, document), [*([document] if document else []), *extra]
        )

    def _run_entry(self, reason: Reason, document: Document | None) -> Entry:
        return Entry(
            stage=Stage.RUN,
            verdict="note",
            reason=reason.value,
            agent=self._agent,
            policy_sha256=self._policy,
            blocklist_sha256=self.lists,
            body_sha256=hashlib.sha256(document.body).hexdigest() if document else None,
        )
