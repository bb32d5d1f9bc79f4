"""Real robots.txt files against two readers that others wrote: nothing that one of them refuses is allowed by ours.

Where ours allows and one refuses, two things must hold, or the test fails: RFC 9309 written out plainly
(`plain_robots.py`) allows as well, and the refusal has one of the causes of `robots_readers.DEPARTURES`, each with
its section, proved by a rewriting. What our rule does beyond our reader (Protego, refused and unreachable
files) only refuses more, so the reader alone is compared.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from plain_robots import PlainRobots
from protego import Protego

from policies.signals.robots import parse_robots

readers = pytest.importorskip("robots_readers", reason="robotspy and fast-robotstxt are not installed")

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "robots"
pytestmark = pytest.mark.skipif(
    not (DATA / "real-2019.jsonl.gz").exists(), reason=f"the real robots.txt files are not in {DATA}"
)

TOKENS = ("ExampleBot", "GPTBot", "CCBot", "ClaudeBot", "Google-Extended", "Bytespider", "*")
ORDINARY = (
    "/",
    "/index.html",
    "/robots-unrelated",
    "/a/b.html?x=1",
    "/%E9/x",
    "/search?q=a",
    "/a//b/",
    "/%7Euser/",
)

RULE = re.compile(rb"(?im)^[ \t]*(?:dis)?allow[ \t]*:?[ \t]*([^\s#]+)")
AGENT = re.compile(rb"(?im)^[ \t]*user-?agent[ \t]*:?[ \t]*([A-Za-z_-]+)")
NOT_IN_A_URL = re.compile(r"[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]|]")


@cache
def bodies():
    rows = gzip.decompress((DATA / "real-2019.jsonl.gz").read_bytes()).splitlines()
    return [(row["name"], base64.b64decode(row["body_base64"])) for row in map(json.loads, rows)]


def _escaped(text):
    return NOT_IN_A_URL.sub(lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), text)


def _one_letter_escaped(path, chance):
    free = [
        at
        for at, one in enumerate(path)
        if one.isascii() and one.isalpha() and "%" not in path[max(0, at - 2) : at]
    ]
    if not free:
        return path
    at = chance.choice(free)
    return f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}"


MUTATIONS = (
    lambda path, _: path.swapcase(),
    lambda path, _: path[:-1] or "/",
    _one_letter_escaped,
    lambda path, _: path[0] + path[1:].replace("/", "%2F"),
    lambda path, _: path.replace("?", "%3F").replace("&", "%26"),
    lambda path, _: path.replace("/", "//"),
    lambda path, _: re.sub("%..", lambda found: found[0].lower(), path),
    lambda path, _: path.rstrip("/") + ("" if path.endswith("/") and path != "/" else "/"),
    lambda path, _: f"/q/..{path}",
    lambda path, chance: path + chance.choice(("x", "x/y.html", "?a=1", "?", ".", "$", "%24")),
)


def paths_for(body, chance, rules):
    """Paths that the file's own rules speak of, each as it is, longer and mutated; and ordinary ones."""
    values = list(dict.fromkeys(value.decode("utf-8", "replace") for value in RULE.findall(body)))
    if len(values) > rules:
        values = chance.sample(values, rules)
    paths = list(ORDINARY)
    for value in values:
        if value.lower().startswith("http"):
            continue
        path = value.removesuffix("$").replace("*", chance.choice(("", "x", "x/y", "a.b")))
        path = _escaped(path if path.startswith("/") else f"/{path}")
        paths += [path, MUTATIONS[-1](path, chance), chance.choice(MUTATIONS)(path, chance)]
    return [path for path in dict.fromkeys(paths) if path != "/robots.txt"]


class Comparison:
    """What a pass over files came to."""

    def __init__(self) -> None:
        self.files = self.checks = self.allowed = 0
        self.classes: Counter[str] = Counter()
        self.unexplained: list[tuple[str, ...]] = []

    def add(self, name, body, rules):
        chance = random.Random(f"{name} {len(body)}")
        ours, plain = parse_robots(body), PlainRobots(body)
        named = sorted({agent.decode() for agent in AGENT.findall(body)})
        tokens = dict.fromkeys((*TOKENS, *chance.sample(named, min(2, len(named)))))
        self.files += 1
        for path in paths_for(body, chance, rules):
            for token in tokens:
                self.checks += 1
                if not ours.judge(token, f"https://site.example{path}").allowed:
                    continue
                self.allowed += 1
                if not plain.allows(token, path):
                    self.unexplained.append(("RFC 9309", name, token, path))
                for reader, allows in readers.READERS.items():
                    if allows(body, token, path):
                        continue
                    why = readers.departure_of(reader, body, token, path)
                    self.classes[f"{reader}: {why}"] += 1
                    if not why:
                        self.unexplained.append((reader, name, token, path))

    def __str__(self) -> str:
        lines = [f"{self.files} files, {self.checks} checks, {self.allowed} allowed by ours"]
        for words, count in sorted(self.classes.items()):
            _, _, why = words.partition(": ")
            sections = ", ".join(readers.DEPARTURES[one].section for one in why.split("+") if one)
            lines.append(f"  {words}: {count} (RFC 9309 section {sections})")
        return "\n".join(lines)


def compared(entries, rules):
    comparison = Comparison()
    for name, body in entries:
        comparison.add(name, body, rules)
    print(comparison)
    return comparison


def test_of_a_sample_of_real_files_ours_allows_nothing_that_another_reader_refuses_but_where_the_rfc_is_named():
    sample = random.Random(9309).sample(bodies(), 400)
    comparison = compared(sample, rules=8)
    assert comparison.unexplained == []
    assert comparison.checks > 60_000
    assert 0.2 < comparison.allowed / comparison.checks < 0.8  # or the paths would say little


@pytest.mark.long
def test_of_all_real_files_ours_allows_nothing_that_another_reader_refuses_but_where_the_rfc_is_named():
    comparison = compared(bodies(), rules=12)
    assert comparison.unexplained == []
    assert comparison.files == 3_833
    assert comparison.checks > 800_000


@pytest.mark.long
def test_where_protego_alone_allows_against_google_and_the_rfc_ours_refuses():
    """The files that the reference counts against Protego: mostly a line between two User-agent lines, or `*.js$`."""
    found = {}
    for name, body in bodies():
        chance = random.Random(name)
        ours, plain, protego = parse_robots(body), PlainRobots(body), Protego.parse(readers.as_text(body))
        for path in paths_for(body, chance, 6):
            if "%" in path or "/." in path or path.startswith("/robots.txt"):
                continue  # Protego decodes and keeps otherwise, which is another story
            for token in ("ExampleBot", "CCBot", "*"):
                if readers.google_allows(body, token, path) or plain.allows(token, path):
                    continue
                url = f"https://site.example{path}"
                if protego.can_fetch(url, token):
                    found.setdefault(name, path)
                    assert not ours.judge(token, url).allowed, (name, token, path)
    print(f"{len(found)} files: {sorted(found)}")
    assert {"www.congress.gov", "bitbucket.org", "www.khaleejtimes.com"} <= set(found)
    assert len(found) >= 15
