"""Pages that make all readers work at once: every statement on one page, and then a flood.

One reader of a page is seldom slow by itself; a page that gives each of them something to do was, and so was one
that spends the budget of the tags first. `worst_inputs.py` fills these forms like its own.
"""

from __future__ import annotations

# As in `worst_inputs.py`: the beginning, what is repeated, the end.
Form = tuple[bytes, bytes, bytes]

_HEAD = b"<!doctype html><html><head><title>Sign in</title>"
_LD = b'<script type="application/ld+json">'
_EVERYTHING = (
    _HEAD + b'<meta name="robots" content="noindex"><meta name="tdm-reservation" content="0">'
    b'<link rel="license" type="application/rsl+xml" href="/l"><meta property="article:content_tier" content="free">'
    b'<meta http-equiv="refresh" content="200;url=/x"><meta property="og:type" content="article">'
    b'<script src="https://cdn.tinypass.com/x.js"></script>'
    b'<form><input type="password" name="SAMLRequest"></form>'
    + _LD
    + b'{"@type":"Article","isAccessibleForFree":true,'
    b'"wordCount":900000,"hasPart":{"@type":"WebPageElement","isAccessibleForFree":false,"cssSelector":".c"}}</script>'
    b"<i itemprop=isAccessibleForFree content=true></i>"
)
_TAGS_SPENT = b"<b>" * 20_000
_FLOODS = (
    b"<p>a",
    b"<p>.",
    b"<br>.",
    b"<nav>.</nav>",
    b"<span hidden><p></span>.",
    b"<a%d>",
    b"<p/",
    b"<p =",
    b"<!---->",
    b"<!--a--b-->",
    b"<b>.<!--a-->",
    b"<?>",
    b"</ >",
    b"<div itemscope itemprop=x itemtype=y id=%d>",
    b'<meta name="robots tdm-reservation" property="article:content_tier" itemprop="isAccessibleForFree" content="%d">',
    b"<meta name=robots itemprop=isAccessibleForFree property=article:content_tier http-equiv=refresh content=true>",
    b"<meta robots tdm-reservation ",
    b"<meta robots tdm-reservation>",
    b"<input type=password email samlrequest %d>",
    b"<link license application/rsl+xml %d>",
    b"<p paywall%d>",
    b'<p aria-hidden=false class="c%d">x',
    b"<p class=c>x</p>",
    b"<script>x</script>.",
    b"<script type=ld+json>isaccessibleforfree %d</script>",
    b'<script type=ld+json>{"isAccessibleForFree":true,"a":%d}</script>',
    b'<script type="x%d">isaccessibleforfree</script>',
    b"<p itemprop='&#110;&#110;&#110;&#110;&#110;&#110;&#110;&#110;%d'>",
    b"isAccessibleForFree" + b" " * 280 + b"x",
    b"content_tier ",
    b"robots ",
    b"//a%d.com/ ",
    b"\\/\\/a%d.com/ ",
    b"<p>to continue ",
    "<p>ﷺﷺﷺﷺﷺ".encode(),
    "한".encode(),
    "é".encode(),
)
_LONG = (
    b'<meta name="robots" content="' + b"&#110;" * 3000 + b'">',
    b'<meta name="robots" content="' + b"&a" * 9000 + b'%d">',
    b'<meta name="robots" content="' + b"noindex, " * 900 + b'%d">',
    b"<meta robots tdm-reservation " + b"a " * 3900 + b"%d>",
    b'<i itemprop="' + b"a b c d e f g h " * 10 + b'%d">',
)
_JSON = (
    b"{},",
    b'{"a":1},',
    b"[],",
    b'{"@graph":[{}]},',
    b'{"isAccessibleForFree":1},',
    b'{"@type":"Article","isAccessibleForFree":true,"hasPart":{"isAccessibleForFree":false,"cssSelector":".c"}},',
    b'{"a":',
    b"[",
    b"1,",
    b"\\",
)
_ADDRESSES = (b"a/" * 240, b"a=b&" * 110, b"Aa/" * 150)

PAGES: tuple[Form, ...] = (
    *((_EVERYTHING, flood, b"") for flood in (*_FLOODS, *_LONG)),
    *((_EVERYTHING + _TAGS_SPENT, flood, b"") for flood in _FLOODS),
    *(
        (_EVERYTHING + b"<" + name + b" ", b"a ", b">")
        for name in (b"meta", b"input", b"link", b"script", b"p")
    ),
    *(
        (
            _HEAD
            + _LD
            + b'[{"isAccessibleForFree":false},'
            + value * (115_000 // len(value))
            + b"1]</script>",
            tag,
            b"",
        )
        for value in _JSON
        for tag in (b"<div itemscope itemprop=x>",)
    ),
    *((_HEAD + _LD + b'[{"isAccessibleForFree":false},', value, b"1]</script>") for value in _JSON),
    *(
        (
            _HEAD + b'<form><input name="SAMLRequest"></form>',
            b"<script>"
            + b"".join(b"location.replace('" + path + b"?%d');" for _ in range(20))
            + b"</script>",
            b"",
        )
        for path in _ADDRESSES
    ),
)
"""Pages with every statement and a flood, with the budget of the tags spent first, and with much JSON-LD."""

CODES: tuple[Form, ...] = tuple(
    (_EVERYTHING, octets, b"")
    for octets in (
        b"\x81",
        b"\x98",
        b"\xff",
        b"\xa1",
        b"\x1b$",
        b"\x8f\xa1",
        b"\r\n",
        b"\0\xd8",
        b"\xd8\0",
        b"\0\0\0\xff",
    )
)
"""Octets that some encoding leaves out or begins a letter with."""
