"""Compares the files of a package with its manifest and its sums: missing, cut off, changed, or none of its.

A file that nothing lists is verified by nobody, and whoever reads all of a folder (`records/*.parquet`)
believes it none the less: among records, URLs, sums and documents it is a finding, elsewhere it is told.
"""

from __future__ import annotations

import os
from hashlib import file_digest, sha256
from importlib import resources
from typing import TYPE_CHECKING, Final

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.package import layout, read_jsonl
from crawler.decisionlog.package.opened import read_whole, regular
from crawler.decisionlog.package.read import UNREADABLE
from crawler.decisionlog.package.readme import readme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crawler.decisionlog.package.layout import Manifest

_NAMED: Final = 20  # as many as a line holds
_LONGEST_MEANS: Final = 1 << 20  # octets
_LONGEST: Final = 1 << 16  # octets of a line of the sums


def check_files(folder: Path, manifest: Manifest, octets: bytes, findings: Findings) -> None:
    """Compare every file with the manifest, and the sums with both."""
    for part in manifest.files:
        path = folder / part.path
        try:
            if not _is_ours(folder, path):
                findings.add(Problem.FILE_MISSING, f"{part.path} is missing")
                continue
            with regular(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest = file_digest(file, "sha256").hexdigest() if size == part.octets else ""
        except OSError as error:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} cannot be read: {error}")
            continue
        if size != part.octets:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} has {size:,} octets instead of {part.octets:,}")
        elif digest != part.sha256:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} has another SHA-256 than the manifest says")
    listed, named = {part.path for part in manifest.files}, layout.file_names(manifest)
    for name in sorted(named - listed):
        findings.add(Problem.FILE_MISSING, f"{name} is not among the files of the manifest")
    for name in sorted(listed - named):
        findings.add(Problem.FILE_OUTSIDE, f"{name} is among the files of the manifest, and is no part of it")
    _check_sums(folder, manifest, octets, findings)


def check_strangers(folder: Path, manifest: Manifest, findings: Findings) -> Iterator[str]:
    """Find what is among the data and is not listed, documents apart; yield a note of what stands beside."""
    known = {part.path for part in manifest.files} | {layout.MANIFEST, layout.SUMS, *layout.DATA_FOLDERS}
    for inside in sorted(layout.DATA_FOLDERS - {"documents"}):
        for name in _names(folder / inside, inside, findings):
            if f"{inside}/{name}" not in known:
                findings.add(Problem.FILE_OUTSIDE, f"{inside}/{name} is no part of the package")
    beside = [name for name in _names(folder, "the package", findings) if name not in known]
    if beside:
        more = " …" if len(beside) > _NAMED else ""
        yield f"no part of the package: {', '.join(beside[:_NAMED])}{more}"


def foreign_means(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield a note of each means for the receiver that is not ours: who forges a package forges these too."""
    means = {
        layout.VERIFIER: resources.files(__package__).joinpath("independent.py").read_bytes(),
        layout.README: readme(manifest).encode(),
    }
    for name, ours in means.items():
        try:
            theirs = read_whole(folder / name, _LONGEST_MEANS)
        except OSError:
            continue  # found to be missing, or unreadable
        if theirs != ours:
            yield f"{name} is not the one that this version of Sekisho makes: read it before you trust it"


def _names(folder: Path, name: str, findings: Findings) -> list[str]:
    """Return what is in a folder; where that cannot be seen is a finding."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        pass  # what should be in it is missing, and found to be
    except OSError as error:
        findings.add(Problem.FILE_DAMAGED, f"{name} cannot be listed: {error}")
    return []


def _is_ours(folder: Path, path: Path) -> bool:
    """Whether it is a file of the package itself, and no link to somewhere else. Raises OSError."""
    return path.is_file() and path.resolve().is_relative_to(folder.resolve()) and not path.is_symlink()


def _check_sums(folder: Path, manifest: Manifest, octets: bytes, findings: Findings) -> None:
    path = folder / layout.SUMS
    try:
        with regular(path).open("rb") as file:
            for expected in _sums(folder, manifest, octets):
                if file.readline(_LONGEST) != expected:
                    name = expected.decode().rstrip("\n").partition("  ")[2]
                    findings.add(
                        Problem.FILE_DAMAGED, f"{layout.SUMS} does not say what the manifest does: {name}"
                    )
                    return
            if file.read(1):
                findings.add(Problem.FILE_DAMAGED, f"{layout.SUMS} lists more than the manifest does")
    except FileNotFoundError:
        findings.add(Problem.FILE_MISSING, f"{layout.SUMS} is missing")
    except UNREADABLE as error:
        findings.add(Problem.FILE_DAMAGED, f"{layout.SUMS} cannot be compared: {error}")


def _sums(folder: Path, manifest: Manifest, octets: bytes) -> Iterator[bytes]:
    """Yield the lines that SHA256SUMS must have."""
    for part in manifest.files:
        yield f"{part.sha256}  {part.path}\n".encode()
    yield f"{sha256(octets).hexdigest()}  {layout.MANIFEST}\n".encode()
    for row in read_jsonl.lines(folder / layout.DOCUMENTS):
        name = layout.checked_digest(row["sha256"])
        yield f"{name}  {layout.document_file(name)}\n".encode()
