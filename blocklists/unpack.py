"""Compressed list files: gzip undone within a bound, and the two files of a UT1 archive.

Decides that a file which would grow beyond the limit of a list is refused before it has grown: a decompressor
is only ever asked for as much as is still allowed.
Implements reading of gzip (RFC 1952) and of tar archives; extracts nothing to disk.
"""

from __future__ import annotations

import io
import tarfile
import zlib

from blocklists.errors import ListError

MAX_LIST_OCTETS = 128 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_STEP = 1_048_576
_MAX_MEMBERS = 1_000


def unpack(octets: bytes, where: str, *, limit: int = MAX_LIST_OCTETS) -> bytes:
    """Return the octets of a gzip file, of several members if need be; other octets as they are.

    Raises ListError when the result would exceed `limit` octets, is cut short, or is damaged; `where` names
    the file in the message.
    """
    if not octets.startswith(GZIP_MAGIC):
        return octets
    parts: list[bytes] = []
    size = 0
    rest = octets
    while rest.startswith(GZIP_MAGIC):
        stream = zlib.decompressobj(_GZIP)
        while True:
            try:
                part = stream.decompress(rest, min(_STEP, limit - size + 1))
            except zlib.error as error:
                raise ListError(f"{where}: is damaged ({error}); fetch it again") from error
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            if not part and not rest and not stream.eof:
                raise ListError(f"{where}: is cut short; fetch it again")
            size += len(part)
            if size > limit:
                raise ListError(
                    f"{where}: unpacks to more than {limit} octets; a list may have that many, so split it"
                )
            parts.append(part)
            if stream.eof:
                break
    if rest.strip(b"\x00"):
        raise ListError(f"{where}: has something after its compressed data; fetch it again")
    return b"".join(parts)


def ut1_files(archive: bytes, where: str, *, limit: int = MAX_LIST_OCTETS) -> tuple[bytes, bytes]:
    """Return the `domains` and `urls` files of a UT1 archive (tar, unpacked by `unpack` before).

    A missing file is empty, but both are not. Raises ListError for what is no such archive, or holds two
    lists.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for count, member in enumerate(tar, start=1):
                if count > _MAX_MEMBERS:
                    raise ListError(
                        f"{where}: holds more than {_MAX_MEMBERS} files; name the archive of one list"
                    )
                name = member.name.rpartition("/")[2]
                if name not in ("domains", "urls") or not member.isreg():
                    continue
                if name in found:
                    raise ListError(f"{where}: holds two files {name!r}; name the archive of one list")
                content = tar.extractfile(member)
                found[name] = content.read(limit) if content else b""
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise ListError(f"{where}: is no UT1 archive ({error}); fetch it again") from error
    if not found:
        raise ListError(f"{where}: holds neither `domains` nor `urls`; is this a UT1 list?")
    return found.get("domains", b""), found.get("urls", b"")
