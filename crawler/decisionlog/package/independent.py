#!/usr/bin/env python3
"""Verify a crawler's decision log: an export package of JSON lines, or a SQLite database.

    python3 verify.py FOLDER_OR_DATABASE [--vkey VKEY]... [--checkpoint FILE]...

Standard library only, no network; written from the format's description, sharing no code with the software
that writes it. Recomputes all but the sums by host. Exit: 0 well, 4 changed or missing, 6 not verifiable.
"""

# ruff: noqa: D103, T201, S608 - one page to read; it prints; table names are its own
# fmt: off
import argparse
import base64
import gzip
import hashlib
import json
import sqlite3
import struct
import sys
import zlib
from pathlib import Path
from typing import Any
from uuid import UUID

FOUND: list[str] = []  # what is wrong
OPEN: list[str] = []  # what could not be verified
HEX = {"url_commit", "parent_commit", "basis_sha256", "body_sha256", "policy_sha256", "blocklist_sha256",
       "nonce", "root", "salt", "sha256", "url_octets", "parent_url_octets"}

def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

# 1. The Merkle tree of RFC 6962: a stack of the roots of perfect subtrees, largest first.

def grow(stack: list[bytes], size: int, leaf: bytes) -> None:
    """Append a leaf hash to a tree of `size` leaves."""
    stack.append(leaf)
    while size & 1:
        right, left = stack.pop(), stack.pop()
        stack.append(sha(b"\x01" + left + right))
        size >>= 1

def root_of(stack: list[bytes]) -> bytes:
    node = stack[-1] if stack else sha(b"")
    for left in stack[-2::-1]:
        node = sha(b"\x01" + left + node)
    return node

# 2. The bytes of a record: a label, then tagged fields; 0 NULL, 1 integer, 2 text, 3 octets.

def field(value: Any, tag: int = 3) -> bytes:
    if value is None:
        return b"\0"
    return bytes([tag]) + (struct.pack(">q", value) if tag == 1 else struct.pack(">I", len(value)) + value)

def fields(row: Any, tag: int, *names: str) -> bytes:
    return b"".join(field(row[name], tag) for name in names)

def leaf_of(uuid: bytes, row: Any) -> bytes:
    return sha(b"\0sekisho.record\0" + field(1, 1) + field(uuid) + fields(row, 1, "idx", "ts_us", "mono_ns")
        + fields(row, 2, "agent") + fields(row, 3, "policy_sha256", "blocklist_sha256")
        + fields(row, 2, "stage", "verdict", "reason", "kind", "method", "host", "domain")
        + fields(row, 3, "url_commit", "parent_commit", "basis_sha256")
        + fields(row, 1, "ref_idx", "attempt", "status", "size")
        + fields(row, 3, "body_sha256") + fields(row, 2, "media_type", "error"))

def uuid_of(s: Any) -> bytes:
    """Return the UUID that commits to a segment's row."""
    raw = bytearray(sha(b"sekisho.segment\0" + field(1, 1) + fields(s, 1, "id") + fields(s, 2, "run_id", "agent")
                        + fields(s, 1, "opened_us") + fields(s, 3, "nonce"))[:16])
    raw[6], raw[8] = raw[6] & 15 | 128, raw[8] & 63 | 128
    return bytes(raw)

# 3. Ed25519 (RFC 8032) and C2SP signed notes. A point is X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]

def plus(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P

def times(n: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    for bit in f"{n:b}":
        total = plus(total, total)
        total = plus(total, point) if bit == "1" else total
    return total

def point(raw: bytes) -> Point:
    y = int.from_bytes(raw, "little") & 2**255 - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and raw[31] >> 7):
        raise ValueError("no point of the curve")
    x = x if x & 1 == raw[31] >> 7 else P - x
    return x, y, 1, x * y % P

def is_signed(key: bytes, text: bytes, signature: bytes) -> bool:
    s, base = int.from_bytes(signature[32:], "little"), point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % Q
    a, b = times(s, base), plus(point(signature[:32]), times(h, point(key)))
    return len(signature) == 64 and s < Q and (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P

def key_of(vkey: str) -> tuple[tuple[str, bytes], bytes]:
    name, key_id, encoded = vkey.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if len(raw) != 33 or raw[0] != 1 or sha(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise ValueError(f"{vkey} is no Ed25519 verifier key")
    return (name, bytes.fromhex(key_id)), raw[1:]

def read_note(note: bytes, keys: dict[tuple[str, bytes], bytes]) -> tuple[str, int, bytes]:
    """Return origin, size and root; of the known keys one must have signed, and none wrongly."""
    text, _, lines = note.decode().rpartition("\n\n")
    split = [line.removeprefix("\u2014 ").split(" ") for line in lines.removesuffix("\n").split("\n")]
    named = [(name, base64.b64decode(encoded, validate=True)) for name, encoded in split]
    checks = [is_signed(keys[name, raw[:4]], f"{text}\n".encode(), raw[4:]) for name, raw in named if (name, raw[:4]) in keys]
    if not checks or not all(checks):
        raise ValueError("no known key signed it, or a signature is wrong")
    origin, size, root = text.split("\n")
    return origin, int(size), base64.b64decode(root, validate=True)

# 4. A package becomes a database with the tables of a log, when its files are those of its lists.

def load(folder: Path) -> tuple[sqlite3.Connection, bool]:
    db, manifest = sqlite3.connect(""), json.loads((folder / "manifest.json").read_bytes())
    listed = [(line[66:], line[:64]) for line in (folder / "SHA256SUMS").read_text().splitlines()]
    for path, digest in listed + [(each["path"], each["sha256"]) for each in manifest["files"]]:
        if not (folder / path).is_file() or sha((folder / path).read_bytes()).hex() != digest:
            FOUND.append(f"{path} is missing, or its octets have another SHA-256")
    files = [(table, f"{table}s.jsonl", 0) for table in ("segment", "context", "head", "document", "checkpoint")]
    for part in manifest["segments"]:
        files += [(table, part[f"{table}s"], part["number"]) for table in ("record", "url") if part[f"{table}s"]]
