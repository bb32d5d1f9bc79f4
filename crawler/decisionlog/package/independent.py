# fmt: off
"""Verify a crawler's decision log: an export package of JSON lines, or a SQLite database.

    python3 verify.py FOLDER_OR_DATABASE [VKEY | FILE_WITH_CHECKPOINT]...

Standard library only, no network; written from the format's description, sharing no code with what writes
it. Left out: sums by host, attestations, quotations. Exit: 0 well, 2 misused, 4 changed, 6 not verifiable.
"""
import base64, gzip, hashlib, json, sqlite3, sys, zlib
from functools import reduce
from pathlib import Path

FOUND, OPEN, HEAD = [], [], ("size", "root", "ts_us")  # what is wrong; what could not be verified
OCTETS = ("sha256", "_commit", "_octets", "root", "salt", "nonce", "body")  # ends of names: hex in JSON
DATA = (("record", "records"), ("opening", "urls"), ("rollup", "sums"))  # tables, and folders of a package
def sha(data): return hashlib.sha256(data).digest()

# 1. The Merkle tree of RFC 6962: a stack of the roots of perfect subtrees, largest first.
def grow(stack, size, leaf):  # append a leaf hash to a tree of `size` leaves
    stack.append(leaf)
    while size & 1:
        stack[-2:], size = [sha(b"\x01" + stack[-2] + stack[-1])], size >> 1
def root_of(stack): return reduce(lambda a, b: sha(b"\x01" + b + a), stack[::-1]) if stack else sha(b"")

# 2. The octets of records and of segments: tagged fields, 0 NULL, 1 integer, 2 text, 3 octets.
RECORD = """1schema 3uuid 1idx 1ts_us 1mono_ns 2agent 3policy_sha256 3blocklist_sha256 2stage 2verdict 2reason
    2kind 2method 2host 2domain 3url_commit 3parent_commit 3basis_sha256 1ref_idx 1attempt 1status 1size
    3body_sha256 2media_type 2error"""
def fields(names, row): return b"".join(field(int(each[0]), row[each[1:]]) for each in names.split())
def field(tag, value):
    if value is None:
        return b"\0"
    body = value.to_bytes(8, "big", signed=True) if tag == 1 else len(value).to_bytes(4, "big") + value
    return bytes([tag]) + body

# 3. Ed25519 (RFC 8032) and C2SP signed notes. A point is X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
def plus(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P
def times(n, point):
    half = times(n >> 1, plus(point, point)) if n else (0, 1, 1, 0)
    return plus(half, point) if n & 1 else half
def point(raw):
    y = int.from_bytes(raw, "little") & 2**255 - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and raw[31] >> 7):
        raise ValueError("no point of the curve")
    x = x if x & 1 == raw[31] >> 7 else P - x
    return x, y, 1, x * y % P
def is_signed(key, text, raw):
    s, base = int.from_bytes(raw[32:], "little"), point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    h = int.from_bytes(hashlib.sha512(raw[:32] + key + text).digest(), "little") % Q
    a, b = times(s % Q, base), plus(point(raw[:32]), times(h, point(key)))
    return s < Q and len(raw) == 64 and not any((a[i] * b[2] - b[i] * a[2]) % P for i in (0, 1))
def key_of(vkey):
    name, key_id, encoded = vkey.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if len(raw) != 33 or raw[0] != 1 or sha(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise ValueError(f"{vkey} is no Ed25519 verifier key")
    return (name, bytes.fromhex(key_id)), raw[1:]
def read_note(note, keys):  # origin, size, root of a checkpoint, and the keys that signed it, none wrongly
    text, _, lines = note.decode().rpartition("\n\n")
    split = [line.removeprefix("\u2014 ").split(" ") for line in lines[:-1].split("\n")]
    named = [(name, base64.b64decode(encoded, validate=True)) for name, encoded in split]
    known = [(keys[name, raw[:4]], raw[4:]) for name, raw in named if (name, raw[:4]) in keys]
    if not known or not all(is_signed(key, f"{text}\n".encode(), raw) for key, raw in known):
        raise ValueError("a checkpoint is signed by no known key, or a signature is wrong")
    origin, size, root = text.split("\n")
    return origin, int(size), base64.b64decode(root, validate=True), {key for key, _ in known}

# 4. A log is a SQLite database, or a package: a dictionary from tables to files.
def read(path): return path.read_bytes() if path.is_file() else b""
def package(folder):
    manifest = json.loads(read((folder := folder.resolve()) / "manifest.json"))
    listed = {folder / each["path"]: each["sha256"] for each in manifest["files"]}
    log = {each: folder / f"{each}s.jsonl" for each in "segment context head document checkpoint".split()}
    ids = {row["id"] for row in rows(log, "segment")}  # what is not read as that of one of them is no data
    data = {(table, part["number"]): folder / inside / Path(part[inside] or "-").name
            for table, inside in DATA for part in manifest["segments"] if part["number"] in ids}
    beside = {path for _, inside in DATA for path in (folder / inside).glob("*")}
    listed |= dict.fromkeys(beside - set(data.values()))
    for path in sorted(listed.keys() | beside):  # a link, a pipe, a device or a way out is none of its files
        if path != path.resolve() or not path.is_file() or sha(read(path)).hex() != listed.get(path):
            FOUND.append(f"{path} is missing, changed, or none of the files of the manifest")
    return log | data | {"registry": folder / "registry.jsonl", "manifest": manifest}
def once(pairs): return dict(pairs) if len(dict(pairs)) == len(pairs) else FOUND.append("a member is twice")
def rows(log, table, segment=0):  # of a table, or of a segment in it, in order of keys; texts are UTF-8
    if not isinstance(log, dict):
        log.text_factory, where = bytes, f"WHERE segment_id = {segment}" if segment else ""
        found = log.execute(f"SELECT * FROM {table} {where} ORDER BY 1, 2")
        yield from (dict(zip([each[0] for each in found.description], row, strict=True)) for row in found)
    elif (path := log[(table, segment) if segment else table]).is_file():
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for idx, line in enumerate(file):
                plain = {"idx": idx, "body": line[:-1].hex()} if table == "registry" else None
                row = plain or json.loads(line, object_pairs_hook=once)
                for name in [name for name in row if isinstance(row[name], str)]:
                    octets = bytes.fromhex(row[name]) if name.endswith(OCTETS) else row[name].encode()
                    twice = (text := name.removesuffix("_octets")) != name and row[text] is not None
                    FOUND.extend([f"{path}: line {idx + 1} has a URL as text and as octets"] * twice)
                    row[text] = octets
                yield row
def check_registry(log, given, known):  # returns what it says of each segment
    told, stack, named, ever, signing, last, size = {}, [], {}, dict(given), set(), 0, 0
    notes = {int(row["note"].split(b"\n")[1]): row["note"] for row in rows(log, "checkpoint")}
    outside, newest = {int(note.split(b"\n")[1]): note for note in known}, max(notes, default=0)
    for size, row in enumerate(rows(log, "registry"), 1):
        leaf, own, before = json.loads(row["body"]), notes.pop(size, None), named
        told.setdefault(leaf.get("segment"), []).append(leaf)
        grow(stack, size - 1, sha(b"\0sekisho.registry\0" + row["body"]))
        if not row["idx"] == leaf["idx"] == size - 1 or leaf["ts_us"] < last:
            FOUND.append(f"registry entry {row['idx']} is out of order")
        if leaf["kind"] in {"key_add", "key_retire"}:
            name, ever[name] = key_of(leaf["vkey"])
            named = {each: ever[each] for each in (*named, name) if each != name or leaf["kind"] == "key_add"}
        last, head = leaf["ts_us"], (told[None][0]["origin"], size, root_of(stack))
        again = (own or b"") if leaf["kind"] == "key_add" and size > 2 else None  # an older key endorses it
        for note, keys in ((own, named), (again, before), (outside.pop(size, None), ever)):
            *said, signed = read_note(note, keys) if note is not None else (*head, set())
            signing |= signed
            FOUND.extend([f"the checkpoint of size {size} is not of this registry"] * (tuple(said) != head))
    FOUND.extend(["a key that was given has signed nothing in it"] * (not signing >= set(given.values())))
    other = bool(notes or newest != size or (outside and not isinstance(log, dict)))
    FOUND.extend([f"the registry has {size} entries, and there are checkpoints of other sizes"] * other)
    OPEN.extend(["give a key and a checkpoint from elsewhere"] * (len(outside) == len(known) or not given))
    return told
def check_segment(log, segment, told, claims, contexts, documents):  # claims: size with a root or a time
    name, stack, asked = segment["uuid"].decode(), [], {None}
    row = b"sekisho.segment\0" + fields("1schema_ver 1id 2run_id 2agent 1opened_us 3nonce", segment)
    uuid = bytearray(sha(row)[:16])
    uuid[6], uuid[8] = uuid[6] & 15 | 128, uuid[8] & 63 | 128
    erased = {leaf["idx_erased"] for leaf in told if "idx_erased" in leaf}
    said = {(leaf["size"], leaf["size"]) for leaf in told if leaf["kind"].endswith(("_head", "_seal"))}
    facts = {(0, sha(b"")), (0, segment["opened_us"]), (0, 0)}  # what can be said of sizes, and is true
    sizes, openings = {size for size, _ in claims}, rows(log, "opening", segment["id"])
    opening = next(openings, None)
    for size, record in enumerate(rows(log, "record", segment["id"]), 1):
        record |= contexts[record["context_id"]] | {"schema": 1, "uuid": bytes(uuid)}
        leaf, here = sha(b"\0sekisho.record\0" + fields(RECORD, record)), record["idx"]
        needed = {record[each] for each in ("policy_sha256", "blocklist_sha256", "basis_sha256")}
        needed |= {record["body_sha256"]} if record["stage"] == b"run" else set()
        good = here == size - 1 and record.get("leaf_hash", leaf) == leaf
        good = good and needed <= documents and record["ref_idx"] in asked
        if opening and opening["idx"] == here:
            for text, commit in (("url", "url_commit"), ("parent_url", "parent_commit")):
                opened = opening[text] is not None and text.encode() + b"\0" + opening["salt"] + opening[text]
                good &= record[commit] == (sha(opened) if opened and len(opening["salt"]) == 16 else None)
            opening = next(openings, None)
        elif here not in erased and (not isinstance(log, dict) or log["manifest"]["urls"]):
            good = good and record["url_commit"] is None is record["parent_commit"]
        FOUND.extend([f"{name}#{here} changed, misplaced, without its URL, evidence or request"] * (not good))
        asked |= {here} if record["stage"] == b"request" else set()
        grow(stack, size - 1, leaf)
        facts |= {(size, root_of(stack)), (size, record["ts_us"]), (size, size)} if size in sizes else set()
    if name.replace("-", "") != uuid.hex() or opening or not said <= claims <= facts:
        FOUND.append(f"{name}: its records do not fit its row, its heads, its seal or its URLs")

def verify(path, *others):
    files, documents = {each: Path(each).read_bytes() for each in others if Path(each).is_file()}, {None}
    log = package(path) if path.is_dir() else sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    about = log["manifest"] if path.is_dir() else {"encoding": "jsonl", "whole": True, "urls": True}
    for row in rows(log, "document"):
        name, z, packed = row["sha256"].hex(), zlib.decompressobj(), row.get("codec") == b"zlib"
        body = row["body"] if "body" in row else read(path / "documents" / name[:2] / name)
        documents.add(sha(z.decompress(body, 2**30) + z.unused_data + b"?" * (not z.eof) if packed else body))
        FOUND.extend([f"document {name} was changed"] * (row["sha256"] not in documents))
    told = check_registry(log, dict(map(key_of, set(others) - set(files))), list(files.values()))
    contexts, segments = {row["id"]: row for row in rows(log, "context")}, list(rows(log, "segment"))
    heads = [(h["segment_id"], h["size"], h[each]) for h in rows(log, "head") for each in h if each in HEAD]
    documents |= {bytes.fromhex(leaf["sha256"]) for leaf in told.get(None, ()) if "sha256" in leaf}  # erased
    known, there = {each.encode() for each in told if each}, {row["uuid"] for row in segments}
    FOUND.extend(["segments are gone or made up"] * bool(there - known or about["whole"] and known - there))
    OPEN.extend(["the records are no JSON lines"] * (about["encoding"] != "jsonl"))
    OPEN.extend(["the URLs are not here"] * (not about["urls"]))
    for row in segments if about["encoding"] == "jsonl" else ():
        leaves = told.get(row["uuid"].decode(), [])
        claims = {head[1:] for head in heads if head[0] == row["id"]}
        kinds, seal = {leaf["kind"] for leaf in leaves}, (row["size"], row["root"], row["sealed_us"])
        claims |= {(seal[0], each) for each in seal[1:] if "segment_seal" in kinds or set(seal) != {None}}
        claims |= {(leaf["size"], bytes.fromhex(leaf["root"])) for leaf in leaves if "root" in leaf}
        gone = "prune_intent" in kinds
        OPEN.extend(["a segment was pruned: its records are not here"] * gone)
        if not gone or path.is_dir() and any(log[each, row["id"]].is_file() for each, _ in DATA[:2]):
            check_segment(log, row, leaves, claims, contexts, documents)

if __name__ == "__main__":
    if not sys.argv[1:] or not all("+" in each or Path(each).exists() for each in sys.argv[1:]):
        sys.exit(print(__doc__) or 2)
    try:
        verify(Path(sys.argv[1]), *sys.argv[2:])
    except Exception as error:
        FOUND.append(f"this is nothing that is written so: {error!r}")
    print(*(f"FOUND {each}" for each in FOUND), *(f"NOT VERIFIED {each}" for each in OPEN), sep="\n")
    sys.exit(4 if FOUND else 6 if OPEN else 0)
