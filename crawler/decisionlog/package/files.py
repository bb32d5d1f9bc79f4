"""Compares the files of a package with its manifest and its sums: which are missing, cut off or changed."""

from __future__ import annotations

import os
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.package import layout, read_jsonl
from crawler.decisionlog.package.read import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crawler.decisionlog.package.layout import Manifest


def check_files(folder: Path, manifest: Manifest, octets: bytes, findings: Findings) -> None:
    """Compare every file with the manifest, and the sums with both."""
    for part in manifest.files:
        path = folder / part.path
        if not _is_ours(folder, path):
            findings.add(Problem.FILE_MISSING, f"{part.path} is missing")
            continue
        try:
            with path.open("rb") as file:
                digest, size = file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
        except OSError as error:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} cannot be read: {error}")
            continue
        if size != part.octets:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} has {size:,} octets instead of {part.octets:,}")
        elif digest != part.sha256:
            findings.add(Problem.FILE_DAMAGED, f"{part.path} has another SHA-256 than the manifest says")
    listed = {part.path for part in manifest.files}
    for segment in manifest.segments:
        for named in (segment.records, segment.urls, segment.sums):
            if named is not None and named not in listed:
                findings.add(Problem.FILE_MISSING, f"{named} is not among the files of the manifest")
    _check_sums(folder, manifest, octets, findings)


def _is_ours(folder: Path, path: Path) -> bool:
    """Whether it is a file of the package itself, and no link to somewhere else."""
    return path.is_file() and path.resolve().is_relative_to(folder.resolve()) and not path.is_symlink()


def _check_sums(folder: Path, manifest: Manifest, octets: bytes, findings: Findings) -> None:
    path = folder / layout.SUMS
    try:
        with path.open("rb") as file:
            for expected in _sums(folder, manifest, octets):
                if file.readline() != expected:
                    findings.add(
                        Problem.FILE_DAMAGED,
                        f"{layout.SUMS} does not say what the manifest does: {expected.decode().split()[1]}",
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
        yield f"{row['sha256']}  {layout.document_file(row['sha256'])}\n".encode()
