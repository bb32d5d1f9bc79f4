"""The second reader of robots.txt: Protego on the same octets. Where it refuses, we refuse.

Protego (github.com/scrapy/protego) is the reader that Scrapy ships; it is asked only about what our own
reader allows, so that nothing it says can allow anything. Its parser multiplies the User-agent lines of a
group with the group's rules, and its matcher tries pattern after pattern, so that a hostile file can cost
it minutes and gigabytes; above the bounds below it is not asked, and the opinion's `note` says so.
Never raises: an exception in Protego means that there is no second opinion. Reads no clock and no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protego import Protego

from policies.signals.robots_match import MAX_SEARCH

NAME = "protego"
"""What evidence calls this reader."""

_MAX_RULES = 200_000
"""Rules that Protego may build from one file: User-agent lines times rules, summed over its groups."""

_HIGH_OCTET = re.compile(rb"[\x80-\xff]")


def _as_text(octets: bytes) -> str:
    """Return the octets as text; those that are not UTF-8 stand as escapes, none is dropped."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return _HIGH_OCTET.sub(lambda found: b"%%%02X" % found[0][0], octets).decode("ascii")


def _rules_built(text: str, enough: int) -> int:
    """Return an upper bound of the rules that Protego builds from a text, at least up to `enough`.

    Its own line splitting is used; a line counts as a User-agent line when it begins like one, and as a
    rule otherwise; only a line that is surely a rule ends the list of agents.
    """
    agents = built = 0
    closed = False
    for line in text.splitlines():
        beginning = line.lstrip()[:10].lower()
        if beginning.startswith("user"):
            if closed:
                agents, closed = 0, False
            agents += 2  # a name with a star is entered twice
            built += agents // 16  # it looks each name up in the list of the group
        elif beginning:
            built += agents
            closed = closed or beginning.startswith(("disallow:", "allow:"))
            if built > enough:
                break
    return built


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the second reader says of one URL; `note` tells why it says nothing."""

    refuses: bool
    note: str = ""


_REFUSES = Opinion(refuses=True)
_DOES_NOT_REFUSE = Opinion(refuses=False)
_TOO_MANY_RULES = Opinion(
    refuses=False, note=f"second reader not asked: it would make more than {_MAX_RULES} rules"
)
_TOO_MUCH_SEARCH = Opinion(
    refuses=False, note="second reader not asked: too many wildcards for so long a URL"
)


def _failed(error: Exception) -> Opinion:
    return Opinion(refuses=False, note=f"second reader failed: {type(error).__name__}")


class SecondReader:
    """Protego's reading of one file, made when it is first asked for."""

    __slots__ = ("_octets", "_parser", "_silent", "_wildcards")

    def __init__(self, octets: bytes) -> None:
        """Keep the single-octet text of the file (`RobotsRules.octets`)."""
        self._octets = octets
        self._parser: Protego | None = None
        self._silent: Opinion | None = None
        self._wildcards = 0

    def ask(self, token: str, url: str) -> Opinion:
        """Return Protego's opinion; it refuses, or it does not, or it cannot be asked."""
        parser = self._parser
        if parser is None:
            parser = self._read()
            if parser is None:
                return self._silent or _DOES_NOT_REFUSE
        if self._wildcards * len(url) > MAX_SEARCH:
            return _TOO_MUCH_SEARCH
        try:
            return _DOES_NOT_REFUSE if parser.can_fetch(url, token) else _REFUSES
        except Exception as error:  # noqa: BLE001 - whatever it raises, our own reading stands
            return _failed(error)

    def _read(self) -> Protego | None:
        """Parse the file once; None, and the reason in `_silent`, when that is not to be had."""
        if self._silent is not None:
            return None
        text = _as_text(self._octets)
        if _rules_built(text, _MAX_RULES) > _MAX_RULES:
            self._silent = _TOO_MANY_RULES
            return None
        self._wildcards = text.count("*") + text.count("$")
        try:
            self._parser = Protego.parse(text)
        except Exception as error:  # noqa: BLE001 - whatever it raises, our own reading stands
            self._silent = _failed(error)
        return self._parser
