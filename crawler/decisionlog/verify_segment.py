"""Verifies one segment of a log, record by record where a page of them is not plainly in order."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003 - dataclass field

from crawler.decisionlog import encoding
from crawler.decisionlog.findings import Problem, SegmentReport
from crawler.decisionlog.tree import CompactRange
from crawler.decisionlog.uncollected import uncollected
from crawler.decisionlog.verify_documents import BASIS, BLOCKLIST, POLICY, DocumentCheck
from crawler.decisionlog.verify_page import PageCheck, opens, see_integers
from crawler.decisionlog.verify_source import Contexts, packed
from crawler.decisionlog.verify_told import gives_its_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crawler.decisionlog.findings import Findings
    from crawler.decisionlog.verify_source import PackedPage, Page, RecordSource
    from crawler.decisionlog.verify_sums import HostSums

_LARGEST_HOLE: Final = 10_000_000  # indices, of all holes; when more are gone, nothing else is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClaim:
    """A segment's row, its heads (size, root, time in order of size), and how far it went at the start.

    `erased` are the indices of the records whose URLs the registry says to be erased; `withheld` says that
    an export was made without any.
    Texts are UTF-8 as read, so that a broken one is a finding and no crash.
    """

    number: int
    uuid: UUID
    run: bytes
    agent: bytes
    schema: object
    opened_us: int
    nonce: bytes
    sealed_us: int | None
    sealed_size: int | None
    sealed_root: bytes | None
    heads: tuple[tuple[int, bytes, int], ...]
    start: int
    end: int
    opening_end: int
    erased: frozenset[int] = frozenset()
    withheld: bool = False


_NO_OPENING: Final = (sys.maxsize, None, None, None)


class _HoleError(Exception):
    """So many records are missing that what comes behind is not worth the memory."""


class SegmentCheck:
    """The verification of one segment; `run` once."""

    def __init__(
        self,
        source: RecordSource,
        claim: SegmentClaim,
        findings: Findings,
        documents: DocumentCheck,
        sums: HostSums | None = None,
    ) -> None:
        self._source = source
        self._claim = claim
        self._findings = findings
        self._documents = documents
        self._contexts = Contexts(source)
        self._encoder = encoding.RecordEncoder(claim.uuid, lead=b"\x00")
        self._tree = CompactRange()
        self._heads = list(reversed(claim.heads))
        self._gone = 0
        self._broken = False  # a record is missing: roots behind it cannot be recomputed
        self._requests = bytearray()
        self.sums = sums  # of the records, None where nobody asks or some record is nothing that was written
        self._quick = PageCheck(claim.uuid, self._requests, self._contexts, documents, sums)
        self._records = 0
        self._openings = 0
        self._setbacks = 0
        self._last_us = claim.opened_us
        self._last_ns = -(2**63)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is no finding but worth knowing."""
        out = []
        if not self._records:
            out.append(f"segment {self._claim.uuid} has no records")
        if self._setbacks:
            out.append(f"segment {self._claim.uuid}: the wall clock went back {self._setbacks} times")
        return tuple(out)

    def is_of_another_version(self) -> bool:
        """Whether its UUID commits to a schema of records that only another version of Sekisho knows."""
        return self._claim.schema != encoding.SCHEMA_VERSION and gives_its_uuid(self._claim)

    def _find(self, problem: Problem, text: str, idx: int | None = None) -> None:
        self._findings.add(problem, text, self._claim.uuid, idx)

    def run(self, progress: Callable[[int], None] | None = None) -> SegmentReport:
        """Verify the segment and return its counts; what is wrong goes to the findings."""
        claim = self._claim
        if claim.schema != encoding.SCHEMA_VERSION or not gives_its_uuid(claim):
            self._find(
                Problem.SEGMENT_CHANGED,
                "its row (number, run, agent, schema, opening time or nonce) does not give its UUID",
            )
        if claim.start < 0:
            self._find(Problem.RECORD_OUTSIDE, "a record has a negative index", claim.start)
        self._grow([], [])
        with suppress(_HoleError):  # found already; behind it nothing can be said
            while len(self._requests) < claim.end:
                with uncollected():
                    self._check_page()
                if progress is not None:
                    progress(self._records)
        if claim.opening_end > claim.end:
            self._find(Problem.URL_OUTSIDE, "a URL belongs to no record", claim.opening_end - 1)
        self._check_end()
        covered = max((size for size, _, _ in claim.heads if size <= claim.end), default=0)
        return SegmentReport(
            segment=claim.uuid,
            run=claim.run.decode("utf-8", "replace"),
            records=self._records,
            openings=self._openings,
            heads=len(claim.heads),
            sealed=claim.sealed_us is not None,
            root=self._tree.root().hex(),
            uncovered=claim.end - covered,
        )

    def _gap(self, to: int) -> bool:
        """Note that the records before index `to` are gone; False if that is no index that may follow."""
        here = len(self._requests)
        if type(to) is not int or to < here:
            self._find(Problem.RECORD_OUTSIDE, f"a record has the index {to!a}", here)
            return False
        self._broken = True
        self._find(Problem.RECORD_MISSING, f"records {here} to {to - 1} are gone", here)
        self._gone += to - here
        if self._gone > _LARGEST_HOLE:
            raise _HoleError
        self._requests.extend(bytes(to - here))
        return True

    def _check_page(self) -> None:
        """Read and verify the next records and the heads over them."""
        claim, first = self._claim, len(self._requests)
        page = None if self._broken else self._source.packed(claim.number, first, claim.end)
        if page is not None and self._quick_look(page):
            return
        whole = self._source.page(claim.number, first, claim.end)
        for idx, told in self._source.kept_otherwise(claim.number, first, whole.after):
            self._find(Problem.KEPT_OTHERWISE, told, idx)
        if page is None and self._quick_look(packed(whole)):
            return
        count, opened = len(whole.columns[0]), len(whole.openings[0])
        leaves, times, found = self._check_rows(whole)
        if self.sums is not None and not self.sums.take_each(whole, self._contexts):
            self.sums = None
        if found != opened:
            self._find(
                Problem.URL_OUTSIDE,
                f"{opened - found} URLs from here to {whole.after - 1} belong to no record",
                first,
            )
        self._openings += found
        self._records += count
        self._grow(leaves, times)
        if len(self._requests) < whole.after:
            self._gap(whole.after)

    def _quick_look(self, page: PackedPage) -> bool:
        """Whether the whole page is in order, and counted; if not, it must be gone through."""
        rows = page.rows
        if self._broken or not rows or rows[-1][0] != page.after - 1:
            return False
        found = self._quick.leaves(page, self._last_us, self._last_ns)
        if found is None:
            return False
        leaves, times, context = found
        self._enter(context, rows[0][0])
        self._last_us, self._last_ns = rows[-1][1], rows[-1][2]
        self._openings += len(page.openings)
        self._records += len(rows)
        self._grow(leaves, times)
        return True

    def _check_rows(self, page: Page) -> tuple[list[bytes], list[int], int]:
        """Verify records one by one; return leaf hashes and times (up to a hole), and how many have a URL."""
        encode, requests, kinds = self._encoder.encode, self._requests, self._documents.kinds
        leaves: list[bytes] = []
        times: list[int] = []
        opened = 0
        context, fragment = None, b""
        openings = zip(*page.openings, strict=True)
        kept = list(page.columns)
        hashed = kept[20] is not None
        kept[20] = kept[20] if hashed else repeat(None, len(kept[0]))
        beside, url, parent, salt = next(openings, _NO_OPENING)
        for (
            idx, ts_us, mono_ns, stage, verdict, reason, kind, method, host, domain, url_commit,
            parent_commit, basis, ref_idx, attempt, status, size, body, media_type, error, leaf, context_id,
        ) in zip(*kept, strict=True):  # fmt: skip
            if idx != len(requests) and not self._gap(idx):
                continue
            requests.append(stage == b"request")
            digest = leaf
            try:
                see_integers(context_id, attempt, status)
                if context_id != context:
                    fragment, context = self._enter(context_id, idx), context_id
                digest = sha256(
                    encode(
                        idx, ts_us, mono_ns, fragment, stage, verdict, reason, kind, method, host, domain,
                        url_commit, parent_commit, basis, ref_idx, attempt, status, size, body, media_type,
                        error,
                    )
                ).digest()  # fmt: skip
                if hashed and digest != leaf:
                    self._find(Problem.RECORD_CHANGED, "its columns do not give its leaf hash", idx)
                while beside < idx:  # it belongs to no record, which the count of openings shows
                    beside, url, parent, salt = next(openings, _NO_OPENING)
                if beside == idx:
                    opened += 1
                    if not opens(salt, url, url_commit, parent, parent_commit):
                        self._find(Problem.URL_CHANGED, "its URL is not what the record commits to", idx)
                    beside, url, parent, salt = next(openings, _NO_OPENING)
                elif url_commit is not None or parent_commit is not None:
                    self._url_missing(idx)
                if (
                    mono_ns < self._last_ns
                    or ts_us < self._last_us
                    or body is not None
                    or (basis is not None and kinds.get(basis) != b"basis")
                    or (ref_idx is not None and not (0 <= ref_idx < idx and requests[ref_idx]))
                ):
                    self._look_closer(idx, ts_us, mono_ns, stage, basis, ref_idx, body)
                self._last_ns, self._last_us = mono_ns, ts_us
            except (TypeError, ValueError, struct.error) as problem:
                self._find(Problem.RECORD_CHANGED, f"it is nothing that a writer writes: {problem}", idx)
                self._broken = self._broken or digest is None
            if not self._broken:
                leaves.append(leaf if isinstance(leaf, bytes) else digest)
                times.append(ts_us)
        return leaves, times, opened

    def _url_missing(self, idx: int) -> None:
        if self._claim.withheld or idx in self._claim.erased:
            return
        self._find(Problem.URL_MISSING, "its URL is gone, and no record says that it was erased", idx)

    def _enter(self, context: int, idx: int) -> bytes:
        """Return a context, encoded, after seeing that the documents it names are there."""
        fragment, policy, blocklist = self._contexts[context]
        self._documents.need(policy, "its agent policy", self._claim.uuid, idx, POLICY)
        self._documents.need(blocklist, "the manifest of its block lists", self._claim.uuid, idx, BLOCKLIST)
        return fragment

    def _look_closer(  # noqa: PLR0917 - part of the loop above, for rows that need it
        self,
        idx: int,
        ts_us: int,
        mono_ns: int,
        stage: bytes,
        basis: bytes | None,
        ref_idx: int | None,
        body: bytes | None,
    ) -> None:
        """Verify what a record refers to, and its times."""
        if mono_ns < self._last_ns:
            self._find(Problem.TIME_WRONG, "its monotonic clock is behind the record before", idx)
        if ts_us < self._last_us:
            self._setbacks += 1
        if ref_idx is not None and not (0 <= ref_idx < idx and self._requests[ref_idx]):
            self._find(Problem.REFERENCE_WRONG, f"record {ref_idx} is no request before it", idx)
        if basis is not None:
            self._documents.need(basis, "its basis", self._claim.uuid, idx, BASIS)
        if body is not None and len(body) != encoding.DIGEST_SIZE:
            self._find(Problem.RECORD_CHANGED, "its body_sha256 is not a SHA-256 digest", idx)
        elif body is not None and stage == b"run":
            self._documents.need(body, "the run's own document", self._claim.uuid, idx)

    def _grow(self, leaves: list[bytes], times: Sequence[int]) -> None:
        """Append leaves, and compare every head on the way."""
        tree, done = self._tree, 0
        start = tree.size
        while self._heads and self._heads[-1][0] <= start + len(leaves):
            size, root, ts_us = self._heads.pop()
            tree.extend(leaves[done : max(size - start, done)])
            done = tree.size - start
            time = times[done - 1] if done else self._claim.opened_us
            if size != tree.size or root != tree.root():
                self._find(
                    Problem.HEAD_WRONG,
                    f"the head of size {size} has another root than records 0 to {size - 1} give",
                    max(size - 1, 0),
                )
            elif ts_us != time:
                self._find(
                    Problem.HEAD_WRONG,
                    f"the head of size {size} has another time than its last record",
                    size - 1,
                )
        tree.extend(leaves[done:])

    def _check_end(self) -> None:
        """Compare the heads that are left and the seal with the end of the segment."""
        claim = self._claim
        claimed = max(
            (
                size
                for size in (claim.sealed_size, *(head[0] for head in claim.heads))
                if isinstance(size, int)
            ),
            default=0,
        )
        if claimed > claim.end:
            self._broken = True
            self._find(Problem.RECORD_MISSING, f"records {claim.end} to {claimed - 1} are gone", claim.end)
        if claim.sealed_us is None:
            if claim.sealed_size is not None or claim.sealed_root is not None:
                self._find(Problem.SEAL_WRONG, "it has the size or root of a seal, but no time")
            return
        if claim.sealed_size is None or claim.sealed_size < claim.end:
            self._find(
                Problem.RECORD_OUTSIDE, f"it was sealed at size {claim.sealed_size}", claim.sealed_size
            )
        if claim.sealed_size not in {head[0] for head in claim.heads}:
            self._find(Problem.HEAD_MISSING, "the head that its seal needs is gone")
        if not self._broken and (claim.sealed_root != self._tree.root() or claim.sealed_us != self._last_us):
            self._find(Problem.SEAL_WRONG, "its seal does not fit its records: another root or time")
