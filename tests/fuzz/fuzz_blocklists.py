"""Throws mangled lists at every parser: a list is read or refused in a sentence, and nothing takes long.

    python tests/fuzz/fuzz_blocklists.py                    a short run
    python tests/fuzz/fuzz_blocklists.py 5000000            the long run, outside CI
    python tests/fuzz/fuzz_blocklists.py 5000 --seed 7 --only rpz,csv
    python tests/fuzz/fuzz_blocklists.py 0 --large 40       large inputs only

Inputs grow out of good lists of every format by insertion, deletion, repetition and splicing; now and then a
stretch is repeated up to a megabyte, because that is what a quadratic parser cannot stand, and now and then
the octets are gzipped and damaged. What is read has to keep the promises of an entry, too: canonical names,
true line numbers, nothing that covers strangers. Exit status 3 when something else came of an input; it is
printed as a Python expression.
"""

from __future__ import annotations

import gzip
import random
import sys
import time
from typing import TYPE_CHECKING

import fuzzing
from fuzzing import LARGE, ONE_IN, shown

from blocklists.entry import Match, Weight
from blocklists.errors import ListError
from blocklists.formats.header import read_header
from blocklists.host import canonical_host
from blocklists.list_file import ListFile, parse_list
from blocklists.manifest import Format, Manifest
from blocklists.source import build_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blocklists.entry import Entry

#: A megabyte of rows takes about a second at worst; what is quadratic takes minutes.
LIMIT_MS = 8_000.0
LONGEST_WORDS = 2_000
FORMATS = tuple(form for form in Format if form is not Format.OVERRIDES)

SEEDS: dict[Format, tuple[bytes, ...]] = {
    Format.PLAIN: (b"# Title: x\n# Number of entries: 2\nbad.example\nworse.example # why\n",),
    Format.HOSTS: (b"127.0.0.1 localhost\n0.0.0.0 a.example b.example # c\n:: c.example\n",),
    Format.ADBLOCK: (b"! Title: x\n[Adblock Plus]\n||bad.example^\n@@||ok.bad.example^$important\n||a.example^$all\n",),
    Format.WILDCARD: (b"*.bad.example\n*.worse.example\n",),
    Format.DNSMASQ: (b"local=/bad.example/\nserver=/a.example/b.example/\naddress=/c.example/#\naddress=/d.example/::\n",),
    Format.UNBOUND: (b'server:\nlocal-zone: "bad.example." always_null\nlocal-zone: "b.example" always_nxdomain\n',),
    Format.RPZ: (
        (
            b"$TTL 30\n$ORIGIN rpz.example.\n@ SOA a. b. (1 2 3 4 5)\n NS localhost.\nbad.example CNAME .\n"
            b"*.bad.example CNAME .\nok.bad.example CNAME rpz-passthru.\n"
        ),
    ),
    Format.UT1: (b"bad.example\n109.238.9.3\n", b"bad.example/path\n109.238.9.3/x?f=20\n"),
    Format.CSV: (b'name,ref,day\nbad.example,"A, 1",2026-01-02\n"b.example",B,\n',),
    Format.NATIVE: (
        (
            b'{"pattern":"bad.example","weight":"court_order","authority":"A","valid_until":"2027-01-01"}\n'
            b'{"pattern":"a.example/x","match":"url_prefix","action":"block"}\n'
        ),
    ),
}  # fmt: skip
WORDS = (
    b"\n", b"\r\n", b"\r", b"\x0b", b"\x85", b"\xe2\x80\xa8", b" ", b"\t", b"#", b"!", b";", b"||", b"^", b"@@",
    b"$important", b"*.", b"/", b"local=/", b"address=/", b'local-zone: "', b" always_null", b"0.0.0.0 ", b" CNAME .",
    b"(", b")", b'"', b'{"', b"}", b",", b"xn--", b"xn--a", b"\x00", b"\xff", b"\xef\xbb\xbf", b".", b"..", b"-", b"_",
    "\u00df\u3002\u200d".encode(), b"com", b"co.jp", b"blogspot.com", b"1.2.3.4", b"0x7f.1", b"[::1]", b"a" * 64,
    b"a." * 130, b"%2e", b"\\u0041", b"1e999", b"\\", b"# Number of entries: 7\n", b"# Entries: 2,154\n",
    b"# Expires: Updated regularly\n", b"# Last modified: %timestamp%\n", b"<html>", b"\x1f\x8b", b":", b"@",
)  # fmt: skip


def manifest(form: Format) -> Manifest:
    """Return the manifest that an input is read with."""
    columns = (
        {"pattern": "name", "decision_ref": "ref", "decision_date": "day"} if form is Format.CSV else None
    )
    return Manifest(
        id="a", title="a", file="a", format=form, weight=Weight.OPERATOR, authority="A", columns=columns
    )


def read(form: Format, octets: bytes, urls: bytes) -> str:
    """Read one list; what is wrong with what came of it, or an empty text. ListError is a right answer."""
    read_header(octets)
    declared = manifest(form)
    file = ListFile(octets=octets, urls=urls if form is Format.UT1 else None)
    try:
        loaded = build_source(declared, file, parse_list(declared, file, where="lists/a"))
    except ListError as error:
        words = str(error)
        if not words.startswith("lists/a") or len(words) > LONGEST_WORDS or "\n" in words:
            return f"a refusal that does not read well: {words[:200]!r}"
        return ""
    packed = octets.startswith(b"\x1f\x8b")
    lines = 1 + max(octets.count(b"\n") + octets.count(b"\r"), urls.count(b"\n") + urls.count(b"\r"))
    return _wrong_entries(loaded.entries, LARGE if packed else lines)


def _wrong_entries(entries: Sequence[Entry], lines: int) -> str:
    """Return which promise an entry of a list of so many lines breaks, or an empty text."""
    if not len(entries):
        return "an empty list was accepted"
    for entry in entries:
        host = entry.pattern.partition("/")[0]
        if canonical_host(host) != host:
            return f"{entry.pattern!r} is not canonical"
        if entry.match in (Match.SUBTREE, Match.BELOW) and "." not in host:
            return f"{entry.pattern!r} covers strangers"
        if not 1 <= entry.line_no <= lines:
            return f"line {entry.line_no} of {lines}"
    return ""


def mangled(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return a list that grew out of good ones; now and then it is gzipped, and damaged."""
    octets = fuzzing.mangled(
        chance.choice(seeds), WORDS, lambda: chance.choice(SEEDS[chance.choice(FORMATS)]), chance
    )
    if chance.random() < 0.02:
        packed = bytearray(gzip.compress(octets))
        if chance.random() < 0.5:
            packed[chance.randrange(len(packed))] = chance.randrange(256)
        return bytes(packed)
    return octets


def large(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return a megabyte that grew out of good lists."""
    return fuzzing.large(WORDS, lambda: mangled(seeds, chance), lambda: chance.choice(seeds), chance)


class Tally(fuzzing.Tally):
    """What one run found; see `fuzzing.Tally`."""

    def execute(self, form: Format, octets: bytes, urls: bytes = b"") -> None:
        """Read one input; remember what is wrong, and a time beyond the limit."""
        self.executions += 1
        begun = time.process_time()
        try:
            wrong = read(form, octets, urls)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        took = (time.process_time() - begun) * 1000
        self.note(form.value, octets, took)
        if wrong or took > LIMIT_MS:
            wrong = wrong or f"{took:.0f} ms for {len(octets)} octets"
            self.wrong.append(
                f"{form.value}: {wrong}: {shown(octets)}{f' urls {shown(urls)}' if urls else ''}"
            )


def run(count: int, *, seed: int, only: frozenset[str] = frozenset(), larges: int | None = None) -> Tally:
    """Execute `count` small inputs over all formats, and `larges` large ones on each (default: one in `ONE_IN`)."""
    chance = random.Random(seed)
    tally = Tally()
    forms = [form for form in FORMATS if not only or form.value in only]
    for number in range(count):
        tally.news(number)
        form = forms[number % len(forms)]
        tally.execute(form, mangled(SEEDS[form], chance), mangled(SEEDS[form], chance))
    for form in forms:
        for _ in range(count // ONE_IN if larges is None else larges):
            tally.execute(form, large(SEEDS[form], chance))
    return tally


if __name__ == "__main__":
    sys.exit(fuzzing.main(run, "formats", __doc__ or ""))
