"""Recomputes a registry: every leaf, its tree, every checkpoint over it, and the keys that may sign them.

What it says of segments (`Told`) is then compared with the segments themselves. A checkpoint of size n must
be signed by a key that was added before leaf n and not retired; a new key must stand in a checkpoint that an
older one signed. Checkpoints that are known from outside must be met on the way: a registry that is smaller,
or has another root at that size, was rolled back or forked.

Reads through a protocol, so that a database and an export are verified by the same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crawler.decisionlog.findings import Problem
from crawler.decisionlog.notes import (
    ED25519,
    Checkpoint,
    NoteError,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    signers,
)
from crawler.decisionlog.registry import (
    ClockJumped,
    DocumentErased,
    Erased,
    Event,
    KeyAdded,
    KeyRetired,
    Leaf,
    LogOpened,
    Pruned,
    PruneIntended,
    SegmentAdopted,
    SegmentHeaded,
    SegmentOpened,
    SegmentSealed,
    decode,
)
from crawler.decisionlog.registry_state import RegistryState, Told
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crawler.decisionlog.findings import Findings
    from crawler.decisionlog.registry_state import CheckpointRow, KnownCheckpoint, LeafRow, RegistrySource


def _is_signed(event: Event) -> bool:
    """Whether the transaction that appends it ends with it and a checkpoint."""
    if isinstance(event, SegmentSealed):
        return event.how == "sealed"
    return isinstance(event, SegmentOpened | SegmentHeaded)


class RegistryCheck:
    """The verification of one registry; `run` once."""

    def __init__(
        self,
        source: RegistrySource,
        findings: Findings,
        *,
        known: Iterable[KnownCheckpoint] = (),
        trusted: Iterable[VerifierKey] = (),
    ) -> None:
        self._source = source
        self._findings = findings
        self._known = sorted(known, key=lambda one: parse_checkpoint(one.note).size)
        self._trusted = tuple(trusted)
        self._tree = CompactRange()
        self._active: dict[str, VerifierKey] = {}
        self._named: list[VerifierKey] = []  # every key that an entry added, whether or not it ever signed
        self._signed: set[VerifierKey] = set()  # checkpoints of this registry, in it or kept outside
        self._last_us = 0
        self._signed_to = 0
        self._unendorsed: dict[int, dict[str, VerifierKey]] = {}  # size to the keys that may endorse
        self._due: set[int] = set()  # sizes at which a checkpoint must be
        self.state = RegistryState()

    def run(self) -> RegistryState:
        """Verify, and return what the registry says; what is wrong goes to the findings."""
        checkpoints = self._source.checkpoints()
        waiting = next(checkpoints, None)
        for row in self._source.leaves():
            self._check_leaf(row)
            while waiting is not None and waiting.size <= self._tree.size:
                self._check_checkpoint(waiting)
                waiting = next(checkpoints, None)
            self._meet_known()
        while waiting is not None:
            self._find(
                Problem.REGISTRY_MISSING,
                f"a checkpoint covers {waiting.size} entries of the registry; there are {self._tree.size}",
            )
            waiting = next(checkpoints, None)
        self._check_end()
        self.state.size, self.state.root = self._tree.size, self._tree.root()
        return self.state

    def _find(self, problem: Problem, text: str) -> None:
        self._findings.add(problem, text)

    def _check_leaf(self, row: LeafRow) -> None:
        if row.idx != self._tree.size:
            self._find(
                Problem.REGISTRY_MISSING,
                f"entries {self._tree.size} to {row.idx - 1} of the registry are gone",
            )
        try:
            leaf = decode(bytes(row.body))
        except (ValueError, TypeError) as error:
            self._find(Problem.REGISTRY_CHANGED, f"entry {row.idx} of the registry was changed: {error}")
            return
        self._tree.extend((leaf.hash,))
        if not self._agrees(row, leaf):
            self._find(
                Problem.REGISTRY_CHANGED,
                f"entry {row.idx} of the registry was changed: its columns do not repeat its body",
            )
        if leaf.ts_us < self._last_us:
            self._find(Problem.TIME_WRONG, f"entry {row.idx} of the registry is older than the one before")
        self._last_us = leaf.ts_us
        self._take(leaf)
        if _is_signed(leaf.event):
            self._due.add(leaf.idx + 1)

    def _agrees(self, row: LeafRow, leaf: Leaf) -> bool:
        event, about = leaf.event, leaf.event.about
        told = None if about is None else self.state.told.get(about)
        number = getattr(event, "number", None) if told is None else told.number
        return (
            leaf.idx == row.idx
            and row.ts_us in {None, leaf.ts_us}
            and row.kind in {None, event.KIND.encode()}
            and row.leaf_hash in {None, leaf.hash}
            and (row.kind is None or row.segment_id == number)
        )

    def _take(self, leaf: Leaf) -> None:
        """Take in what a leaf says."""
        event = leaf.event
        if isinstance(event, LogOpened) != (leaf.idx == 0):
            self._find(Problem.REGISTRY_CHANGED, "the first entry of a registry opens the log, and no other")
        match event:
            case LogOpened():
                self.state.origin = event.origin
            case KeyAdded() | KeyRetired():
                self._take_key(leaf.idx, event)
            case SegmentOpened():
                self._open(leaf.idx, event)
            case SegmentAdopted():
                self._open(leaf.idx, event).adopted = event
            case ClockJumped():
                self.state.jumps += 1
            case DocumentErased():
                self.state.erased_documents.setdefault(event.sha256, []).append(leaf.idx)
            case _:
                self._take_about(leaf, event)

    def _open(self, idx: int, event: SegmentOpened | SegmentAdopted) -> Told:
        segment, number = event.segment, event.number
        if segment in self.state.told or number != len(self.state.told) + 1:
            self._find(
                Problem.REGISTRY_CHANGED,
                f"the registry opens segment number {number} where number {len(self.state.told) + 1} is next",
            )
        told = Told(segment=segment, number=number, run=event.run, agent=event.agent, opened=idx)
        self.state.told[segment] = told
        return told

    def _take_about(self, leaf: Leaf, event: Event) -> None:
        """Take in a leaf about a segment that was opened before."""
        if event.about is None:
            return
        told = self.state.told.get(event.about)
        if told is None:
            self._find(
                Problem.REGISTRY_CHANGED,
                f"entry {leaf.idx} of the registry is about segment {event.about}, which was never opened",
            )
            return
        match event:
            case SegmentHeaded():
                if told.seal is not None or event.size < max(told.heads, default=0):
                    self._find(
                        Problem.REGISTRY_CHANGED, f"entry {leaf.idx} of the registry goes back in its segment"
                    )
                told.heads[event.size] = event.root
                told.sizes.append((leaf.idx, event.size))
            case SegmentSealed():
                if told.seal is not None:
                    self._find(Problem.REGISTRY_CHANGED, f"segment {told.segment} was sealed twice")
                told.seal = event
            case Erased():
                told.erased[event.idx_erased] = leaf.idx
            case PruneIntended():
                if told.seal is None and (told.adopted is None or not told.adopted.sealed):
                    self._find(
                        Problem.REGISTRY_CHANGED, f"segment {told.segment} was to be pruned and is open"
                    )
                told.intents[leaf.idx] = event
            case Pruned():
                if event.intent not in told.intents:
                    self._find(Problem.REGISTRY_CHANGED, f"segment {told.segment} was pruned unannounced")
                told.pruned = True
            case _:
                pass

    def _take_key(self, idx: int, event: KeyAdded | KeyRetired) -> None:
        try:
            key = parse_vkey(event.vkey)
        except NoteError as error:
            self._find(
                Problem.REGISTRY_CHANGED, f"entry {idx} of the registry names a key that is none: {error}"
            )
            return
        if key.type != ED25519:
            self._find(
                Problem.REGISTRY_CHANGED,
                f"entry {idx} of the registry names a key of type 0x{key.type:02x}, which signs no log",
            )
            return
        if isinstance(event, KeyRetired):
            if self._active.pop(event.vkey, None) is None:
                self._find(Problem.KEY_WRONG, f"entry {idx} of the registry retires a key that did not sign")
            return
        if self._named:
            self._unendorsed[idx + 1] = dict(self._active)
        self._active[event.vkey] = key
        self._named.append(key)

    def _check_checkpoint(self, row: CheckpointRow) -> None:
        place = f"the checkpoint of size {row.size}"
        if row.size != self._tree.size:
            self._find(Problem.CHECKPOINT_WRONG, f"{place} stands where none can be")
            return
        self.state.checkpoints += 1
        try:
            note = parse_note(bytes(row.note))
            head = parse_checkpoint(note)
            signed = signers(note, self._active.values())
            endorsers = self._unendorsed.pop(row.size, None)
            if endorsers is not None:
                signers(note, endorsers.values())
        except NoteError as error:
            self._find(Problem.CHECKPOINT_WRONG, f"{place} is wrong: {error}")
            return
        wrong = self._misfit(head)
        if wrong is None and not (row.root in {None, head.root} and row.ts_us in {None, self._last_us}):
            wrong = "its columns do not repeat it"
        if wrong is not None:
            self._find(Problem.CHECKPOINT_WRONG, f"{place} is wrong: {wrong}")
            return
        self._signed.update(signed)
        self._due.discard(row.size)
        self._signed_to = row.size
        self.state.newest = note

    def _misfit(self, head: Checkpoint) -> str | None:
        """Return what of a checkpoint does not fit the registry at its present size, or None."""
        if head.origin != self.state.origin:
            return f"its origin is {head.origin!r}, that of the log {self.state.origin!r}"
        if head.size != self._tree.size:
            return f"it covers {head.size} entries"
        if head.root != self._tree.root():
            return "its root is not that of the entries"
        return None

    def _meet_known(self) -> None:
        """Compare the registry with the checkpoints from outside that have its present size."""
        while self._known and parse_checkpoint(self._known[0].note).size <= self._tree.size:
            known = self._known.pop(0)
            head = parse_checkpoint(known.note)
            wrong = self._misfit(head)
            try:
                signed = signers(known.note, [*self._trusted, *self._named, *known.witnesses])
            except NoteError as error:
                wrong = wrong or str(error)
            if wrong is not None:
                self._find(
                    Problem.ROLLED_BACK, f"the log is not the one of the checkpoint {known.place}: {wrong}"
                )
                continue
            self._signed.update(key for key in signed if key.type == ED25519)  # and no witness
            self.state.outside += 1
            self.state.unproved = -head.size  # `_check_end` adds the size of the whole

    def _check_end(self) -> None:
        for known in self._known:
            head = parse_checkpoint(known.note)
            self._find(
                Problem.ROLLED_BACK,
                f"the log was rolled back: the checkpoint {known.place} covers {head.size} entries of its"
                f" registry, and there are {self._tree.size}",
            )
        self.state.unproved += self._tree.size
        if self._signed_to != self._tree.size:
            self._find(
                Problem.CHECKPOINT_MISSING,
                f"no checkpoint covers entries {self._signed_to} to {self._tree.size - 1} of the registry",
            )
        for size in sorted(self._due):
            if size <= self._signed_to:
                self._find(Problem.CHECKPOINT_MISSING, f"the checkpoint of size {size} is gone")
        for size in self._unendorsed:
            self._find(Problem.KEY_WRONG, f"no older key signed that of entry {size - 1} of the registry")
        self.state.keys = [str(key) for key in dict.fromkeys(self._named) if key in self._signed]
        for key in self._trusted:
            if key not in self._signed:
                self._find(
                    Problem.KEY_WRONG,
                    f"the log was never signed with the key {key}{_NAMED if key in self._named else ''}",
                )


_NAMED: Final = ", which an entry of its registry names"


def check_without_registry(
    known: Iterable[KnownCheckpoint], trusted: Iterable[VerifierKey], findings: Findings
) -> str:
    """Hold what is known of a log against one that says to have no registry (format 1).

    Returns what cannot be verified of it: whoever rewrites a log whole can also give it the older format.
    """
    says = "it says to have format 1, without a registry"
    for one in known:
        findings.add(
            Problem.ROLLED_BACK, f"the log is not the one of the checkpoint {one.place}, because {says}"
        )
    for key in trusted:
        findings.add(Problem.KEY_WRONG, f"the log was never signed with the key {key}, because {says}")
    return (
        "the log has no registry (format 1): that its end was not cut off, and that it was not rewritten as"
        " a whole, is not proved"
    )
