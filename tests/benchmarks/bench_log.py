"""How many decisions a second the log makes durable, how long each waits, and how fast a log is verified.

Verifying is measured as users do it, by `sekisho log verify` in processes of their own, of which the processor
time counts (one core), and beside it inside this process, which holds much else by then.

Run it with `python tests/benchmarks/bench_log.py [--folder DIR] [--seconds 3] [--strict]`; the folder (here unless
given) must be on the disk that is meant. `--engine postgresql --writers 8` runs as many writing processes with
64 waiters each on one PostgreSQL of the test extra, with its data in that folder. Closed loop: each of 64 coroutines awaits the durability of one decision
before it makes the next, as the slots of a crawl do. The sync time of the same disk stands beside the figures,
because a small batch costs little else. `--strict` exits 1 when a gate is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from crawler.decisionlog.aio import AsyncLog
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.writer import LogWriter
from policies.basis import encode_basis
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Stage, Verdict

WAITERS = (1, 16, 64, 256)
GATED = 64
DURABLE_GATE = 20_000
POSTGRES_GATE = 40_000
VERIFY_GATE = 150_000  # a second of one core, without the start of the command
RECORDS = 200_000

POLICY = Document(kind="policy", body=b"policy")
LISTS = Document(kind="blocklist", body=b"lists")
ROBOTS = Document(kind="robots", body=b"User-agent: *\nDisallow: /private\n")
POLICY_SHA, LISTS_SHA, ROBOTS_SHA = (sha256(each.body).hexdigest() for each in (POLICY, LISTS, ROBOTS))


def basis(host):
    evidence = Evidence(
        source=f"https://{host}/robots.txt", line=2, text="Disallow: /private", sha256=ROBOTS_SHA, fetched_at=0, group="*"
    )  # fmt: skip
    rules = [Verdict(rule=name, action=Action.FETCH, reason=Reason.ALLOWED) for name in ("scope", "piracy")]
    robots = Verdict(rule="robots", action=Action.FETCH, reason=Reason.ALLOWED, evidence=(evidence,))
    return encode_basis(Assessment(verdicts=(*rules, robots)))


HOSTS = [f"www.site-{number}.example" for number in range(500)]
BASES = [basis(host) for host in HOSTS]


def decision(number, stage=Stage.REQUEST, **fields):
    host = HOSTS[number % len(HOSTS)]
    return Entry(
        stage=stage,
        verdict="fetch",
        reason="allowed",
        agent="ExampleBot",
        policy_sha256=POLICY_SHA,
        blocklist_sha256=LISTS_SHA,
        kind=RequestKind.PAGE,
        method="GET",
        url=f"https://{host}/articles/2026/11/{number}/a-title-of-usual-length",
        parent_url=f"https://{host}/articles/2026/11/",
        host=host,
        domain=host.removeprefix("www."),
        **fields,
    )


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def sync_time(folder, seconds=0.7):
    """Return the median time in ms that the disk takes to sync 4 KiB."""
    path = folder / "sync"
    times = []
    with path.open("wb", buffering=0) as file:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return sorted(times)[len(times) // 2] * 1e3


async def closed_loop(folder, waiters, seconds, *, url=None, run=None, together=None):
    """Return decisions a second, their waits in ms (sorted), and CPU a decision in µs."""
    url = url or f"sqlite:///{folder / f'loop-{waiters}.db'}"
    custody = (
        Custody(key_file=folder / "bench.key", checkpoint_file=folder / "bench.checkpoint") if run else None
    )
    log = AsyncLog.open(
        url, run_id=run or f"bench-{waiters}", agent="ExampleBot", clock=SystemClock(), custody=custody
    )
    waits = []
    counter = iter(range(10**9))
    await log.append_durable(decision(next(counter)), (POLICY, LISTS, ROBOTS))
    if together is not None:
        for each in BASES:  # as a crawl that has seen its hosts
            await log.append_durable(decision(next(counter), basis=each))
        together.wait()
    started, cpu = time.perf_counter(), time.process_time()
    end = started + seconds

    async def slot():
        while (asked := time.perf_counter()) < end:
            number = next(counter)
            await log.append_durable(decision(number, basis=BASES[number % len(BASES)]))
            waits.append((time.perf_counter() - asked) * 1e3)

    await asyncio.gather(*(slot() for _ in range(waiters)))
    elapsed, used = time.perf_counter() - started, time.process_time() - cpu
    if together is not None:
        together.wait()  # what closing costs is not measured
    await log.close(seal=True)
    return len(waits) / elapsed, sorted(waits), used / len(waits) * 1e6


def write_log(folder):
    """Write a log as a crawl does (request, outcome, response for each page); return its URL and bytes a record."""
    path = folder / "verify.db"
    writer = LogWriter.open(f"sqlite:///{path}", run_id="bench", agent="ExampleBot", clock=SystemClock())
    got = {"status": 200, "media_type": "text/html"}
    documents = (POLICY, LISTS, ROBOTS)
    for page in range(RECORDS // 3):
        shared = BASES[page % len(BASES)]
        asked = writer.append(decision(page, basis=shared), documents)
        documents = ()
        body = sha256(b"%d" % page).hexdigest()
        writer.append(decision(page, Stage.OUTCOME, ref_idx=asked.idx, size=page, body_sha256=body, **got))
        writer.append(decision(page, Stage.RESPONSE, ref_idx=asked.idx, size=page, basis=shared, **got))
    head = writer.close(seal=True)
    if head is None:
        raise SystemExit(str(writer.failed))
    return f"sqlite:///{path}", path.stat().st_size / head.size


def verified(url):
    """Return the better of two verifications: records a second by the wall clock and of CPU."""
    best = (0.0, 0.0)
    for _ in range(2):
        started, cpu = time.perf_counter(), time.process_time()
        with LogReader.open(url) as reader:
            report = verify_log(reader)
        rates = report.records / (time.perf_counter() - started), report.records / (time.process_time() - cpu)
        if report.findings_total:
            raise SystemExit(f"the benchmark's log does not verify: {report.findings[0]}")
        best = max(best, rates)
    return best


def processor_time_of_command(url):
    """Return the seconds of CPU that `sekisho log verify` takes for a log, from the start of its process."""
    start = "import sys; from crawler.cli import main; sys.exit(main())"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", start, "log", "verify", "--log", url], check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def verified_by_command(folder, url, runs=5):
    """Return records a second of CPU without the start of the command: best, median; then with it; and its seconds.

    The start is what the command takes for a log of one record.
    """
    small = f"sqlite:///{folder / 'small.db'}"
    writer = LogWriter.open(small, run_id="bench", agent="ExampleBot", clock=SystemClock())
    writer.append(decision(0), (POLICY, LISTS))
    writer.close(seal=True)
    start = min(processor_time_of_command(small) for _ in range(runs))
    times = [processor_time_of_command(url) for _ in range(runs)]
    with LogReader.open(url) as reader:
        records = sum(info.size for info in reader.segments())
    alone = [records / (each - start) for each in times]
    return max(alone), statistics.median(alone), records / min(times), start


def one_of_many(number, place, seconds, together, answers):
    """Write as one of several processes, all at the same time."""
    folder, url = place
    loop = closed_loop(folder, GATED, seconds, url=url, run=f"writer-{number}", together=together)
    answers.put(asyncio.run(loop))


def processor_time(process):
    """Return the seconds of CPU that a process and its children have used."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    stats = [
        Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        for one in (process, *children)
    ]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def postgres(folder, writers, seconds):
    """Measure several writers on one server; return decisions a second of all together."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
    from postgres_server import PostgresServer

    from crawler.decisionlog.place import log_place
    from crawler.decisionlog.postgres_setup import set_up

    tempfile.tempdir = str(folder)  # the server's data on the disk that is meant
    server = PostgresServer(shared_buffers="512MB", max_wal_size="4GB")
    try:
        url = server.start().url("postgres")
        set_up(log_place(url))
        with server.admin() as connection:
            print(f"PostgreSQL {connection.execute('SHOW server_version').fetchone()[0]}")
        together, answers = multiprocessing.Barrier(writers + 1), multiprocessing.Queue()
        processes = [
            multiprocessing.Process(
                target=one_of_many, args=(number, (folder, url), seconds, together, answers)
            )
            for number in range(writers)
        ]
        for process in processes:
            process.start()
        together.wait()
        before = processor_time(server.pid)
        together.wait()
        served = processor_time(server.pid) - before
        found = [answers.get(timeout=600) for _ in processes]
        for process in processes:
            process.join()
        rate = sum(each[0] for each in found)
        waits = sorted(wait for each in found for wait in each[1])
        cpu = sum(each[2] for each in found) / len(found)
        print(
            f"{writers} writers with {GATED} waiters each: {rate:,.0f} durable decisions/s, wait p50"
            f" {percentile(waits, 0.5):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms; CPU of a writer {cpu:.1f} µs each,"
            f" of the server {served / len(waits) * 1e6:.1f} µs"
        )
        started = time.perf_counter()
        with LogReader.open(url) as reader:
            report = verify_log(reader)
        if report.findings_total:
            raise SystemExit(f"the benchmark's log does not verify: {report.findings[0]}")
        print(
            f"verify: {report.records / (time.perf_counter() - started):,.0f} records/s of {report.records:,}"
        )
    finally:
        server.remove()
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where the logs are written and removed again"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each closed loop")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument(
        "--writers", type=int, default=8, help="processes that write, with --engine postgresql"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 when a gate is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-log-", dir=arguments.folder) as name:
        folder = Path(name).resolve()  # the server's socket is named by its whole path
        if arguments.engine == "postgresql":
            folder.chmod(0o755)  # the server runs as another user than root
            print(f"sync of 4 KiB on this disk: {sync_time(folder):.2f} ms (median)")
            rate = postgres(folder, arguments.writers, arguments.seconds)
            print(f"sync of 4 KiB afterwards: {sync_time(folder):.2f} ms (median)")
            print(
                f"gate: {POSTGRES_GATE:,} durable decisions/s: {'met' if rate >= POSTGRES_GATE else 'missed'}"
            )
            return 1 if arguments.strict and rate < POSTGRES_GATE else 0
        print(
            f"SQLite {sqlite3.sqlite_version}, sync of 4 KiB on this disk: {sync_time(folder):.2f} ms (median)\n"
        )
        print(
            f"{'waiters':>7} {'decisions/s':>12} {'wait p50 ms':>12} {'wait p99 ms':>12} {'CPU µs each':>12}"
        )
        durable = {}
        for waiters in WAITERS:
            rate, waits, cpu = asyncio.run(closed_loop(folder, waiters, arguments.seconds))
            durable[waiters] = rate
            median, slow = percentile(waits, 0.5), percentile(waits, 0.99)
            print(f"{waiters:>7} {rate:>12,.0f} {median:>12.2f} {slow:>12.2f} {cpu:>12.1f}")
        url, octets = write_log(folder)
        best, median, whole, start = verified_by_command(folder, url)
        wall, cpu = verified(url)
        print(
            f"\nsekisho log verify: {best:,.0f} records a second of CPU (median {median:,.0f}) besides its start,"
            f" which takes {start:.2f} s; {whole:,.0f} with it for a log of {RECORDS:,}"
        )
        print(
            f"in this process, which holds much else: {cpu:,.0f} a second of CPU, {wall:,.0f} by the wall clock;"
            f" {octets:.0f} octets a record in the log"
        )
        print(f"sync of 4 KiB afterwards: {sync_time(folder):.2f} ms (median)")
    met = durable[GATED] >= DURABLE_GATE and best >= VERIFY_GATE
    print(
        f"gates: {DURABLE_GATE:,} durable decisions/s with {GATED} waiters, {VERIFY_GATE:,} verified records/s of a core:"
        f" {'met' if met else 'missed'}"
    )
    return 1 if arguments.strict and not met else 0


if __name__ == "__main__":
    sys.exit(main())
