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
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from crawler.decisionlog import schema
from crawler.decisionlog.canonical import canonical
from crawler.decisionlog.tree import CompactRange

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


_STORED: Final = tuple(column.name for column in schema.rollup.columns if column.name != "segment_id")


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
    def body(self) -> bytes:
        """What is hashed."""
        given: dict[str, object] = {name: getattr(self, name) for name in _STORED}
        return canonical(given | {"reasons": dict(self.reasons), "policies": self.policies}).encode()

    @property
    def leaf(self) -> bytes:
        """The leaf hash."""
        return sha256(b"\x00" + LABEL + self.body).digest()


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


def root_of(rows: Iterable[HostSum]) -> bytes:
    """Return the root over rows in their order."""
    return CompactRange(row.leaf for row in rows).root()


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
    """Yield the indices. Raises ValueError when the octets end within one."""
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


def _parsed(text: str) -> Any:  # noqa: ANN401 - JSON
    value = json.loads(text)
    if canonical(value) != text:
        raise ValueError("a sum by host is not canonical JSON")
    return value


def stored(connection: Connection, number: int) -> list[HostSum]:
    """Return the stored rows of a segment, in order. Raises ValueError on what no writer wrote."""
    found = connection.execute(
        select(*(schema.rollup.c[name] for name in _STORED)).where(schema.rollup.c.segment_id == number)
    ).mappings()
    return sorted(map(parsed_sum, found), key=lambda one: one.host_key.encode())


def parsed_sum(row: Mapping[str, Any] | RowMapping) -> HostSum:
    """Return a stored row. Raises ValueError or TypeError on what no writer wrote."""
    reasons, policies = _parsed(row["reasons"]), _parsed(row["policies"])
    given = {name: row[name] for name in _STORED}
    return HostSum(**given | {"reasons": tuple(sorted(reasons.items())), "policies": tuple(policies)})
