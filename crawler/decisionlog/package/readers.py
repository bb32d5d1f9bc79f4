"""Reads a log in several processes at once: one is bound by how fast an interpreter makes objects of rows.

Each process opens the log for itself, reads the chunks that it is told to, and hands each over as Arrow's
stream format. Chunks come back in the order in which they were asked for. A process gets the next question
while its last answer is written, and no more: memory is bounded by two chunks a process.

Processes are started anew and not forked, because SQLite forbids to carry an open database into a fork
(https://www.sqlite.org/howtocorrupt.html section 2.6). They end when their line to this one is cut, also
when it was killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any, Final, Self

from crawler.decisionlog import store
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.package.arrow import ArrowPages, Chunk, ChunkReader, load_pyarrow, spans
from crawler.decisionlog.package.pages import PageReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crawler.decisionlog.place import LogPlace

WORTH_IT: Final = 200_000  # records; below, starting processes takes longer than it saves
MOST: Final = 3  # who writes the files keeps up with no more
_AHEAD: Final = 2  # chunks asked of a process at a time
_END_S: Final = 5.0


def readers_here() -> int:
    """Return how many processes read best on this machine."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return min(MOST, len(os.sched_getaffinity(0)))
    return min(MOST, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What a process is told first."""

    place: LogPlace
    committed: bool
    urls: bool


class _Reader:
    """One process, from here."""

    def __init__(self, task: _Task) -> None:
        self._line, theirs = Pipe()
        # The modules of this process, wherever it found them, and nothing of its main program. Who interrupts
        # this process interrupts that one too, which waits until this one cuts the line.
        code = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
            f"sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({theirs.fileno()})"
        )
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter and code of ours
                    [sys.executable, "-P", "-c", code], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
        except OSError as error:
            self._line.close()
            raise LogError(
                f"no process can be started to read the log: {error}; nothing is exported, use --readers 1"
            ) from error
        self._say(task)

    def _say(self, what: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # `answer` says it better
            self._line.send(what)

    def ask(self, number: int, first: int, end: int) -> None:
        """Ask for a chunk."""
        self._say((number, first, end))

    def answer(self) -> Chunk:
        """Return the chunk that was asked for first. Raises LogError."""
        try:
            said = self._line.recv()
            if isinstance(said, LogError):
                raise said
            contexts, needs, with_urls = said
            records = _table(self._line.recv_bytes())
            urls = _table(self._line.recv_bytes()) if with_urls else None
        except (EOFError, ConnectionResetError) as error:
            self.close()
            code = self._process.returncode
            raise LogError(
                f"a process that reads the log ended (exit code {code}) before it was done;"
                " nothing is exported, try again, or use --readers 1"
            ) from error
        return Chunk(records=records, urls=urls, contexts=contexts, needs=needs)

    def close(self) -> None:
        """Cut the line, and see that the process ends."""
        self._line.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ReaderProcesses:
    """Processes that read `segments` (number and size) of a log in order; a context manager."""

    def __init__(
        self, place: LogPlace, count: int, segments: Iterable[tuple[int, int]], *, committed: bool, urls: bool
    ) -> None:
        self._task = _Task(place=place, committed=committed, urls=urls)
        self._count = count
        self._wanted = ((number, first, end) for number, size in segments for first, end in spans(size))
        self._readers: list[_Reader] = []
        self._stack = ExitStack()
        self._asked: deque[_Reader] = deque()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for _ in range(self._count):
                reader = _Reader(self._task)
                stack.callback(reader.close)
                self._readers.append(reader)
            self._stack = stack.pop_all()
        for _ in range(_AHEAD):
            for reader in self._readers:
                self._ask(reader)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _ask(self, reader: _Reader) -> None:
        for number, first, end in islice(self._wanted, 1):
            reader.ask(number, first, end)
            self._asked.append(reader)

    def parts(self, number: int, end: int) -> Iterator[Chunk]:  # noqa: ARG002 - segments come in their order
        """Yield the chunks of the next segment. Raises LogError, IntegrityError."""
        for _ in spans(end):
            reader = self._asked.popleft()
            chunk = reader.answer()
            self._ask(reader)
            yield chunk


def _table(octets: bytes) -> Any:  # noqa: ANN401 - pyarrow has no types
    pa, _ = load_pyarrow()
    with pa.ipc.open_stream(pa.py_buffer(octets)) as stream:
        return stream.read_all()


def _octets(table: Any) -> memoryview:  # noqa: ANN401 - pyarrow has no types
    pa, _ = load_pyarrow()
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return memoryview(out.getvalue())


def serve(descriptor: int) -> None:
    """Be one of the processes, until the line is cut."""
    with Connection(descriptor) as line, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _answer(line, line.recv())
        except LogError as error:
            line.send(error)
        except MemoryError:
            line.send(LogError("there is not memory enough to read the log: use --readers 1"))


def _answer(line: Connection, task: _Task) -> None:
    connection = store.open_for_reading(task.place)
    try:
        pages = PageReader(store.octets(connection), committed=task.committed, urls=task.urls)
        reader = ChunkReader(pages, ArrowPages(committed=task.committed, urls=task.urls))
        while True:
            asked = line.recv()
            with store.explained(task.place, "read"):
                chunk = reader.chunk(*asked)
            line.send((chunk.contexts, chunk.needs, chunk.urls is not None))
            line.send_bytes(_octets(chunk.records))
            if chunk.urls is not None:
                line.send_bytes(_octets(chunk.urls))
    finally:
        connection.close()
