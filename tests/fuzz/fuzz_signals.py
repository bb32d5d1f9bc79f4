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

import random
import sys
import time

import fuzzing
from fuzzing import ONE_IN, shown
from signal_targets import TARGETS, Target

LIMIT_MS = 50.0
"""Of processor time, for each reader that a target runs."""

WORDS = (
    b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"=", b"/", b"*", b"$", b"#", b"<", b">", b'"', b"'", b"&", b"(",
    b"{", b"[", b"<!--", b"-->", b"<meta ", b"<script>", b"</script>", b"robots", b"noindex", b"User-agent: ",
    b"Disallow: /", b"Content-Usage: ", b"train-ai=n", b"none", b"%2F", b"\x00", b"\xff", b"\xe3\x83\x84", b"&#x6e;",
    b"0000-2400", b"1/0d", b"tdm-reservation", b"password", b"type=password", b"isAccessibleForFree", b"content_tier",
    b"itemprop", b"<![CDATA[", b"]]>", b"\\u0041", b"1e999", b"-", b"a" * 40, b"= ", b" =", b"<a ",
)  # fmt: skip


def mangled(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return an input that grew out of the seeds."""
    return fuzzing.mangled(chance.choice(seeds), WORDS, lambda: chance.choice(seeds), chance)


def large(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return a megabyte that grew out of the seeds."""
    return fuzzing.large(WORDS, lambda: mangled(seeds, chance), lambda: chance.choice(seeds), chance)


def milliseconds(target: Target, octets: bytes) -> float:
    """Return the processor time of one reading."""
    begun = time.process_time()
    target.read(octets)
    return (time.process_time() - begun) * 1000


class Tally(fuzzing.Tally):
    """What one run found; see `fuzzing.Tally`."""

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
        self.note(target.name, octets, took)
        if took > limit:
            self.wrong.append(f"{target.name}: {took:.0f} ms for {len(octets)} octets: {shown(octets)}")


def run(count: int, *, seed: int, only: frozenset[str] = frozenset(), larges: int | None = None) -> Tally:
    """Execute `count` small inputs over all targets, and `larges` large ones on each (default: one in `ONE_IN`)."""
    chance = random.Random(seed)
    tally = Tally()
    targets = [target for target in TARGETS if not only or target.name in only]
    for number in range(count):
        tally.news(number)
        target = targets[number % len(targets)]
        tally.execute(target, mangled(target.seeds, chance))
    for target in targets:
        for _ in range(count // ONE_IN if larges is None else larges):
            tally.execute(target, large(target.seeds, chance))
    return tally


if __name__ == "__main__":
    sys.exit(fuzzing.main(run, "targets", __doc__ or ""))
