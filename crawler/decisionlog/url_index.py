"""Where in a segment the records of a URL are, for hosts with many records; no evidence itself.

Format `sekisho.url-posting`, version 1. Hosts with fewer than `FEWEST` records in a segment have none: their
records are read. Every other one has a random key of 16 octets and a number of buckets (`url_key`), and in
each bucket (`url_posting`), also in an empty one, where the records of some of its URLs are:

    digest   BLAKE2b (RFC 7693) of the URL's octets under the key, 4 octets long, as a big-endian number
    bucket   digest * buckets >> 32
    payload  for each digest in order: its last 2 octets, the octets of its places as LEB128, its places
             (as in `posting`)
    body     Ed25519 signature, payload
    signed   "sekisho.url-posting" 0x00, segment's UUID, its size (8 octets), the host's octets behind their
             number (4), key, buckets (4), bucket (4), payload

The signature is that of the key that signs the log, so that nobody without it makes a look-up leave a record
out. A URL that is erased must not be found in what is left: its digest goes with all of the index of its host
in that segment, key included, and no index is written for a host of which a URL is missing.
"""

from __future__ import annotations

import secrets
from array import array
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import and_, bindparam, case, select

from crawler.decisionlog import encoding, schema, store
from crawler.decisionlog.rollup import pack_places, unpack_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.log_keys import LogKeys
    from crawler.decisionlog.session import Value

FEWEST: Final = 512  # records of a host in a segment; of fewer all are read in 2 ms
LABEL: Final = b"sekisho.url-posting\x00"
_SIGNATURE_SIZE: Final = 64
KEY_SIZE: Final = 16
_DIGEST_SIZE: Final = 4
_BITS: Final = 8 * _DIGEST_SIZE
_INDEX: Final = 0xFFFFFFFF  # a segment with more records has no index of URLs
_TAG: Final = 0xFFFF
_SEVEN: Final = 0x7F
_IN_BUCKET: Final = 512  # records, on average
_SORTED_AT_ONCE: Final = 1 << 18
_PAGE: Final = 10_000  # indices, so that no writer waits for long
_NAMED: Final = 100  # hosts that are asked for by name; of more hosts, all records are read

_R, _O = schema.record.c, schema.opening.c
_URLS: Final[Select[Any]] = (
    select(_R.idx, _R.host, _O.url, case((_R.url_commit.is_not(None), 1), else_=0))
    .select_from(
        schema.record.outerjoin(
            schema.opening, and_(_O.segment_id == _R.segment_id, _O.idx == _R.idx)
        )
    )
    .where(
        _R.segment_id == bindparam("number"),
        _R.idx >= bindparam("first"),
        _R.idx < bindparam("behind"),
        _R.host.is_not(None),
    )
)  # fmt: skip
_ERASED: Final = (
    "SELECT DISTINCT r.host FROM erasure e JOIN record r ON r.segment_id = e.segment_id AND r.idx = e.idx"
    " WHERE e.segment_id = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlIndex:
    """The index of a segment that is to be sealed: rows of `url_key` and `url_posting`."""

    keys: Sequence[tuple[Value, ...]] = ()
    postings: Sequence[tuple[Value, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlKey:
    """What an index is about: a host in a segment of so many records, with its key and its buckets.

    Raises ValueError on values of other types, which the owner of a database can put there.
    """

    segment: UUID
    size: int
    host: str
    key: bytes
    buckets: int

    def __post_init__(self) -> None:
        """Refuse what cannot be reckoned with: a text times a digest is longer than the memory."""
        if (type(self.size), type(self.host), type(self.key), type(self.buckets)) != (int, str, bytes, int):
            raise ValueError("its key or its number of parts has another type")

    def digest(self, url: bytes) -> int:
        """Return the digest of a URL's octets."""
        return int.from_bytes(blake2b(url, key=self.key, digest_size=_DIGEST_SIZE).digest())

    def bucket(self, digest: int) -> int:
        """Return the bucket of a digest."""
        return digest * self.buckets >> _BITS

    def signed(self, bucket: int, payload: bytes) -> bytes:
        """Return what is signed."""
        host = encoding.text_octets(self.host)
        return b"".join((
            LABEL, self.segment.bytes, self.size.to_bytes(8), len(host).to_bytes(4), host, self.key,
            self.buckets.to_bytes(4), bucket.to_bytes(4), payload,
        ))  # fmt: skip

    def same(self, one: int, other: int) -> bool:
        """Whether an index does not tell two digests apart."""
        return one & _TAG == other & _TAG and self.bucket(one) == self.bucket(other)


def places_of(payload: bytes, digest: int) -> list[int]:
    """Return the indices of the records that may be of a URL. Raises ValueError on what no writer wrote."""
    tag, found, at = digest & _TAG, list[int](), 0
    while at < len(payload):
        here = int.from_bytes(payload[at : at + 2])
        at += 2
        length = shift = 0
        while True:
            octet = payload[at] if at < len(payload) else 0
            at += 1
            length |= (octet & _SEVEN) << shift
            shift += 7
            if octet <= _SEVEN:
                break
        if at + length > len(payload):
            raise ValueError("the places of a URL are cut off")
        if here == tag:
            found.extend(unpack_places(payload[at : at + length]))
        at += length
    return found


def signed_payload(
    key: UrlKey, bucket: int, body: bytes, log_keys: LogKeys, leaves: tuple[int, int] | None
) -> bytes | None:
    """Return the payload of a bucket if a key of the log has signed it between those entries, else None."""
    if type(body) is not bytes:
        return None
    signature, payload = body[:_SIGNATURE_SIZE], body[_SIGNATURE_SIZE:]
    try:
        octets = key.signed(bucket, payload)
    except OverflowError:
        return None
    return payload if leaves is not None and log_keys.signed(octets, signature, leaves) else None


def _parts_for(records: int) -> int:
    return max(1, records // _SORTED_AT_ONCE)


def buckets_for(records: int) -> int:
    """Return into how many buckets an index of so many records is divided."""
    parts = _parts_for(records)
    return parts * max(1, records // (_IN_BUCKET * parts))


class _Host:
    """The URLs of one host as they come, each as digest << 32 | index: 8 octets a record.

    In parts of the digests that are sorted one by one; a part has as many buckets as the others.
    """

    __slots__ = ("key", "parts", "per_part", "secret", "whole")

    def __init__(self, key: UrlKey, records: int) -> None:
        self.key, self.secret = key, key.key
        self.parts = [array("Q") for _ in range(_parts_for(records))]
        self.per_part = key.buckets // len(self.parts)
        self.whole = True

    def payloads(self) -> Iterator[bytes]:
        """Yield the payload of each bucket, and forget what it was made of."""
        for number, part in enumerate(self.parts):
            buckets = [bytearray() for _ in range(self.per_part)]
            first = number * self.per_part
            for digest, group in groupby(sorted(part), key=_BITS.__rrshift__):
                places = pack_places(each & _INDEX for each in group)
                out = buckets[self.key.bucket(digest) - first]
                out += (digest & _TAG).to_bytes(2)
                out += pack_places((len(places),))
                out += places
            self.parts[number] = array("Q")
            yield from map(bytes, buckets)


def index_urls(
    connection: Connection,
    number: int,
    size: int,
    large: Mapping[str, int],
    *,
    kept: Callable[[str], str],
    sign: Callable[[bytes], bytes],
) -> UrlIndex:
    """Return the index of a segment that gets no more records. Raises the database's errors.

    `large` says of the hosts with many records how many. Reads the segment again, a page a transaction.
    """
    if not large or size > _INDEX or not store.has_url_index(connection):
        return UrlIndex()
    uuid = connection.execute(select(schema.segment.c.uuid).where(schema.segment.c.id == number)).scalar_one()
    hosts = {}
    for name, records in large.items():
        key = UrlKey(
            segment=UUID(uuid),
            size=size,
            host=name,
            key=secrets.token_bytes(KEY_SIZE),
            buckets=buckets_for(records),
        )
        hosts[name] = _Host(key, records)
    _read(connection, number, size, hosts)
    keys: list[tuple[Value, ...]] = []
    postings: list[tuple[Value, ...]] = []
    while hosts:
        name = min(hosts)
        host = hosts.pop(name)
        if host.whole:
            stored, key = kept(name), host.key
            keys.append((number, stored, key.key, key.buckets))
            postings.extend(
                (number, stored, bucket, sign(key.signed(bucket, payload)) + payload)
                for bucket, payload in enumerate(host.payloads())
            )
    return UrlIndex(keys=keys, postings=postings)


def made_anew(
    connection: Connection, number: int, size: int, keys: Mapping[UrlKey, int]
) -> Iterator[tuple[UrlKey, Iterator[bytes] | None]]:
    """Yield for each of a segment's indexes the payloads that it should have, None if it should not be.

    `keys` say of the hosts how many records they have, and fit these numbers. Raises the database's errors.
    """
    hosts = {key.host: _Host(key, records) for key, records in keys.items()}
    _read(connection, number, size, hosts)
    for host in hosts.values():
        yield host.key, host.payloads() if host.whole else None


def _read(connection: Connection, number: int, size: int, hosts: Mapping[str, _Host]) -> None:
    statement = _URLS.where(_R.host.in_(sorted(hosts))) if len(hosts) <= _NAMED else _URLS
    find, octets_of, from_bytes = hosts.get, encoding.url_octets, int.from_bytes
    for first in range(0, size, _PAGE):
        page = {"number": number, "first": first, "behind": first + _PAGE}
        for idx, name, url, committed in connection.execute(statement, page).all():
            host = find(name)
            if host is None:
                continue
            if url is None:
                host.whole = host.whole and not committed  # else it was erased before the segment was sealed
                continue
            octets = url if type(url) is bytes else octets_of(url)
            digest = from_bytes(blake2b(octets, key=host.secret, digest_size=_DIGEST_SIZE).digest())
            host.parts[digest * len(host.parts) >> _BITS].append(digest << _BITS | idx)


def write(connection: Connection, number: int, index: UrlIndex) -> None:
    """Store the index of a segment that is about to be sealed, but for hosts of which a URL was erased since.

    Erasing takes the same lock, so that it comes before, and is seen here, or after, and finds the index.
    """
    if not index.keys:
        return
    store.number_alone(connection)
    erased = {host for (host,) in store.driver(connection).execute(_ERASED, (number,)).fetchall()}
    append = store.appender(connection)
    append(schema.url_key, [row for row in index.keys if row[1] not in erased])
    append(schema.url_posting, [row for row in index.postings if row[1] not in erased])


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove the indexes of hosts of which a URL was erased in these segments, in the present transaction."""
    if not store.has_url_index(connection):
        return
    session = store.driver(connection)
    for number in numbers:
        for table in schema.URL_INDEX:  # the key first
            session.execute(
                f"DELETE FROM {table.name} WHERE segment_id = ?1 AND host IN"  # noqa: S608 - names of the schema
                f" ({_ERASED.replace('?', '?1')})",
                (number,),
            )
