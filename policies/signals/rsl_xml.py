"""RSL documents as XML: octets in, elements out, without anything that XML could do to its reader.

Reads with expat and its own handlers (https://www.w3.org/TR/xml/, https://www.w3.org/TR/xml-names/). A
document type declaration ends the reading, so that there are no entities, neither nested nor external;
nothing is ever fetched; depth and numbers of elements and attributes are bounded while reading. Only elements
of the RSL namespace (https://rslstandard.org/rsl) are handed on, wherever they stand, so that an RSS feed
with `rsl:content` reads like a document of its own. Never raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Entities and document types, which make this module dangerous, are refused by the handler below.
from xml.parsers import expat

from policies.signals.robots_octets import shown

NAMESPACE = "https://rslstandard.org/rsl"
DEEPEST = 64
MOST_ELEMENTS = 20_000
MOST_RSL_ELEMENTS = 12_000
MOST_ATTRIBUTES = 100
_SEPARATOR = " "
_LONGEST_TEXT = 4_000


@dataclass(slots=True)
class RslElement:
    """One element of the RSL namespace: local name, attributes without namespace, its text, its children."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[RslElement] = field(default_factory=list)


class _Refusal(Exception):  # noqa: N818 - the reading ends on purpose
    """The document is one that we do not read; the words say why."""


class _Handlers:
    """What expat tells, kept as a tree of RSL elements."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.top: list[RslElement] = []
        # For every open element the RSL element that is open there: itself, or the closest around it.
        self._open: list[RslElement | None] = []
        self._speaking: list[bool] = []  # whether it is itself one
        self._elements = 0
        self._rsl_elements = 0

    def _doctype(self, *_: object) -> None:
        raise _Refusal("a document type declaration: entities are not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(attributes) > MOST_ATTRIBUTES:
            raise _Refusal(f"an element with more than {MOST_ATTRIBUTES} attributes")
        if self._elements > MOST_ELEMENTS:
            raise _Refusal(f"more than {MOST_ELEMENTS} elements")
        if len(self._open) == DEEPEST:
            raise _Refusal(f"elements nested more than {DEEPEST} deep")
        around = self._open[-1] if self._open else None
        namespace, _, local = name.rpartition(_SEPARATOR)
        self._speaking.append(namespace == NAMESPACE)
        if namespace != NAMESPACE:
            self._open.append(around)
            return
        self._rsl_elements += 1
        if self._rsl_elements > MOST_RSL_ELEMENTS:
            raise _Refusal(f"more than {MOST_RSL_ELEMENTS} elements of RSL")
        kept = {key: value for key, value in attributes.items() if _SEPARATOR not in key}
        element = RslElement(name=local, attributes=kept, line=self.parser.CurrentLineNumber)
        (self.top if around is None else around.children).append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()
        self._speaking.pop()

    def _characters(self, text: str) -> None:
        element = self._open[-1] if self._open and self._speaking[-1] else None
        if element is not None and len(element.text) < _LONGEST_TEXT:
            element.text += text[:_LONGEST_TEXT]


def read_elements(octets: bytes) -> tuple[tuple[RslElement, ...], str]:
    """Return the outermost RSL elements of a document, and "" or the words that say why it is unreadable.

    Elements found before the reading ended are not handed on: half a licence is none.
    """
    handlers = _Handlers()
    try:
        handlers.parser.Parse(octets, True)
    except _Refusal as refusal:
        return (), str(refusal)
    except expat.ExpatError as error:
        return (), f"not well-formed XML: {shown(str(error).encode())[:200]}"
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        return (), f"not readable as XML: {shown(str(error).encode('utf-8', 'replace'))[:200]}"
    return tuple(handlers.top), ""
