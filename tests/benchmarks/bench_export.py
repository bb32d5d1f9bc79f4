"""How fast a log becomes a package, how many octets a record takes, and how fast the package is verified.

Run it with `python tests/benchmarks/bench_export.py [--records 1000000] [--folder DIR] [--strict]`. The log is written
straight into its tables by the code that a writer uses, with 50,000 hosts of which few are met often, a path that no
compressor can guess in every URL, and 38 decisions in a hundred a skip. `--strict` exits 1 when a gate is missed.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.readers import readers_here
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.writer import LogWriter
from policies.basis import encode_basis
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Stage, Verdict

RATE_GATE = 200_000
OCTETS_GATE = 70.0
HOSTS = 50_000
BASES = 2_000  # one for each host that is met often; a basis is the same wherever the same line decided

POLICY = Document(kind="policy", body=b"policy")
LISTS = Document(kind="blocklist", body=b"lists")
ROBOTS = Document(kind="robots", body=b"User-agent: *\nDisallow: /private\n")
POLICY_SHA, LISTS_SHA, ROBOTS_SHA = (sha256(each.body).hexdigest() for each in (POLICY, LISTS, ROBOTS))


def basis(number):
    evidence = Evidence(
        source=f"https://www.site-{number}.example/robots.txt", line=2, text="Disallow: /private", sha256=ROBOTS_SHA,
        fetched_at=0, group="*",
    )  # fmt: skip
    return encode_basis(
        Assessment(
            verdicts=(
                Verdict(rule="scope", action=Action.FETCH, reason=Reason.ALLOWED),
                Verdict(
                    rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=(evidence,)
                ),
            )
        )
    )


def write_log(path, records, seed=7):
    """Write a log of one run and return it as a URL."""
    dice = random.Random(seed)
    bases = [basis(number) for number in range(BASES)]
    url = f"sqlite:///{path}"
    writer = LogWriter.open(url, run_id="bench", agent="ExampleBot", clock=SystemClock())
    documents, made = (POLICY, LISTS, ROBOTS), 0
    while made < records:
        number = min(HOSTS - 1, int(dice.paretovariate(0.7)) - 1)
        host = f"www.site-{number}.example"
        about = {
            "agent": "ExampleBot", "policy_sha256": POLICY_SHA, "blocklist_sha256": LISTS_SHA, "method": "GET",
            "kind": RequestKind.PAGE, "host": host, "domain": host[4:],
            "url": f"https://{host}/articles/{dice.getrandbits(64):016x}", "parent_url": f"https://{host}/articles/",
        }  # fmt: skip
        shared = bases[number % BASES]
        if dice.random() < 0.64:  # of the pages; they have one record, the others have three
            writer.append(
                Entry(stage=Stage.REQUEST, verdict="skip", reason="robots_disallow", basis=shared, **about), documents
            )  # fmt: skip
            made, documents = made + 1, ()
            continue
        asked = writer.append(
            Entry(stage=Stage.REQUEST, verdict="fetch", reason="allowed", basis=shared, **about), documents
        )
        got = {
            "ref_idx": asked.idx,
            "status": 200,
            "media_type": "text/html",
            "size": dice.randrange(200_000),
        }
        body = dice.randbytes(32).hex()
        writer.append(
            Entry(
                stage=Stage.OUTCOME, verdict="received", reason="received", body_sha256=body, **about, **got
            )
        )
        writer.append(
            Entry(stage=Stage.RESPONSE, verdict="keep", reason="kept", basis=shared, **about, **got)
        )
        made, documents = made + 3, ()
    head = writer.close(seal=True)
    if head is None:
        raise SystemExit(str(writer.failed))
    return url


def peak_mib(whose=resource.RUSAGE_SELF):
    return resource.getrusage(whose).ru_maxrss / 1024


def measure(url, target, plan):
    """Return records a second while writing, octets a record, and records a second while verifying."""
    with LogReader.open(url) as reader:
        started = time.perf_counter()
        manifest = write_package(reader, target, plan, now_us=0)
        elapsed = time.perf_counter() - started
    count = manifest.counts.records
    octets = sum(part.octets for part in manifest.files if part.path.startswith(("records/", "urls/")))
    started = time.perf_counter()
    report = verify_package(target)
    if report.findings_total or report.records != count:
        raise SystemExit(f"the package does not verify: {report.findings[:1]}")
    return count / elapsed, octets / count, count / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where log and packages are written and removed again"
    )
    parser.add_argument("--jsonl", action="store_true", help="measure JSON lines too")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a gate is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-export-", dir=arguments.folder) as name:
        folder = Path(name)
        url = write_log(folder / "log.db", arguments.records)
        print(
            f"{'package':>22} {'records/s':>10} {'octets each':>12} {'verified/s':>11} {'peak MiB':>9} {'a reader':>9}"
        )
        several = {"readers": readers_here()}  # as the command does
        plans = {
            "parquet": PackagePlan(**several),
            "parquet, again": PackagePlan(**several),
            "parquet, one reader": PackagePlan(),
            "parquet, committed": PackagePlan(committed=True, **several),
        }
        if arguments.jsonl:
            plans["jsonl"] = PackagePlan(encoding=Encoding.JSONL)
        best, octets = 0.0, 0.0
        for label, plan in plans.items():
            rate, each, verified = measure(url, folder / label.replace(", ", "-"), plan)
            print(
                f"{label:>22} {rate:>10,.0f} {each:>12.1f} {verified:>11,.0f} {peak_mib():>9.0f} {peak_mib(resource.RUSAGE_CHILDREN):>9.0f}"
            )
            if label in {"parquet", "parquet, again"}:
                best, octets = max(best, rate), each
    met = best >= RATE_GATE and octets <= OCTETS_GATE
    print(f"gates: {RATE_GATE:,} records/s, {OCTETS_GATE:.0f} octets each: {'met' if met else 'missed'}")
    return 1 if arguments.strict and not met else 0


if __name__ == "__main__":
    sys.exit(main())
