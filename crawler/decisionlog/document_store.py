"""Stores the documents that records name: each once, and again when somebody removed it since.

A run hands a document over when it first needs it, and the log remembers that it is there. Beside the run a
URL may be erased, or another run pruned, and a document go that this one counts on. What was erased stays
erased for the records before. A record that comes after is a new act, and what it names must be there to be
shown. So each batch asks, when nobody else can remove documents until it is committed, whether any was
removed since the last one; if so, every document is looked for again, and stored if it is gone. Whoever
removes documents does it in a transaction in which nobody appends records (`store.keep_records`), so that the
answer holds until the commit.

What a run goes by (policy, block lists, waivers) is kept in memory for this, the last few of each; the files
of sites come with every record that quotes them. Where something that was removed is named and is nowhere any
more, the batch fails, and with it the writer: nothing is fetched by a decision that could not be shown.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import compress

from crawler.decisionlog import schema, store
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.retention.holds import held_under_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.record import Document
    from crawler.decisionlog.rows import Context, Pending

OPENED_WITH: Final = frozenset({"policy", "blocklist", "waivers"})
_COMPRESS_FROM: Final = 1024  # octets; below, zlib costs more time than it saves space
_REMEMBERED: Final = 20_000  # of two hundred octets each; one that was forgotten is looked up
_HELD: Final = 8  # of each kind of OPENED_WITH; what is decided by one that was replaced comes soon after
_PART: Final = 128  # digests asked for in one statement
_NEXT_NUMBER: Final = "SELECT coalesce(max(id), 0) + 1 FROM document"
_FREE_NUMBER: Final = """
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM document WHERE id = 1) THEN 1 ELSE
  (SELECT d.id + 1 FROM document d WHERE NOT EXISTS (SELECT 1 FROM document e WHERE e.id = d.id + 1)
    ORDER BY d.id LIMIT 1) END
"""
_NEWEST: Final = """
SELECT (SELECT max(idx) FROM registry WHERE kind = 'erase_document'),
       (SELECT max(idx) FROM registry WHERE kind = 'prune_intent'),
       (SELECT max(idx) FROM registry WHERE kind = 'prune_done')
"""
_UNDER_WAY: Final = """
SELECT EXISTS (SELECT 1 FROM pruning p WHERE NOT EXISTS (
  SELECT 1 FROM registry r WHERE r.segment_id = p.segment_id AND r.kind = 'prune_done'))
"""
_NEWEST_HOLDS: Final = """
SELECT (SELECT max(idx) FROM registry WHERE kind = 'hold_set'),
       (SELECT max(idx) FROM registry WHERE kind = 'hold_clear')
"""
QUOTED: Final = re.compile(rb'"sha256":"([0-9a-f]{64})"')  # canonical JSON has no white space


class _Removals(NamedTuple):
    """The newest entries of the registry that remove documents; the same as long as none announces more."""

    erased: int | None
    intended: int | None
    pruned: int | None


class DocumentStore:
    """The documents of a log as the writer of one segment sees them. Used from one thread at a time.

    `number_alone` is called in a transaction before what all writers share is numbered.
    """

    def __init__(self, connection: Connection, place: LogPlace, number_alone: Callable[[], None]) -> None:
        self._connection = connection
        self._raw = store.driver(connection)
        self._append = store.appender(connection)
        self._keep = store.keeping(place)
        self._place = place
        self._number_alone = number_alone
        self._known: OrderedDict[bytes, None] = OrderedDict()  # digests of documents that are stored
        self._shown: set[Context] = set()  # those whose documents were looked for
        self._opened_with: dict[bytes, Document] = {}  # what was named last comes last
        self._removals: _Removals | None = None
        self._under_way = False  # a run is being pruned
        self._holds: tuple[Any, ...] = ()  # their newest entries, while a run is being pruned
        self._held = False  # such a run is held
        self._removed = False  # something was removed since this segment was opened

    def store(self, batch: Sequence[Pending]) -> None:
        """Store what a batch names and is not there; `notice` comes before, in the same transaction.

        Raises the database's errors, and LogError when a document that was removed cannot be stored again.
        """
        known = self._known
        missing = {
            digest: document
            for pending in batch
            for digest, document in pending.documents
            if digest not in known
        }
        contexts = {pending.context for pending in batch}
        self._hold(missing, contexts)
        needed = self._of_contexts(contexts)
        if self._removed or self._under_way:
            needed |= {
                bytes.fromhex(quoted.decode())
                for document in missing.values()
                if document.kind == "basis"
                for quoted in QUOTED.findall(document.body)
            }
            self._find_again(needed - known.keys(), missing)
        if missing:
            self._store(missing)

    def notice(self) -> bool:
        """Forget what is stored if some of it may be gone; return whether a document was erased.

        That is: since the last batch. Called once no other can remove any until this transaction ends.
        """
        before = self._removals
        now = self._removals = _Removals(*self._raw.execute(_NEWEST).fetchone())
        changed = now != before
        if changed:
            self._under_way = now.intended is not None and bool(self._raw.execute(_UNDER_WAY).fetchone()[0])
            self._removed = before is not None
        gone = self._under_way and self._may_have_gone(changed=changed)
        if changed or gone:
            self._known.clear()
            self._shown.clear()
        return before is not None and now.erased != before.erased

    def _may_have_gone(self, *, changed: bool) -> bool:
        """Whether documents may have gone since the last batch with a run that is being pruned.

        They go without an entry of their own, unless a record names them, and stay while such a run is held.
        A hold may stand for years: it is looked for when an entry about one, or about a pruning, is new.
        """
        before, self._holds = self._holds, tuple(self._raw.execute(_NEWEST_HOLDS).fetchone())
        if self._holds == before and not changed:
            return not self._held
        self._held = bool(held_under_way(self._connection))
        return True

    def _hold(self, missing: dict[bytes, Document], contexts: set[Context]) -> None:
        """Keep what the run goes by, and of each kind the last few: one that is long takes up many lists."""
        held = self._opened_with
        new = {digest: one for digest, one in missing.items() if one.kind in OPENED_WITH}
        held |= new
        for digest in {each for context in contexts for each in (context.policy, context.blocklist)}:
            if digest in held:
                held[digest] = held.pop(digest)
        for kind in {one.kind for one in new.values()}:
            for digest in [digest for digest, one in held.items() if one.kind == kind][:-_HELD]:
                del held[digest]

    def _of_contexts(self, contexts: set[Context]) -> set[bytes]:
        """Return the digests of policies and lists that the batch names, and that were not looked for yet."""
        new = contexts - self._shown
        self._shown |= new
        return {digest for context in new for digest in (context.policy, context.blocklist)}

    def _find_again(self, needed: set[bytes], missing: dict[bytes, Document]) -> None:
        """Take up again what is named, was removed, and came with no record of this batch."""
        asked = needed - missing.keys()
        if not asked:
            return
        gone = self._select("SELECT sha256 FROM discarding WHERE sha256 IN", asked)
        for digest in sorted(gone - self._there(gone)):
            document = self._opened_with.get(digest)
            if document is None:
                raise LogError(
                    f"a decision names the document {digest.hex()}, which was removed from the log"
                    f" {self._place} beside this run, and which it holds no more: nothing is fetched by what"
                    " cannot be shown; start again"
                )
            missing[digest] = document

    def _store(self, missing: dict[bytes, Document]) -> None:
        there = self._there(missing)
        absent = {digest: self._row(one) for digest, one in missing.items() if digest not in there}
        if absent:
            self._number_alone()
            there = self._there(absent)  # another writer may have stored some while this one waited
            for digest, row in absent.items():
                if digest not in there:
                    (number,) = self._raw.execute(self._number_for(digest)).fetchone()
                    self._append(schema.document, [(number, digest, *row)])
        self._known.update(dict.fromkeys(missing))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _row(self, document: Document) -> tuple[Any, ...]:
        """Return kind, size, codec and body as they are kept."""
        body, codec = document.body, "raw"
        if len(body) >= _COMPRESS_FROM:
            packed = compress(body)
            if len(packed) < len(body):
                body, codec = packed, "zlib"
        kind = document.kind if self._keep is None else self._keep(document.kind)
        return kind, len(document.body), codec, body

    def _number_for(self, digest: bytes) -> str:
        """Return what finds the number of a document: the next, or a free one if it was removed before.

        So that as many numbers are free as documents are removed and not here again.
        """
        removed = self._raw.execute("SELECT 1 FROM discarding WHERE sha256 = ?", (digest,)).fetchone()
        return _NEXT_NUMBER if removed is None else _FREE_NUMBER

    def _there(self, digests: Iterable[bytes]) -> set[bytes]:
        return self._select("SELECT sha256 FROM document WHERE sha256 IN", digests)

    def _select(self, statement: str, digests: Iterable[bytes]) -> set[bytes]:
        """Return those of the digests that a statement finds, asked for many at a time."""
        given, found = list(digests), set[bytes]()
        for start in range(0, len(given), _PART):
            part = given[start : start + _PART]
            part += part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))  # few different statements
            rows = self._raw.execute(f"{statement} ({', '.join('?' * len(part))})", part)
            found.update(bytes(row[0]) for row in rows)
        return found
