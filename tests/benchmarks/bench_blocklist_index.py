"""What a million names cost: compiling, loading, memory and checks, beside a plain Python set in the same run.

Run: `pytest -m benchmark -s tests/benchmarks/bench_blocklist_index.py`. Memory is the private memory
(USS, /proc/self/smaps_rollup) that a process of its own gains by loading. The asserted bounds are the project's.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from functools import partial

import pytest

from blocklists import store
from blocklists.index import IndexChoice
from blocklists.profile import DEFAULT_PROFILE, load_profile
from blocklists.snapshot import load_snapshot
from blocklists.store_build import build_snapshot
from policies.facts import RequestFacts
from policies.rules.piracy import judge_piracy
from policies.vocabulary import Origin, RequestKind

pytestmark = pytest.mark.benchmark

NAMES = 1_000_000
CHECKS = 200_000
MOST_COMPILE_S = 5.0
MOST_LOAD_S = 1.0
MOST_MAPPED_LOAD_S = 0.010
MOST_MAPPED_MB = 12.0
LEAST_CHECKS = 400_000
MOST_ADDED_US = 5.0

IN_A_PROCESS = """
import json, pathlib, sys, time
from blocklists.index import IndexChoice
from blocklists.snapshot import load_snapshot
import marisa_trie, sqlite3

def private():
    rows = (line.split() for line in open("/proc/self/smaps_rollup"))
    return sum(int(row[1]) for row in rows if row[0].startswith("Private_")) / 1024

folder, form, hosts = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
asked = pathlib.Path(hosts).read_text().split()
import gc
before = private()
started = time.perf_counter()
matcher = load_snapshot(folder, now_us=0, index=IndexChoice(form)).matcher
seconds = time.perf_counter() - started
gc.collect()
for host in asked[:20000]:
    matcher._find(host)
print(json.dumps({"seconds": seconds, "mb": private() - before}))
"""


COMPILE = """
import pathlib, shutil, sys, time
from blocklists import store
from blocklists.index import IndexChoice
from blocklists.store_build import build_snapshot

folder = pathlib.Path(sys.argv[1])
shutil.rmtree(folder / "snapshots", ignore_errors=True)
started = time.perf_counter()
with store.locked(folder):
    build_snapshot(folder, now_us=0, index=IndexChoice.MAPPED)
print(time.perf_counter() - started)
"""


def show(what, value, unit):
    print(f"{what:<58} {value:>12,.3f} {unit}", file=sys.stderr)


def timed(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def ask(matcher, hosts):
    return [matcher.match(host, now_us=0) for host in hosts]


def facts_of(host):
    origin = Origin(scheme="https", host=host, port=443)
    return RequestFacts(
        url=f"https://{host}/a/b?c=d", method="GET", user_agent="x", kind=RequestKind.PAGE, origin=origin
    )


def judge_all(matcher, requests):
    profile = load_profile(DEFAULT_PROFILE)
    return [judge_piracy(one, matcher, now_us=0, weights=profile) for one in requests]


def best(work, rounds=3):
    return min(timed(work)[0] for _ in range(rounds))


@pytest.fixture(scope="module")
def names():
    dice = random.Random(20261121)
    words = ["site", "blog", "film", "manga", "raw", "stream", "torrent"]
    tops = ["com", "net", "org", "to", "example", "jp", "se"]
    made = set()
    while len(made) < NAMES:
        made.add(
            f"{dice.choice('abcdefgh')}{dice.randrange(10**6)}.{dice.choice(words)}{dice.randrange(400_000)}.{dice.choice(tops)}"
        )
    return sorted(made)


@pytest.fixture(scope="module")
def folder(names, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "big.txt").write_text("\n".join(names) + "\n")
    (folder / "big.toml").write_text('id = "big"\ntitle = "Big"\nfile = "big.txt"\nweight = "operator"\n')
    return folder


@pytest.fixture(scope="module")
def asked(names, tmp_path_factory):
    dice = random.Random(7)
    hosts = [
        f"www.{dice.choice(names)}" if number % 2 else f"www.page{dice.randrange(10**7)}.example"
        for number in range(CHECKS)
    ]
    path = tmp_path_factory.mktemp("asked") / "hosts"
    path.write_text("\n".join(hosts))
    return hosts, path


def test_a_million_names(folder, names, asked):
    hosts, path = asked

    # In a process of its own, as the command does it.
    compiled = min(
        float(
            subprocess.run(
                [sys.executable, "-c", COMPILE, str(folder)], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(2)
    )
    with store.locked(folder):
        built = build_snapshot(folder, now_us=0, index=IndexChoice.MAPPED)
    show(f"compile {built.entries:,} names (rows, index, raw list)", compiled, "s")
    for name in ("names", "index.marisa", "entries.sqlite", "raw/big.gz"):
        show(f"  {name}", (built.path / name).stat().st_size / 1e6, "MB")

    def plain_set():
        return frozenset((folder / "big.txt").read_text().split("\n"))

    set_seconds, plain = timed(plain_set)
    show("plain set: load", set_seconds, "s")

    def walk(names=plain):
        found = 0
        for host in hosts:
            name = host
            while True:
                if name in names:
                    found += 1
                    break
                dot = name.find(".")
                if dot < 0:
                    break
                name = name[dot + 1 :]
        return found

    reference = walk()
    set_rate = CHECKS / best(walk)
    show("plain set: checks", set_rate, "/s")
    figures = {}
    for form in (IndexChoice.MEMORY, IndexChoice.MAPPED):
        runs = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", IN_A_PROCESS, str(folder), form.value, str(path)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for _ in range(3)
        ]
        matcher = load_snapshot(folder, now_us=0, index=form).matcher
        find = matcher._find
        assert sum(bool(find(host)) for host in hosts) == reference
        rate = CHECKS / best(lambda find=find: [find(host) for host in hosts])
        listed = [bool(find(host)) for host in hosts]
        misses = [host for host, hit in zip(hosts, listed, strict=True) if not hit]
        hits = [host for host, hit in zip(hosts, listed, strict=True) if hit][:5_000]
        whole = len(misses) / best(partial(ask, matcher, misses))
        cold = timed(partial(ask, matcher, hits))[0] / len(hits)
        requests = [facts_of(host) for host in misses[:20_000]]
        added = best(partial(judge_all, matcher, requests)) / len(requests) * 1e6
        figures[form] = (min(run["seconds"] for run in runs), runs[-1]["mb"], rate, added)
        show(f"{form.value}: load", figures[form][0], "s")
        show(f"{form.value}: private memory", figures[form][1], "MB")
        show(f"{form.value}: checks, half of them hits", rate, "/s")
        show(f"{form.value}: checks against the plain set", rate / set_rate, "")
        show(f"{form.value}: match(), not listed", whole, "/s")
        show(f"{form.value}: the whole rule, as a request that is not listed pays it", added, "µs")
        show(f"{form.value}: match(), first hit of a name, with its rows", cold * 1e6, "µs")
    assert compiled < MOST_COMPILE_S
    assert figures[IndexChoice.MEMORY][0] < MOST_LOAD_S
    assert figures[IndexChoice.MAPPED][0] < MOST_MAPPED_LOAD_S
    assert figures[IndexChoice.MAPPED][1] < MOST_MAPPED_MB
    assert min(one[2] for one in figures.values()) > LEAST_CHECKS
    assert max(one[3] for one in figures.values()) < MOST_ADDED_US
