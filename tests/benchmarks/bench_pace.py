"""Pace: how much of what two hundred sites permit a guarded crawl reaches, and whether any came too early.

    python tests/benchmarks/bench_pace.py [--seconds 60] [--shortest 0.1] [--longest 5]

Each site asks for a delay of its own, some say "too much" once; gaps are measured at their servers. Exit code
1 when one request came too early, or below --least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))


def main() -> int:
    """Parse arguments, crawl, print what the servers measured."""
    from loopback import Project
    from paced_sites import Sites, crawl_sites, reached

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--shortest", type=float, default=0.1, help="shortest delay in seconds")
    parser.add_argument("--longest", type=float, default=5.0, help="longest delay in seconds")
    parser.add_argument("--least", type=float, default=0.9, help="exit with 1 below this part")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Sites(
            lone=150, families=20, two_ports=5, shortest=options.shortest, longest=options.longest
        ) as sites,
    ):
        crawl = crawl_sites(Project(Path(folder)), sites, options.seconds)
        if crawl.code:
            sys.exit(f"the crawl failed:\n{crawl.stderr[-3000:]}")
        part = reached(sites, options.seconds - 1)
        early = sites.violations()
        print("\n".join(early[:20]))
        return 1 if early or part < options.least else 0


if __name__ == "__main__":
    sys.exit(main())
