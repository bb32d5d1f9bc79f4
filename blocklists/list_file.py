"""The octets of a list, and whether they are the list that its manifest describes.

Decides what is implausible: a web page, another encoding, more than one row in a hundred that is not
understood, another number of entries than the header says, nothing that could be applied. The same checks
serve a file in a folder and octets that were just fetched.
Pure; what cannot be trusted is a ListError that begins with the place of the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from blocklists.entry import Match
from blocklists.errors import ListError
from blocklists.formats import adblock, csv_rows, dnsmasq, hosts, native, plain, rpz, unbound, ut1, wildcard
from blocklists.formats.header import read_header
from blocklists.manifest import Format, Manifest
from blocklists.unpack import unpack, ut1_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocklists.formats.row import ParsedList

MAX_REJECTED_SHARE = 0.01
_SHOWN_ROWS = 3
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_CHECKED_AT_ONCE = 1_048_576

_LINE_FORMATS: dict[Format, tuple[str, Callable[[bytes, Match], ParsedList]]] = {
    Format.PLAIN: (plain.PARSER, lambda octets, scope: plain.parse_plain(octets, scope=scope)),
    Format.HOSTS: (hosts.PARSER, lambda octets, scope: hosts.parse_hosts(octets, scope=scope)),
    Format.ADBLOCK: (adblock.PARSER, lambda octets, scope: adblock.parse_adblock(octets, scope=scope)),
    Format.WILDCARD: (wildcard.PARSER, lambda octets, scope: wildcard.parse_wildcard(octets, scope=scope)),
    Format.DNSMASQ: (dnsmasq.PARSER, lambda octets, scope: dnsmasq.parse_dnsmasq(octets, scope=scope)),
    Format.UNBOUND: (unbound.PARSER, lambda octets, scope: unbound.parse_unbound(octets, scope=scope)),
    Format.RPZ: (rpz.PARSER, lambda octets, scope: rpz.parse_rpz(octets, scope=scope)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """The octets of a list as they were stored or fetched.

    `urls` is the second file of a UT1 folder, None for every other list. `sha256` is the hex digest of the
    file, or, for a folder, of the lines `domains SHA256` and `urls SHA256`.
    """

    octets: bytes
    urls: bytes | None = None

    @property
    def sha256(self) -> str:
        """The digest that a manifest pins."""
        digest = sha256(self.octets).hexdigest()
        if self.urls is None:
            return digest
        return sha256(f"domains {digest}\nurls {sha256(self.urls).hexdigest()}\n".encode()).hexdigest()

    @property
    def size(self) -> int:
        """The octets of all files together."""
        return len(self.octets) + len(self.urls or b"")


def parse_list(manifest: Manifest, file: ListFile, *, where: str) -> ParsedList:
    """Return the rows of a list, or raise ListError when it is not plausible; `where` begins the message."""
    octets = unpack(file.octets, where)
    urls = file.urls
    if manifest.format is Format.UT1 and urls is None:
        octets, urls = ut1_files(octets, where)
    for part in (octets, urls or b""):
        _refuse_what_is_no_list(where, part)
    parsed = _parse(manifest, octets, urls or b"")
    _refuse_the_implausible(where, parsed)
    declared = read_header(octets).entries
    counts = {parsed.total, len(parsed.rows), parsed.records}
    if declared is not None and declared not in counts:
        raise ListError(
            f"{where}: its header says {declared} entries, but it holds {parsed.records or parsed.total}; it "
            "was cut short or edited, so fetch it again (to lift one entry, use overrides.toml)"
        )
    return parsed


def parser_of(form: Format) -> str:
    """Return the name and version of the parser of a format, which is part of a snapshot's name."""
    others = {Format.UT1: ut1.PARSER, Format.CSV: csv_rows.PARSER, Format.NATIVE: native.PARSER}
    return others[form] if form in others else _LINE_FORMATS[form][0]


def _parse(manifest: Manifest, octets: bytes, urls: bytes) -> ParsedList:
    scope = Match(manifest.scope.value)
    known = bool(manifest.authority)
    if manifest.format is Format.UT1:
        return ut1.parse_ut1(octets, urls, scope=scope)
    if manifest.format is Format.CSV:
        columns = csv_rows.Columns(
            names=manifest.columns or {}, delimiter=manifest.delimiter, date_format=manifest.date_format
        )
        return csv_rows.parse_csv(octets, scope=scope, columns=columns, authority_known=known)
    if manifest.format is Format.NATIVE:
        return native.parse_native(octets, scope=scope, authority_known=known)
    return _LINE_FORMATS[manifest.format][1](octets, scope)


def _refuse_what_is_no_list(where: str, octets: bytes) -> None:
    if octets.startswith(_UTF16_OR_32):
        raise ListError(f"{where}: is UTF-16 or UTF-32; save it as UTF-8")
    problem = _not_utf8(octets)
    if problem is not None:
        line = octets.count(b"\n", 0, problem) + 1
        raise ListError(f"{where}:{line}: is not UTF-8 at octet {problem}; save it as UTF-8")
    head = octets[:_CHECKED_AT_ONCE].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<"):
        raise ListError(f"{where}: looks like a web page, not a list; fetch the raw file")


def _not_utf8(octets: bytes) -> int | None:
    """Return the place of the first octet that is not UTF-8; a part at a time, so that memory stays small."""
    start = 0
    while start < len(octets):
        end = min(start + _CHECKED_AT_ONCE, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - 10xxxxxx continues a character
            end += 1
        part = octets[start:end]
        if not part.isascii():
            try:
                part.decode("utf-8")
            except UnicodeDecodeError as error:
                return start + error.start
        start = end
    return None


def _refuse_the_implausible(where: str, parsed: ParsedList) -> None:
    shown = "; ".join(
        f"line {row.line_no}: {row.text[:60]!r} {row.why}"
        for row in (*parsed.rejected, *parsed.quarantined)[:_SHOWN_ROWS]
    )
    if parsed.fault:
        raise ListError(
            f"{where}: {parsed.fault}; is this the format of the manifest?{f' ({shown})' * bool(shown)}"
        )
    if len(parsed.rejected) > MAX_REJECTED_SHARE * parsed.total:
        most = len(parsed.rejected) > parsed.total / 2
        remedy = "is the format of the manifest right?" if most else "correct or remove them"
        raise ListError(
            f"{where}: {len(parsed.rejected)} of {parsed.total} rows are not understood, more than "
            f"{MAX_REJECTED_SHARE:.0%}; {remedy} ({shown})"
        )
    if not parsed.rows:
        raise ListError(
            f"{where}: holds no entry that can be applied ({len(parsed.quarantined)} rows are too wide); "
            "a list without entries would protect nobody, so fill it or remove its manifest"
        )
