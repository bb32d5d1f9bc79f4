"""Writes an export package: whole segments, and with them all that an outsider needs to verify them.

What is exported is the log as it stands at one moment: sizes, heads and registry are read in one transaction,
and what a running crawl appends after it is left for the next time. What was lawfully removed after it was
left out of the rest: then the export begins again. Memory is bounded whatever the size of the log. A package
is complete or not there (`folder`).
"""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import schema, store
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.findings import Findings
from crawler.decisionlog.package import layout
from crawler.decisionlog.package.arrow import load_pyarrow
from crawler.decisionlog.package.copying import Copying
from crawler.decisionlog.package.documents import NeededDocuments, write_documents
from crawler.decisionlog.package.folder import PackageFolder
from crawler.decisionlog.package.jsonl import line
from crawler.decisionlog.package.layout import Counts, Encoding, Manifest, SegmentPart
from crawler.decisionlog.package.readme import readme
from crawler.decisionlog.tree import CompactRange
from crawler.decisionlog.verify_claims import newest_removal, read_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crawler.decisionlog.package.copying import Copy
    from crawler.decisionlog.package.part import Part
    from crawler.decisionlog.package.plan import PackagePlan
    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.session import Session
    from crawler.decisionlog.verify_segment import SegmentClaim

_ATTEMPTS: Final = 4
_PAGE: Final = 4000
_SUM_COLUMNS: Final = tuple(column.name for column in schema.rollup.columns if column.name != "segment_id")


def write_package(
    reader: LogReader,
    target: Path,
    plan: PackagePlan,
    *,
    now_us: int,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Write a package into a new folder `target` and return its manifest.

    `progress` gets the number of records so far. Raises LogError when the log cannot be read, or something of
    it was removed in the midst of each of a few attempts, IntegrityError when it holds what no writer wrote,
    PackageError when the folder exists or cannot be written.
    """
    if plan.encoding is Encoding.PARQUET:
        load_pyarrow()
    connection = store.open_for_reading(reader.path)
    try:
        session = store.octets(connection)
        for _ in range(_ATTEMPTS):
            with (
                store.explained(reader.path, "read"),
                PackageFolder(target) as folder,
                suppress(_OvertakenError),
            ):
                return _Export(reader, session, folder, plan).run(now_us, progress)
    finally:
        connection.close()
    raise LogError(
        f"something was erased or pruned in {reader.path} each of the {_ATTEMPTS} times that it was read;"
        " nothing is exported, export it again when that is done"
    )


class _OvertakenError(Exception):
    """Something was lawfully removed while it was being exported."""


class _Export:
    """One export under way."""

    def __init__(self, reader: LogReader, session: Session, folder: PackageFolder, plan: PackagePlan) -> None:
        self._reader = reader
        self._session = session
        self._folder = folder
        self._plan = plan
        self._registry = reader.format != schema.FORMAT_1
        self._progress: Callable[[int], None] | None = None
        self._needed: NeededDocuments | None = None
        self._contexts: set[int] = set()
        self._done = 0

    def run(self, now_us: int, progress: Callable[[int], None] | None) -> Manifest:
        """Write everything."""
        self._progress = progress
        findings = Findings()
        claims, size = read_claims(self._session, findings)
        if findings.total:
            raise IntegrityError(
                f"{self._reader.path} is damaged: {findings.kept[0].text}; nothing is exported,"
                " run `sekisho log verify`"
            )
        chosen = [claim for claim in claims if self._plan.wants(claim)]
        pruned = self._pruned()
        with NeededDocuments(all_of_them=self._plan.whole) as needed:
            self._needed = needed
            copying = Copying(self._session, self._reader.path, self._folder, self._plan, self._note)
            with copying.of([claim for claim in chosen if claim.number not in pruned]) as copy:
                parts = [self._segment(claim, claim.number in pruned, copy) for claim in chosen]
            self._rows_of(chosen)
            contexts = self._write_contexts(needed)
            documents = write_documents(self._session, self._folder, needed)
        heads = self._heads(chosen)
        checkpoints, origin = self._registry_parts(size) if self._registry else (0, "")
        self._see_whether_overtaken(size)
        self._folder.put(layout.VERIFIER, files(__package__).joinpath("independent.py").read_bytes())
        manifest = self._manifest(
            parts,
            now_us,
            origin,
            Counts(
                segments=len(parts),
                records=sum(part.size for part in parts if not part.pruned),
                openings=sum(part.openings for part in parts),
                heads=heads,
                contexts=contexts,
                documents=documents.count,
                registry=size,
                checkpoints=checkpoints,
            ),
        )
        self._folder.put(layout.README, readme(manifest).encode())
        manifest = self._manifest(parts, now_us, origin, manifest.counts)
        self._folder.finish(manifest.octets(), documents.digests())
        return manifest

    def _manifest(self, parts: list[SegmentPart], now_us: int, origin: str, counts: Counts) -> Manifest:
        plan = self._plan
        return Manifest(
            log_format=self._reader.format,
            origin=origin,
            encoding=plan.encoding,
            whole=plan.whole,
            urls=plan.urls,
            committed=plan.keeps_commitments,
            made_us=now_us,
            segments=tuple(parts),
            counts=counts,
            files=tuple(self._folder.parts),
        )

    def _see_whether_overtaken(self, size: int) -> None:
        """After the last read, see whether anything was lawfully removed since the first one."""
        if self._registry and newest_removal(self._session) >= size:
            raise _OvertakenError

    def _pruned(self) -> set[int]:
        if not self._registry:
            return set()
        return {number for (number,) in self._session.execute("SELECT segment_id FROM pruning").fetchall()}

    def _segment(self, claim: SegmentClaim, pruned: bool, copy: Copy) -> SegmentPart:
        suffix = self._plan.encoding.suffix
        records = layout.segment_file("records", claim.number, claim.uuid, suffix)
        urls = layout.segment_file("urls", claim.number, claim.uuid, suffix) if self._plan.urls else None
        openings = 0 if pruned else copy(claim, records, urls)
        return SegmentPart(
            number=claim.number,
            segment=str(claim.uuid),
            run=claim.run.decode("utf-8", "replace"),
            schema=int(claim.schema) if isinstance(claim.schema, int) else 0,
            size=(claim.sealed_size or 0) if pruned else claim.end,
            root=self._root(claim).hex(),
            sealed=claim.sealed_us is not None,
            pruned=pruned,
            openings=openings,
            records=None if pruned else records,
            urls=None if pruned else urls,
            sums=self._sums(claim) if self._registry and claim.sealed_us is not None else None,
        )

    def _note(self, part: Part) -> None:
        """Remember which contexts and documents the records need, and say how far it has come."""
        self._contexts.update(part.contexts)
        if self._needed is not None:
            self._needed.need(part.needs)
        self._done += part.size
        if self._progress is not None:
            self._progress(self._done)

    def _root(self, claim: SegmentClaim) -> bytes:
        """Return the root at the size that is exported: the seal's, the newest head's, or a computed one."""
        if claim.sealed_root is not None:
            return claim.sealed_root
        for size, root, _ in reversed(claim.heads):
            if size == claim.end:
                return root
        tree = CompactRange()
        while tree.size < claim.end:
            leaves = self._session.execute(
                "SELECT leaf_hash FROM record WHERE segment_id = ? AND idx >= ? AND idx < ?"
                " ORDER BY idx LIMIT ?",
                (claim.number, tree.size, claim.end, _PAGE),
            ).fetchall()
            if not leaves:
                break
            tree.extend(leaf for (leaf,) in leaves)
        return tree.root()

    def _sums(self, claim: SegmentClaim) -> str | None:
        """Write the sums by host, when the segment has them; return where."""
        path = layout.segment_file("sums", claim.number, claim.uuid, ".jsonl.gz")
        after = b""
        sql = (
            f"SELECT {', '.join(_SUM_COLUMNS)} FROM rollup"  # noqa: S608 - names of this file
            " WHERE segment_id = ? AND host_key > ? ORDER BY host_key LIMIT ?"
        )
        rows = self._session.execute(sql, (claim.number, "", _PAGE)).fetchall()
        if not rows:
            return None
        with self._folder.gzipped(path) as file:
            while rows:
                for row in rows:
                    cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in row]
                    file.write(line(dict(zip(_SUM_COLUMNS, cells, strict=True))))
                after = rows[-1][0]
                rows = self._session.execute(sql, (claim.number, after.decode(), _PAGE)).fetchall()
        return path

    def _rows_of(self, claims: list[SegmentClaim]) -> None:
        with self._folder.file(layout.SEGMENTS) as file:
            for claim in claims:
                file.write(
                    line(
                        {
                            "id": claim.number,
                            "uuid": str(claim.uuid),
                            "run_id": claim.run.decode("utf-8", "replace"),
                            "agent": claim.agent.decode("utf-8", "replace"),
                            "schema_ver": claim.schema,
                            "opened_us": claim.opened_us,
                            "nonce": claim.nonce.hex(),
                            "sealed_us": claim.sealed_us,
                            "size": claim.sealed_size,
                            "root": None if claim.sealed_root is None else claim.sealed_root.hex(),
                        }
                    )
                )

    def _write_contexts(self, needed: NeededDocuments) -> int:
        count = 0
        with self._folder.file(layout.CONTEXTS) as file:
            rows = self._session.execute(
                "SELECT id, agent, policy_sha256, blocklist_sha256 FROM context ORDER BY id"
            )
            for number, agent, policy, blocklist in rows:
                if number not in self._contexts:
                    continue
                needed.need((policy, blocklist))
                count += 1
                members = {"id": number, "agent": agent.decode("utf-8", "replace")}
                file.write(
                    line(members | {"policy_sha256": policy.hex(), "blocklist_sha256": blocklist.hex()})
                )
        return count

    def _heads(self, claims: list[SegmentClaim]) -> int:
        count = 0
        with self._folder.file(layout.HEADS) as file:
            for claim in claims:
                for size, root, ts_us in claim.heads:
                    if size > claim.end and claim.end:
                        continue  # written meanwhile
                    count += 1
                    members = {"segment_id": claim.number, "size": size, "root": root.hex(), "ts_us": ts_us}
                    file.write(line(members))
        return count

    def _registry_parts(self, size: int) -> tuple[int, str]:
        """Write registry, checkpoints and anchors; return how many checkpoints, and the log's origin."""
        with self._folder.file(layout.REGISTRY) as file:
            for body in self._column("SELECT idx, body FROM registry WHERE idx > ? AND idx < ?", size):
                file.write(body + b"\n")
        count, newest = 0, b""
        with self._folder.file(layout.CHECKPOINTS) as file:
            for note in self._column("SELECT size, note FROM checkpoint WHERE size > ? AND size <= ?", size):
                count, newest = count + 1, note
                file.write(line({"note": note.decode()}))
        if newest:
            self._folder.put(layout.CHECKPOINT, newest)
        with self._folder.file(layout.ANCHORS) as file:
            rows = self._session.execute(
                "SELECT id, size, ts_us, kind, name, body FROM anchor WHERE size <= ? ORDER BY id", (size,)
            )
            for number, of, ts_us, kind, name, body in rows:
                members = {"id": number, "size": of, "ts_us": ts_us, "kind": kind.decode()}
                file.write(line(members | {"name": name.decode(), "body": body.hex()}))
        return count, newest.partition(b"\n")[0].decode()

    def _column(self, sql: str, size: int) -> Iterator[bytes]:
        last = -1
        order = sql.split()[1].rstrip(",")
        while rows := self._session.execute(f"{sql} ORDER BY {order} LIMIT {_PAGE}", (last, size)).fetchall():
            yield from (value for _, value in rows)
            last = rows[-1][0]
