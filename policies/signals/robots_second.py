"""The second reader of robots.txt: Protego on the same octets. Where it refuses, we refuse.

Protego (github.com/scrapy/protego) is the reader that Scrapy ships; it is asked only about what our own
reader allows, so that nothing it says can allow anything. Its parser multiplies the User-agent lines of a
group with the group's rules, takes its time for each line, and its matcher tries pattern after pattern, so
that a hostile file can cost it minutes and gigabytes. Therefore

* lines that it passes over are left out: blank ones, comments, sitemaps;
* of a file that would take it long it gets, for each URL, no plain rule that is not a beginning of the URL's
  path: such a rule cannot match, and one that does not match decides nothing (of 3,833 real files of 2019
  one is so large);
* what would take it longer than the bounds below even so is not asked, and the opinion's `note` says so (none
  of those files).

Never raises: an exception in Protego means that there is no second opinion. Reads no clock and no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protego import Protego

NAME = "protego"
"""What evidence calls this reader."""

_MOST_WORK = 18_000
"""What reading a file may cost it, about in microseconds of a slow machine."""

_SMALL = 1_000
"""Characters of a file that is not looked at twice: it cannot take long."""

_MAX_SEARCH = 100_000_000
"""Octets of the lines with a wildcard, times the characters of the URL."""

_PARSERS = 16  # readings of one large file that are kept

_HIGH_OCTET = re.compile(rb"[\x80-\xff]")
# What ends a line for it beside CR and LF.
_OTHER_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
_LINE_END = re.compile(r"[\r\n]\s*")
_PASSED_OVER = re.compile(r"(?aim)^(?:#|sitemaps?[ \t]*:|site-map[ \t]*:|host[ \t]*:).*\n?")
# A line that is plain to it, and a rule whose value is: it rewrites nothing in it.
_PLAIN = r"[A-Za-z0-9_.~/=-]"
_PLAIN_LINE = re.compile(rf"[A-Za-z -]+:[ \t]*{_PLAIN}*")
_RULE = r"(?:dis)?allow[ \t]*:[ \t]*"
_BEHIND = r"[ \t]*(?:#.*)?"
_PLAIN_RULE = re.compile(rf"(?aim)^{_RULE}(/{_PLAIN}*+){_BEHIND}$")
_WITH_WILDCARD = re.compile(r"(?m)^.*[*$].*$")
_LEFT_OUT = "Disallow:"
_FIRST_OF_RULES = frozenset("dDaA")
_TIMES = ("crawl-delay:", "request-rate:", "visit-time:")
_INDEX_PAGE = "/index.html"
_ADDRESS = re.compile(r"(?ai:https?)://[^/?#\s]*([^#\s]*)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_RUN = re.compile(rf"/{_PLAIN}*")


def _as_text(octets: bytes) -> str:
    """Return the octets as text; those that are not UTF-8 stand as escapes, none is dropped."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return _HIGH_OCTET.sub(lambda found: b"%%%02X" % found[0][0], octets).decode("ascii")


def _squeezed(text: str) -> str:
    """Return the lines that it does not pass over, each with one line feed behind it."""
    if _OTHER_ENDS.search(text):
        text = "\n".join(text.splitlines())
    return _PASSED_OVER.sub("", _LINE_END.sub("\n", f"{text.lstrip()}\n"))


def _with_these(text: str, matching: frozenset[str]) -> str:
    """Return a text without the plain rules that have none of these values; where they stood, groups end.

    An `Allow: /a/index.html` stays, because to it that allows `/a/` as well.
    """
    these = "|".join(map(re.escape, matching)) or "$"
    others = rf"{_RULE}(?!(?:{these}){_BEHIND}\n)/{_PLAIN}*+(?<!/index\.html){_BEHIND}\n"
    return re.sub(rf"(?aim)(?:^{others})+", f"{_LEFT_OUT}\n", text)


def _work(text: str) -> float:
    """Return what reading a text costs it, about in microseconds, or a little more than `_MOST_WORK`.

    A line counts as a User-agent line when it begins like one; only a line that is surely another ends the
    list of agents.
    """
    work = 0.0
    agents, names, closed = 0, set[str](), False
    for line in text.splitlines():
        work += 1
        if line[:1] in _FIRST_OF_RULES:
            work += 0.6 * agents
            closed = closed or line[:9].lower().startswith(("disallow:", "allow:"))
            if not _PLAIN_LINE.fullmatch(line):
                work += _work_of_rule(line)
        elif line[:4].lower() == "user":
            # A name with a star is entered without it as well, and a known one is looked for in the list.
            agents = (0 if closed else agents) + 1 + ("*" in line)
            name = line.partition("#")[0].replace(":", " ").replace("*", "").lower().split()[-1]
            work += agents / 20 if name in names else 1
            names.add(name)
            closed = False
        elif line[:13].lower().startswith(_TIMES):
            work += 3 * agents
            closed = True
        if work > _MOST_WORK:
            break
    return work


def _work_of_rule(line: str) -> float:
    """Return what it costs to rewrite the value of a rule; one with a `$` is rewritten several times."""
    work = 2 + len(line) / 20 + line.count("%") / 3
    if "$" in line:
        work = 3 * work + line.count("$") / 2
    return 2 * work if _INDEX_PAGE in line else work


def _plain_beginning(url: str) -> str | None:
    """Return how its form of a URL's path begins, up to the first character that is not plain to it.

    None for a URL that it may read otherwise than as it is written.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None or not url.isprintable():
        return None
    path = found[1] if found[1].startswith("/") else f"/{found[1]}"
    decoded = _ESCAPE.sub(lambda escape: _unescaped(escape[0], chr(int(escape[1], 16))), path)
    run = _RUN.match(decoded)
    return run[0] if run else None


def _unescaped(escape: str, char: str) -> str:
    return char if char != "/" and _RUN.fullmatch(f"/{char}") else escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the second reader says of one URL; `note` tells why it says nothing."""

    refuses: bool
    note: str = ""


_REFUSES = Opinion(refuses=True)
_DOES_NOT_REFUSE = Opinion(refuses=False)
_TOO_MUCH_WORK = Opinion(refuses=False, note="second reader not asked: the file would take it too long")
_TOO_MUCH_SEARCH = Opinion(
    refuses=False, note="second reader not asked: too many wildcards for so long a URL"
)
_ODD_URL = Opinion(
    refuses=False, note="second reader not asked: the file is large and the URL not written plainly"
)


def _failed(error: Exception) -> Opinion:
    return Opinion(refuses=False, note=f"second reader failed: {type(error).__name__}")


class SecondReader:
    """Protego's reading of one file, made when it is first asked for."""

    __slots__ = ("_lengths", "_octets", "_parsers", "_plain", "_text")

    def __init__(self, octets: bytes) -> None:
        """Keep the single-octet text of the file (`RobotsRules.octets`)."""
        self._octets = octets
        self._text: str | None = None
        # The values of the plain rules of a large file, and how long they are; empty where it is read whole.
        self._plain: frozenset[str] = frozenset()
        self._lengths: tuple[int, ...] = ()
        # What was read, by the plain rules that were left in; with the octets of its lines with wildcards.
        self._parsers: dict[frozenset[str], tuple[Protego, int] | Opinion] = {}

    def ask(self, token: str, url: str) -> Opinion:
        """Return Protego's opinion; it refuses, or it does not, or it cannot be asked."""
        text = self._text
        if text is None:
            text = self._text = self._prepared()
        matching = self._plain
        if matching:
            beginning = _plain_beginning(url)
            if beginning is None:
                return _ODD_URL
            matching = matching.intersection(beginning[:length] for length in self._lengths)
        read = self._parsers.get(matching) or self._read(text, matching)
        if isinstance(read, Opinion):
            return read
        parser, wild_octets = read
        if wild_octets * len(url) > _MAX_SEARCH:
            return _TOO_MUCH_SEARCH
        try:
            return _DOES_NOT_REFUSE if parser.can_fetch(url, token) else _REFUSES
        except Exception as error:  # noqa: BLE001 - whatever it raises, our own reading stands
            return _failed(error)

    def _prepared(self) -> str:
        """Return the lines that it may be given, and see whether all of them can be."""
        text = _as_text(self._octets)
        if len(text) <= _SMALL:
            return text
        text = _squeezed(text)
        lines = text.count("\n")  # each takes it a microsecond, whatever it says
        if lines <= _MOST_WORK and _work(text) <= _MOST_WORK:
            return text
        plain = _PLAIN_RULE.findall(text)
        if not plain or lines - len(plain) > _MOST_WORK:
            self._parsers[frozenset()] = _TOO_MUCH_WORK
            return ""
        self._plain = frozenset(plain)
        self._lengths = tuple({len(value) for value in self._plain})
        return text

    def _read(self, text: str, matching: frozenset[str]) -> tuple[Protego, int] | Opinion:
        """Return its reading of a file, or of a large one with those of its plain rules, made once."""
        if len(self._parsers) >= _PARSERS:
            self._parsers.clear()
        made: tuple[Protego, int] | Opinion
        large = bool(self._plain)
        if large:
            text = _with_these(text, matching)
        if large and (text.count("\n") > _MOST_WORK or _work(text) > _MOST_WORK):
            made = _TOO_MUCH_WORK
        else:
            try:
                made = Protego.parse(text), sum(map(len, _WITH_WILDCARD.findall(text)))
            except Exception as error:  # noqa: BLE001 - whatever it raises, our own reading stands
                made = _failed(error)
        self._parsers[matching] = made
        return made
