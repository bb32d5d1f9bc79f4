"""Reads `isAccessibleForFree` in JSON-LD, well formed or not.

Sources: https://schema.org/isAccessibleForFree, https://www.w3.org/TR/json-ld11/ and
https://developers.google.com/search/docs/appearance/structured-data/paywalled-content.
Any declared restriction of the page or of its parts counts, whatever else the page says. What cannot be
parsed is searched as text, where related items cannot be told from the page: there a restriction always
counts. Pure; bounded in time and memory; never raises.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.access_scope import is_list, is_place_or_event, leads_away, local_name
from policies.signals.access_statement import (
    Access,
    AccessStatement,
    Carrier,
    read_boolean,
    read_following_word,
    snippet_around,
    strictest,
)
from policies.signals.page_markers import ACCESSIBLE
from policies.signals.page_opened import Allowance
from policies.signals.page_text import line_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

# Characters of one page's scripts that are parsed, and scripts; what is beyond is searched as text. No
# publisher's article needs so many, and to parse a million takes longer than to judge a thousand pages.
PARSED_CHARACTERS = 100_000
PARSED_SCRIPTS = 200
_VALUE_DEPTH = 4
# Statements reported for one script: one decides, the others are company.
_REPORTED = 20
_REPORTED_OF_PAGE = 100

# Both are looked for in the text in lower case, where they are found fastest.
_KEY = re.compile(rf"{ACCESSIBLE}[\"']\s{{0,40}}:")
# A mention that is not followed by a plain `true`: as text only a restriction is looked for.
_DOUBTFUL = re.compile(rf"{ACCESSIBLE}(?![\"']\s{{0,9}}:\s{{0,9}}true\b)")
# Such mentions of one stretch that are looked at, and forms of the tags of scripts.
_MENTIONS = 1_000
_FORMS = 500
_MOST_SCRIPTS = 1_000
_TAG_WINDOW = 1_000
_JSON_LD = ("ld+json", "json+ld", "jsonld")
_WRAPPING = re.compile(r"(?:(?:/\*|//)[ \t]{0,20})?(?:<!\[CDATA\[|\]\]>)(?:[ \t]{0,20}\*/)?|<!--|-->")
_TRAILING_COMMA = re.compile(r",(?=\s{0,200}[}\]])")
_BETWEEN_DOCUMENTS = re.compile(r"[\s,;\ufeff]*+")


class Members(list[tuple[str, "Json"]]):
    """A JSON object with every member in order, repeated names included."""


Json = Members | list["Json"] | str | bool | None

# Numbers stay text: `0` and `"0"` say the same, and a number of a million digits costs nothing.
_DECODER = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=str, parse_float=str, parse_constant=str, strict=False
)


def _documents(text: str) -> list[Json]:
    """Return all JSON values that stand one after another in a text; ValueError when it is anything else."""
    documents: list[Json] = []
    position = _BETWEEN_DOCUMENTS.match(text).end()  # type: ignore[union-attr] # matches everywhere
    while position < len(text):
        value, position = _DECODER.raw_decode(text, position)
        documents.append(value)
        position = _BETWEEN_DOCUMENTS.match(text, position).end()  # type: ignore[union-attr] # as above
    return documents


def parse_documents(text: str) -> tuple[list[Json], str] | None:
    """Return the values of a script and what had to be repaired; None when it cannot be read as JSON."""
    if len(text) > PARSED_CHARACTERS:
        return None
    try:
        return _documents(text), ""
    except (ValueError, RecursionError):
        pass
    try:
        return _documents(_TRAILING_COMMA.sub("", _WRAPPING.sub(" ", text))), "invalid JSON, repaired"
    except (ValueError, RecursionError):
        return None


def _value_members(members: Members) -> list[Json]:
    """Return what a JSON-LD value object or reference holds."""
    return [member for name, member in members if name in ("@value", "@id", "value", "name")]


def read_value(value: Json, depth: int = 0) -> Access | None:
    """Return what a value of the property says, leniently; None when it says nothing."""
    if isinstance(value, bool):
        return Access.FREE if value else Access.RESTRICTED
    if isinstance(value, str):
        return read_boolean(value)
    if not value:
        return None
    inner: list[Json] = value if not isinstance(value, Members) else _value_members(value)
    if not inner or depth == _VALUE_DEPTH:
        return Access.UNREADABLE
    return strictest([read for member in inner if (read := read_value(member, depth + 1)) is not None])


def _types(members: Members) -> frozenset[str]:
    found: set[str] = set()
    for name, value in members:
        if name in ("@type", "type"):
            entries = value if isinstance(value, list) and not isinstance(value, Members) else [value]
            found.update(local_name(entry) for entry in entries if isinstance(entry, str))
    return frozenset(found)


def _declarations(documents: list[Json]) -> Iterator[tuple[int, Access | None, bool]]:
    """Yield each declaration in the order of the text: its number, what it says, whether of the page.

    Walks with a stack of its own: the depth of a document is its author's choice.
    """
    number = 0
    stack: list[tuple[Json, bool, bool]] = [(document, True, False) for document in reversed(documents)]
    while stack:
        value, of_page, declared = stack.pop()
        if declared:
            yield number, read_value(value), of_page
            number += 1
        elif isinstance(value, Members):
            types: frozenset[str] | None = None
            for name, member in reversed(value):
                inner = isinstance(member, list)
                local = local_name(name)
                if not inner and local != ACCESSIBLE:
                    continue
                if types is None:
                    types = _types(value)
                if local == ACCESSIBLE:
                    stack.append((member, of_page and not is_place_or_event(types), True))
                elif member:
                    away = (
                        leads_away(frozenset((local,)))
                        or name == "@context"
                        or (local == "item" and is_list(types))
                    )
                    stack.append((member, of_page and not away, False))
        elif isinstance(value, list):
            stack.extend(
                (member, of_page, False) for member in reversed(value) if member and isinstance(member, list)
            )


def _has_value_before(lowered: str, position: int) -> bool:
    """Tell whether a tag gives a value before it names the property: what follows then is not the value."""
    begin = lowered.rfind("<", max(0, position - _TAG_WINDOW), position)
    before = lowered[begin:position] if begin >= 0 else ""
    return ">" not in before and any(name in before for name in ("content", "href", "value"))


def _restrictions_in_text(page: Page, begin: int, end: int) -> Iterator[tuple[int, Access]]:
    """Yield place and reading of every mention in a stretch that is not plainly free, `_REPORTED` at most.

    Behind `_MENTIONS` mentions that have to be looked at the next one counts as one that cannot be read.
    """
    reported = 0
    for looked_at, mention in enumerate(_DOUBTFUL.finditer(page.lowered, begin, end)):
        access: Access | None = Access.UNREADABLE
        if looked_at < _MENTIONS and (word := read_following_word(page.text, mention.end())):
            access = read_boolean(word)
            if access is Access.FREE and _has_value_before(page.lowered, mention.start()):
                access = Access.UNREADABLE
        if access is None or access is Access.FREE:
            continue
        yield mention.start(), access
        reported += 1
        if reported == _REPORTED or looked_at >= _MENTIONS:
            return


def find_in_text(page: Page, begin: int, note: str) -> Iterator[AccessStatement]:
    """Yield the restrictions from where a page is not parsed: every mention that is not plainly free."""
    for place, access in _restrictions_in_text(page, begin, len(page.text)):
        yield statement_at(page, place, access, Carrier.TEXT, note)


class Script(NamedTuple):
    """A script of JSON-LD that names the property: its tag and its type in lower case.

    `documents` are its values, None where it cannot be parsed or is not, and `note` what was repaired.
    `again` says that it repeats another one word for word, `beyond` that the page has spent what is parsed.
    """

    tag: Tag
    kind: str
    documents: list[Json] | None
    note: str
    again: bool
    beyond: bool


def json_ld_scripts(page: Page) -> tuple[Script, ...]:
    """Return the scripts of a page that name the property; asked by `page.once(json_ld_scripts)`.

    Behind `_FORMS` forms of script tags every script counts as JSON-LD; of more than `_MOST_SCRIPTS` the next
    one holds the rest of the page.
    """
    found: list[Script] = []
    read: set[str] = set()
    lowered, characters, allowance = page.lowered, 0, Allowance(_FORMS)
    kinds: dict[str, str] = {}
    asking = True
    for number in page.numbers_of("script"):
        tag = page.tags[number]
        if lowered.find(ACCESSIBLE, tag.end, tag.content_end) < 0:
            continue
        if len(found) == _MOST_SCRIPTS:
            rest = tag._replace(content_end=len(page.text))
            found.append(Script(rest, _JSON_LD[0], None, "", again=False, beyond=True))
            break
        raw = lowered[tag.start : tag.end]
        if asking and raw not in kinds:
            asking = allowance.takes(raw)
            kinds[raw] = tag.attributes().get("type", "").lower()
        kind = kinds[raw] if asking else _JSON_LD[0]
        if not any(word in kind for word in _JSON_LD):
            continue
        content = tag.content
        again = content in read
        read.add(content)
        characters += len(content)
        beyond = characters > PARSED_CHARACTERS or len(read) > PARSED_SCRIPTS
        documents, note = (None, "") if beyond or again else parse_documents(content) or (None, "")
        found.append(Script(tag, kind, documents, note, again=again, beyond=beyond))
    return tuple(found)


def find_in_scripts(page: Page) -> Iterator[AccessStatement]:
    """Yield what the JSON-LD scripts of a page say; one that repeats another is read once.

    Behind `_REPORTED_OF_PAGE` restrictions there is nothing more to learn, nor from one more permission.
    """
    free = restricting = 0
    for script in page.once(json_ld_scripts):
        if script.again:
            continue
        for place, access, carrier, note in _find_in_script(page, script):
            free += access is Access.FREE
            if access is Access.FREE and free > _REPORTED:
                continue
            yield statement_at(page, place, access, carrier, note)
            restricting += access is not Access.FREE
            if restricting == _REPORTED_OF_PAGE:
                return


def statement_at(page: Page, place: int, access: Access, carrier: Carrier, note: str) -> AccessStatement:
    """Return a statement with its line and its words."""
    text = page.text
    return AccessStatement(
        access=access, carrier=carrier, line=line_at(text, place), text=snippet_around(text, place), note=note
    )


def _find_in_script(page: Page, script: Script) -> Iterator[tuple[int, Access, Carrier, str]]:
    begin, end = script.tag.end, script.tag.content_end
    if script.documents is None:
        note = "JSON-LD that cannot be parsed, read as text"
        for place, access in _restrictions_in_text(page, begin, end):
            yield place, access, Carrier.TEXT, note
        return
    places = [match.start() for match in _KEY.finditer(page.lowered, begin, end)] or [begin]
    reported = 0
    for number, said, of_page in _declarations(script.documents):
        if not of_page or said is None:
            continue
        yield places[min(number, len(places) - 1)], said, Carrier.JSON_LD, script.note
        reported += said is not Access.FREE
        if reported == _REPORTED:
            return
