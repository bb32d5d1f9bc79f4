"""A log writer under strace: which call it made when, what fails if one of them does, what a power cut leaves.

`WRITER` does everything that a crawl's log does to the disk, in one thread, because strace counts the calls of
each thread by itself. `calls` reads a trace; `Disk` replays it and keeps apart what was synced from what was
only written.
"""

from __future__ import annotations

import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

SYNCS: Final = ("fsync", "fdatasync")
WRITES: Final = ("pwrite64", "ftruncate", "write")
NAMES: Final = ("openat", "link", "rename", "unlink")
TRACED: Final = (*SYNCS, *WRITES, *NAMES, "close")
ANSWER: Final = b"durable "
SECTOR: Final = 512

# arguments: URL, what to do when the log fails (die, continue), journal (persist, wal), synchronous, commits
WRITER: Final = '''
import os, signal, sys, threading, types
from hashlib import sha256
from crawler.decisionlog import store_sqlite, writer
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.record import Document, Entry
from policies.vocabulary import RequestKind, Stage

URL, AFTERWARDS, JOURNAL, SYNCHRONOUS, COMMITS = sys.argv[1:]

class Here:
    """A thread whose work is done in the main thread."""
    def __init__(self, target, name, daemon):
        self.run, self.over = target, threading.Event()
    def start(self):
        pass
    def join(self):
        self.over.wait()

writer.threading = types.SimpleNamespace(**{**vars(threading), "Thread": Here})
if JOURNAL == "wal":
    store_sqlite.wal_is_safe = lambda version: True
prepare = store_sqlite._prepare
def weakened(connection, path):
    created = prepare(connection, path)
    if SYNCHRONOUS != "FULL":
        store_sqlite.driver(connection).execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    return created
store_sqlite._prepare = weakened

class Clock:
    now = 1_800_000_000_000_000
    def now_us(self):  # six seconds a reading: every second commit signs a checkpoint
        Clock.now += 6_000_000
        return Clock.now
    def mono_ns(self):
        return Clock.now * 1000

docs = [Document(kind="policy", body=b"p" * 3000), Document(kind="blocklist", body=b"l")]
policy, lists = (sha256(document.body).hexdigest() for document in docs)

def entry(number):
    return Entry(stage=Stage.REQUEST, verdict="fetch", reason="allowed", agent="a", policy_sha256=policy,
                 blocklist_sha256=lists, kind=RequestKind.PAGE, method="GET",
                 url=f"http://h{number}.example/", host=f"h{number}.example", basis=b"{}" * (number + 1))

def fill(log, commits):
    try:
        for number in range(commits):
            log.append(entry(number), docs, wait=True).result(60)
    except LogError:
        pass
    log.close(seal=True)

def run(name, commits):
    def answered(tickets):
        os.write(1, b"".join(b"durable %s %d\\n" % (str(log.segment).encode(), ticket.idx)
                             for ticket in tickets if ticket.durable))
    log = writer.LogWriter.open(URL, run_id=name, agent="a", clock=Clock(), on_batch=answered)
    filling = threading.Thread(target=fill, args=(log, commits))
    filling.start()
    try:
        log._thread.run()
    finally:
        log._thread.over.set()
    filling.join()
    if log.failed is not None:
        raise log.failed

try:
    run("first", int(COMMITS))
except LogError as error:
    print("failed:", error, flush=True)
    if AFTERWARDS == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    run("second", 2)
print("closed", flush=True)
'''


@dataclass(frozen=True, slots=True)
class Call:
    """One call that touched the log's folder, or an answer on stdout.

    `nth` is its number among the calls of this name that the process made anywhere; `file` stands for the file
    that was open, whatever its name is by then.
    """

    name: str
    nth: int
    paths: tuple[str, ...] = ()
    file: int = 0
    octets: bytes = b""
    offset: int = 0


_LINE: Final = re.compile(r"^\d+ +(\w+)\((.*)$")
_HALF: Final = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_REST: Final = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def traced(
    log_url: str,
    trace: Path,
    *,
    inject: str = "",
    data: bool = False,
    afterwards: str = "continue",
    journal: str = "persist",
    synchronous: str = "FULL",
    commits: int = 4,
) -> subprocess.CompletedProcess[bytes]:
    """Run the writer under strace, with a fault if `inject` says which."""
    command = [
        # The faster way to stop at few calls only loses the signals that are injected.
        "strace", "-f", "-qq", *(() if "signal=" in inject else ("--seccomp-bpf",)), "-o", str(trace), "-e", "signal=none",
        "-e", f"trace={','.join(TRACED)}", *(("-xx", "-s", "10000000") if data else ("-xx", "-s", "200")),
        *(("-e", f"inject={inject}") if inject else ()),
        sys.executable, "-B", "-c", WRITER, log_url, afterwards, journal, synchronous, str(commits),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, check=False, timeout=120)


def answered(out: bytes) -> set[tuple[str, int]]:
    """Return what was said to be durable; a line that was cut off does not count."""
    lines = [line.split() for line in out.decode().split("\n")[:-1] if line.startswith(ANSWER.decode())]
    return {(segment, int(idx)) for _, segment, idx in lines}


def _whole(lines: Iterator[str]) -> Iterator[str]:
    """Put the halves of calls together that another thread interrupted."""
    halves: dict[str, str] = {}
    for line in lines:
        if half := _HALF.match(line):
            halves[half[1]] = f"{half[1]} {half[2]}({half[3]}"
        elif rest := _REST.match(line):
            yield halves.pop(rest[1]) + rest[3]
        else:
            yield line


def calls(trace: Path, folder: Path) -> list[Call]:
    """Return the calls of a trace that touched a folder, and the answers on stdout, in their order."""
    found: list[Call] = []
    counts: dict[str, int] = {}
    opened: dict[int, int] = {}  # descriptor: file
    files = 0
    position: dict[int, int] = {}
    for line in _whole(iter(trace.read_text().splitlines())):
        match = _LINE.match(line)
        if not match:
            continue
        name, rest = match.groups()
        nth = counts[name] = counts.get(name, 0) + 1
        result = int(rest.rpartition(" = ")[2].split()[0].split("<")[0].replace("?", "-1"))
        strings = [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(rest)]
        if name in NAMES:
            paths = tuple(text.decode() for text in strings)
            inside = any(path.startswith(str(folder)) for path in paths)
            if name == "openat" and result >= 0:
                opened.pop(result, None)
                if inside:
                    files += 1
                    opened[result], position[result] = files, 0
            if inside:
                flags = "|".join(flag for flag in ("O_CREAT", "O_TRUNC") if flag in rest)
                found.append(
                    Call(name, nth, paths, files if name == "openat" and result >= 0 else 0, flags.encode())
                )
            continue
        descriptor = int(rest.split(",", 1)[0].split(")", 1)[0])
        if name == "close":
            opened.pop(descriptor, None)
        elif name == "write" and descriptor == 1 and strings and strings[0].startswith(ANSWER):
            found.append(Call("answer", nth, octets=strings[0]))
        elif descriptor in opened:
            numbers = re.findall(r", (\d+)", rest.partition(" = ")[0])
            offset = 0
            if name == "write":
                offset = position[descriptor]
                position[descriptor] += max(result, 0)
            elif name in {"pwrite64", "ftruncate"}:
                offset = int(numbers[-1])
            found.append(
                Call(name, nth, file=opened[descriptor], octets=strings[0] if strings else b"", offset=offset)
            )
    return found


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)


def _put(content: bytearray, offset: int, octets: bytes) -> None:
    content.extend(bytes(max(0, offset + len(octets) - len(content))))
    content[offset : offset + len(octets)] = octets


def _cut(content: bytearray, size: int) -> None:
    content.extend(bytes(max(0, size - len(content))))
    del content[size:]


class Disk:
    """What is in a folder after the calls that it was told: what a power cut cannot take, and what it can.

    Nothing is durable but by a sync: not a file's octets, not its size, and not its name, which needs a sync of
    its folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._name_steps: list[dict[str, _File]] = []
        self._opened: dict[int, _File | None] = {}

    def apply(self, call: Call) -> None:
        """Take one call in."""
        if call.name in NAMES:
            self._apply_name(call)
        elif call.name in SYNCS:
            file = self._opened[call.file]
            if file is None:
                self._durable_names = dict(self._names)
                self._name_steps.clear()
            else:
                file.durable = self._content(file, lambda _: True)
                file.pending.clear()
        elif call.name in WRITES:
            file = self._opened[call.file]
            if file is not None:
                file.pending.append(call)

    def _apply_name(self, call: Call) -> None:
        first, last = call.paths[0], call.paths[-1]
        if call.name == "openat":
            if not call.file:
                return
            if first == self._folder:
                self._opened[call.file] = None
                return
            if first not in self._names:
                self._names[first] = _File()
                self._step()
            elif b"O_TRUNC" in call.octets:
                self._names[first].pending.append(Call("ftruncate", 0))
            self._opened[call.file] = self._names[first]
            return
        if call.name == "link" and first in self._names and last not in self._names:
            self._names[last] = self._names[first]
        elif call.name == "rename" and first in self._names:
            self._names[last] = self._names.pop(first)
        elif call.name == "unlink":
            self._names.pop(first, None)
        self._step()

    def _step(self) -> None:
        self._name_steps.append(dict(self._names))

    @staticmethod
    def _content(file: _File, kept) -> bytearray:
        content = deepcopy(file.durable)
        for call in file.pending:
            if call.name == "ftruncate":
                if kept(call):
                    _cut(content, call.offset)
                continue
            start = 0
            while start < len(call.octets):  # a disk writes sectors
                end = min(len(call.octets), start + SECTOR - (call.offset + start) % SECTOR)
                if kept(call):
                    _put(content, call.offset + start, call.octets[start:end])
                start = end
        return content

    def cut_power(self, into: Path, chance: Random, share: float) -> None:
        """Write into an empty folder what is there afterwards: of what was not synced, a share by chance."""
        steps = (
            round(share * len(self._name_steps))
            if share in {0, 1}
            else chance.randint(0, len(self._name_steps))
        )
        names = self._name_steps[steps - 1] if steps else self._durable_names
        for path, file in names.items():
            if not path.endswith("-shm"):  # shared memory, made anew
                content = self._content(file, lambda _: chance.random() < share)
                target = into / path.removeprefix(self._folder + "/")
                target.write_bytes(content)
                target.chmod(0o600)


def chosen(number: int, among: Sequence[Call], chance: Random) -> list[Call]:
    """Return some of the calls, in their order."""
    return [among[idx] for idx in sorted(chance.sample(range(len(among)), min(number, len(among))))]
