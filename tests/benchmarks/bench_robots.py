"""How long reading and judging robots.txt takes on real files: run it with `python tests/benchmarks/bench_robots.py`.

Prints medians and high percentiles in microseconds; needs the fixtures beside the repository.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
import time
from pathlib import Path

from policies.facts import RequestFacts
from policies.rules.robots import judge_robots, read_rules
from policies.signals.robots import parse_robots
from policies.signals.robots_fetch import read_robots_answer
from policies.vocabulary import Origin, RequestKind

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "robots"
TOKEN = "ExampleBot"


def _rows(name):
    return (json.loads(line) for line in gzip.decompress((DATA / name).read_bytes()).splitlines())


def _timed(action):
    started = time.perf_counter_ns()
    result = action()
    return (time.perf_counter_ns() - started) / 1000, result


def _show(name, micros):
    micros.sort()
    count = len(micros)
    print(
        f"{name:34} {count:7} {micros[count // 2]:10.1f} {micros[count * 99 // 100]:10.1f} {micros[-1]:12.1f}"
    )


def main() -> int:
    if not DATA.exists():
        print(f"the robots fixtures are not in {DATA}", file=sys.stderr)
        return 1
    times: dict[str, list[float]] = {
        name: []
        for name in (
            "parse a file",
            "first judge of a file",
            "judge",
            "judge, about 20 rules",
            "rule with second reader",
        )
    }
    sites = {}
    for row in _rows("real-2019.jsonl.gz"):
        body = base64.b64decode(row["body_base64"])
        took, rules = _timed(lambda body=body: parse_robots(body))
        times["parse a file"].append(took)
        sites[row["sha256"]] = (row["name"], body, rules)
    readings = {}
    for row in _rows("real-2019-labels.jsonl.gz"):
        name, body, rules = sites[row["sha256"]]
        origin = Origin(scheme="https", host=name, port=443)
        url = f"{origin}{row['path']}"
        if row["sha256"] not in readings:
            address = f"{origin}/robots.txt"
            file = read_robots_answer(
                url=address,
                final_url=address,
                status=200,
                headers=(),
                body=body,
                fetched_at=0,
                hops=0,
                error=None,
            )
            readings[row["sha256"]] = (file, read_rules(file))
            times["first judge of a file"].append(
                _timed(lambda rules=rules, url=url: rules.judge(TOKEN, url))[0]
            )
        took = _timed(lambda rules=rules, url=url: rules.judge(TOKEN, url))[0]
        times["judge"].append(took)
        if 15 <= rules.rule_count <= 25:
            times["judge, about 20 rules"].append(took)
        file, read = readings[row["sha256"]]
        facts = RequestFacts(url=url, method="GET", user_agent=TOKEN, kind=RequestKind.PAGE, origin=origin)
        judge_robots(facts, file, read, TOKEN)
        took = _timed(lambda facts=facts, file=file, read=read: judge_robots(facts, file, read, TOKEN))[0]
        times["rule with second reader"].append(took)
    print(f"{'microseconds':34} {'n':>7} {'median':>10} {'p99':>10} {'max':>12}")
    for name, micros in times.items():
        _show(name, micros)
    return 0


if __name__ == "__main__":
    sys.exit(main())
