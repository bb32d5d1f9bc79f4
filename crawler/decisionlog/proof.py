"""Proofs that an outsider checks without the log: that a record is in it, that a host is, or is not.

A proof is one JSON document. It leads from a record, by an RFC 6962 inclusion proof, to the root of its
segment; that root stands in a leaf of the registry, whose body is given verbatim; and that leaf is proved by
a C2SP `.tlog-proof` (https://c2sp.org/tlog-proof) to be in a checkpoint that the log signed. Sums by host are
proved in the same way: a host that is there by its row, one that is not by the two rows between which it
would stand.

`check` needs the proof and a verifier key, nothing else; who trusts witnesses as well looks for their
cosignatures at the checkpoint that the proof brought (`witness.cosigned`). Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from hashlib import sha256
from struct import unpack
from typing import TYPE_CHECKING, Final, TypedDict

from blocklists.host import canonical_host
from crawler.decisionlog import encoding
from crawler.decisionlog.notes import Note, NoteError, VerifierKey, parse_checkpoint, parse_note, signers
from crawler.decisionlog.registry import SegmentHeaded, SegmentSealed, decode
from crawler.decisionlog.rollup import LABEL as ROLLUP_LABEL
from crawler.decisionlog.rollup import host_key, host_of
from crawler.decisionlog.tree import EMPTY_ROOT, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RECORD_PROOF: Final = "sekisho.record-proof/1"
HOST_PROOF: Final = "sekisho.host-proof/1"
TLOG_PROOF: Final = "c2sp.org/tlog-proof@v1"
LIMIT: Final = 4 * 1024 * 1024  # octets of a proof
_PATH: Final = 64  # hashes: more than any tree has levels
_NEIGHBOURS: Final = 2
_TAG_INT, _TAG_TEXT, _TAG_OCTETS = 1, 2, 3
FIELDS: Final = (
    "schema_version", "segment", "idx", "ts_us", "mono_ns", "agent", "policy_sha256", "blocklist_sha256",
    "stage", "verdict", "reason", "kind", "method", "host", "domain", "url_commitment", "parent_commitment",
    "basis_sha256", "ref_idx", "attempt", "status", "size", "body_sha256", "media_type", "error",
)  # fmt: skip

Value = int | str | None


class _Anchor(TypedDict):
    """What a checkpoint says of an entry."""

    log: str
    checkpoint_size: int
    ts_us: int
    signed_by: tuple[str, ...]
    checkpoint: Note


class ProofError(ValueError):
    """A proof is malformed, or does not prove what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The URLs of a record and the salt of its commitments; texts, or octets where they are no Unicode."""

    url: bytes | None
    parent_url: bytes | None
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An inclusion proof: the index of a leaf, the size and the hashes from its sibling to the root."""

    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A leaf of the registry, verbatim, and the `.tlog-proof` that it is in a checkpoint."""

    body: bytes
    tlog_proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a proof proves. `fields` are those of the record, or of the host's sum; `present` for a host.

    `checkpoint` is signed by the log, and nothing else at it was verified.
    """

    about: str
    log: str
    checkpoint_size: int
    ts_us: int
    signed_by: tuple[str, ...]
    checkpoint: Note
    present: bool
    fields: tuple[tuple[str, Value], ...]


def tlog_proof(index: int, path: Iterable[bytes], checkpoint: str) -> str:
    """Return a `.tlog-proof`."""
    hashes = "".join(f"{base64.b64encode(node).decode()}\n" for node in path)
    return f"{TLOG_PROOF}\nindex {index}\n{hashes}\n{checkpoint}"


def record_proof(
    leaf_data: bytes, step: Step, opening: Opening | None, anchored: Anchored
) -> dict[str, object]:
    """Return a proof of a record as JSON."""
    return {
        "schema": RECORD_PROOF,
        "record": {
            "leaf_data": leaf_data.hex(),
            "opening": None
            if opening is None
            else {
                "url": None if opening.url is None else opening.url.hex(),
                "parent_url": None if opening.parent_url is None else opening.parent_url.hex(),
                "salt": opening.salt.hex(),
            },
        },
        "segment": _step(step),
        "registry": _anchored(anchored),
    }


def host_proof(key: str, rows: Sequence[tuple[bytes, Step]], anchored: Anchored) -> dict[str, object]:
    """Return a proof that a host key has a sum in a segment (one row), or has none (its neighbours)."""
    return {
        "schema": HOST_PROOF,
        "host_key": key,
        "rows": [{"body": body.decode(), **_step(step)} for body, step in rows],
        "registry": _anchored(anchored),
    }


def _step(step: Step) -> dict[str, object]:
    return {"index": step.index, "size": step.size, "path": [node.hex() for node in step.path]}


def _anchored(anchored: Anchored) -> dict[str, object]:
    return {"body": anchored.body.decode(), "tlog_proof": anchored.tlog_proof}


def check(octets: bytes, keys: Iterable[VerifierKey]) -> Proved:
    """Return what a proof proves, given the keys that the reader trusts.

    Raises ProofError; UnverifiableError when a signature of one of them cannot be verified on this machine.
    """
    if len(octets) > LIMIT:
        raise ProofError(f"a proof has at most {LIMIT:,} octets, this has more")
    try:
        proof = json.loads(octets)
        schema = proof["schema"]
        if schema == RECORD_PROOF:
            return _check_record(proof, keys)
        if schema == HOST_PROOF:
            return _check_host(proof, keys)
    except ProofError:
        raise
    except NoteError as error:
        raise ProofError(str(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, binascii.Error) as error:
        raise ProofError(f"it is no proof: {type(error).__name__}: {error}") from error
    raise ProofError(f"its schema {str(schema)[:40]!r} is unknown")


def _check_record(proof: Mapping[str, object], keys: Iterable[VerifierKey]) -> Proved:
    record, event, anchor = proof["record"], *_check_registry(proof["registry"], keys)
    if not isinstance(record, dict):
        raise ProofError("its record is no object")
    data = bytes.fromhex(record["leaf_data"])
    step = _parsed_step(proof["segment"])
    if step.size != event.size:
        raise ProofError("the size of its segment is not the one in the registry")
    _included(sha256(b"\x00" + data).digest(), step, bytes.fromhex(event.root), "the record", "the segment")
    fields = record_fields(data)
    if fields["segment"] != event.segment or fields["idx"] != step.index:
        raise ProofError("the record is of another segment or place")
    fields |= _opened(record["opening"], fields)
    return Proved(about=f"{event.segment}#{step.index}", present=True, fields=tuple(fields.items()), **anchor)


def _check_host(proof: Mapping[str, object], keys: Iterable[VerifierKey]) -> Proved:
    key, rows, (event, anchor) = proof["host_key"], proof["rows"], _check_registry(proof["registry"], keys)
    if not isinstance(event, SegmentSealed):
        raise ProofError("the segment is not sealed: it has no sums by host")
    if not isinstance(key, str) or not isinstance(rows, list):
        raise ProofError("its host_key or rows are missing")
    host = host_of(key)
    if canonical_host(host) != host or host_key(host) != key:
        # "org.example" or "org.Example." stand in no segment, and would be read as example.org, which may.
        raise ProofError(f"its host_key {key[:80]!r} is not how a host is written in the sums by host")
    found = []
    for row in rows:
        step, body = _parsed_step(row), row["body"].encode()
        if step.size != event.rollup_size:
            raise ProofError("the number of sums is not the one in the registry")
        leaf = sha256(b"\x00" + ROLLUP_LABEL + body).digest()
        _included(leaf, step, bytes.fromhex(event.rollup_root), "the sum", "the segment's sums")
        found.append((step.index, json.loads(body)))
    about = f"{host} in segment {event.segment}"
    if len(found) == 1 and found[0][1]["host_key"] == key:
        fields = tuple((name, _shown(value)) for name, value in found[0][1].items())
        return Proved(about=about, present=True, fields=fields, **anchor)
    _check_absent(key, [(index, row["host_key"]) for index, row in found], event)
    return Proved(about=about, present=False, fields=(), **anchor)


def _check_absent(key: str, rows: list[tuple[int, str]], event: SegmentSealed) -> None:
    """See that the key would stand between the rows, and that nothing can stand there."""
    wanted, size = key.encode(), event.rollup_size
    if not rows:
        if size or bytes.fromhex(event.rollup_root) != EMPTY_ROOT:
            raise ProofError("it shows no neighbours, and the segment has sums")
        return
    first, last = rows[0], rows[-1]
    if len(rows) == _NEIGHBOURS:
        fits = last[0] == first[0] + 1 and first[1].encode() < wanted < last[1].encode()
    else:
        before_all = first[0] == 0 and wanted < first[1].encode()
        behind_all = first[0] == size - 1 and wanted > first[1].encode()
        fits = len(rows) == 1 and (before_all or behind_all)
    if not fits:
        raise ProofError("the host could stand elsewhere: the rows are not its neighbours")


def _check_registry(
    given: object, keys: Iterable[VerifierKey]
) -> tuple[SegmentSealed | SegmentHeaded, _Anchor]:
    """Return the event of a leaf that a signed checkpoint covers."""
    if not isinstance(given, dict):
        raise ProofError("its registry is no object")
    leaf = decode(given["body"].encode())
    first, index_line, rest = given["tlog_proof"].split("\n", 2)
    path_text, _, checkpoint = rest.partition("\n\n") if not rest.startswith("\n") else ("", "", rest[1:])
    if first != TLOG_PROOF or index_line != f"index {leaf.idx}":
        raise ProofError("its tlog-proof is of another form or entry")
    note = parse_note(checkpoint.encode())
    signed_by = signers(note, keys)
    head = parse_checkpoint(note)
    path = tuple(base64.b64decode(line, validate=True) for line in path_text.split("\n") if line)
    step = Step(index=leaf.idx, size=head.size, path=path)
    _included(leaf.hash, step, head.root, "the entry", "the checkpoint")
    if any(key.name != head.origin for key in signed_by):
        raise ProofError(f"it is signed by another than the log {head.origin}")
    if not isinstance(leaf.event, SegmentSealed | SegmentHeaded):
        raise ProofError(f"an entry of kind {leaf.event.KIND} says no root of a segment")
    anchor: _Anchor = {
        "log": head.origin,
        "checkpoint_size": head.size,
        "ts_us": leaf.ts_us,
        "signed_by": tuple(str(key) for key in signed_by),
        "checkpoint": note,
    }
    return leaf.event, anchor


def _parsed_step(given: object) -> Step:
    if not isinstance(given, dict) or type(given["index"]) is not int or type(given["size"]) is not int:
        raise ProofError("a step has no index or size")
    path = tuple(bytes.fromhex(node) for node in given["path"])
    return Step(index=given["index"], size=given["size"], path=path)


def _included(leaf: bytes, step: Step, root: bytes, what: str, where: str) -> None:
    if len(step.path) > _PATH or not verify_inclusion(
        leaf=leaf, index=step.index, size=step.size, proof=step.path, root=root
    ):
        raise ProofError(f"{what} is not in {where}")


def _opened(given: object, fields: Mapping[str, Value]) -> dict[str, Value]:
    """Return the URLs, if they are what the record commits to."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ProofError("its opening is no object")
    salt = bytes.fromhex(given["salt"])
    if len(salt) != encoding.SALT_SIZE:
        raise ProofError("its salt does not have 16 octets")
    out: dict[str, Value] = {}
    for name, commitment, commit in (
        ("url", "url_commitment", encoding.url_commitment),
        ("parent_url", "parent_commitment", encoding.parent_commitment),
    ):
        octets = None if given[name] is None else bytes.fromhex(given[name])
        if (None if octets is None else commit(salt, octets).hex()) != fields[commitment]:
            raise ProofError(f"its {name} is not what the record commits to")
        out[name] = None if octets is None else octets.decode("utf-8", "backslashreplace")
    return out


def record_fields(data: bytes) -> dict[str, Value]:
    """Return the fields of a record from its leaf data (`encoding`). Raises ProofError."""
    label = b"sekisho.record\x00"
    if not data.startswith(label):
        raise ProofError("the leaf is no record of a Sekisho log")
    values: list[Value] = []
    at = len(label)
    while at < len(data):
        value, at = _field(data, at)
        values.append(value)
    if len(values) != len(FIELDS) or values[0] != encoding.SCHEMA_VERSION:
        raise ProofError("the record has another number of fields, or another version")
    fields = dict(zip(FIELDS, values, strict=True))
    segment = str(fields["segment"])
    fields["segment"] = "-".join((segment[:8], segment[8:12], segment[12:16], segment[16:20], segment[20:]))
    return fields


def _field(data: bytes, at: int) -> tuple[Value, int]:
    tag = data[at]
    if tag == 0:
        return None, at + 1
    if tag == _TAG_INT and at + 9 <= len(data):
        return int(unpack(">q", data[at + 1 : at + 9])[0]), at + 9
    if tag in {_TAG_TEXT, _TAG_OCTETS} and at + 5 <= len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        octets = data[at + 5 : end]
        if end <= len(data):
            return octets.decode() if tag == _TAG_TEXT else octets.hex(), end
    raise ProofError("the record is cut off, or has a field of an unknown kind")


def _shown(value: object) -> Value:
    return value if isinstance(value, int | str) else json.dumps(value, sort_keys=True)
