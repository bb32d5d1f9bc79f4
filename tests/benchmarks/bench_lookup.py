"""How long a look-up takes in a log of ten million decisions over a hundred thousand hosts, and in a tenth of it.

Run it with `python tests/benchmarks/bench_lookup.py [--folder DIR] [--decisions 10000000] [--strict]`; it needs about
500 octets of disk a decision and builds the log first, in segments of a million (minutes). Asked are hot hosts,
hosts of the long tail, hosts that are not there, registrable domains with all their subdomains, names that are not
ASCII, and single URLs.
Each question is one call of `lookup` on an open reader; beside its time stand that of the processor, and how many
statements it took. `--segments 1 10 30` asks logs of one size that differ in the number of their segments instead.
`--big-host 300000` asks for URLs of a host with so many records in one segment, and with a tenth of them, beside
each other with the index of URLs, without it (by the index of the host, as it was before), and exhaustively.
`--strict` exits 1 when a gate is missed.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import random
import resource
import sys
import tempfile
import time
from functools import cache
from hashlib import sha256
from pathlib import Path

from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.store import driver
from crawler.decisionlog.writer import LogWriter
from policies.vocabulary import RequestKind, Stage

HOSTS = 100_000
SEGMENT = 1_000_000
QUESTIONS = 400
GATE_MS = 10.0
GROWTH = 3.0  # ten times the log may cost so much: the answer itself has ten times the segments

POLICY = Document(kind="policy", body=b"policy")
LISTS = Document(kind="blocklist", body=b"lists")
POLICY_SHA, LISTS_SHA = (sha256(each.body).hexdigest() for each in (POLICY, LISTS))


@cache
def host_named(number):
    """Return a host; every tenth has a name that is not ASCII, as it stands in URLs."""
    if number % 10 == 7:
        return f"例え{number}.jp".encode("idna").decode()
    return f"{'www.' if number % 3 else 'news.'}site-{number}.example"


class Hosts:
    """Draws hosts as crawls meet them: few often, most seldom (Zipf, exponent 0.9)."""

    def __init__(self, chance):
        self._chance = chance
        self._sums = list(itertools.accumulate((number + 1) ** -0.9 for number in range(HOSTS)))

    def draw(self):
        return bisect.bisect_left(self._sums, self._chance.random() * self._sums[-1])


def entry(host, page, *, skipped):
    return Entry(
        stage=Stage.REQUEST,
        verdict="skip" if skipped else "fetch",
        reason="robots_disallow" if skipped else "allowed",
        agent="ExampleBot",
        policy_sha256=POLICY_SHA,
        blocklist_sha256=LISTS_SHA,
        kind=RequestKind.PAGE,
        method="GET",
        url=f"https://{host}/articles/{page}",
        host=host,
        domain=host.partition(".")[2],
    )


def build(path, decisions, size=SEGMENT):
    """Write the log and return seconds taken by appending and by sealing."""
    chance = random.Random(20261122)
    hosts = Hosts(chance)
    appending = sealing = 0.0
    for start in range(0, decisions, size):
        writer = LogWriter.open(
            f"sqlite:///{path}", run_id=f"run-{start}", agent="ExampleBot", clock=SystemClock()
        )
        began = time.perf_counter()
        documents = (POLICY, LISTS)
        for number in range(start, min(start + size, decisions)):
            writer.append(entry(host_named(hosts.draw()), number % 50, skipped=number % 5 == 0), documents)
            documents = ()
        appending += time.perf_counter() - began
        began = time.perf_counter()
        if writer.close(seal=True) is None:
            raise SystemExit(str(writer.failed))
        sealing += time.perf_counter() - began
        print(f"  {min(start + size, decisions):,} decisions", file=sys.stderr, flush=True)
    return appending, sealing


def questions(kind):
    chance = random.Random(kind)
    hosts = Hosts(chance)
    for _ in range(QUESTIONS):
        tail = host_named(chance.randrange(HOSTS // 10, HOSTS))
        match kind:
            case "hot host":
                yield host_named(chance.randrange(20))
            case "seldom host":
                yield tail
            case "domain":
                name = host_named(hosts.draw())
                yield name.removeprefix("www.").removeprefix("news.")
            case "not ASCII":
                yield f"例え{chance.randrange(7, HOSTS, 10)}.jp"
            case "absent host":
                yield f"absent-{chance.randrange(10**6)}.example"
            case "URL":
                yield f"https://{tail}/articles/{chance.randrange(50)}"


def measure(path):
    """Return p50 and p99 in ms, p99 of processor time in ms, and the most statements, by kind of question."""
    found = {}
    with LogReader.open(f"sqlite:///{path}") as reader:
        for kind in ("hot host", "seldom host", "domain", "not ASCII", "absent host", "URL"):
            times, used, answered = [], [], 0
            for text in questions(kind):
                target = parse_target(text)
                started, cpu = time.perf_counter(), time.process_time()
                answer = lookup(reader, target)
                used.append((time.process_time() - cpu) * 1e3)
                times.append((time.perf_counter() - started) * 1e3)
                answered += bool(answer.hosts)
            if (answered == 0) != (kind == "absent host"):
                raise SystemExit(f"{kind}: {answered} of {QUESTIONS} answered")
            times.sort()
            used.sort()
            last = int(len(times) * 0.99)
            found[kind] = times[len(times) // 2], times[last], used[last], most_statements(reader, kind)
    return found


def most_statements(reader, kind):
    """Return the largest number of statements that a look-up takes."""
    asked, most = [], 0
    raw = driver(reader._connection)
    raw.set_trace_callback(asked.append)
    for text in itertools.islice(questions(kind), QUESTIONS // 4):
        asked.clear()
        lookup(reader, parse_target(text))
        most = max(most, len(asked))
    raw.set_trace_callback(None)
    return most


def asked(path, decisions, size):
    """Build a log unless it is there, ask it, and say what was measured."""
    print(f"{decisions:,} decisions, {HOSTS:,} hosts, {-(-decisions // size)} segments")
    if not path.exists():
        appending, sealing = build(path, decisions, size)
        octets = path.stat().st_size / decisions
        print(
            f"  {decisions / appending:,.0f} appended/s, sealed in {sealing:.1f} s,"
            f" {octets:.0f} octets a decision"
        )
    found = measure(path)
    for kind, (median, worst, used, statements) in found.items():
        print(
            f"  {kind:12} p50 {median:7.3f} ms   p99 {worst:7.3f} ms   processor p99 {used:7.3f} ms"
            f"   at most {statements} statements"
        )
    return found


BIG = "big.example"


def build_big(path, records):
    """Write a sealed segment in which every second record is of one host, two of each of its URLs."""
    writer = LogWriter.open(f"sqlite:///{path}", run_id="big", agent="ExampleBot", clock=SystemClock())
    documents = (POLICY, LISTS)
    for number in range(records):
        writer.append(entry(host_named(number % 1000), number % 50, skipped=False), documents)
        writer.append(entry(BIG, number // 2, skipped=number % 5 == 0))
        documents = ()
    if writer.close(seal=True) is None:
        raise SystemExit(str(writer.failed))


def big_questions(records, count):
    """Return targets of which every second one is absent."""
    chance = random.Random(records)
    pages = (chance.randrange(records // 2) + number % 2 * records for number in range(count))
    return [parse_target(f"https://{BIG}/articles/{page}") for page in pages]


def ask_big(path, records):
    """Return for each way p50, p99 and p99 of processor time in ms, and the most statements."""
    found = {}
    with LogReader.open(f"sqlite:///{path}") as reader:
        for way, count in (("index of URLs", QUESTIONS), ("without it", 10), ("exhaustive", 6)):
            reader.has_url_index = (
                (lambda: False) if way == "without it" else type(reader).has_url_index.__get__(reader)
            )
            times, used, asked_for = [], [], []
            raw = driver(reader._connection)
            most = 0
            for number, target in enumerate(big_questions(records, count + 2)):
                asked_for.clear()
                raw.set_trace_callback(asked_for.append)
                started, cpu = time.perf_counter(), time.process_time()
                answer = lookup(reader, target, exhaustive=way == "exhaustive")
                if number > 1:  # the first ones prepare
                    used.append((time.process_time() - cpu) * 1e3)
                    times.append((time.perf_counter() - started) * 1e3)
                most = max(most, len(asked_for))
                if len(answer.records) != 2 * (number % 2 == 0) or answer.by_url_index != (
                    way == "index of URLs"
                ):
                    raise SystemExit(f"{target.url}: {len(answer.records)} records")
            times.sort()
            used.sort()
            last = int(len(times) * 0.99)
            found[way] = times[len(times) // 2], times[last], used[len(used) // 2], used[last], most
    return found


def asked_big(folder, records):
    """Ask of a host with many records and with a tenth of them; return both and say what was measured."""
    both = []
    for size in (records // 10, records):
        path = folder / f"big-{size}.db"
        if not path.exists():
            build_big(path, size)
        both.append(ask_big(path, size))
        print(f"a URL of a host with {size:,} records")
        for way, (median, worst, used, most_used, statements) in both[-1].items():
            print(
                f"  {way:14} p50 {median:9.3f} ms   p99 {worst:9.3f} ms   processor p50 {used:9.3f} p99 {most_used:9.3f} ms"
                f"   at most {statements} statements"
            )
        print(f"  ratio {both[-1]['without it'][2] / both[-1]['index of URLs'][2]:.0f} (processor, p50)")
    return both


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--decisions", type=int, default=10_000_000)
    parser.add_argument("--segments", type=int, nargs="+", help="ask logs of that many segments")
    parser.add_argument("--big-host", type=int, help="ask only for URLs of a host with so many records")
    parser.add_argument("--keep", type=Path, default=None, help="build here, or ask the logs that are here")
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    decisions = arguments.decisions
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = arguments.keep or Path(name)
        if arguments.segments:
            for count in arguments.segments:
                asked(folder / f"{decisions}-{count}.db", decisions, -(-decisions // count))
            return 0
        if arguments.big_host:
            few, many = asked_big(folder, arguments.big_host)
            worst, before = many["index of URLs"][1], few["index of URLs"][1]
            missed = worst > GATE_MS or worst > GROWTH * max(before, 0.5)
            print(f"gate p99 {GATE_MS:.0f} ms and growth {GROWTH:.0f}: " + ("missed" if missed else "met"))
            return 1 if arguments.strict and missed else 0
        small, large = (
            asked(folder / f"{number}.db", number, SEGMENT) for number in (decisions // 10, decisions)
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")
    missed = [kind for kind, (_, worst, *_) in large.items() if worst > GATE_MS]
    grown = [kind for kind in large if large[kind][1] > GROWTH * max(small[kind][1], 0.5)]
    print(f"gate p99 {GATE_MS:.0f} ms: " + (f"missed for {', '.join(missed)}" if missed else "met"))
    print(f"gate growth {GROWTH:.0f}: " + (f"missed for {', '.join(grown)}" if grown else "met"))
    return 1 if arguments.strict and (missed or grown) else 0


if __name__ == "__main__":
    sys.exit(main())
