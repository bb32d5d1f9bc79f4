"""A megabyte of the worst for every reader of signals, and how long each takes.

    python tests/fuzz/worst_inputs.py            processor time of each, the best of three
    python tests/fuzz/worst_inputs.py gate       of one reader

Each input is a form that has made some reader of this kind quadratic: nesting, unclosed tags and quotes, one
endless line, one endless attribute, thousands of groups, names, rules, entries or elements, wildcards,
references. The fuzzer (`fuzz_signals.py`) finds forms that nobody thought of; here are those that one can
think of. `test_worst_inputs.py` asserts that four times the input takes about four times as long.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from signal_targets import TARGETS
from worst_pages import CODES, PAGES
from worst_robots import LINES, LONG_URL_LINES, ODD_LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 1_000_000

# What is repeated, what stands before and what behind it. `%d` becomes a number that differs each time.
Form = tuple[bytes, bytes, bytes]

_HEADER: tuple[Form, ...] = (
    (b"", b"a%d=n, ", b""),
    (b"", b"a", b""),
    (b"", b" ", b"x"),
    (b"", b",", b""),
    (b"", b";", b""),
    (b"", b'"', b""),
    (b'a="', b"\\\\", b""),
    (b"a=", b"(", b""),
    (b"", b"ExampleBot: noindex, ", b""),
    (b"", b"bot%d: ", b""),
    (b"unavailable_after: ", b"Sat, ", b""),
    (b"", b"max-snippet:", b""),
    (b"", b"<", b""),
    (b"", b'<x>; rel="license"; type="application/rsl+xml", ', b""),
    (b'<x>; rel="license"; type="application/rsl+xml"', b"; a%d=b", b""),
    (b'application/rsl+xml <x>; a="', b"\\a", b""),
    (b"", b"challenge ", b""),
    (b"", b"text/html; charset = ", b""),
    (b"max-age=", b"9", b""),
    (b"", b"max-age=1 ,", b""),
    (b"Wed, 21 Oct ", b"2", b" GMT"),
    (b"", b"(", b")"),
)
_ADDRESS: tuple[Form, ...] = (
    (b"https://e.com/", b"login/", b""),
    (b"https://e.com/", b"a-b-c", b""),
    (b"https://e.com/?", b"a%d=b&", b""),
    (b"https://", b"a.", b"/"),
    (b"https://e.com/", b"%%2f", b""),
    (b"//", b"@", b""),
    (b"", b"#", b""),
    (b"https://e.com/", b"Aa", b""),
)
_HEAD = b"<!doctype html><html><head><title>Sign in</title>"
_PIANO = b'<script src="https://cdn.tinypass.com/x.js"></script>'
_LOGIN = b'<form><input type="password" name="SAMLRequest"></form>'
_LD = b'<script type="application/ld+json">'
_FREE = b'{"@type":"Article","isAccessibleForFree":true}'
_PAGE: tuple[Form, ...] = tuple(
    (_HEAD + before, middle, after)
    for marks in (b"", _PIANO, _LOGIN, _LD + _FREE + b"</script>", _PIANO + _LOGIN)
    for before, middle, after in (
        (marks, b"<div>", b""),
        (marks, b"<div class=paywall hidden>", b""),
        (marks, b"<p>text %d</p>", b""),
        (marks, b"</div>", b""),
        (marks, b"<br>", b""),
        (marks, b"<", b""),
        (marks, b"<!", b""),
        (marks, b"<!--", b""),
        (marks, b"<a href='", b""),
        (marks + b"<div ", b"a%d=b ", b">"),
        (marks + b"<div ", b"a ", b">"),
        (marks + b'<div a="', b"x", b""),
        (marks + b"<div class='", b"paywall ", b"'>"),
        (marks, b"&amp;", b""),
        (marks + b'<meta name="robots" content="', b"&#110;", b'">'),
        (marks + b"<p>", b"word ", b"</p>"),
        (marks + b"<p>", "語".encode(), b"</p>"),
        (marks + b"<p>", b"...", b"</p>"),
        (marks + b"<p>", b" ", b"</p>"),
        (marks, b"\r\n", b""),
        (marks, b"//%d.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a/ ", b""),
        (marks, b"subscribe to continue ", b""),
        (marks, b"<i>subscribe</i> to ", b""),
    )
)
_STATEMENTS: tuple[Form, ...] = (
    (_HEAD, b'<meta name="robots" content="noindex">', b""),
    (_HEAD, b'<meta name="robots" content="index">', b""),
    (_HEAD, b'<meta name="examplebot" content="all">', b""),
    (_HEAD, b"robots ", b""),
    (_HEAD + b'<meta name="robots" content="', b"noindex,", b'">'),
    (_HEAD + b'<meta name="robots" content="', b"unavailable_after: ", b'">'),
    (_HEAD, b'<meta name="tdm-reservation" content="1">', b""),
    (_HEAD, b'<link rel="license" type="application/rsl+xml" href="/%d">', b""),
    (_HEAD, b'<link rel="x" type="application/rsl+xml" href="/%d">', b""),
    (_HEAD, b'<script type="application/rsl+xml">x', b""),
    (_HEAD, b"<base href=/a><link rsl+xml>", b""),
    (_HEAD, b'<meta property="article:content_tier" content="free">', b""),
    (_HEAD, b'<meta http-equiv="refresh" content="0">', b""),
    (_HEAD + b'<meta http-equiv="refresh" content="', b" ", b'0;url=/x">'),
    (_HEAD, b'<input type="password">', b""),
    (_HEAD, b"<header><form></header>", _LOGIN),
    (_HEAD + _LOGIN, b'<script>location.href="/a"</script>', b""),
    (_HEAD + _LOGIN + b"<script>", b"location = ", b"</script>"),
    (_HEAD + _LOGIN + b"<script>", b"location.replace('", b"</script>"),
    (_HEAD + _LD, b'{"a":', b"</script>isAccessibleForFree"),
    (_HEAD + _LD + b'{"isAccessibleForFree":', b"[", b""),
    (_HEAD + _LD, b"[" + _FREE + b",", b"</script>"),
    (_HEAD + _LD, _FREE, b"</script>"),
    (_HEAD + _LD + b'{"@graph":[', _FREE + b",", _FREE + b"]}</script>"),
    (_HEAD + _LD + b'{"@graph":[', _FREE + b",", b""),
    (_HEAD + _LD + b'{"a":"', b"\\u0061", b'","isAccessibleForFree":false}</script>'),
    (_HEAD + _LD + b'{"isAccessibleForFree":', b"9", b"}</script>"),
    (_HEAD + _LD + b"{", b'"isAccessibleForFree":true,', b'"a":1}</script>'),
    (_HEAD + _LD + b"{", b'isAccessibleForFree: "', b""),
    (_HEAD, _LD + _FREE + b"</script>", b""),
    (_HEAD, _LD + b"isAccessibleForFree", b""),
    (_HEAD, b"<script>isAccessibleForFree:", b""),
    (_HEAD, b"isAccessibleForFree", b""),
    (_HEAD, b"isAccessibleForFree=", b""),
    (_HEAD, b"isAccessibleForFree &quot;", b""),
    (_HEAD, b'<div itemscope itemtype="https://schema.org/Article">', b"<meta itemprop=isAccessibleForFree>"),
    (_HEAD, b'<meta itemprop="isAccessibleForFree" content="true">', b""),
    (_HEAD + b'<div itemscope itemprop="', b"a%d ", b'">isAccessibleForFree'),
    (_HEAD, b'<div itemscope itemref="a%d" id="a%d">', b"<meta itemprop=isAccessibleForFree>"),
    (
        _HEAD + _LD + b'{"@type":"Article","isAccessibleForFree":true,"hasPart":[',
        b'{"@type":"WebPageElement","isAccessibleForFree":false,"cssSelector":".c%d"},',
        b'{"@type":"WebPageElement","isAccessibleForFree":false,"cssSelector":".c"}]}</script>',
    ),
    (
        _HEAD + _LD + b'{"@type":"Article","isAccessibleForFree":true,"hasPart":{"@type":"WebPageElement",'
        b'"isAccessibleForFree":false,"cssSelector":".c"}}</script>',
        b"<p class=c>",
        b"",
    ),
    (
        _HEAD + _LD + b'{"@type":"Article","isAccessibleForFree":true,"hasPart":{"@type":"WebPageElement",'
        b'"isAccessibleForFree":false,"cssSelector":".c"}}</script>',
        b"<p class=c>x</p><script>",
        b"",
    ),
    (b'<meta property="og:type" content="article">' + _PIANO, b"<p>" + b"word " * 20 + b"...</p>", b""),
    (_PIANO, b'"og:type" ', b""),
    (_PIANO + b'<meta property="og:type" content="article">', b'"wordCount" ', b""),
    (b"<html>_cf_chl_opt challenge-platform", b"<div>", b""),
    (b"<html>_cf_chl_opt challenge-platform", b" ", b""),
    (b"<html>captcha-delivery.com/", b"<!--", b""),
)
_WIDE: tuple[Form, ...] = (
    (b"", "<div>isAccessibleForFree".encode("utf-16-le"), b""),
    (b"", "<".encode("utf-16-le"), b""),
    (b"", b"\x00\xd8", b""),
    (b"\x00\x00", b"<\0\0\0", b""),
)
_TDMREP: tuple[Form, ...] = (
    (b"[", b'{"location": "/%d", "tdm-reservation": 1},', b'{"location": "/", "tdm-reservation": 1}]'),
    (b"[", b'{"location": "/*%d$", "tdm-reservation": 1},', b'{"location": "/", "tdm-reservation": 1}]'),
    (b"[", b"{},", b"{}]"),
    (b"", b"[", b""),
    (b"", b'[{"a":', b""),
    (b'[{"location": "', b"*a", b'", "tdm-reservation": 1}]'),
    (b'[{"location": "', b"\\u0061", b'", "tdm-reservation": 1}]'),
    (b'[{"location": "/", "tdm-reservation": ', b"1", b"}]"),
    (b'[{"location": "/", ', b'"tdm-reservation": 1,', b'"x": 1}]'),
    (b'[{"location": "/", ', b'"x%d": 1,', b'"x": 1}]'),
)
_OPEN = b'<rsl xmlns="https://rslstandard.org/rsl">'
_LICENCE = b'<license><permits type="usage">search</permits><payment type="free"/></license>'
_RSL: tuple[Form, ...] = (
    (_OPEN, b'<content url="/%d">' + _LICENCE + b"</content>", b"</rsl>"),
    (_OPEN, b'<content url="/*%d*b$">' + _LICENCE + b"</content>", b"</rsl>"),
    (_OPEN, b'<content url="https://*.e%d.com/*">' + _LICENCE + b"</content>", b"</rsl>"),
    (_OPEN, b'<content url="/"/>', b"</rsl>"),
    (_OPEN + b'<content url="/">', _LICENCE, b"</content></rsl>"),
    (_OPEN + b'<content url="/"><license>', b'<payment type="free"/>', b"</license></content></rsl>"),
    (
        _OPEN + b'<content url="/"><license><permits type="usage">',
        b"search ",
        b"</permits></license></content></rsl>",
    ),
    (_OPEN, b"<a>", b""),
    (_OPEN, b"<a/>", b"</rsl>"),
    (_OPEN, b"x", b"</rsl>"),
    (_OPEN, b"&amp;", b"</rsl>"),
    (_OPEN + b"<content ", b'a%d="x" ', b"/></rsl>"),
    (_OPEN + b'<content url="', b"*a", b'">' + _LICENCE + b"</content></rsl>"),
    (b"<!DOCTYPE x [", b'<!ENTITY a%d "b">', b"]><rsl/>"),
    (b"<rsl ", b'xmlns:a%d="b" ', b"/>"),
)
_AI_TXT: tuple[Form, ...] = (
    *LINES,
    *ODD_LINES,
    (b"User-Agent: *\n", b"Disallow: *.x%d\n", b""),
    (b"User-Agent: *\n", b"Disallow: *.jpg\n", b""),
    (b"User-Agent: *\n", b"Allow: .x%d$\n", b""),
)
_TRUST_TXT: tuple[Form, ...] = (
    (b"", b"datatrainingallowed=no\n", b""),
    (b"", b"x=y\n", b""),
    (b"", b"=", b""),
    (b"", b"datatrainingallowed", b""),
    *LINES[20:],
)
_XMP = b"\xff\xd8\xff ns.useplus.org/ldf/xmp www.w3.org/ns/tdmrep "
_ASSET: tuple[Form, ...] = (
    (_XMP, b':DataMining="DMI-PROHIBITED" ', b""),
    (_XMP, b":DataMining", b""),
    (_XMP, b":DataMining ", b""),
    (_XMP, b":DataMining resource ", b""),
    (_XMP, b"<a:DataMining>x</a:DataMining>", b""),
    (_XMP, b":reservation=", b""),
    (_XMP, b":reservation ", b""),
    (_XMP, b"<tdm:reservation>1</tdm:reservation>", b""),
    (_XMP, b"cawg.training-mining\0", b""),
    (_XMP, b"cawg.training-mining\0\0\0\x80\x00json{}", b""),
    (_XMP, b"cawg.training-mining\0\0\1\x80\x00json[[[[[[[[[[[[", b""),
    (_XMP, b"cawg.training-mining\0\0\1\x80\x00cbor\x9a\0\0\x07\xff\x80\x80\x80\x80\x80", b""),
    (_XMP, b"D\0a\0t\0a\0M\0i\0n\0i\0n\0g", b""),
    (b"\x89PNG\r\n\x1a\n", b"\0\0\0\0iTXt\0\0\0\0", b""),
    (b"\x89PNG\r\n\x1a\n", b"\0\0\0\x14zTXta\0\0x\x9c\x03\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", b""),
)
_CBOR: tuple[Form, ...] = (
    (b"", b"\x81", b""),
    (b"\x9a\0\x0f\0\0", b"\1", b""),
    (b"\xba\0\x0f\0\0", b"aa\1", b""),
    (b"\x7a\0\x0f\0\0", b"a", b""),
    (b"", b"\xc1", b""),
)
FORMS: dict[str, tuple[Form, ...]] = {
    **dict.fromkeys(("robots", "robots_lines", "second_reader"), (*LINES, *ODD_LINES)),
    "robots_long_url": LONG_URL_LINES,
    "robots_answer": (*LINES, *ODD_LINES, *_STATEMENTS[-3:]),
    **dict.fromkeys(
        (
            "usage_header",
            "signal_header",
            "x_robots",
            "robots_tag",
            "link_header",
            "other_headers",
            "access_headers",
        ),
        (*_HEADER, *_ADDRESS),
    ),
    "login_address": (*_ADDRESS, *_HEADER[:8]),
    **dict.fromkeys(("page", "gate", "page_login", "challenge"), (*_PAGE, *_STATEMENTS)),
    "whole_page": (*_PAGE, *_STATEMENTS, *PAGES),
    **dict.fromkeys(("marked_page", "wide_page"), (*_WIDE, *_STATEMENTS[:6])),
    **dict.fromkeys(("narrow_page", "latin_page"), (*_WIDE, *_STATEMENTS[:6], *CODES)),
    "tdmrep": _TDMREP,
    "rsl": _RSL,
    "ai_txt": _AI_TXT,
    "trust_txt": _TRUST_TXT,
    "rights_answer": (*LINES, *_HEADER, *_TDMREP, *_RSL),
    "asset": _ASSET,
    "cbor": _CBOR,
}


def filled(form: Form, size: int) -> bytes:
    """Return an input of about this many octets: the beginning, the middle again and again, the end."""
    before, middle, after = form
    room = max(1, size - len(before) - len(after))
    if b"%d" not in middle:
        middle = middle.replace(b"%%", b"%")
        return before + middle * (room // len(middle)) + after
    holes, parts, length, number = middle.count(b"%d"), [], 0, 0
    while length < room:
        parts.append(middle % ((number,) * holes))
        length += len(parts[-1])
        number += 1
    return before + b"".join(parts) + after


def milliseconds(read: Callable[[bytes], object], octets: bytes, *, best_of: int = 3) -> float:
    """Return the processor time of one reading, the best of some."""
    times = []
    for _ in range(best_of):
        begun = time.process_time()
        read(octets)
        times.append((time.process_time() - begun) * 1000)
    return min(times)


def every(size: int, *, only: str = "", best_of: int = 3) -> Iterator[tuple[str, Form, float]]:
    """Yield each reader with each of its forms, and the milliseconds that this size takes."""
    for target in TARGETS:
        if only and target.name != only:
            continue
        for form in FORMS[target.name]:
            yield target.name, form, milliseconds(target.read, filled(form, size), best_of=best_of)


def main() -> int:
    """Print the three slowest forms of each reader."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    found: dict[str, list[tuple[float, Form]]] = {}
    for name, form, took in every(SIZE, only=only):
        found.setdefault(name, []).append((took, form))
    print(f"milliseconds of processor time for {SIZE} octets, the best of three; the slowest forms of each")
    for name, forms in found.items():
        for took, (before, middle, _) in sorted(forms, reverse=True)[:3]:
            print(f"{name:<16}{took:>8.1f}  … {before[-30:]!r} + {middle[:50]!r} × n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
