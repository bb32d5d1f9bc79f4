"""Throws mangled input at every reader of signals: nothing may raise, and nothing may take long.

    python tests/fuzz/fuzz_signals.py                    a short run
    python tests/fuzz/fuzz_signals.py 10000000           the long run, outside CI
    python tests/fuzz/fuzz_signals.py 5000 --seed 7 --only page,robots
    python tests/fuzz/fuzz_signals.py 0 --large 40       large inputs only

Inputs grow out of seeds by insertion, deletion, repetition and splicing with words of all families. Every so
often a stretch is repeated up to a megabyte, because that is what a quadratic reader cannot stand. A run that
takes longer than the limit is repeated, and the fastest time counts, so that a busy machine accuses nobody.
Exit status 3 when something raised or was too slow; the input is printed as a Python expression.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from signal_targets import TARGETS, Target

LIMIT_MS = 50.0
"""Of processor time, for each reader that a target runs."""
LARGE = 1_000_000
ONE_IN = 20_000
"""How often an execution is a large one; a large one costs as much as a thousand small ones."""
NEWS = 250_000
"""After how many executions a long run says on stderr how far it is."""

WORDS = (
    b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"=", b"/", b"*", b"$", b"#", b"<", b">", b'"', b"'", b"&", b"(",
    b"{", b"[", b"<!--", b"-->", b"<meta ", b"<script>", b"</script>", b"robots", b"noindex", b"User-agent: ",
    b"Disallow: /", b"Content-Usage: ", b"train-ai=n", b"none", b"%2F", b"\x00", b"\xff", b"\xe3\x83\x84", b"&#x6e;",
    b"0000-2400", b"1/0d", b"tdm-reservation", b"password", b"type=password", b"isAccessibleForFree", b"content_tier",
    b"itemprop", b"<![CDATA[", b"]]>", b"\\u0041", b"1e999", b"-", b"a" * 40, b"= ", b" =", b"<a ",
)  # fmt: skip


def mangled(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return an input that grew out of the seeds."""
    octets = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(0, 6)):
        place = chance.randint(0, len(octets))
        deed = chance.randint(0, 6)
        if deed <= 2:
            octets[place:place] = chance.choice(WORDS)
        elif deed == 3:
            del octets[place : place + chance.randint(1, 20)]
        elif deed == 4 and octets:
            stretch = bytes(octets[place : place + chance.randint(1, 30)])
            octets[place:place] = stretch * chance.randint(1, 8)
        elif deed == 5:
            octets[place:] = chance.choice(seeds)[chance.randint(0, 40) :]
        elif octets:
            octets[place % len(octets)] = chance.randrange(256)
    return bytes(octets)


def large(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return a megabyte: something, then a stretch of seeds and words many times, then something."""
    parts = [chance.choice((*WORDS, chance.choice(seeds))) for _ in range(chance.randint(1, 3))]
    stretch = b"".join(parts) or b"a"
    before, after = mangled(seeds, chance), mangled(seeds, chance)
    room = max(0, LARGE - len(before) - len(after))
    return (before + stretch * (room // len(stretch)) + after)[:LARGE]


def milliseconds(target: Target, octets: bytes) -> float:
    """Return the processor time of one reading."""
    begun = time.process_time()
    target.read(octets)
    return (time.process_time() - begun) * 1000


class Tally:
    """What one run found: executions, the slowest one of each target, and what went wrong."""

    def __init__(self) -> None:
        self.executions = 0
        self.slowest: dict[str, tuple[float, bytes]] = {}
        self.wrong: list[str] = []

    def execute(self, target: Target, octets: bytes) -> None:
        """Read one input; remember an exception, and a time beyond the limit that repeats itself."""
        self.executions += 1
        limit = LIMIT_MS * target.readers
        try:
            took = milliseconds(target, octets)
            if took > limit:
                took = min(took, *(milliseconds(target, octets) for _ in range(3)))
        except Exception as error:
            self.wrong.append(f"{target.name}: {type(error).__name__}: {error}: {shown(octets)}")
            return
        if took > self.slowest.get(target.name, (-1.0, b""))[0]:
            self.slowest[target.name] = (took, octets)
        if took > limit:
            self.wrong.append(f"{target.name}: {took:.0f} ms for {len(octets)} octets: {shown(octets)}")


def shown(octets: bytes) -> str:
    """Return an input as an expression, shortened when it is long."""
    return repr(octets) if len(octets) <= 400 else f"{octets[:300]!r} … {octets[-100:]!r}"


def run(count: int, *, seed: int, only: frozenset[str] = frozenset(), larges: int | None = None) -> Tally:
    """Execute `count` small inputs over all targets, and `larges` large ones on each (default: one in `ONE_IN`)."""
    chance = random.Random(seed)
    tally = Tally()
    targets = [target for target in TARGETS if not only or target.name in only]
    for number in range(count):
        if number and number % NEWS == 0:
            print(f"{number} executions, {len(tally.wrong)} wrong", file=sys.stderr, flush=True)
        target = targets[number % len(targets)]
        tally.execute(target, mangled(target.seeds, chance))
    for target in targets:
        for _ in range(count // ONE_IN if larges is None else larges):
            tally.execute(target, large(target.seeds, chance))
    return tally


def main() -> int:
    """Run, print what was slowest and what went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=20_000, help="small executions (default 20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="names of targets, with commas")
    parser.add_argument("--large", type=int, default=None, help="large inputs for each target")
    asked = parser.parse_args()
    only = frozenset(name for name in asked.only.split(",") if name)
    begun = time.perf_counter()
    tally = run(asked.count, seed=asked.seed, only=only, larges=asked.large)
    print(f"{tally.executions} executions in {time.perf_counter() - begun:.0f} s, seed {asked.seed}")
    for name, (took, octets) in sorted(tally.slowest.items()):
        print(f"{name:<14}{took:>8.1f} ms at worst, {len(octets)} octets: {octets[:60]!r}")
    for line in tally.wrong[:20]:
        print(f"WRONG {line}")
    return 3 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
