"""What the fuzzers share: how inputs grow, how a run is counted, and the command.

A fuzzer brings seeds, the words of its formats, and a `run`; see `fuzz_signals.py` and `fuzz_blocklists.py`.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

LARGE = 1_000_000
ONE_IN = 20_000
"""How often an execution is a large one; a large one costs as much as a thousand small ones."""
NEWS = 250_000
"""After how many executions a long run says on stderr how far it is."""
WRONG = 3
"""The exit status when something was wrong."""


def mangled(
    octets: bytes, words: Sequence[bytes], others: Callable[[], bytes], chance: random.Random
) -> bytes:
    """Return an input that grew out of a seed; `others` chooses what its end may be replaced with."""
    grown = bytearray(octets)
    for _ in range(chance.randint(0, 6)):
        place = chance.randint(0, len(grown))
        deed = chance.randint(0, 6)
        if deed <= 2:
            grown[place:place] = chance.choice(words)
        elif deed == 3:
            del grown[place : place + chance.randint(1, 20)]
        elif deed == 4 and grown:
            stretch = bytes(grown[place : place + chance.randint(1, 30)])
            grown[place:place] = stretch * chance.randint(1, 8)
        elif deed == 5:
            grown[place:] = others()[chance.randint(0, 40) :]
        elif grown:
            grown[place % len(grown)] = chance.randrange(256)
    return bytes(grown)


def large(
    words: Sequence[bytes], small: Callable[[], bytes], seed: Callable[[], bytes], chance: random.Random
) -> bytes:
    """Return a megabyte: a small input, then a stretch of seeds and words many times, then a small one."""
    parts = [chance.choice((*words, seed())) for _ in range(chance.randint(1, 3))]
    stretch = b"".join(parts) or b"a"
    before, after = small(), small()
    room = max(0, LARGE - len(before) - len(after))
    return (before + stretch * (room // len(stretch)) + after)[:LARGE]


def shown(octets: bytes) -> str:
    """Return an input as an expression, shortened when it is long."""
    return repr(octets) if len(octets) <= 600 else f"{octets[:400]!r} … {octets[-100:]!r}"


class Tally:
    """What one run found: executions, the slowest one of each name, and what went wrong."""

    def __init__(self) -> None:
        self.executions = 0
        self.slowest: dict[str, tuple[float, bytes]] = {}
        self.wrong: list[str] = []

    def note(self, name: str, octets: bytes, took: float) -> None:
        """Remember how long an input took, in milliseconds of processor time."""
        if took > self.slowest.get(name, (-1.0, b""))[0]:
            self.slowest[name] = (took, octets)

    def news(self, number: int) -> None:
        """Say now and then how far a long run is."""
        if number and number % NEWS == 0:
            print(f"{number} executions, {len(self.wrong)} wrong", file=sys.stderr, flush=True)


class Run(Protocol):
    """Executes `count` small inputs, and `larges` large ones on each name (by default one in `ONE_IN`)."""

    def __call__(self, count: int, *, seed: int, only: frozenset[str], larges: int | None) -> Tally: ...


def main(run: Run, what: str, about: str) -> int:
    """Run, print what was slowest and what went wrong; `what` the names stand for, in the plural."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=20_000, help="small executions (default 20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help=f"names of {what}, with commas")
    parser.add_argument("--large", type=int, default=None, help=f"large inputs for each of the {what}")
    asked = parser.parse_args()
    only = frozenset(name for name in asked.only.split(",") if name)
    begun = time.perf_counter()
    tally = run(asked.count, seed=asked.seed, only=only, larges=asked.large)
    print(f"{tally.executions} executions in {time.perf_counter() - begun:.0f} s, seed {asked.seed}")
    for name, (took, octets) in sorted(tally.slowest.items()):
        print(f"{name:<16}{took:>8.1f} ms at worst, {len(octets)} octets: {octets[:60]!r}")
    for line in tally.wrong[:20]:
        print(f"WRONG {line}")
    return WRONG if tally.wrong else 0
