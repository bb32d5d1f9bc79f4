"""TDMRep in response headers and in HTML: `tdm-reservation: 1`, `tdm-policy: URL`.

Implements the header and HTML forms of the TDM Reservation Protocol of the W3C community group
(https://github.com/w3c/tdm-reservation-protocol); the file is in `tdmrep.py`, and so are the value that all
forms share and the order in which they supersede one another. What is neither 0 nor 1 leaves the reservation
unset and is kept as a problem. Our own readings: of several values in one place a reservation holds; a meta
element outside the head reserves and does not release; the EPUB spelling `tdm:reservation` is read as well.
Pure; linear; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.statement import TEXT_LIMIT
from policies.signals.tdmrep import Layer, TdmReservation, read_reservation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.page_metas import PageMeta

RESERVATION = "tdm-reservation"
POLICY = "tdm-policy"
_QUOTES = "\"'"
# Characters of all headers of one response that are read value by value.
_READ_LIMIT = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class TdmReading:
    """What one place says: readable statements, and in words what could not be read."""

    reservations: tuple[TdmReservation, ...] = ()
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.reservations or self.problems)


_NOTHING = TdmReading()


def _reserved(value: str) -> bool | None:
    return read_reservation(value.strip().strip(_QUOTES))


def _address(values: list[str]) -> str:
    return next((text for value in values if (text := value.strip().strip(_QUOTES))), "")[:2000]


def parse_tdm_headers(headers: Iterable[tuple[str, str]]) -> TdmReading:
    """Return what the headers of one response say; names are in lower case."""
    said: list[str] = []
    policies: list[str] = []
    for name, value in headers:
        if name == RESERVATION:
            said.append(value)
        elif name == POLICY:
            policies.append(value)
    if not said:
        return _NOTHING
    joined = ",".join(said)
    values = joined[:_READ_LIMIT].split(",")
    if "1" in joined[_READ_LIMIT:]:  # nobody reads on, and it may be a reservation
        values.append("1")
    policy = _address(policies)
    found: dict[bool, TdmReservation] = {}
    problems: list[str] = []
    for value in values:
        reserved = _reserved(value)
        text = f"{RESERVATION}: {value.strip()}"[:TEXT_LIMIT]
        if reserved is None:
            problems.append(f"{text[:100]!r} is neither 0 nor 1")
        else:
            found.setdefault(
                reserved,
                TdmReservation(
                    reserved=reserved, layer=Layer.HEADER, policy=policy if reserved else "", text=text
                ),
            )
    return TdmReading(reservations=tuple(found.values()), problems=tuple(problems[:8]))


def parse_tdm_metas(metas: Iterable[PageMeta]) -> TdmReading:
    """Return what the meta elements of one page say."""
    metas = tuple(metas)
    policy = _address([meta.content for meta in metas if meta.name.replace(":", "-") == POLICY])
    found: dict[bool, TdmReservation] = {}
    problems: list[str] = []
    for meta in metas:
        if meta.name.replace(":", "-") != RESERVATION:
            continue
        # An element that nobody read reserves.
        reserved = True if meta.unread else _reserved(meta.content)
        if reserved is None:
            problems.append(f"line {meta.line}: {meta.content[:40]!r} is neither 0 nor 1")
        elif reserved or not meta.misplaced:
            found.setdefault(
                reserved,
                TdmReservation(
                    reserved=reserved,
                    layer=Layer.META,
                    policy=policy if reserved else "",
                    line=meta.line,
                    text=meta.text,
                    note=meta.misplaced,
                ),
            )
        else:
            problems.append(f"line {meta.line}: a release {meta.misplaced} does not count")
    return TdmReading(reservations=tuple(found.values()), problems=tuple(problems[:8]))
