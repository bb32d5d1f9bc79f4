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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.ai_agents import load_ai_agents
from policies.facts import ResponseFacts
from policies.signals.access_statement import Access
from policies.signals.ai_txt import parse_ai_txt
from policies.signals.content_signal import in_force, parse_signal_header, read_content_signals
from policies.signals.content_tier import parse_content_tier
from policies.signals.content_usage import parse_usage_header, read_usage_preferences
from policies.signals.licence_links import links_of_header, links_of_page
from policies.signals.meta_robots import read_meta_robots
from policies.signals.page_login import find_login_form
from policies.signals.page_markers import open_page
from policies.signals.page_metas import find_metas
from policies.signals.peer_blocks import AiUse, read_peer_blocks
from policies.signals.request_rate import read_request_rates
from policies.signals.retry_after import parse_retry_after
from policies.signals.robots import parse_robots
from policies.signals.robots_noindex import read_ai_prohibitions, read_noindex
from policies.signals.rsl import parse_rsl
from policies.signals.schema_org import parse_free_access
from policies.signals.tdm_header import parse_tdm_headers, parse_tdm_metas
from policies.signals.tdmrep import parse_tdmrep
from policies.signals.trust_txt import parse_trust_txt
from policies.signals.visit_time import read_visit_times
from policies.signals.x_robots import parse_x_robots

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MS = 50.0
LARGE = 1_000_000
ONE_IN = 20_000
"""How often an execution is a large one; a large one costs as much as a thousand small ones."""

TOKEN = "ExampleBot"
URL = "https://example.com/a/b?c=d"
NOW = 1_790_000_000_000_000

ROBOTS = (
    b"User-agent: *\nDisallow: /x*y$\nAllow: /\nCrawl-delay: 5\nContent-Usage: /a train-ai=n, search=y\n",
    b"User-agent: ExampleBot\nContent-Signal: ai-train=no, use=reference\nVisit-time: 2300-0500\nNoindex: /b\n",
    b"User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n\nUser-agent: *\nRequest-rate: 1/10m 0600-0845\n",
    b"License: https://example.com/l.xml\nDisallowAITraining: /\nSitemap: /s.xml\n\xef\xbb\xbf\x85\x0b\xe2\x80\xa8",
)
PAGES = (
    b'<!doctype html><html><head><meta name="robots" content="noindex, noai"><title>t</title></head><body>',
    b'<meta name="tdm-reservation" content="1"><noscript><!-- --></noscript><template></template>',
    b'<script type="application/ld+json">{"@graph": [{"@type": "Article", "isAccessibleForFree": "False"}]}</script>',
    b'<form><input type="password"></form><div itemscope itemprop="isAccessibleForFree" content="false">',
    b'<meta property="article:content_tier" content="metered"><link rel="license" type="application/rsl+xml" href="x">',
)
HEADERS = (
    b'train-ai=n, search=y;q=1, a=(1 2), b=:YQ==:, c=?1, d=@1, e=%"x"',
    b"search=yes, ai-input=no, ai-train=no, use=reference",
    b"otherbot: noindex, ExampleBot: unavailable_after: Sat, 25 Jun 2010 15:00:00 GMT, max-snippet:0",
    b'<https://example.com/l.xml>; rel="license"; type="application/rsl+xml", <x>; rel=next',
    b'1, 0, "1", Wed, 21 Oct 2026 07:28:00 GMT, 120',
)
TDMREP = (
    b'[{"location": "/a*", "tdm-reservation": 1, "tdm-policy": "https://e.com/p"}, {"location": "*.jpg$"}]',
)
RSL = (
    (
        b'<rsl xmlns="https://rslstandard.org/rsl" max-age="1"><content url="/a" server="https://s"><license>'
        b'<permits type="usage">search ai-train</permits><payment type="free"/></license></content></rsl>'
    ),
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rsl>&c;</rsl>',
)
AI_TXT = (b"User-Agent: *\nDisallow: *.jpg\nAllow: *.txt\nDisallow: /\n",)
TRUST_TXT = (b"member=https://e.com/\ndatatrainingallowed=NO\ncontact=x\n",)
WORDS = (
    b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"=", b"/", b"*", b"$", b"#", b"<", b">", b'"', b"'", b"&", b"(",
    b"{", b"[", b"<!--", b"-->", b"<meta ", b"<script>", b"</script>", b"robots", b"noindex", b"User-agent: ",
    b"Disallow: /", b"Content-Usage: ", b"train-ai=n", b"none", b"%2F", b"\x00", b"\xff", b"\xe3\x83\x84", b"&#x6e;",
    b"0000-2400", b"1/0d", b"tdm-reservation", b"password", b"type=password", b"isAccessibleForFree", b"content_tier",
    b"itemprop", b"<![CDATA[", b"]]>", b"\\u0041", b"1e999", b"-", b"a" * 40, b"= ", b" =", b"<a ",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One reader, and the seeds that its inputs grow from."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _robots(octets: bytes) -> None:
    rules = parse_robots(octets)
    for token in (TOKEN, "GPTBot"):
        rules.judge(token, URL)


def _robots_lines(octets: bytes) -> None:
    rules = parse_robots(b"User-agent: *\n" + octets)
    read_usage_preferences(rules, TOKEN).at("/a/b")
    in_force(read_content_signals(rules, TOKEN))
    read_visit_times(rules, TOKEN).next_opening(NOW)
    read_request_rates(rules, TOKEN).slowest(NOW)
    read_noindex(rules, TOKEN).decide("/a/b")
    read_ai_prohibitions(rules, TOKEN).decide("/a/b")
    read_peer_blocks(rules, TOKEN, load_ai_agents()).refused(AiUse.TRAINING, URL)


def _usage_header(octets: bytes) -> None:
    parse_usage_header([octets.decode("latin-1")])


def _signal_header(octets: bytes) -> None:
    in_force(parse_signal_header([octets.decode("latin-1")]))


def _x_robots(octets: bytes) -> None:
    parse_x_robots([("x-robots-tag", octets.decode("latin-1"))], TOKEN, now_us=NOW)


def _robots_tag(octets: bytes) -> None:
    parse_x_robots([("robots-tag", octets.decode("latin-1"))], TOKEN, now_us=NOW)


def _other_headers(octets: bytes) -> None:
    value = octets.decode("latin-1")
    parse_tdm_headers([("tdm-reservation", value), ("tdm-policy", value)])
    links_of_header(value, URL)
    parse_retry_after(value, now_us=NOW)


def _page(octets: bytes) -> None:
    response = ResponseFacts(url=URL, status=200, headers=(("content-type", "text/html"),), body=octets)
    page = open_page(response, TOKEN)
    if page is None:
        return
    read_meta_robots(page, TOKEN, now_us=NOW)
    parse_tdm_metas(find_metas(page, frozenset(("tdm-reservation", "tdm-policy"))))
    links_of_page(page.tags, URL)
    any(statement.access is Access.RESTRICTED for statement in parse_free_access(page))
    parse_content_tier(page)
    find_login_form(page)


TARGETS = (
    Target("robots", _robots, ROBOTS),
    Target("robots_lines", _robots_lines, ROBOTS),
    Target("usage_header", _usage_header, HEADERS),
    Target("signal_header", _signal_header, HEADERS),
    Target("x_robots", _x_robots, HEADERS),
    Target("robots_tag", _robots_tag, HEADERS),
    Target("other_headers", _other_headers, HEADERS),
    Target("page", _page, PAGES),
    Target("tdmrep", parse_tdmrep, TDMREP),
    Target("rsl", parse_rsl, RSL),
    Target("ai_txt", parse_ai_txt, AI_TXT),
    Target("trust_txt", parse_trust_txt, TRUST_TXT),
)


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
        try:
            took = milliseconds(target, octets)
            if took > LIMIT_MS:
                took = min(took, *(milliseconds(target, octets) for _ in range(3)))
        except Exception as error:
            self.wrong.append(f"{target.name}: {type(error).__name__}: {error}: {shown(octets)}")
            return
        if took > self.slowest.get(target.name, (-1.0, b""))[0]:
            self.slowest[target.name] = (took, octets)
        if took > LIMIT_MS:
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
