"""Sums by host of a segment, with a root of their own, so that presence and absence can both be proved.

Format `sekisho.rollup`, version 1: one leaf a host in the order of the octets of its key; its body is
canonical JSON (RFC 8785) of the row:

    leaf hash = SHA-256(0x00 + "sekisho.rollup" 0x00 + body)        root: RFC 6962 over the leaf hashes

The host key has the labels of the host in reverse, each followed by a dot (`www.example.org` is
`org.example.www.`), so that a domain and all its subdomains are one range; an address is `[192.0.2.1].`.
A host that stands in no row had no record: its neighbours in the order prove it. Records without a host
(about the run itself) are not counted.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, select

from crawler.decisionlog import schema
from crawler.decisionlog.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql import ColumnElement

LABEL: Final = b"sekisho.rollup\x00"
_SEVEN: Final = 0x7F
COUNTED: Final = {
    ("request", "fetch"): "n_fetch",
    ("request", "skip"): "n_skip",
    ("request", "defer"): "n_defer",
    ("response", "keep"): "n_keep",
    ("response", "skip"): "n_drop",
}


STORED: Final = tuple(column.name for column in schema.rollup.columns if column.name != "segment_id")


def host_key(host: str) -> str:
    """Return the key of a canonical host."""
    if ":" in host or host[-1:].isdigit():  # no name ends in a digit (URL Standard, host parsing)
        with suppress(ValueError):
            return f"[{ip_address(host.strip('[]'))}]."
    return ".".join(reversed(host.rstrip(".").split("."))) + "."


def host_of(key: str) -> str:
    """Return the host of a key."""
    if key.startswith("["):
        return key[1:-2]
    return ".".join(reversed(key.rstrip(".").split(".")))


SumRow = tuple[str, int, int, int, int, int, str, str, int, int, int, int]
"""A row of the table without its segment: host key, counts, reasons and policies as canonical JSON, ends."""


def row_body(row: SumRow) -> bytes:
    """Return what is hashed of a row. Raises TypeError or ValueError on what no writer wrote."""
    (
        key, n_fetch, n_skip, n_defer, n_keep, n_drop, reasons, policies,
        first_us, last_us, first_idx, last_idx,
    ) = row  # fmt: skip
    if set(map(type, row[1:6] + row[8:])) != _INTEGERS:
        raise TypeError("a sum by host has a number that is none")
    return (
        f'{{"first_idx":{first_idx},"first_us":{first_us},"host_key":{canonical(key)},"last_idx":{last_idx},'
        f'"last_us":{last_us},"n_defer":{n_defer},"n_drop":{n_drop},"n_fetch":{n_fetch},"n_keep":{n_keep},'
        f'"n_skip":{n_skip},"policies":{_list(policies)},"reasons":{_object(reasons)}}}'
    ).encode()


def row_leaf(row: SumRow) -> bytes:
    """Return the leaf hash of a row. Raises TypeError or ValueError on what no writer wrote."""
    return sha256(b"\x00" + LABEL + row_body(row)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSum:
    """What a segment holds of a host. Times are UTC in microseconds; `policies` digests in hex, sorted."""

    host_key: str
    n_fetch: int
    n_skip: int
    n_defer: int
    n_keep: int
    n_drop: int
    reasons: tuple[tuple[str, int], ...]
    policies: tuple[str, ...]
    first_us: int
    last_us: int
    first_idx: int
    last_idx: int

    @property
    def row(self) -> SumRow:
        """The row of the table."""
        return (
            self.host_key, self.n_fetch, self.n_skip, self.n_defer, self.n_keep, self.n_drop,
            canonical(dict(self.reasons)), canonical(self.policies),
            self.first_us, self.last_us, self.first_idx, self.last_idx,
        )  # fmt: skip

    @property
    def body(self) -> bytes:
        """What is hashed."""
        return row_body(self.row)

    @property
    def leaf(self) -> bytes:
        """The leaf hash."""
        return row_leaf(self.row)


@dataclass(frozen=True, slots=True)
class Group:
    """Records of a segment that agree in everything but their place: a row of `GROUPS`."""

    host: str
    stage: str
    verdict: str
    reason: str
    policy: bytes
    count: int
    first_us: int
    last_us: int
    first_idx: int
    last_idx: int


def sums(groups: Iterable[Group]) -> list[HostSum]:
    """Return the rows of a segment in the order of their keys."""
    by_host: dict[str, list[Group]] = {}
    for group in groups:
        by_host.setdefault(host_key(group.host), []).append(group)
    return [sum_of(key, by_host[key]) for key in sorted(by_host, key=str.encode)]


def sum_of(key: str, groups: list[Group]) -> HostSum:
    """Return the row of a host."""
    counts = dict.fromkeys(COUNTED.values(), 0)
    reasons: dict[str, int] = {}
    for group in groups:
        name = COUNTED.get((group.stage, group.verdict))
        if name is not None:
            counts[name] += group.count
            reasons[group.reason] = reasons.get(group.reason, 0) + group.count
    return HostSum(
        host_key=key,
        reasons=tuple(sorted(reasons.items())),
        policies=tuple(sorted({group.policy.hex() for group in groups})),
        first_us=min(group.first_us for group in groups),
        last_us=max(group.last_us for group in groups),
        first_idx=min(group.first_idx for group in groups),
        last_idx=max(group.last_idx for group in groups),
        **counts,
    )


_KEYS: Final = (
    schema.record.c.host, schema.record.c.stage, schema.record.c.verdict, schema.record.c.reason,
    schema.context.c.policy_sha256,
)  # fmt: skip
_GROUPS: Final = (
    select(
        schema.record.c.segment_id,
        *_KEYS,
        func.count(),
        func.min(schema.record.c.ts_us),
        func.max(schema.record.c.ts_us),
        func.min(schema.record.c.idx),
        func.max(schema.record.c.idx),
    )
    .join_from(schema.record, schema.context, schema.context.c.id == schema.record.c.context_id)
    .where(schema.record.c.host.is_not(None))
    .group_by(schema.record.c.segment_id, *_KEYS)
)


def grouped(
    connection: Connection, numbers: Collection[int], *where: ColumnElement[bool]
) -> dict[int, list[Group]]:
    """Return the groups of segments from their records, all or those of some, by segment."""
    found: dict[int, list[Group]] = {}
    for number, *group in connection.execute(_GROUPS.where(schema.record.c.segment_id.in_(numbers), *where)):
        found.setdefault(number, []).append(Group(*group))
    return found


def pack_places(indices: Iterable[int]) -> bytes:
    """Return ascending indices as differences, each in unsigned LEB128 (DWARF 5 section 7.6)."""
    out, before = bytearray(), -1
    for idx in indices:
        rest = idx - before - 1
        before = idx
        while rest > _SEVEN:
            out.append(rest & _SEVEN | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def unpack_places(octets: bytes) -> Iterator[int]:
    """Yield the indices. Raises ValueError when the octets end within one, or are none."""
    if not isinstance(octets, bytes):
        raise ValueError("the places of a host have another type")  # noqa: TRY004 - what was changed is no bug
    before, value, shift = -1, 0, 0
    for octet in octets:
        value |= (octet & _SEVEN) << shift
        shift += 7
        if not octet & 0x80:
            before += value + 1
            yield before
            value = shift = 0
    if shift:
        raise ValueError("the places of a host are cut off")


@lru_cache(maxsize=1024)
def _parsed(text: str, expected: type) -> Any:  # noqa: ANN401 - JSON
    try:
        value = json.loads(text)
        same = canonical(value) == text
    except RecursionError as error:
        raise ValueError("a sum by host is nested too deep") from error
    if not same or not isinstance(value, expected):
        raise ValueError("a sum by host is not canonical JSON")
    return value


def _list(text: str) -> str:
    _parsed(text, list)
    return text


def _object(text: str) -> str:
    _parsed(text, dict)
    return text


_INTEGERS: Final = {int}
_SUMS: Final = (
    select(*(schema.rollup.c[name] for name in STORED))
    .where(schema.rollup.c.segment_id == bindparam("number"))
    .order_by(schema.rollup.c.host_key)
)


def stored_rows(connection: Connection, number: int) -> list[SumRow]:
    """Return the stored rows of a segment, in order of the octets of their keys."""
    rows: list[SumRow] = [tuple(row) for row in connection.execute(_SUMS, {"number": number})]
    rows.sort(key=lambda row: row[0].encode())  # not every table keeps every text as it is
    return rows


def stored(connection: Connection, number: int) -> list[HostSum]:
    """Return the stored rows of a segment, in order. Raises ValueError, TypeError on what no writer wrote."""
    return [parsed_sum(dict(zip(STORED, row, strict=True))) for row in stored_rows(connection, number)]


def parsed_sum(row: Mapping[str, Any] | RowMapping) -> HostSum:
    """Return a stored row. Raises ValueError or TypeError on what no writer wrote."""
    reasons, policies = _parsed(row["reasons"], dict), _parsed(row["policies"], list)
    given = {name: row[name] for name in STORED}
    return HostSum(**given | {"reasons": tuple(sorted(reasons.items())), "policies": tuple(policies)})
